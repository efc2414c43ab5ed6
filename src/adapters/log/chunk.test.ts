import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import type { NewRecord } from '../../ports/log.ts'
import { ChunkBuilder, checkRecord, KeyBuffer, RecordCollector, summarize } from './chunk.ts'

const RECORD: NewRecord = {
  key: 'truck-1',
  value: Buffer.from('{"a":1}'),
  receivedAtMs: 1_700_000_000_123.5,
  tenantId: 'default',
}

function pack(records: readonly NewRecord[]): Uint8Array {
  const builder = new ChunkBuilder()
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
  const large = new ChunkBuilder()
  equal(large.full, false)
  large.add(key, { ...RECORD, value: new Uint8Array(200_000) })
  equal(large.full, true)
  const mixed = new ChunkBuilder()
  for (let index = 0; !mixed.full; index++) {
    ok(index < 2_000)
    mixed.add(key, { ...RECORD, value: new Uint8Array(0), tenantId: `tenant-${index}` })
  }
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
