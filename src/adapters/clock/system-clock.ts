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
  if (durationMs <= 0) return nextTurn()
  let leftMs = durationMs
  while (leftMs > LONGEST_TIMER_MS && signal?.aborted !== true) {
    await sleepOnce(LONGEST_TIMER_MS, signal)
    leftMs -= LONGEST_TIMER_MS
  }
  await sleepOnce(leftMs, signal)
}

/** Who has no time to pass, only a turn for everybody else; first come, first served. */
const waiting: (() => void)[] = []

/**
 * A timer would cost a whole millisecond. One a turn of the event loop: tasks that all have a backlog would otherwise
 * compute one after the other before a socket is looked at, and the database would wait for rows.
 */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(resumeFirst)
  })
}

function resumeFirst(): void {
  waiting.shift()?.()
  if (waiting.length > 0) setImmediate(resumeFirst)
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
