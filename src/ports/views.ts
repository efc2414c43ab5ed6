// Live views and the live feed: the last known state of each entity, and what changes in it, in
// milliseconds. Not the truth: a store that lost everything is filled again from the tasks.

import type { EpochMs } from '../kernel/time.ts'
import type { Alert, Handling } from './alert.ts'

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

/** What somebody did about an alert, for everybody who watches it. */
export interface HandledAlert {
  readonly id: string
  readonly tenantId: string
  readonly isResolved: boolean
  /** The whole document. */
  readonly json: string
  readonly handling: Handling
}

export type FeedMessage =
  | { readonly type: 'entity'; readonly entry: ViewEntry }
  | { readonly type: 'alert'; readonly alert: Alert }
  | { readonly type: 'handled'; readonly alert: HandledAlert }
  /** Messages are missing before this one; `get`, `list` and `openAlerts` are whole again. */
  | { readonly type: 'gap' }

/** Where the feed stands. Every process that reads one feed numbers its messages alike. */
export interface FeedPosition {
  /** Names the numbering: another one after the store lost what it had. */
  readonly feed: string
  /** Of the newest message; grows. */
  readonly sequence: number
}

/** Messages of one call share their number. */
export type FeedListener = (messages: readonly FeedMessage[], position: FeedPosition) => void

export interface ViewPublisher {
  /** Applies each entry only where it is newer than what is there, and tells the feed. */
  put(entries: readonly ViewEntry[]): Promise<void>
  /** Tells the feed; several tellings of one revision count once. */
  publishAlerts(alerts: readonly Alert[]): Promise<void>
}

/** Tenants are kept apart: a key of one is not a key of another. */
export interface Views extends ViewPublisher {
  get(view: string, key: string, tenantId: string): Promise<ViewEntry | undefined>
  /** All entries of a view, ordered by key; of every tenant where none is named. */
  list(view: string, tenantId?: string): Promise<readonly ViewEntry[]>
  /** Newest alert documents told, still firing or pending, whatever Postgres says. */
  openAlerts(tenantId?: string): Promise<readonly Alert[]>
  /** Tells the feed; nothing is kept. */
  publishHandling(alert: HandledAlert): Promise<void>
  position(): FeedPosition
  /** Calls back for everything applied from now on; returns what ends it. */
  subscribe(listener: FeedListener): () => void
  /** What is wrong with the views at this moment, for whoever asks whether we are ready. */
  problem(): string | null
  close(): Promise<void>
}

export function isNewer(candidate: ViewVersion, present: ViewVersion): boolean {
  if (candidate.offset !== present.offset) return candidate.offset > present.offset
  return candidate.clockMs > present.clockMs
}
