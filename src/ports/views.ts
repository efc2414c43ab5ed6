// Live views and the live feed: the last known state of each entity, and what changes in it, in
// milliseconds. Not the truth: a store that lost everything is filled again from the tasks.

import type { EpochMs } from '../kernel/time.ts'
import type { Alert } from './alert.ts'

/** Orders puts of one key: by offset, then by the arrival clock (a tick can change a view too). */
export interface ViewVersion {
  readonly partition: number
  readonly offset: number
  readonly clockMs: EpochMs
}

export interface ViewEntry {
  readonly view: string
  readonly key: string
  readonly tenantId: string
  readonly version: ViewVersion
  /** The document as JSON, encoded once and passed on as it is; null where the entity is gone. */
  readonly json: string | null
}

export type FeedMessage =
  | { readonly type: 'entity'; readonly entry: ViewEntry }
  | { readonly type: 'alert'; readonly alert: Alert }

export interface ViewPublisher {
  /** Applies each entry only where it is newer than what is there, and tells the feed. */
  put(entries: readonly ViewEntry[]): Promise<void>
  /** Tells the feed; several tellings of one revision count once. */
  publishAlerts(alerts: readonly Alert[]): Promise<void>
}

export interface Views extends ViewPublisher {
  get(view: string, key: string): Promise<ViewEntry | undefined>
  /** All entries of a view, ordered by key. */
  list(view: string): Promise<readonly ViewEntry[]>
  /** Newest alert documents told, still firing or pending, whatever Postgres says. */
  openAlerts(): Promise<readonly Alert[]>
  /** Calls back for everything applied from now on; returns what ends it. */
  subscribe(listener: (messages: readonly FeedMessage[]) => void): () => void
  close(): Promise<void>
}

export function isNewer(candidate: ViewVersion, present: ViewVersion): boolean {
  if (candidate.offset !== present.offset) return candidate.offset > present.offset
  return candidate.clockMs > present.clockMs
}
