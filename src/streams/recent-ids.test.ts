import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RECENT_IDS, RecentIds } from './recent-ids.ts'

const id = (number: number): string => `reading-${number}`

test('an id is known after it was added, and no other is', () => {
  const ids = new RecentIds()
  assert.equal(ids.has(id(1)), false)
  ids.add(id(1))
  assert.equal(ids.has(id(1)), true)
  assert.equal(ids.has(id(2)), false)
})

test(`the last ${RECENT_IDS} ids are remembered, older ones are not`, () => {
  const ids = new RecentIds()
  for (let number = 0; number < 500; number++) {
    ids.add(id(number))
    const oldest = Math.max(0, number - RECENT_IDS + 1)
    for (let known = oldest; known <= number; known++) assert.equal(ids.has(id(known)), true)
    if (oldest > 0) assert.equal(ids.has(id(oldest - 1)), false)
  }
})

test('ids taken into a snapshot and back are the same, and go on alike', () => {
  for (const count of [0, 1, 8, 9, 63, 64, 65, 127, 128, 129, 300]) {
    const ids = new RecentIds()
    for (let number = 0; number < count; number++) ids.add(id(number))
    const restored = RecentIds.decode(JSON.parse(JSON.stringify(ids.encode())))
    for (const each of [ids, restored]) for (let n = 0; n < 40; n++) each.add(`more-${n}`)
    assert.deepEqual(restored.encode(), ids.encode(), `${count} ids`)
  }
})

test('ids that differ in a digit or a letter are told apart', () => {
  const forms = [
    (n: number) => String(n),
    (n: number) => `truck-7:${n}`,
    (n: number) => n.toString(16).padStart(32, '0'),
    (n: number) => `${n}-Kühlwagen-東京`,
    (n: number) => `2026-01-05T00:00:00.${String(n).padStart(6, '0')}Z`,
  ]
  for (const form of forms) {
    const seen = new Set<string>()
    for (let number = 0; number < 40_000; number++) {
      const ids = new RecentIds()
      ids.add(form(number))
      const [hashes] = ids.encode()
      assert.equal(seen.has(hashes), false, form(number))
      seen.add(hashes)
    }
  }
})
