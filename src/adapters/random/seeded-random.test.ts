import { deepEqual, notDeepEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from './seeded-random.ts'
import { systemRandom } from './system-random.ts'

const draw = (seed: number, count: number): readonly number[] => {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => random.next())
}

test('the same seed gives the same numbers, another seed gives others', () => {
  deepEqual(draw(42, 1_000), draw(42, 1_000))
  notDeepEqual(draw(42, 4), draw(43, 4))
})

test('the stream of a seed never changes between versions', () => {
  deepEqual(
    draw(1, 4).map((number) => number * 4_294_967_296),
    [393288148, 2174103013, 3814759091, 2092745082],
  )
})

test('numbers lie in [0, 1) and fill it evenly', () => {
  for (const seed of [0, 1, -1, 4_294_967_295]) {
    const counts = new Array<number>(16).fill(0)
    for (const number of draw(seed, 64_000)) {
      ok(number >= 0 && number < 1)
      const slot = Math.floor(number * 16)
      counts[slot] = (counts[slot] ?? 0) + 1
    }
    // 4,000 expected a slot, standard deviation 61: eight of them is beyond chance.
    for (const count of counts) ok(Math.abs(count - 4_000) < 500, `seed ${seed}: ${counts}`)
  }
})

test('unseeded chance lies in [0, 1) and is not one number', () => {
  const random = systemRandom()
  const drawn = Array.from({ length: 100 }, () => random.next())
  for (const number of drawn) ok(number >= 0 && number < 1)
  ok(new Set(drawn).size > 90)
})
