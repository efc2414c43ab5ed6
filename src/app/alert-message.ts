// The alert as the `alerts` topic carries it.

import { toIso } from '../kernel/time.ts'
import type { Alert } from '../ports/alert.ts'
import type { NewRecord } from '../ports/log.ts'

/** One that is told again has the same deduplication key. */
export function alertMessage(alert: Alert): NewRecord {
  const { tenantId, startsAtMs, endsAtMs, updatedAtMs, receivedAtMs, ...rest } = alert
  const message = {
    ...rest,
    startsAt: toIso(startsAtMs),
    endsAt: endsAtMs === null ? null : toIso(endsAtMs),
    updatedAt: toIso(updatedAtMs),
  }
  return {
    key: alert.entityId,
    value: Buffer.from(JSON.stringify(message)),
    receivedAtMs,
    tenantId,
    headers: {
      'content-type': 'application/json',
      'outrider-alert-id': alert.id,
      'outrider-deduplication-key': `${alert.id}:${alert.revision}`,
    },
  }
}
