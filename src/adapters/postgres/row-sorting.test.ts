import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type EncodedRows, SortingRoom, SortingRooms } from './row-sorting.ts'

const KEYS = ['', 'KCA 1', 'KDX 701S', 'ä', 'z']

interface Row {
  readonly key: string
  readonly bytes: Buffer
}

const row = fc.record({
  key: fc.constantFrom(...KEYS),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
})
/** Rows of one chunk, and where its bytes are cut into buffers. */
const chunk = fc.tuple(fc.array(row, { maxLength: 20 }), fc.array(fc.nat(400), { maxLength: 5 }))

function encoded([rows, cuts]: readonly [readonly Row[], readonly number[]]): EncodedRows {
  const all = Buffer.concat(rows.map(({ bytes }) => bytes))
  const places = [...cuts.filter((cut) => cut < all.length), all.length].toSorted((a, b) => a - b)
  let end = 0
  return {
    buffers: places.map((to, index) => all.subarray(places[index - 1] ?? 0, to)),
    keys: rows.map(({ key }) => key),
    ends: rows.map(({ bytes }) => {
      end += bytes.length
      return end
    }),
  }
}

test('rows come in the order of their keys, those of one key in the order they had', () => {
  const room = new SortingRoom()
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 4 }), (chunks) => {
      const rows = chunks.flatMap(([each]) => each)
      const sorted = KEYS.toSorted().flatMap((key) => rows.filter((each) => each.key === key))
      deepEqual(
        Buffer.concat(room.sort(chunks.map(encoded))),
        Buffer.concat(sorted.map(({ bytes }) => bytes)),
      )
    }),
  )
})

test('many rows come in pieces of at most a megabyte', () => {
  const rows = Array.from({ length: 3_000 }, (_, index) => ({
    key: index % 2 === 0 ? 'even' : 'odd',
    bytes: Buffer.alloc(1_000, index),
  }))
  const pieces = new SortingRoom().sort([encoded([rows, []])])
  equal(pieces.length, 3)
  deepEqual(
    Buffer.concat(pieces),
    Buffer.concat(
      ['even', 'odd']
        .flatMap((key) => rows.filter((each) => each.key === key))
        .map(({ bytes }) => bytes),
    ),
  )
})

test('a room that was given back is used again, one that grew too large is not', () => {
  const rooms = new SortingRooms()
  const room = rooms.take()
  rooms.giveBack(room)
  equal(rooms.take(), room)
  const rows = ['a', 'b'].map((key) => ({ key, bytes: Buffer.alloc(9 * 1024 * 1024) }))
  room.sort([encoded([rows, []])])
  rooms.giveBack(room)
  equal(rooms.take() === room, false)
})
