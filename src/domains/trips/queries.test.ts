import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { stretchesOf } from './queries.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

test('stretches of sums cover a range once, each of whole spans', () => {
  fc.assert(
    fc.property(fc.nat(200 * DAY), fc.nat(200 * DAY), (one, other) => {
      const [fromMs, toMs] = one < other ? [one, other] : [other, one]
      let reachedMs = fromMs
      for (const stretch of stretchesOf({ fromMs, toMs })) {
        equal(stretch.fromMs, reachedMs)
        const spanMs = (stretch.spanS ?? 0.001) * 1_000
        equal(stretch.fromMs % spanMs, 0)
        equal(stretch.toMs % spanMs, 0)
        if (stretch.spanS === null) equal(stretch.toMs - stretch.fromMs < 60_000, true)
        reachedMs = stretch.toMs
      }
      equal(reachedMs, toMs)
    }),
  )
})

test('an open range is one stretch of the longest spans, and what is left at its closed end', () => {
  deepEqual(
    stretchesOf({}).map(({ spanS }) => spanS),
    [2_764_800],
  )
  deepEqual(
    stretchesOf({ toMs: 33 * DAY }).map(({ spanS, toMs }) => [spanS, toMs]),
    [
      [2_764_800, 32 * DAY],
      [86_400, 33 * DAY],
    ],
  )
})
