// Records of one partition packed into one entry of the store: written once, read in a single copy.
//
//   header   version u8 · 0 u8 · tenants u16 · records u32 · newest receivedAtMs f64
//            · where tenants start u32 · CRC-32 of everything else u32
//   record   key length u16 · tenant index u16 · value length u32 (top bit: key is ASCII)
//            · receivedAtMs f64 · key · value                        … one after another
//   tenant   length u16 · UTF-8                                      … one after another
//
// Numbers are little-endian. Offsets are not in it: the store's key carries the last one.

import { crc32 } from 'node:zlib'
import { assert } from '../../kernel/errors.ts'
import type { EpochMs } from '../../kernel/time.ts'
import type { LogRecord, NewRecord, ReadLimit } from '../../ports/log.ts'
import type { ChunkMemory } from './chunk-memory.ts'

const VERSION = 1
const HEADER_BYTES = 24
const CRC_AT = 20
const RECORD_HEADER_BYTES = 16
const ASCII_KEY = 0x8000_0000
/** Longest key and longest tenant id, in UTF-8. */
const MAX_NAME_BYTES = 65_535
/** Largest value of one record. */
const MAX_VALUE_BYTES = 64 * 1024 * 1024
/** A chunk takes no further record from this size on. A read copies at most this much in vain. */
const CHUNK_BYTES = 128 * 1024
const MAX_TENANTS = 1_000
const FIRST_BUFFER_BYTES = 4 * 1024

/** Throws where a record does not fit the format, before anything of its batch is packed. */
export function checkRecord({ key, value, receivedAtMs, tenantId }: NewRecord): void {
  assert(fits(key, MAX_NAME_BYTES), `A key is longer than ${MAX_NAME_BYTES} bytes.`)
  assert(fits(tenantId, MAX_NAME_BYTES), `A tenant id is longer than ${MAX_NAME_BYTES} bytes.`)
  assert(value.length <= MAX_VALUE_BYTES, `A value is larger than ${MAX_VALUE_BYTES} bytes.`)
  assert(Number.isFinite(receivedAtMs), `receivedAtMs is ${receivedAtMs}.`)
}

function fits(text: string, maxBytes: number): boolean {
  // UTF-8 takes at most three bytes for one unit of a JavaScript string.
  return text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes
}

/** A key in UTF-8, in a buffer that is used again for the next one. */
export class KeyBuffer {
  bytes: Uint8Array = new Uint8Array(256)
  length = 0
  ascii = true
  readonly #encoder = new TextEncoder()

  set(key: string): void {
    if (key.length * 3 > this.bytes.length) this.bytes = new Uint8Array(key.length * 6)
    const { bytes } = this
    let at = 0
    while (at < key.length) {
      const code = key.charCodeAt(at)
      if (code > 127) break
      bytes[at++] = code
    }
    this.ascii = at === key.length
    this.length = this.ascii ? at : this.#encoder.encodeInto(key, bytes).written
  }
}

/** Packs records one by one into memory that it exchanges for more where it must. */
export class ChunkBuilder {
  count = 0
  readonly #memory: ChunkMemory
  #buffer: Buffer<ArrayBuffer>
  #view: DataView
  #length = HEADER_BYTES
  #newestMs: EpochMs = Number.NEGATIVE_INFINITY
  readonly #tenants = new Map<string, number>()
  #lastTenant = ''
  #lastTenantIndex = -1

  constructor(memory: ChunkMemory) {
    this.#memory = memory
    this.#buffer = memory.take(FIRST_BUFFER_BYTES)
    this.#view = viewOf(this.#buffer)
  }

  get bytes(): number {
    return this.#length
  }

  get full(): boolean {
    return this.#length >= CHUNK_BYTES || this.#tenants.size >= MAX_TENANTS
  }

