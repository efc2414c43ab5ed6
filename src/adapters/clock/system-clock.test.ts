import { deepEqual, equal, ok } from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { systemClock } from './system-clock.ts'

const clock = systemClock()

test('a sleep lasts at least its span on the monotonic clock', async () => {
  const startedMs = clock.monotonicMs()
  await clock.sleep(20)
  // A timer may fire within the millisecond before it is due.
  ok(clock.monotonicMs() - startedMs >= 19)
})

test('an abort ends a sleep at once and leaves no listener behind', async () => {
  const stop = new AbortController()
  const startedMs = clock.monotonicMs()
  const slept = clock.sleep(60_000, stop.signal)
  equal(getEventListeners(stop.signal, 'abort').length, 1)
  stop.abort()
  await slept
  ok(clock.monotonicMs() - startedMs < 10_000)
  deepEqual(getEventListeners(stop.signal, 'abort'), [])
})

test('a sleep that runs to its end leaves no listener behind', async () => {
  const stop = new AbortController()
  await clock.sleep(1, stop.signal)
  deepEqual(getEventListeners(stop.signal, 'abort'), [])
})

test('a sleep with a signal that is aborted already does not wait', async () => {
  const startedMs = clock.monotonicMs()
  await clock.sleep(60_000, AbortSignal.abort())
  ok(clock.monotonicMs() - startedMs < 10_000)
})

test('of several that give up their turn one goes on in each turn of the event loop', async () => {
  const order: string[] = []
  const goOn = async (name: string): Promise<void> => {
    await clock.sleep(0)
    order.push(name)
  }
  const all = Promise.all(['first', 'second', 'third'].map(goOn))
  // The event loop looks at sockets between two turns; what else waits for one runs in each.
  setImmediate(() => {
    order.push('others')
    setImmediate(() => order.push('others'))
  })
  await all
  deepEqual(order, ['first', 'others', 'second', 'others', 'third'])
})

test('a sleep longer than a timer can hold does not fire at once', async () => {
  const stop = new AbortController()
  let ended = false
  const slept = clock.sleep(3_000_000_000, stop.signal).then(() => {
    ended = true
  })
  await clock.sleep(20)
  equal(ended, false)
  stop.abort()
  await slept
})
