// What people and the routing did about alerts, held beside the live feed, so that every alert on it is whole.
// Postgres is the truth; where it does not answer the feed goes on with what is known.

import { type AlertStatus, type Handling, type Severity, UNHANDLED } from '../ports/alert.ts'

/** Alerts that somebody or something handled; the one handled longest ago is forgotten first. */
export const MAX_HANDLED_ALERTS = 100_000

/** Worst first. */
export const SEVERITIES = ['critical', 'major', 'minor', 'warning', 'info'] as const

/**
 * What people are shown. A manual resolve counts until the alert gets worse; that it fired again after its
 * end is noticed by the database, which then takes the manual resolve back.
 */
export function shownStatus(
  alert: { readonly status: AlertStatus; readonly severity: Severity },
  { resolvedAt, resolvedSeverity }: Handling,
): AlertStatus {
  if (resolvedAt === null) return alert.status
  const worse =
    resolvedSeverity !== null &&
    SEVERITIES.indexOf(alert.severity) < SEVERITIES.indexOf(resolvedSeverity)
  return worse ? alert.status : 'resolved'
}

/** Reads the handling of all open alerts that have one. */
export type HandlingSource = () => Promise<ReadonlyMap<string, Handling>>

export interface HandlingOverlay {
  of(alertId: string): Handling
  set(alertId: string, handling: Handling): void
  /** Reads it once; a failed read is tried again by the next call. Never rejects. */
  load(): Promise<void>
  /** Forgets everything; the next `load` reads it again. */
  clear(): void
}

export function createHandlingOverlay(
  source: HandlingSource,
  onError: (error: unknown) => void,
): HandlingOverlay {
  const known = new Map<string, Handling>()
  let loading: Promise<void> | undefined

  const read = async (): Promise<void> => {
    try {
      for (const [id, handling] of await source()) if (!known.has(id)) set(id, handling)
    } catch (error) {
      loading = undefined
      onError(error)
    }
  }

  const set = (id: string, handling: Handling): void => {
    if ((known.get(id)?.handlingRevision ?? 0) > handling.handlingRevision) return
    known.delete(id)
    known.set(id, handling)
    const oldest = known.keys().next()
    if (known.size > MAX_HANDLED_ALERTS && !oldest.done) known.delete(oldest.value)
  }

  return {
    of: (id) => known.get(id) ?? UNHANDLED,
    set,
    clear() {
      known.clear()
      loading = undefined
    },
    load() {
      loading ??= read()
      return loading
    },
  }
}
