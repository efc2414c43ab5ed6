// Work that may succeed later is tried again, after pauses that double.

import { isRetryable } from './errors.ts'
import type { DurationMs } from './time.ts'

export interface Tries {
  readonly tries: number
  readonly firstPauseMs: DurationMs
  sleep(spanMs: DurationMs): Promise<void>
}

/** Rejects as the last try did; before each of them `before` may reject. */
export async function withTries<T>(
  work: () => Promise<T>,
  { tries, firstPauseMs, sleep }: Tries,
  before: () => Promise<void>,
): Promise<T> {
  for (let tried = 1; ; tried++) {
    await before()
    try {
      return await work()
    } catch (error) {
      if (!isRetryable(error) || tried === tries) throw error
      await sleep(firstPauseMs * 2 ** (tried - 1))
    }
  }
}
