// Open alerts in the order in which they want somebody: worst first, then the oldest.

import type { Alert } from '$lib/api/types.ts'
import { live } from '$lib/live.svelte.ts'
import { severityRank } from '$lib/severity.ts'

export function byUrgency(a: Alert, b: Alert): number {
  return (
    severityRank(a.severity) - severityRank(b.severity) ||
    a.startsAt.localeCompare(b.startsAt) ||
    a.id.localeCompare(b.id)
  )
}

/** Firing and nobody has taken it. Reactive. */
export function needingAction(): Alert[] {
  return matching((alert) => alert.status === 'firing' && alert.acknowledgedAt === null).sort(
    byUrgency,
  )
}

/** Reactive. */
export function openAlertCount(): number {
  return matching((alert) => alert.status === 'firing' && alert.acknowledgedAt === null).length
}

/** Alerts that the feed holds and that pass. Reactive. */
export function matching(passes: (alert: Alert) => boolean): Alert[] {
  void live.alertTick
  const found: Alert[] = []
  for (const alert of live.alerts.values()) if (passes(alert)) found.push(alert)
  return found
}
