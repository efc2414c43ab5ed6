// The machine's own clock and timers: the only place that reads them.

import type { DurationMs } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'

/** Longest span one timer of the runtime can hold; longer ones fire at once instead. */
const LONGEST_TIMER_MS = 2_147_483_647

export function systemClock(): Clock {
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    sleep,
  }
}

async function sleep(durationMs: DurationMs, signal?: AbortSignal): Promise<void> {
  // No time to pass, only a turn for everybody else: a timer would cost a whole millisecond.
  if (durationMs <= 0) return new Promise((resolve) => setImmediate(resolve))
  let leftMs = durationMs
  while (leftMs > LONGEST_TIMER_MS && signal?.aborted !== true) {
    await sleepOnce(LONGEST_TIMER_MS, signal)
    leftMs -= LONGEST_TIMER_MS
  }
  await sleepOnce(leftMs, signal)
}

function sleepOnce(durationMs: DurationMs, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve()
      return
    }
    const end = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, Math.max(0, durationMs))
    signal?.addEventListener('abort', end, { once: true })
  })
}
