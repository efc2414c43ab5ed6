import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlatformError } from './errors.ts'
import { MAX_TOGETHER, together } from './together.ts'

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at)

function recording(fail: (given: readonly number[]) => unknown = () => null) {
  const calls: (readonly number[])[] = []
  const call = together<number, number>(async (given) => {
    calls.push(given)
    const error = fail(given)
    if (error !== null) throw error
    return given.map((each) => each * 2)
  })
  return { calls, call }
}

test('what is asked at once goes as one call, and each gets its own answer', async () => {
  const { calls, call } = recording()
  assert.deepEqual(await Promise.all([1, 2, 3].map(call)), [2, 4, 6])
  assert.deepEqual(calls, [[1, 2, 3]])
})

test('no call is larger than the limit, and none is lost', async () => {
  const { calls, call } = recording()
  const answers = await Promise.all(numbers(2 * MAX_TOGETHER + 1).map(call))
  assert.deepEqual(answers.slice(-1), [4 * MAX_TOGETHER])
  assert.deepEqual(
    calls.map(({ length }) => length),
    [MAX_TOGETHER, MAX_TOGETHER, 1],
  )
})

test('one that can never be done keeps no other from it', async () => {
  const { call } = recording((given) => (given.includes(2) ? new Error('not two') : null))
  const answers = await Promise.allSettled([1, 2, 3].map(call))
  assert.deepEqual(
    answers.map((each) => (each.status === 'fulfilled' ? each.value : 'rejected')),
    [2, 'rejected', 6],
  )
})

test('what may succeed later is left to whoever asked, and the next call goes out', async () => {
  let isAway = true
  const away = new PlatformError('database-unavailable', 'away', { retry: 'later' })
  const { calls, call } = recording(() => (isAway ? away : null))
  const answers = await Promise.allSettled([1, 2].map(call))
  assert.ok(answers.every(({ status }) => status === 'rejected'))
  assert.equal(calls.length, 1)
  isAway = false
  assert.equal(await call(3), 6)
})
