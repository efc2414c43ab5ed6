import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import type { NewRecord } from '../../ports/log.ts'
import { ChunkBuilder, checkRecord, KeyBuffer, RecordCollector, summarize } from './chunk.ts'
import { ChunkMemory } from './chunk-memory.ts'

const RECORD: NewRecord = {
  key: 'truck-1',
  value: Buffer.from('{"a":1}'),
  receivedAtMs: 1_700_000_000_123.5,
  tenantId: 'default',
}

function pack(records: readonly NewRecord[], memory = new ChunkMemory()): Uint8Array<ArrayBuffer> {
  const builder = new ChunkBuilder(memory)
  const key = new KeyBuffer()
  for (const record of records) {
    key.set(record.key)
    builder.add(key, record)
  }
  return builder.finish()
}

function unpack(chunk: Uint8Array): readonly NewRecord[] {
  const collector = new RecordCollector({ records: 1e6, bytes: 1e9 })
  equal(collector.take(chunk, 0, 0), true)
  return collector.records.map(({ key, value, receivedAtMs, tenantId }) => ({
    key,
    value: Buffer.from(value),
    receivedAtMs,
    tenantId,
  }))
}

test('a chunk gives back what was packed: long keys, many tenants, empty values', () => {
  const records = Array.from({ length: 3_000 }, (_, index) => ({
    key: index % 3 === 0 ? 'ü'.repeat(index) : `key-${'x'.repeat(index)}`,
    value: Buffer.alloc(index % 7, index),
    receivedAtMs: index / 3,
    tenantId: `tenant-${index % 400}`,
  }))
  deepEqual(unpack(pack(records)), records)
})

test('the summary of a chunk has the number of records and the newest arrival', () => {
  const chunk = pack([5, 9, 7].map((receivedAtMs) => ({ ...RECORD, receivedAtMs })))
  deepEqual(summarize(chunk), { count: 3, newestReceivedAtMs: 9 })
})

test('a chunk with any byte changed, or cut short, is not taken for whole', () => {
  const chunk = pack([RECORD, { ...RECORD, key: 'ü' }])
  ok(summarize(chunk) !== undefined)
  for (let at = 0; at < chunk.length; at++) {
    const damaged = Uint8Array.from(chunk)
    damaged[at] = (damaged[at] ?? 0) ^ 0x10
    // The second byte is spare, but part of the checksum like all others.
    equal(summarize(damaged), undefined, `byte ${at}`)
    equal(summarize(chunk.subarray(0, at)), undefined)
  }
})

test('a chunk is full by size, and by the number of tenants', () => {
  const key = new KeyBuffer()
  key.set('a')
  const large = new ChunkBuilder(new ChunkMemory())
  equal(large.full, false)
  large.add(key, { ...RECORD, value: new Uint8Array(200_000) })
  equal(large.full, true)
  const mixed = new ChunkBuilder(new ChunkMemory())
  for (let index = 0; !mixed.full; index++) {
    ok(index < 2_000)
    mixed.add(key, { ...RECORD, value: new Uint8Array(0), tenantId: `tenant-${index}` })
  }
})

test('a chunk in memory of others is as if it were in memory of its own', () => {
  const memory = new ChunkMemory()
  const first = pack(
    Array.from({ length: 500 }, () => ({ ...RECORD, value: Buffer.alloc(300, 7) })),
  )
  memory.giveBack(first.buffer)
  const next = pack([RECORD, { ...RECORD, tenantId: 'other' }], memory)
  equal(next.buffer, first.buffer)
  deepEqual(next, pack([RECORD, { ...RECORD, tenantId: 'other' }]))
})

test('of the memory that comes back some is kept, and only what has a usual size', () => {
  const memory = new ChunkMemory()
  const large = memory.take(1024 * 1024)
  memory.giveBack(large.buffer)
  ok(memory.take(1024 * 1024).buffer !== large.buffer)
  const many = new Set(Array.from({ length: 200 }, () => memory.take(4096).buffer))
  for (const each of many) memory.giveBack(each)
  const again = Array.from({ length: 200 }, () => memory.take(4096).buffer)
  equal(again.filter((each) => many.has(each)).length, 64)
  equal(new Set(again).size, 200)
})

test('a record that does not fit the format is refused before anything is packed', () => {
  checkRecord(RECORD)
  const refused = { name: 'PlatformError', code: 'invariant-broken' }
  throws(() => checkRecord({ ...RECORD, key: 'x'.repeat(65_536) }), refused)
  throws(() => checkRecord({ ...RECORD, key: 'ü'.repeat(32_768) }), refused)
  throws(() => checkRecord({ ...RECORD, tenantId: 'x'.repeat(65_536) }), refused)
  throws(() => checkRecord({ ...RECORD, value: new Uint8Array(64 * 1024 * 1024 + 1) }), refused)
  throws(() => checkRecord({ ...RECORD, receivedAtMs: Number.NaN }), refused)
  checkRecord({ ...RECORD, key: 'ü'.repeat(32_767) })
})
