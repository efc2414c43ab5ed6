// Lets event time pass K times as fast as the clock: `--speedup K`.

import type { DurationMs, EpochMs } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'

/** A gap that would be waited longer for is not waited for, since one wrong clock must not stop an import. */
export const MAX_PACE_WAIT_MS: DurationMs = 60_000
/** So many events in a row beyond the gap show that time has really moved on. */
export const EVENTS_BEYOND_GAP = 20

export class Pacer {
  readonly #clock: Clock
  readonly #speedup: number
  #eventMs: EpochMs | undefined
  #dueMs: DurationMs
  #beyond = 0

  constructor(clock: Clock, speedup: number) {
    this.#clock = clock
    this.#speedup = speedup
    this.#dueMs = clock.monotonicMs()
  }

  /** How long the event has to wait from now; what is older than the newest so far goes at once. */
  waitMs(eventMs: EpochMs): DurationMs {
    if (this.#eventMs === undefined) this.#eventMs = eventMs
    const stepMs = (eventMs - this.#eventMs) / this.#speedup
    if (stepMs > MAX_PACE_WAIT_MS && ++this.#beyond < EVENTS_BEYOND_GAP) return 0
    if (stepMs <= 0) return 0
    this.#eventMs = eventMs
    if (this.#beyond >= EVENTS_BEYOND_GAP) this.#dueMs = this.#clock.monotonicMs()
    else this.#dueMs += stepMs
    this.#beyond = 0
    return Math.max(0, this.#dueMs - this.#clock.monotonicMs())
  }
}
