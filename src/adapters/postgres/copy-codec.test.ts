// Encoder and decoder against each other, without a server: what one writes the other reads, in
// whatever pieces it arrives.

import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type {
  ArchiveChunk,
  ArchivedEvent,
  ArchiveRowMeta,
  ArchiveTable,
  EventFlag,
} from '../../ports/archive.ts'
import { CopyDecoder } from './copy-decoder.ts'
import { CopyEncoder, type CopyPayload } from './copy-encoder.ts'

interface Everything {
  readonly eventId: string | null
  readonly text: string | null
  readonly float8: number | null
  readonly int4: number | null
  readonly int8: number | null
  readonly bool: boolean | null
  readonly timestamp: number | null
  readonly numeric: string | null
  readonly json: unknown
}

const table: ArchiveTable<Everything> = {
  name: 'everything',
  columns: [
    { name: 'a', type: 'text' },
    { name: 'b', type: 'float8' },
    { name: 'c', type: 'int4' },
    { name: 'd', type: 'int8' },
    { name: 'e', type: 'bool' },
    { name: 'f', type: 'timestamptz' },
    { name: 'g', type: 'numeric' },
    { name: 'h', type: 'jsonb' },
  ],
  entityColumn: 'a',
  recordedAtColumn: 'f',
  write(row, event) {
    row.text(event.text)
    row.float8(event.float8)
    row.int4(event.int4)
    row.int8(event.int8)
    row.bool(event.bool)
    row.timestamp(event.timestamp)
    row.numeric(event.numeric)
    row.json(event.json)
  },
  read: (row) => ({
    eventId: null,
    text: row.text(),
    float8: row.float8(),
    int4: row.int4(),
    int8: row.int8(),
    bool: row.bool(),
    timestamp: row.timestamp(),
    numeric: row.numeric(),
    json: row.json(),
  }),
}

const whole = (text: string): string => text.toWellFormed().replaceAll('\u0000', '\ufffd')
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }).map(whole),
  fc.string({ unit: 'grapheme', maxLength: 80 }),
  fc.string({ maxLength: 2_000 }),
)
const orNull = <T>(each: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(each)
const event = fc.record({
  text: orNull(text),
  float8: orNull(fc.double()),
  int4: orNull(fc.integer()),
  int8: orNull(fc.maxSafeInteger()),
  bool: orNull(fc.boolean()),
  timestamp: orNull(fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 })),
  numeric: orNull(fc.constantFrom('0', '-12.50', '123456789.000', '0.0001')),
  json: fc.constantFrom<unknown[]>(null, 'text', 1.5, true, [1, null, { a: 'ü' }], {
    a: { b: [] },
  }),
})
const meta = fc.record({
  partition: fc.nat(1_000),
  offset: fc.maxSafeNat(),
  receivedAtMs: fc.integer({ min: 0, max: 253_402_300_799_999 }),
  tenantId: text,
  eventId: orNull(text),
  flags: orNull(fc.subarray<EventFlag>(['duplicate', 'late', 'future'], { minLength: 1 })),
})
const archived = fc
  .tuple(meta, event)
  .map(([own, each]) => ({ ...own, event: { ...each, eventId: own.eventId } }))

const HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])
const TRAILER = Buffer.from([0xff, 0xff])

function encoded(rows: readonly ArchivedEvent<Everything>[]): Buffer {
  const encoder = new CopyEncoder(table)
  for (const { event: each, ...own } of rows) encoder.add(own, each)
  const chunk = encoder.take()
  const [payload] = chunk.payload as readonly [CopyPayload]
  const bytes = Buffer.concat(payload.buffers)
  equal(bytes.length, chunk.bytes)
  equal(chunk.rows, rows.length)
  return Buffer.concat([HEADER, bytes, TRAILER])
}

function decodedIn(pieces: readonly Buffer[]): readonly ArchivedEvent<Everything>[] {
  const decoder = new CopyDecoder(table)
  return pieces.flatMap((piece) => decoder.decode(piece))
}

