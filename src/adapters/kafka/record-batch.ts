// Record batches as Kafka stores them (message format 2), read and written without an object in between.
//
//   base offset 8 · length 4 · leader epoch 4 · magic 1 · crc 4 · attributes 2 · last offset delta 4 ·
//   base timestamp 8 · max timestamp 8 · producer id 8 · producer epoch 2 · base sequence 4 · count 4 · records
//
// A record: length · attributes 1 · timestamp delta · offset delta · key · value · headers, lengths and deltas
// as zig-zag varints. The checksum (CRC-32C) begins at the attributes. Source: Kafka, "Record Batch".

import { compressionsAlgorithmsByBitmask, crc32c } from '@platformatic/kafka'
import { PlatformError } from '../../kernel/errors.ts'
import { DEFAULT_TENANT } from '../../kernel/tenants.ts'
import type { EpochMs } from '../../kernel/time.ts'
import type { LogRecord } from '../../ports/log.ts'

export const RECEIVED_AT_HEADER = 'outrider-received-at'
export const TENANT_HEADER = 'outrider-tenant'

export const BATCH_HEADER_BYTES = 61
export const CRC_AT = 17
export const ATTRIBUTES_AT = 21
/** Offset and length, which the length itself does not count. */
export const BATCH_PREFIX_BYTES = 12
const COMPRESSION = 0b111
const LOG_APPEND_TIME = 1 << 3
const TRANSACTIONAL = 1 << 4
const CONTROL = 1 << 5
const MAGIC = 2
const ABORT_MARKER = 0

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

export interface RecordBatches {
  readonly topic: string
  readonly partition: number
  readonly bytes: Buffer
  /** Records below are left out: a batch may begin before the offset asked for. */
  readonly fromOffset: number
  /** Transactions of others that came to nothing; their records are left out. */
  readonly aborted: readonly AbortedTransaction[]
}

export interface DecodedBatches {
  readonly records: readonly LogRecord[]
  /** Bytes of key and value of each record. */
  readonly sizes: readonly number[]
  /** Where to read on: after the last batch, also where it holds nothing for us. */
  readonly nextOffset: number
}

/**
 * Reads whole batches; a cut one at the end is left for the next read. Throws `log-corrupt` where a checksum is
 * wrong or the format is not known.
 */
export function decodeBatches(source: RecordBatches): DecodedBatches {
  const { bytes, fromOffset } = source
  const records: LogRecord[] = []
  const sizes: number[] = []
  const aborting = new AbortedProducers(source.aborted)
  let nextOffset = fromOffset
  let at = 0
  while (at + BATCH_HEADER_BYTES <= bytes.length) {
    const end = at + BATCH_PREFIX_BYTES + bytes.readInt32BE(at + 8)
    if (end > bytes.length) break
    const batch = readHeader(source, at, end)
    aborting.reach(batch.lastOffset)
    if (batch.control) aborting.mark(batch, controlType(bytes, at))
    else if (!batch.transactional || !aborting.has(batch.producerId)) {
      readRecords(source, batch, records, sizes)
    }
    nextOffset = Math.max(nextOffset, batch.lastOffset + 1)
    at = end
  }
  return { records, sizes, nextOffset }
}

interface Batch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly baseTimestampMs: EpochMs
  /** Where the broker stamps what it takes: its time, for all records of the batch. */
  readonly appendedAtMs: EpochMs | null
  readonly compression: number
  readonly transactional: boolean
  readonly control: boolean
  readonly producerId: number
  readonly count: number
  readonly recordsAt: number
  readonly end: number
}

function readHeader(source: RecordBatches, at: number, end: number): Batch {
  const { bytes } = source
  const baseOffset = readInt64(bytes, at)
  if (bytes[at + 16] !== MAGIC) {
    throw corrupt(source, baseOffset, `its format is ${bytes[at + 16]}, and we read ${MAGIC}`)
  }
  if (bytes.readUInt32BE(at + CRC_AT) !== crc32c(bytes.subarray(at + ATTRIBUTES_AT, end)) >>> 0) {
    throw corrupt(source, baseOffset, 'its checksum is wrong')
  }
  const attributes = bytes.readInt16BE(at + ATTRIBUTES_AT)
  return {
    baseOffset,
    lastOffset: baseOffset + bytes.readInt32BE(at + 23),
    baseTimestampMs: readInt64(bytes, at + 27),
    appendedAtMs: (attributes & LOG_APPEND_TIME) === 0 ? null : readInt64(bytes, at + 35),
    compression: attributes & COMPRESSION,
    transactional: (attributes & TRANSACTIONAL) !== 0,
    control: (attributes & CONTROL) !== 0,
    producerId: readInt64(bytes, at + 43),
    count: bytes.readInt32BE(at + 57),
    recordsAt: at + BATCH_HEADER_BYTES,
    end,
  }
}

