import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_GEARS, expectedGear } from './gears.ts'

test('each gear is expected from its lower bound on, which counts as in it', () => {
  const expected: readonly (readonly [number, number])[] = [
    [0, 0],
    [0.99, 0],
    [1, 1],
    [14.99, 1],
    [15, 2],
    [29.99, 2],
    [30, 3],
    [49.99, 3],
    [50, 4],
    [69.99, 4],
    [70, 5],
    [89.99, 5],
    [90, 6],
    [400, 6],
  ]
  for (const [speedKmh, gear] of expected) {
    equal(expectedGear(speedKmh, DEFAULT_GEARS), gear, `${speedKmh} km/h`)
  }
})

test('a table of its own is followed, and an empty one expects nothing', () => {
  equal(expectedGear(80, [{ fromKmh: 0, gear: 1 }]), 1)
  equal(expectedGear(80, []), null)
  equal(expectedGear(3, [{ fromKmh: 5, gear: 1 }]), null)
})
