// The newest entry of each key and the alerts that are open, in memory: what the memory views are, and
// what a process holds of views that lie in Redis.

import type { EpochMs } from '../../kernel/time.ts'
import type { Alert } from '../../ports/alert.ts'
import { isNewer, type ViewEntry } from '../../ports/views.ts'

/** Keys of one view. A new key above it is refused: the entity is still archived and still warned about. */
export const MAX_KEYS_PER_VIEW = 1_000_000
/** Resolved alerts remembered, so that a late repeat of an older revision does not open them again. */
export const MAX_RESOLVED_ALERTS = 10_000
/** Alerts that are open at once; above it the one told first is forgotten here, never in Postgres. */
export const MAX_OPEN_ALERTS = 100_000

/**
 * What is kept of a key: one object for as long as the key is there, brought up to date in place. Entries come and go;
 * were they kept themselves, all of them would be copied in every minor collection of memory.
 */
interface Kept {
  readonly view: string
  readonly key: string
  readonly tenantId: string
  readonly version: { partition: number; offset: number; clockMs: EpochMs }
  json: string | null
}

interface View {
  readonly entries: Map<string, Kept>
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
      view.entries.set(name, { ...entry, version: { ...entry.version } })
      return true
    }
    if (!isNewer(entry.version, present.version)) return false
    if ((present.json === null) !== (entry.json === null)) view.ordered = null
    present.version.partition = entry.version.partition
    present.version.offset = entry.version.offset
    present.version.clockMs = entry.version.clockMs
    present.json = entry.json
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
    const kept = this.#views.get(view)?.entries.get(nameOf(tenantId, key))
    return kept === undefined || kept.json === null ? undefined : entryOf(kept)
  }

  /** Entries that exist, ordered by key. A removed one stays as a marker, so that an older put cannot bring it back. */
  list(name: string, tenantId: string | undefined): readonly ViewEntry[] {
    const view = this.#views.get(name)
    if (view === undefined) return []
    view.ordered ??= [...view.entries]
      .filter(([, entry]) => entry.json !== null)
      .sort(([, a], [, b]) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
      .map(([entryName]) => entryName)
    const kept = view.ordered.flatMap((each) => view.entries.get(each) ?? [])
    const own = tenantId === undefined ? kept : kept.filter((each) => each.tenantId === tenantId)
    return own.map(entryOf)
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

/** As it is now: what is kept changes. */
function entryOf(kept: Kept): ViewEntry {
  return { ...kept, version: { ...kept.version } }
}

function nameOf(tenantId: string, key: string): string {
  return `${tenantId}\n${key}`
}

function dropOldest(map: Map<string, unknown>, limit: number): void {
  if (map.size <= limit) return
  const first = map.keys().next()
  if (!first.done) map.delete(first.value)
}
