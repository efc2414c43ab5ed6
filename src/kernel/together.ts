// Many small calls become few large ones: what is asked while an earlier call is under way goes with the next.
// Nothing waits where nothing is under way, so that one call alone is as fast as before.

import { isRetryable } from './errors.ts'

/** Calls that one goes out with; further ones go with the one after it. */
export const MAX_TOGETHER = 200

interface Waiting<In, Out> {
  readonly given: In
  readonly resolve: (result: Out) => void
  readonly reject: (error: unknown) => void
}

/**
 * `work` answers each of what it is given, in that order, and does all of it or nothing. Where it rejects for good,
 * each is done by itself, so that one that can't be done keeps no other from it.
 */
export function together<In, Out>(
  work: (given: readonly In[]) => Promise<readonly Out[]>,
): (given: In) => Promise<Out> {
  let waiting: Waiting<In, Out>[] = []
  let isUnderWay = false

  async function goOn(): Promise<void> {
    isUnderWay = true
    while (waiting.length > 0) {
      const batch = waiting.slice(0, MAX_TOGETHER)
      waiting = waiting.slice(MAX_TOGETHER)
      await carryOut(batch)
    }
    isUnderWay = false
  }

  async function carryOut(batch: readonly Waiting<In, Out>[]): Promise<void> {
    try {
      const results = await work(batch.map(({ given }) => given))
      for (const [index, { resolve, reject }] of batch.entries()) {
        const result = results.slice(index, index + 1)
        if (result.length === 0) reject(new Error('It was not answered.'))
        for (const each of result) resolve(each)
      }
    } catch (error) {
      if (batch.length === 1 || isRetryable(error)) {
        for (const { reject } of batch) reject(error)
      } else for (const each of batch) await carryOut([each])
    }
  }

  return (given) =>
    new Promise((resolve, reject) => {
      waiting.push({ given, resolve, reject })
      // Whoever else asks in this turn goes with it.
      if (!isUnderWay) {
        isUnderWay = true
        setImmediate(() => void goOn())
      }
    })
}
