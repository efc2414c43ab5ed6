// Time that passes only when nothing else is left to do: the clock jumps to whoever sleeps shortest.

import type { DurationMs, EpochMs } from '../../src/kernel/time.ts'
import type { Clock } from '../../src/ports/clock.ts'

interface Sleeper {
  readonly atMs: EpochMs
  /** Sleepers of one instant wake in the order in which they lay down. */
  readonly order: number
  wake: (() => void) | null
}

/** Turns of the event loop with nobody asleep: a test may take some of its own. */
const PATIENT_TURNS = 10
const FIRST_MS: EpochMs = Date.UTC(2026, 2, 1, 6)

export class VirtualClock implements Clock {
  #nowMs = FIRST_MS
  #order = 0
  readonly #heap: Sleeper[] = []

  nowMs(): EpochMs {
    return this.#nowMs
  }

  monotonicMs(): DurationMs {
    return this.#nowMs - FIRST_MS
  }

  sleep(durationMs: DurationMs, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve()
        return
      }
      const atMs = this.#nowMs + Math.max(0, durationMs)
      const sleeper: Sleeper = { atMs, order: this.#order++, wake: resolve }
      if (signal !== undefined) {
        const end = (): void => {
          sleeper.wake = null
          resolve()
        }
        signal.addEventListener('abort', end, { once: true })
        sleeper.wake = () => {
          signal.removeEventListener('abort', end)
          resolve()
        }
      }
      this.#push(sleeper)
    })
  }

  /** Lets time pass until the work is done; fails where everybody waits for something that never comes. */
  async run<T>(work: Promise<T>, limitMs: DurationMs): Promise<T> {
    const untilMs = this.#nowMs + limitMs
    let done = false
    let idleTurns = 0
    const end = (): void => {
      done = true
    }
    work.then(end, end)
    for (;;) {
      // All that can go on without time passing does so before this turn comes.
      await new Promise(setImmediate)
      if (done) return work
      const next = this.#pop()
      if (next === undefined) {
        if (idleTurns++ < PATIENT_TURNS) continue
        throw new Error('The simulated world stands still.')
      }
      idleTurns = 0
      if (next.atMs > untilMs) throw new Error('The simulated world does not come to an end.')
      this.#nowMs = next.atMs
      next.wake?.()
    }
  }

  #push(sleeper: Sleeper): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(sleeper)
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = heap[parentAt]
      if (parent === undefined || !before(sleeper, parent)) break
      heap[at] = parent
      at = parentAt
    }
    heap[at] = sleeper
  }

  #pop(): Sleeper | undefined {
    for (;;) {
      const first = this.#popAny()
      if (first === undefined || first.wake !== null) return first
    }
  }

  #popAny(): Sleeper | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let childAt = 2 * at + 1
      let child = heap[childAt]
      if (child === undefined) break
      const right = heap[childAt + 1]
      if (right !== undefined && before(right, child)) {
        childAt++
        child = right
      }
      if (!before(child, last)) break
      heap[at] = child
      at = childAt
    }
    heap[at] = last
    return first
  }
}

function before(a: Sleeper, b: Sleeper): boolean {
  return a.atMs !== b.atMs ? a.atMs < b.atMs : a.order < b.order
}
