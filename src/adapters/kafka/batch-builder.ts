// Builds a record batch of ours: key, value, and as headers what Kafka has no field for.

import { compressionsAlgorithms, crc32c } from '@platformatic/kafka'
import { DEFAULT_TENANT } from '../../kernel/tenants.ts'
import type { NewRecord } from '../../ports/log.ts'
import type { CompressionName } from './kafka-address.ts'
import {
  ATTRIBUTES_AT,
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  CRC_AT,
  RECEIVED_AT_HEADER,
  TENANT_HEADER,
} from './record-batch.ts'

export interface ProducerIdentity {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly sequence: number
}

const FIRST_BYTES = 16 * 1024
/** Buffers of finished batches that the next ones are built in; larger ones, and further ones, are let go. */
const SPARE_BUFFERS = 32
const LARGEST_SPARE_BYTES = 256 * 1024
const spare: Buffer[] = []
const NOTHING = Buffer.alloc(0)
/** Smaller ones grow by being compressed, or save nothing. */
const LEAST_COMPRESSED_BYTES = 512
const RECEIVED_AT_NAME = Buffer.from(RECEIVED_AT_HEADER)
const TENANT_NAME = Buffer.from(TENANT_HEADER)
/** Upper bound of what lengths, deltas and our own headers add to a record. */
export const RECORD_OVERHEAD_BYTES = 96

export class BatchBuilder {
  count = 0
  #bytes = spare.pop() ?? Buffer.allocUnsafe(FIRST_BYTES)
  #length = BATCH_HEADER_BYTES
  #baseTimestampMs = 0
  #maxTimestampMs = 0

  get bytes(): number {
    return this.#length
  }

  add(key: Buffer, record: NewRecord): void {
    const { receivedAtMs, value } = record
    if (this.count === 0) this.#baseTimestampMs = receivedAtMs
    this.#maxTimestampMs = Math.max(this.#maxTimestampMs, receivedAtMs)
    const headers = headersOf(record)
    const timestampDelta = receivedAtMs - this.#baseTimestampMs
    const size =
      1 +
      varintSize(timestampDelta) +
      varintSize(this.count) +
      sized(key.length) +
      sized(value.length) +
      varintSize(headers.length) +
      headers.reduce((sum, [name, text]) => sum + sized(name.length) + sized(text.length), 0)
    this.#reserve(size + 5)
    this.#varint(size)
    this.#bytes[this.#length++] = 0
    this.#varint(timestampDelta)
    this.#varint(this.count)
    this.#put(key)
    this.#put(value)
    this.#varint(headers.length)
    for (const [name, text] of headers) {
      this.#put(name)
      this.#put(text)
    }
    this.count++
  }

  /** The batch, whole but for who sends it: `identify` fills that in. Nothing can be added any more. */
  finish(compression: CompressionName): Buffer {
    const records = this.#bytes.subarray(BATCH_HEADER_BYTES, this.#length)
    const packed =
      compression === 'none' || records.length < LEAST_COMPRESSED_BYTES
        ? null
        : compressionsAlgorithms[compression].compressSync(records)
    const batch = Buffer.concat([this.#bytes.subarray(0, BATCH_HEADER_BYTES), packed ?? records])
    this.#release()
    const attributes = packed === null ? 0 : compressionsAlgorithms[compression].bitmask
    batch.writeBigInt64BE(0n, 0)
    batch.writeInt32BE(batch.length - BATCH_PREFIX_BYTES, 8)
    batch.writeInt32BE(-1, 12)
    batch[16] = 2
    batch.writeInt16BE(attributes, ATTRIBUTES_AT)
    batch.writeInt32BE(this.count - 1, 23)
    batch.writeBigInt64BE(BigInt(this.#baseTimestampMs), 27)
    batch.writeBigInt64BE(BigInt(this.#maxTimestampMs), 35)
    batch.writeInt32BE(this.count, 57)
    return batch
  }

  #release(): void {
    if (spare.length < SPARE_BUFFERS && this.#bytes.length <= LARGEST_SPARE_BYTES) {
      spare.push(this.#bytes)
    }
    this.#bytes = NOTHING
  }

  #put(bytes: Uint8Array): void {
    this.#varint(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #varint(value: number): void {
    let left = zigzag(value)
    while (left >= 128) {
      this.#bytes[this.#length++] = (left % 128) | 0x80
      left = Math.floor(left / 128)
    }
    this.#bytes[this.#length++] = left
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes = grown
  }
}

/** Writes who sends the batch and its place in their sequence, by which the broker knows a repeat. */
export function identify(
  batch: Buffer,
  { producerId, producerEpoch, sequence }: ProducerIdentity,
): void {
  batch.writeBigInt64BE(producerId, 43)
  batch.writeInt16BE(producerEpoch, 51)
  batch.writeInt32BE(sequence, 53)
  batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES_AT)) >>> 0, CRC_AT)
}

/** The time of arrival is also the record's timestamp, but a topic may replace that by its own. */
function headersOf({ tenantId, receivedAtMs, headers }: NewRecord): [Buffer, Buffer][] {
  const found: [Buffer, Buffer][] = [[RECEIVED_AT_NAME, Buffer.from(String(receivedAtMs))]]
  if (tenantId !== DEFAULT_TENANT) found.push([TENANT_NAME, Buffer.from(tenantId)])
  for (const [name, value] of Object.entries(headers ?? {})) {
    found.push([Buffer.from(name), Buffer.from(value)])
  }
  return found
}

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}

function varintSize(value: number): number {
  let left = zigzag(value)
  let size = 1
  while (left >= 128) {
    left = Math.floor(left / 128)
    size++
  }
  return size
}

function sized(length: number): number {
  return varintSize(length) + length
}
