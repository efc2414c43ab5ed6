// The newest entry of each key and the alerts that are open, in memory: what the memory views are, and
// what a process holds of views that lie in Redis.

import type { Alert } from '../../ports/alert.ts'
import { isNewer, type ViewEntry } from '../../ports/views.ts'

/** Keys of one view. A new key above it is refused: the entity is still archived and still warned about. */
export const MAX_KEYS_PER_VIEW = 1_000_000
/** Resolved alerts remembered, so that a late repeat of an older revision does not open them again. */
export const MAX_RESOLVED_ALERTS = 10_000
/** Alerts that are open at once; above it the one told first is forgotten here, never in Postgres. */
export const MAX_OPEN_ALERTS = 100_000

interface View {
  readonly entries: Map<string, ViewEntry>
  /** Names in the order of their keys; null where one came or went since it was made. */
  ordered: readonly string[] | null
}

export class ViewState {
  /** Puts of new keys that were refused because a view was full. */
  refusedKeys = 0
  readonly #views = new Map<string, View>()
  readonly #open = new Map<string, Alert>()
  readonly #resolved = new Map<string, number>()

  /** True where the entry was newer than what was there. */
  apply(entry: ViewEntry): boolean {
    const view = this.#viewOf(entry.view)
    const name = nameOf(entry.tenantId, entry.key)
    const present = view.entries.get(name)
    if (present === undefined) {
      if (view.entries.size >= MAX_KEYS_PER_VIEW) {
        this.refusedKeys += 1
        return false
      }
      view.ordered = null
    } else if (!isNewer(entry.version, present.version)) {
      return false
    } else if ((present.json === null) !== (entry.json === null)) {
      view.ordered = null
    }
    view.entries.set(name, entry)
    return true
  }

  /** True where the alert is news: a revision not told before. */
  applyAlert(alert: Alert): boolean {
    const known = this.#open.get(alert.id)?.revision ?? this.#resolved.get(alert.id) ?? 0
    if (alert.revision <= known) return false
    this.#resolved.delete(alert.id)
    if (alert.status === 'resolved') {
      this.#open.delete(alert.id)
      this.#resolved.set(alert.id, alert.revision)
      dropOldest(this.#resolved, MAX_RESOLVED_ALERTS)
    } else {
      this.#open.set(alert.id, alert)
      dropOldest(this.#open, MAX_OPEN_ALERTS)
    }
    return true
  }

  get(view: string, key: string, tenantId: string): ViewEntry | undefined {
    const entry = this.#views.get(view)?.entries.get(nameOf(tenantId, key))
    return entry?.json === null ? undefined : entry
  }

  /** Entries that exist, ordered by key. A removed one stays as a marker, so that an older put cannot bring it back. */
  list(name: string, tenantId: string | undefined): readonly ViewEntry[] {
    const view = this.#views.get(name)
    if (view === undefined) return []
    view.ordered ??= [...view.entries]
      .filter(([, entry]) => entry.json !== null)
      .sort(([, a], [, b]) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
      .map(([entryName]) => entryName)
    const entries = view.ordered.flatMap((each) => view.entries.get(each) ?? [])
    return tenantId === undefined ? entries : entries.filter((entry) => entry.tenantId === tenantId)
  }

  openAlerts(tenantId: string | undefined): readonly Alert[] {
    const alerts = [...this.#open.values()]
    return tenantId === undefined ? alerts : alerts.filter((alert) => alert.tenantId === tenantId)
  }

  clear(): void {
    this.#views.clear()
    this.#open.clear()
    this.#resolved.clear()
  }

  #viewOf(name: string): View {
    let view = this.#views.get(name)
    if (view === undefined) {
      view = { entries: new Map(), ordered: null }
      this.#views.set(name, view)
    }
    return view
  }
}

function nameOf(tenantId: string, key: string): string {
  return `${tenantId}\n${key}`
}

function dropOldest(map: Map<string, unknown>, limit: number): void {
  if (map.size <= limit) return
  const first = map.keys().next()
  if (!first.done) map.delete(first.value)
}
