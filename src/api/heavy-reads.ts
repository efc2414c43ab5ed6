// Reports and downloads hold a database connection for as long as they last. Only so many run at once, so
// that they never take the connections that everything else needs.

import { HttpProblem } from './problems.ts'

export const MAX_HEAVY_READS = 4
const RETRY_AFTER_S = 2

export interface HeavyReads {
  /** Takes a place, and returns what gives it back; throws 503 where none is free. Giving back twice is harmless. */
  enter(): () => void
  /** The same around one piece of work. */
  run<T>(work: () => Promise<T>): Promise<T>
}

export function createHeavyReads(limit = MAX_HEAVY_READS): HeavyReads {
  let running = 0

  const enter = (): (() => void) => {
    if (running >= limit) {
      throw new HttpProblem('busy', `${limit} reports or downloads are running. Try again.`, {
        retryAfterS: RETRY_AFTER_S,
      })
    }
    running += 1
    let inside = true
    return () => {
      if (inside) running -= 1
      inside = false
    }
  }

  return {
    enter,
    async run(work) {
      const leave = enter()
      try {
        return await work()
      } finally {
        leave()
      }
    },
  }
}
