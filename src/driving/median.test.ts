import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { medianOf } from './median.ts'

test('the median is what stands in the middle of the sorted values', () => {
  equal(medianOf([]), 0)
  equal(medianOf([7]), 7)
  equal(medianOf([9, 3]), 9)
  equal(medianOf([4, 4, 1, 9, 4]), 4)
  const few = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 7 })
  fc.assert(
    fc.property(few, (values) => {
      equal(medianOf(values), values.toSorted((a, b) => a - b)[values.length >> 1])
    }),
  )
})
