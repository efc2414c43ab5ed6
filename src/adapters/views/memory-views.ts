// Live views in this process's memory. Nothing here is the truth: after a restart the tasks fill it again.

import type { Alert } from '../../ports/alert.ts'
import { type FeedMessage, isNewer, type ViewEntry, type Views } from '../../ports/views.ts'

/** Keys of one view. A new key above it is refused: the entity is still archived and still warned about. */
export const MAX_KEYS_PER_VIEW = 1_000_000
/** Resolved alerts remembered, so that a late repeat of an older revision does not open them again. */
export const MAX_RESOLVED_ALERTS = 10_000
/** Alerts that are open at once; above it the one told first is forgotten here, never in Postgres. */
export const MAX_OPEN_ALERTS = 100_000

export interface MemoryViews extends Views {
  /** Puts of new keys that were refused because a view was full. */
  readonly refusedKeys: number
}

interface View {
  readonly entries: Map<string, ViewEntry>
  /** Keys in order; null where a key came or went since it was made. */
  ordered: readonly string[] | null
}

export function createMemoryViews(): MemoryViews {
  const views = new Map<string, View>()
  const open = new Map<string, Alert>()
  const resolved = new Map<string, number>()
  const listeners = new Set<(messages: readonly FeedMessage[]) => void>()
  let refusedKeys = 0

  const tell = (messages: readonly FeedMessage[]): void => {
    if (messages.length > 0) for (const listener of listeners) listener(messages)
  }

  const apply = (entry: ViewEntry): boolean => {
    const view = viewOf(views, entry.view)
    const present = view.entries.get(entry.key)
    if (present === undefined) {
      if (view.entries.size >= MAX_KEYS_PER_VIEW) {
        refusedKeys += 1
        return false
      }
      view.ordered = null
    } else if (!isNewer(entry.version, present.version)) {
      return false
    } else if ((present.json === null) !== (entry.json === null)) {
      view.ordered = null
    }
    view.entries.set(entry.key, entry)
    return true
  }

  return {
    get refusedKeys() {
      return refusedKeys
    },
    async put(entries) {
      const applied: FeedMessage[] = []
      for (const entry of entries) {
        if (apply(entry)) applied.push({ type: 'entity', entry })
      }
      tell(applied)
    },
    async publishAlerts(alerts) {
      const applied: FeedMessage[] = []
      for (const alert of alerts) {
        if (applyAlert(open, resolved, alert)) applied.push({ type: 'alert', alert })
      }
      tell(applied)
    },
    async get(view, key) {
      const entry = views.get(view)?.entries.get(key)
      return entry?.json === null ? undefined : entry
    },
    async list(name) {
      const view = views.get(name)
      return view === undefined ? [] : inOrder(view)
    },
    async openAlerts() {
      return [...open.values()]
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async close() {
      listeners.clear()
      views.clear()
      open.clear()
      resolved.clear()
    },
  }
}

function viewOf(views: Map<string, View>, name: string): View {
  let view = views.get(name)
  if (view === undefined) {
    view = { entries: new Map(), ordered: null }
    views.set(name, view)
  }
  return view
}

/** Entries that exist, ordered by key. A removed one stays as a marker, so that an older put cannot bring it back. */
function inOrder(view: View): readonly ViewEntry[] {
  view.ordered ??= [...view.entries.values()]
    .filter((entry) => entry.json !== null)
    .map((entry) => entry.key)
    .sort()
  return view.ordered.flatMap((key) => view.entries.get(key) ?? [])
}

/** True where the alert is news: a revision not told before. */
function applyAlert(
  open: Map<string, Alert>,
  resolved: Map<string, number>,
  alert: Alert,
): boolean {
  const known = open.get(alert.id)?.revision ?? resolved.get(alert.id) ?? 0
  if (alert.revision <= known) return false
  if (alert.status === 'resolved') {
    open.delete(alert.id)
    resolved.delete(alert.id)
    resolved.set(alert.id, alert.revision)
    dropOldest(resolved, MAX_RESOLVED_ALERTS)
  } else {
    resolved.delete(alert.id)
    open.set(alert.id, alert)
    dropOldest(open, MAX_OPEN_ALERTS)
  }
  return true
}

function dropOldest(map: Map<string, unknown>, limit: number): void {
  if (map.size <= limit) return
  const first = map.keys().next()
  if (!first.done) map.delete(first.value)
}
