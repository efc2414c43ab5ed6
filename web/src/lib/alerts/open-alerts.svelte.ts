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

/** Silenced, or hidden by another alert. */
export function isSuppressed(alert: Alert): boolean {
  return alert.silencedBy.length > 0 || alert.inhibitedBy.length > 0
}

/** Firing, heard, and nobody has taken it. */
export function needsAction(alert: Alert): boolean {
  return alert.status === 'firing' && alert.acknowledgedAt === null && !isSuppressed(alert)
}

/** Firing and nobody has taken it. Reactive. */
export function needingAction(): Alert[] {
  return matching(needsAction).sort(byUrgency)
}

/** Reactive. */
export function openAlertCount(): number {
  return matching(needsAction).length
}

/** Alerts that the feed holds and that pass. Reactive. */
export function matching(passes: (alert: Alert) => boolean): Alert[] {
  void live.alertTick
  const found: Alert[] = []
  for (const alert of live.alerts.values()) if (passes(alert)) found.push(alert)
  return found
}