  add(key: KeyBuffer, record: NewRecord): void {
    const { value, receivedAtMs } = record
    const valueBytes = value.length
    this.#reserve(RECORD_HEADER_BYTES + key.length + valueBytes)
    const view = this.#view
    let at = this.#length
    view.setUint16(at, key.length, true)
    view.setUint16(at + 2, this.#tenantIndex(record.tenantId), true)
    view.setUint32(at + 4, key.ascii ? (valueBytes | ASCII_KEY) >>> 0 : valueBytes, true)
    view.setFloat64(at + 8, receivedAtMs, true)
    at += RECORD_HEADER_BYTES
    const buffer = this.#buffer
    for (let index = 0; index < key.length; index++) buffer[at + index] = key.bytes[index] ?? 0
    at += key.length
    buffer.set(value, at)
    this.#length = at + valueBytes
    this.count++
    if (receivedAtMs > this.#newestMs) this.#newestMs = receivedAtMs
  }

  /** The finished chunk; its memory is whoever's it is given to. */
  finish(): Uint8Array<ArrayBuffer> {
    const tenantsAt = this.#length
    for (const tenant of this.#tenants.keys()) this.#addTenant(Buffer.from(tenant))
    const view = this.#view
    view.setUint8(0, VERSION)
    view.setUint8(1, 0)
    view.setUint16(2, this.#tenants.size, true)
    view.setUint32(4, this.count, true)
    view.setFloat64(8, this.#newestMs, true)
    view.setUint32(16, tenantsAt, true)
    const chunk = this.#buffer.subarray(0, this.#length)
    view.setUint32(CRC_AT, checksum(chunk), true)
    return chunk
  }

  #addTenant(name: Buffer): void {
    this.#reserve(2 + name.length)
    this.#view.setUint16(this.#length, name.length, true)
    this.#buffer.set(name, this.#length + 2)
    this.#length += 2 + name.length
  }

  #tenantIndex(tenantId: string): number {
    if (this.#lastTenantIndex >= 0 && tenantId === this.#lastTenant) return this.#lastTenantIndex
    let index = this.#tenants.get(tenantId)
    if (index === undefined) {
      index = this.#tenants.size
      this.#tenants.set(tenantId, index)
    }
    this.#lastTenant = tenantId
    this.#lastTenantIndex = index
    return index
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#buffer.length) return
    const grown = this.#memory.take(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
    this.#view = viewOf(grown)
  }
}

/** What a chunk says of itself without being unpacked. */
export interface ChunkSummary {
  readonly count: number
  readonly newestReceivedAtMs: EpochMs
}

/** Undefined where the bytes are not a whole chunk. */
export function summarize(chunk: Uint8Array): ChunkSummary | undefined {
  if (chunk.length < HEADER_BYTES || chunk[0] !== VERSION) return undefined
  const view = viewOf(chunk)
  if (view.getUint32(CRC_AT, true) !== checksum(chunk)) return undefined
  return { count: view.getUint32(4, true), newestReceivedAtMs: view.getFloat64(8, true) }
}

/** Gathers records up to a limit, over several chunks. */
export class RecordCollector {
  readonly records: LogRecord[] = []
  #bytes = 0
  readonly #limit: ReadLimit

  constructor(limit: ReadLimit) {
    this.#limit = limit
    limit.memory?.begin()
  }

  /**
   * Takes the records of a chunk from `fromOffset` on, as views on a copy of it. False once the limit is
   * reached. Throws a RangeError where the chunk is not what `summarize` promised.
   */
  take(chunk: Uint8Array, firstOffset: number, fromOffset: number): boolean {
    const bytes = this.#limit.memory?.copy(chunk) ?? Buffer.from(chunk)
    const view = viewOf(bytes)
    const tenants = tenantsOf(bytes, view)
    const count = view.getUint32(4, true)
    const { records } = this
    const { records: maxRecords, bytes: maxBytes } = this.#limit
    let at = HEADER_BYTES
    for (let index = 0; index < count; index++) {
      const keyLength = view.getUint16(at, true)
      const lengths = view.getUint32(at + 4, true)
      const keyAt = at + RECORD_HEADER_BYTES
      const valueAt = keyAt + keyLength
      const end = valueAt + (lengths & ~ASCII_KEY)
      const offset = firstOffset + index
      if (offset >= fromOffset) {
        const total = this.#bytes + (end - keyAt)
        if (records.length > 0 && (records.length >= maxRecords || total > maxBytes)) return false
        this.#bytes = total
        records.push({
          key: bytes.toString(lengths >= ASCII_KEY ? 'latin1' : 'utf8', keyAt, valueAt),
          value: bytes.subarray(valueAt, end),
          receivedAtMs: view.getFloat64(at + 8, true),
          tenantId: tenants[view.getUint16(at + 2, true)] ?? '',
          offset,
        })
      }
      at = end
    }
    return true
  }
}

function tenantsOf(bytes: Buffer, view: DataView): readonly string[] {
  const tenants: string[] = []
  let at = view.getUint32(16, true)
  for (let left = view.getUint16(2, true); left > 0; left--) {
    const end = at + 2 + view.getUint16(at, true)
    tenants.push(bytes.toString('utf8', at + 2, end))
    at = end
  }
  return tenants
}

function checksum(chunk: Uint8Array): number {
  return crc32(chunk.subarray(HEADER_BYTES), crc32(chunk.subarray(0, CRC_AT)))
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
