// A list of values as one parameter of a statement, in the binary form of PostgreSQL's arrays: a number is eight
// bytes there, which neither side has to write as digits, quote and read again.
//
//   dimensions 1 · has nulls 1 · type of the elements · count · first index 1 · (length · bytes)*      32 bits each

import type { ArchiveColumnType } from '../../ports/archive.ts'
import { misfit, POSTGRES_EPOCH_MS } from './copy-encoder.ts'
import { storable, storableJson, storableMs } from './stored-text.ts'

const HEADER_BYTES = 20
const LENGTH_BYTES = 4
/** One character of a text, at most, as UTF-8. */
const CHARACTER_BYTES = 3
const NULL_LENGTH = -1
const TWO_TO_32 = 4_294_967_296

interface BinaryType {
  /** As `pg_type` numbers it. */
  readonly oid: number
  bytesOf(value: unknown): number
  /** Returns how many bytes it took. */
  write(buffer: Buffer, value: unknown, at: number): number
}

const BINARY: Readonly<Partial<Record<ArchiveColumnType, BinaryType>>> = {
  text: {
    oid: 25,
    bytesOf: (value) => String(value).length * CHARACTER_BYTES,
    write: (buffer, value, at) => buffer.write(storable(String(value)), at),
  },
  float8: {
    oid: 701,
    bytesOf: () => 8,
    write: (buffer, value, at) => buffer.writeDoubleBE(Number(value), at) - at,
  },
  int4: {
    oid: 23,
    bytesOf: () => 4,
    write(buffer, value, at) {
      const number = Number(value)
      if ((number | 0) !== number) throw misfit(number)
      return buffer.writeInt32BE(number, at) - at
    },
  },
  int8: {
    oid: 20,
    bytesOf: () => 8,
    write: (buffer, value, at) => writeInt8(buffer, Number(value), at),
  },
  bool: {
    oid: 16,
    bytesOf: () => 1,
    write: (buffer, value, at) => buffer.writeUInt8(value === true ? 1 : 0, at) - at,
  },
  timestamptz: {
    oid: 1184,
    bytesOf: () => 8,
    write: (buffer, value, at) =>
      writeInt8(buffer, (storableMs(Number(value)) - POSTGRES_EPOCH_MS) * 1_000, at),
  },
}

/** Exact up to 2⁵³, and to the nearest representable number beyond. */
function writeInt8(buffer: Buffer, value: number, at: number): number {
  const high = Math.floor(value / TWO_TO_32)
  buffer.writeInt32BE(high, at)
  buffer.writeUInt32BE(value - high * TWO_TO_32, at + 4)
  return 8
}

/** What the parameter is cast to: its own type, or texts that are cast one by one. */
export function arrayTypeOf(type: ArchiveColumnType): string {
  return BINARY[type] === undefined ? 'text[]' : `${type}[]`
}

/** The parameter for values of a column of this type; what is undefined is null. */
export function arrayParameter(
  type: ArchiveColumnType,
  values: readonly unknown[],
): Buffer | readonly (string | null)[] {
  const binary = BINARY[type]
  if (binary === undefined) return values.map((value) => textOf(type, value))
  return arrayBytes(binary, values)
}

function arrayBytes(type: BinaryType, values: readonly unknown[]): Buffer {
  let bytes = HEADER_BYTES + values.length * LENGTH_BYTES
  for (const value of values) if (value != null) bytes += type.bytesOf(value)
  const buffer = Buffer.allocUnsafe(bytes)
  let at = 0
  for (const word of [1, 1, type.oid, values.length, 1]) at = buffer.writeInt32BE(word, at)
  for (const value of values) {
    const length = value == null ? NULL_LENGTH : type.write(buffer, value, at + LENGTH_BYTES)
    at = buffer.writeInt32BE(length, at) + Math.max(0, length)
  }
  return buffer.subarray(0, at)
}

function textOf(type: ArchiveColumnType, value: unknown): string | null {
  if (value === null || value === undefined) return null
  return type === 'jsonb' ? storableJson(value) : storable(String(value))
}
