// What people did about the open alerts, held beside the live feed, so that every alert on it is whole.
// Postgres is the truth; where it does not answer the feed goes on with what is known.

import type { Handling } from '../ports/alert.ts'

/** Open alerts with an acknowledgement or an assignee; the oldest is forgotten first. */
export const MAX_HANDLED_ALERTS = 100_000

export const UNHANDLED: Handling = { acknowledgedAt: null, acknowledgedBy: null, assignee: null }

/** Reads the handling of all open alerts that have one. */
export type HandlingSource = () => Promise<ReadonlyMap<string, Handling>>

export interface HandlingOverlay {
  of(alertId: string): Handling
  set(alertId: string, handling: Handling): void
  forget(alertId: string): void
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
    known.delete(id)
    known.set(id, handling)
    const oldest = known.keys().next()
    if (known.size > MAX_HANDLED_ALERTS && !oldest.done) known.delete(oldest.value)
  }

  return {
    of: (id) => known.get(id) ?? UNHANDLED,
    set,
    forget: (id) => known.delete(id),
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