function cut(bytes: Buffer, places: readonly number[]): readonly Buffer[] {
  const ends = [...places, bytes.length].toSorted((one, other) => one - other)
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

test('rows come back as they were, cut at any places', () => {
  const rowsAndCuts = fc.array(archived, { maxLength: 20 }).chain((rows) => {
    const bytes = encoded(rows)
    const places = fc.array(fc.nat(bytes.length), { maxLength: 30 })
    return fc.tuple(fc.constant({ rows, bytes }), places)
  })
  fc.assert(
    fc.property(rowsAndCuts, ([{ rows, bytes }, places]) => {
      deepEqual(decodedIn(cut(bytes, places)), rows)
    }),
    { numRuns: 300 },
  )
})

test('rows come back byte by byte too', () => {
  fc.assert(
    fc.property(fc.array(archived, { maxLength: 3 }), (rows) => {
      const bytes = encoded(rows)
      const single = Array.from(bytes, (_, index) => bytes.subarray(index, index + 1))
      deepEqual(decodedIn(single), rows)
    }),
    { numRuns: 50 },
  )
})

const plain: ArchiveRowMeta = {
  partition: 0,
  offset: 1,
  receivedAtMs: 0,
  tenantId: 'default',
  eventId: null,
  flags: null,
}
const nothing: Everything = {
  eventId: null,
  text: null,
  float8: null,
  int4: null,
  int8: null,
  bool: null,
  timestamp: null,
  numeric: null,
  json: null,
}

test('rows that fill several buffers are whole', () => {
  const rows = Array.from({ length: 4_000 }, (_, offset) => ({
    ...plain,
    offset,
    event: { ...nothing, text: 'ü'.repeat(offset % 700), json: { text: 'x'.repeat(offset % 300) } },
  }))
  const bytes = encoded(rows)
  ok(bytes.length > 3 * 1024 * 1024)
  deepEqual(decodedIn([bytes]), rows)
})

test('a value longer than a buffer is whole', () => {
  const event0 = { ...nothing, text: '東'.repeat(800_000), json: ['y'.repeat(3_000_000)] }
  const rows = [{ ...plain, event: event0 }]
  deepEqual(decodedIn(cut(encoded(rows), [100, 70_000, 2_000_000])), rows)
})

test('NUL and half surrogates are replaced, never written', () => {
  const odd = 'a\u0000b \ud83d'
  const rows = [
    {
      ...plain,
      tenantId: odd,
      eventId: odd,
      event: { ...nothing, text: odd, json: { [odd]: odd } },
    },
  ]
  const replaced = 'a\ufffdb \ufffd'
  const [row] = decodedIn([encoded(rows)])
  deepEqual(
    [row?.tenantId, row?.eventId, row?.event.text, row?.event.json],
    [replaced, replaced, replaced, { [replaced]: replaced }],
  )
})

test('an array of flags without any is read as none', () => {
  const [row] = decodedIn([encoded([{ ...plain, flags: [], event: nothing }])])
  equal(row?.flags, null)
})

test('a number that an int4 column does not hold is refused, not wrapped', () => {
  const encoder = new CopyEncoder(table)
  for (const int4 of [2 ** 31, -(2 ** 31) - 1, 1.5, Number.NaN]) {
    throws(() => encoder.add(plain, { ...nothing, int4 }), { code: 'invariant-broken' })
  }
})

test('an instant before all of PostgreSQL becomes the first it has', () => {
  const [row] = decodedIn([encoded([{ ...plain, event: { ...nothing, timestamp: -8.64e15 } }])])
  equal(row?.event.timestamp, -210_866_803_200_000)
})

test('late events with an id are suspects, once', () => {
  const encoder = new CopyEncoder(table)
  const late: readonly EventFlag[] = ['late']
  const add = (offset: number, changes: Partial<ArchiveRowMeta>): void =>
    encoder.add({ ...plain, offset, receivedAtMs: offset * 10, ...changes }, nothing)
  add(1, { eventId: 'a' })
  add(2, { flags: late })
  add(3, { eventId: 'b', flags: late })
  add(4, { eventId: 'c', flags: ['late', 'future'] })
  const suspectsOf = (): CopyPayload['suspects'] =>
    (encoder.take().payload as readonly [CopyPayload])[0].suspects
  deepEqual(suspectsOf(), {
    table: 'everything',
    entityColumn: 'a',
    recordedAtColumn: 'f',
    offsets: [3, 4],
    firstReceivedAtMs: 30,
    lastReceivedAtMs: 40,
  })
  equal(suspectsOf(), null)
})

test('memory is used again once all chunks in it are released, and not before', () => {
  const encoder = new CopyEncoder(table)
  const LONG = 'x'.repeat(300_000)
  const chunkOf = (name: string): ReturnType<typeof encoder.take> => {
    encoder.add(plain, { ...nothing, text: name })
    return encoder.take()
  }
  const textOf = (chunk: ArchiveChunk): unknown => {
    const [payload] = chunk.payload as readonly [CopyPayload]
    return decodedIn([HEADER, ...payload.buffers, TRAILER])[0]?.event.text
  }
  const memoryOf = (chunk: ArchiveChunk): ArrayBufferLike | undefined =>
    (chunk.payload as readonly [CopyPayload])[0].buffers.at(-1)?.buffer
  const first = chunkOf('first')
  const second = chunkOf('second')
  equal(memoryOf(second), memoryOf(first))
  const third = chunkOf(LONG)
  first.release?.()
  const fourth = chunkOf(LONG)
  deepEqual([textOf(second), textOf(third), textOf(fourth)], ['second', LONG, LONG])
  second.release?.()
  third.release?.()
  fourth.release?.()
  const memories = new Set([first, third, fourth].map(memoryOf))
  const fifth = chunkOf(LONG)
  equal(memories.has(memoryOf(fifth)), true)
  equal(textOf(fifth), LONG)
})
