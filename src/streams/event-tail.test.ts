import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ArchiveTable } from '../ports/archive.ts'
import { EventTail, type PackedTail, type TailEvent } from './event-tail.ts'

interface Reading {
  readonly recordedAtMs: number
  readonly eventId: string | null
  readonly label: string | null
  readonly degrees: number | null
  readonly open: boolean | null
  readonly count: number | null
  readonly price: string | null
  readonly extra: unknown
}

const table: ArchiveTable<Reading> = {
  name: 'reading',
  columns: [
    { name: 'recorded_at', type: 'timestamptz' },
    { name: 'label', type: 'text' },
    { name: 'degrees', type: 'float8' },
    { name: 'open', type: 'bool' },
    { name: 'count', type: 'int4' },
    { name: 'price', type: 'numeric' },
    { name: 'extra', type: 'jsonb' },
  ],
  entityColumn: 'label',
  recordedAtColumn: 'recorded_at',
  write(row, event) {
    row.timestamp(event.recordedAtMs)
    row.text(event.label)
    row.float8(event.degrees)
    row.bool(event.open)
    row.int4(event.count)
    row.numeric(event.price)
    row.json(event.extra)
  },
  read: (row) => ({
    recordedAtMs: row.timestamp() ?? 0,
    eventId: null,
    label: row.text(),
    degrees: row.float8(),
    open: row.bool(),
    count: row.int4(),
    price: row.numeric(),
    extra: row.json(),
  }),
}

const NOTHING: Reading = {
  ...{ recordedAtMs: 0, eventId: null, label: null, degrees: null, open: null },
  ...{ count: null, price: null, extra: null },
}

const orNull = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof(values, fc.constant(null))

const PLAIN = { noNullPrototype: true }

const entries: fc.Arbitrary<TailEvent<Reading>> = fc.record(
  {
    event: fc.record(
      {
        recordedAtMs: fc.integer({ min: 0, max: 50 }),
        eventId: orNull(fc.constantFrom('a', 'b', 'c')),
        label: orNull(fc.constantFrom('', 'x', 'ü')),
        degrees: orNull(fc.double({ noNaN: true })),
        open: orNull(fc.boolean()),
        count: orNull(fc.integer()),
        price: orNull(fc.constantFrom('1.50', '2')),
        extra: orNull(fc.constantFrom<unknown>({ a: [1] }, 'text', false, 0)),
      },
      PLAIN,
    ),
    eventTimeMs: fc.integer({ min: 0, max: 50 }),
    offset: fc.nat(),
    receivedAtMs: fc.nat(),
  },
  PLAIN,
)

const carry = (packed: PackedTail): PackedTail => JSON.parse(JSON.stringify(packed)) as PackedTail

const steps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: entries },
    { weight: 1, arbitrary: fc.constant('drop' as const) },
    { weight: 1, arbitrary: fc.constant('clear' as const) },
  ),
  { maxLength: 120 },
)

test('a tail gives back what was put in, in the order of its time, and what was before it', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const tail = new EventTail(table)
      let expected: TailEvent<Reading>[] = []
      let before: TailEvent<Reading> | undefined
      for (const step of all) {
        if (step === 'clear') {
          tail.clear()
          before = expected.at(-1) ?? before
          expected = []
        } else if (step === 'drop') {
          const half = expected.length >> 1
          tail.drop(half)
          before = expected[half - 1] ?? before
          expected = expected.slice(half)
        } else {
          const later = expected.findIndex((each) => each.eventTimeMs > step.eventTimeMs)
          const index = later === -1 ? expected.length : later
          assert.equal(tail.indexFor(step.eventTimeMs), index)
          tail.insert(index, step)
          expected.splice(index, 0, step)
        }
        assert.deepEqual([...tail], expected)
        const all = [before, ...expected]
        assert.deepEqual(
          Array.from(all, (_, index) => tail.before(index)),
          all,
        )
        assert.equal(tail.newestOffset, expected.at(-1)?.offset)
        assert.equal(tail.timeAt(0), expected[0]?.eventTimeMs)
        assert.equal(tail.timeAt(expected.length), undefined)
      }
      const carried = EventTail.decode(table, carry(tail.encode()))
      assert.deepEqual([...carried], expected)
      assert.deepEqual(carried.before(0), before)
      assert.deepEqual(carried.encode(), tail.encode())
      for (const { offset } of expected) assert.ok(tail.hasOffset(offset))
      assert.ok(!tail.hasOffset(-1))
      assert.ok(!tail.hasOffset(null))
    }),
  )
})

test('a tail of a snapshot goes on, and a column that is new since is null', () => {
  const entry = (atMs: number): TailEvent<Reading> => ({
    event: { ...NOTHING, recordedAtMs: atMs, label: 'x', extra: { a: atMs } },
    eventTimeMs: atMs,
    offset: atMs,
    receivedAtMs: atMs,
  })
  const earlier = new EventTail({
    ...table,
    columns: table.columns.slice(0, -1),
    write(row, event) {
      row.timestamp(event.recordedAtMs)
      row.text(event.label)
      row.float8(event.degrees)
      row.bool(event.open)
      row.int4(event.count)
      row.numeric(event.price)
    },
  })
  for (const atMs of [1, 2, 3]) earlier.push(entry(atMs))
  earlier.drop(1)
  const tail = EventTail.decode(table, carry(earlier.encode()))
  for (const atMs of [4, 5, 6, 7]) tail.push(entry(atMs))
  const all = [tail.before(0), ...tail].map((each) => each?.event)
  const expected = [1, 2, 3, 4, 5, 6, 7].map((atMs) => entry(atMs).event)
  assert.deepEqual(
    all,
    expected.map((event, index) => (index < 3 ? { ...event, extra: null } : event)),
  )
})
