// Time for snapshots, shared by the tasks of one thread: however many they are and however many keys they have,
// snapshots cost at most a tenth of it. What is taken at once is paid back before the next one begins. Keys that an
// event is about to change are written where nobody measures time; they count as what the others took.

import type { DurationMs } from '../kernel/time.ts'

/** Collection, compression and the database come on top: a tenth in all. */
export const SNAPSHOT_TIME_SHARE = 0.06

/** What of a snapshot was written since the part before. */
export interface SnapshotPart {
  /** How long its own keys took, or its beginning, which writes none. */
  readonly tookMs: DurationMs
  readonly keys: number
  /** Keys that were written before it, because events were about to change them. */
  readonly ahead: number
}

export class SnapshotBudget {
  #freeAtMs: DurationMs = Number.NEGATIVE_INFINITY
  #measuredMs: DurationMs = 0
  #measuredKeys = 0

  /** A snapshot may begin. */
  allows(nowMs: DurationMs): boolean {
    return nowMs >= this.#freeAtMs
  }

  /** A part of one ends now. */
  spend(nowMs: DurationMs, { tookMs, keys, ahead }: SnapshotPart): void {
    if (keys > 0) this.#measuredMs += tookMs
    this.#measuredKeys += keys
    const keyMs = this.#measuredKeys === 0 ? 0 : this.#measuredMs / this.#measuredKeys
    const costMs = tookMs + ahead * keyMs
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + costMs / SNAPSHOT_TIME_SHARE
  }
}
