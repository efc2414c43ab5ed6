import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { Slab } from './slab.ts'

test('what lies in a slab is found at its place until it is taken out', () => {
  const slab = new Slab<{ readonly name: string }>()
  const a = slab.add({ name: 'a' })
  const b = slab.add({ name: 'b' })
  equal(slab.size, 2)
  equal(slab.take(a)?.name, 'a')
  equal(slab.take(a), undefined)
  equal(slab.take(99), undefined)
  equal(slab.size, 1)
  equal(slab.add({ name: 'c' }), a)
  deepEqual(
    Array.from(slab, ({ name }) => name),
    ['c', 'b'],
  )
  equal(slab.take(b)?.name, 'b')
  slab.clear()
  equal(slab.size, 0)
  deepEqual([...slab], [])
})

test('going through it goes on while things are taken out and added', () => {
  const slab = new Slab<{ readonly number: number; readonly place: { at: number } }>()
  for (let number = 0; number < 10; number++) {
    const place = { at: -1 }
    place.at = slab.add({ number, place })
  }
  const seen: number[] = []
  for (const { number, place } of slab) {
    seen.push(number)
    ok(slab.take(place.at))
    if (number === 3) slab.add({ number: 100, place: { at: -1 } })
  }
  deepEqual(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  deepEqual(
    Array.from(slab, ({ number }) => number),
    [100],
  )
})

test('it has places for as many as are in it at once, however many come and go', () => {
  const slab = new Slab<object>()
  const places = new Set<number>()
  for (let round = 0; round < 1_000; round++) {
    const three = [slab.add({}), slab.add({}), slab.add({})]
    for (const place of three) {
      places.add(place)
      slab.take(place)
    }
  }
  equal(places.size, 3)
})
