// Time for snapshots, shared by the tasks of one thread: however many they are and however many keys they have,
// snapshots take at most a tenth of it. What is taken at once is paid back before the next one begins.

import type { DurationMs } from '../kernel/time.ts'

export const SNAPSHOT_TIME_SHARE = 0.1

export class SnapshotBudget {
  #freeAtMs: DurationMs = Number.NEGATIVE_INFINITY

  /** A snapshot may begin. */
  allows(nowMs: DurationMs): boolean {
    return nowMs >= this.#freeAtMs
  }

  /** A part of one has taken so long, until now. */
  spend(nowMs: DurationMs, costMs: DurationMs): void {
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + costMs / SNAPSHOT_TIME_SHARE
  }
}
