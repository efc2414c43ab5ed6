// Open alerts about one entity of a live view.

import { UNHANDLED } from '../ports/alert.ts'
import type { ViewEntry } from '../ports/views.ts'
import { type AlertDocument, alertDocument } from './alert-json.ts'
import { openAlertsOf } from './alert-queries.ts'
import type { ServerOptions } from './options.ts'

/** From the record where it answers, else from the live feed: a page about an entity never fails for that. */
export async function openAlertsAbout(
  { database, views, logger }: ServerOptions,
  { key, tenantId }: ViewEntry,
): Promise<readonly AlertDocument[]> {
  const live = (await views.openAlerts(tenantId)).filter((alert) => alert.entityId === key)
  const recorded = await openAlertsOf(database, { entityId: key, tenantId }).catch(
    (error: unknown) => {
      logger.error('entity-alerts', error, { entityId: key })
      return []
    },
  )
  const known = new Set(recorded.map((alert) => alert.id))
  const unrecorded = live.filter((alert) => !known.has(alert.id))
  return [...unrecorded.map((alert) => alertDocument(alert, UNHANDLED)), ...recorded]
}