function readRecords(
  source: RecordBatches,
  batch: Batch,
  records: LogRecord[],
  sizes: number[],
): void {
  const cursor = new Cursor(recordBytes(source, batch))
  for (let index = 0; index < batch.count; index++) {
    const length = cursor.varint()
    const end = cursor.at + length
    cursor.at++
    const timestampMs = batch.baseTimestampMs + cursor.varint()
    const offset = batch.baseOffset + cursor.varint()
    if (offset >= source.fromOffset) {
      const key = cursor.bytes()
      const value = cursor.bytes()
      sizes.push((key?.length ?? 0) + (value?.length ?? 0))
      const { tenantId, receivedAtMs } = cursor.ourHeaders()
      records.push({
        key: key?.toString('utf8') ?? '',
        value: value ?? NO_BYTES,
        receivedAtMs: receivedAtMs ?? batch.appendedAtMs ?? Math.max(0, timestampMs),
        tenantId: tenantId ?? DEFAULT_TENANT,
        offset,
      })
    }
    cursor.at = end
  }
}

function recordBytes(
  source: RecordBatches,
  { compression, recordsAt, end, baseOffset }: Batch,
): Buffer {
  const packed = source.bytes.subarray(recordsAt, end)
  if (compression === 0) return packed
  const algorithm = compressionsAlgorithmsByBitmask[compression]
  if (algorithm === undefined) throw corrupt(source, baseOffset, 'its compression is not known')
  try {
    return algorithm.decompressSync(packed)
  } catch (cause) {
    throw corrupt(source, baseOffset, "it can't be decompressed", cause)
  }
}

const NO_BYTES = Buffer.alloc(0)
const RECEIVED_AT_NAME = Buffer.from(RECEIVED_AT_HEADER)
const TENANT_NAME = Buffer.from(TENANT_HEADER)

class Cursor {
  at = 0
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Zig-zag, up to 53 bits. */
  varint(): number {
    const bytes = this.#bytes
    let byte = bytes[this.at++] ?? 0
    let value = byte & 0x7f
    let factor = 128
    while (byte >= 0x80) {
      byte = bytes[this.at++] ?? 0
      value += (byte & 0x7f) * factor
      factor *= 128
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  bytes(): Buffer | null {
    const length = this.varint()
    if (length < 0) return null
    const from = this.at
    this.at += length
    return this.#bytes.subarray(from, this.at)
  }

  ourHeaders(): { readonly tenantId: string | null; readonly receivedAtMs: EpochMs | null } {
    let tenantId: string | null = null
    let receivedAtMs: EpochMs | null = null
    for (let left = this.varint(); left > 0; left--) {
      const name = this.bytes()
      const value = this.bytes()
      if (name === null || value === null) continue
      if (name.equals(TENANT_NAME)) tenantId = value.toString('utf8')
      else if (name.equals(RECEIVED_AT_NAME)) receivedAtMs = instantOf(value.toString('latin1'))
    }
    return { tenantId, receivedAtMs }
  }
}

function instantOf(text: string): EpochMs | null {
  return /^\d{1,15}$/.test(text) ? Number(text) : null
}

/**
 * Which producers are inside a transaction that came to nothing, at the batch being read. Each may have had
 * several of them within one answer, and the marker that ends the last may not have arrived yet.
 */
class AbortedProducers {
  readonly #waiting: AbortedTransaction[]
  readonly #open = new Set<number>()

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#waiting = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  }

  reach(offset: number): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (next.firstOffset > offset) return
      this.#open.add(next.producerId)
      this.#waiting.shift()
    }
  }

  has(producerId: number): boolean {
    return this.#open.has(producerId)
  }

  mark({ producerId }: Batch, type: number): void {
    if (type === ABORT_MARKER) this.#open.delete(producerId)
  }
}

/** What a control record marks: its key is a version and a type, two bytes each. */
function controlType(bytes: Buffer, at: number): number {
  const cursor = new Cursor(bytes.subarray(at + BATCH_HEADER_BYTES))
  cursor.varint()
  cursor.at++
  cursor.varint()
  cursor.varint()
  return cursor.bytes()?.readInt16BE(2) ?? -1
}

export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 4_294_967_296 + bytes.readUInt32BE(at + 4)
}

function corrupt(
  { topic, partition }: RecordBatches,
  offset: number,
  found: string,
  cause?: unknown,
): PlatformError {
  return new PlatformError(
    'log-corrupt',
    `Cannot read "${topic}" partition ${partition}: the batch at offset ${offset} is damaged or strange (${found}). ` +
      'Bring back a good replica, or delete the records up to there with kafka-delete-records.',
    { retry: 'never', details: { topic, partition, offset }, cause },
  )
}
