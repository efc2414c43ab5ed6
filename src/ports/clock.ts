// Wall time and waiting. Only the clock adapter touches the real ones.

import type { DurationMs, EpochMs } from '../kernel/time.ts'

export interface Clock {
  nowMs(): EpochMs
  /** Milliseconds with fractions from an arbitrary start; never goes back. */
  monotonicMs(): DurationMs
  /** Resolves after the span, or at once on abort. */
  sleep(durationMs: DurationMs, signal?: AbortSignal): Promise<void>
}
