// One polite sentence about new alerts, for those who do not see the screen move.

import type { Alert } from '$lib/api/types.ts'
import { announcer } from '$lib/notices.svelte.ts'
import { severityMarks, severityRank } from '$lib/severity.ts'
import { needsAction } from './open-alerts.svelte.ts'

const told = new Set<string>()
/** Ids kept to tell a new alert from a changed one. */
const TOLD_LIMIT = 2_000

export function announceAlerts(changed: readonly Alert[]): void {
  const fresh = changed.filter((alert) => needsAction(alert) && !told.has(alert.id))
  const first = fresh.toSorted((a, b) => severityRank(a.severity) - severityRank(b.severity))[0]
  if (first === undefined) return
  if (told.size > TOLD_LIMIT) told.clear()
  for (const alert of fresh) told.add(alert.id)
  const others = fresh.length > 1 ? `, and ${fresh.length - 1} more` : ''
  announcer.say(
    `New alert, ${severityMarks[first.severity].word}: ${first.entityId}, ${first.summary}${others}`,
  )
}
