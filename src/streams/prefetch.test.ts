import { deepEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { PREFETCH_EVENTS, Prefetcher } from './prefetch.ts'

/** What is read before each of so many inputs is handled. */
function readBefore(count: number): readonly (readonly number[])[] {
  let read: number[] = []
  const ahead = new Prefetcher<number>((input) => read.push(input))
  const inputs = Array.from({ length: count }, (_, index) => index)
  return inputs.map((index) => {
    read = []
    ahead.before(index, inputs)
    return read
  })
}

test('the next inputs are read together, each once, and the last ones as far as there are any', () => {
  const count = 2 * PREFETCH_EVENTS + 2
  const read = readBefore(count)
  deepEqual(
    read.flatMap((inputs, index) => (inputs.length === 0 ? [] : [[index, inputs.length]])),
    [
      [0, PREFETCH_EVENTS],
      [PREFETCH_EVENTS, PREFETCH_EVENTS],
      [2 * PREFETCH_EVENTS, 2],
    ],
  )
  deepEqual(
    read.flat(),
    Array.from({ length: count }, (_, index) => index),
  )
})

test('one input alone is not read ahead: it would wait twice', () => {
  deepEqual(readBefore(1), [[]])
  deepEqual(
    readBefore(PREFETCH_EVENTS + 1)
      .slice(1)
      .flat(),
    [],
  )
})
