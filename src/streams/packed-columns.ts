// Rows of numbers in few bytes, column by column. Measurements have few decimals and change little from one to the
// next: a column holds how its numbers change, in units of its last decimal.
//
//   row   time  degrees
//   1     1000      4.5     time     decimals 0: 1000, +3, +3
//   2     1003      4.6  →  degrees  decimals 1: 45, +1, null
//   3     1006     null

export interface Rows {
  readonly rows: number
  readonly columns: number
}

/** Numbers with more are held as they are, in eight bytes. */
const MAX_DECIMALS = 6
const POWERS_OF_TEN = Array.from({ length: MAX_DECIMALS + 1 }, (_, decimals) => 10 ** decimals)
/** First byte of a column: its decimals, or the next; the bit says that its first row stands for all. */
const AS_THEY_ARE = 15
const REPEATED = 16
const NUMBER_BYTES = 8
/** In units of the last decimal: no sum or difference of these needs rounding, and eight bytes hold each. */
const LARGEST_UNITS = 2 ** 50
const WORD_LIMIT = 2 ** 31
const NULL = 0

/** Most that rows can take, in bytes. */
export function packedBytes({ rows, columns }: Rows): number {
  return columns * (1 + rows * NUMBER_BYTES)
}

/** `numbers` holds row after row, NaN for null. Returns how many bytes they took. */
export function packColumns(
  numbers: Float64Array,
  { rows, columns }: Rows,
  bytes: Uint8Array,
): number {
  if (rows === 0) return 0
  let end = 0
  for (let column = 0; column < columns; column++) {
    const packedRows = isRepeated(numbers, { rows, columns }, column) ? 1 : rows
    const last = column + packedRows * columns
    const head = end
    for (let decimals = 0; end === head && decimals <= MAX_DECIMALS; decimals++) {
      bytes[head] = decimals
      end = packChanges(numbers, { column, last, columns, decimals }, bytes, head)
    }
    if (end === head) end = packAsTheyAre(numbers, { column, last, columns }, bytes, head)
    if (packedRows < rows) bytes[head] = (bytes[head] ?? 0) | REPEATED
  }
  return end
}

/** What `packColumns` wrote. */
export function unpackColumns(bytes: Buffer, { rows, columns }: Rows): Float64Array<ArrayBuffer> {
  const numbers = new Float64Array(rows * columns)
  reader.begin(bytes)
  for (let column = 0; rows > 0 && column < columns; column++) {
    const head = reader.byte()
    const kind = head & ~REPEATED
    const isRepeat = (head & REPEATED) !== 0
    let units = 0
    for (let row = 0; row < rows; row++) {
      const at = row * columns + column
      if (isRepeat && row > 0) numbers[at] = numbers[column] ?? Number.NaN
      else if (kind === AS_THEY_ARE) numbers[at] = reader.number()
      else {
        const change = reader.change()
        if (!Number.isNaN(change)) units += change
        numbers[at] = Number.isNaN(change) ? change : units / (POWERS_OF_TEN[kind] ?? 1)
      }
    }
  }
  return numbers
}

function isRepeated(numbers: Float64Array, { rows, columns }: Rows, column: number): boolean {
  const first = numbers[column]
  for (let row = 1; row < rows; row++) {
    if (!Object.is(numbers[row * columns + column], first)) return false
  }
  return rows > 1
}

/** Rows of one column: from the first up to `last`. */
interface Column {
  readonly column: number
  readonly last: number
  readonly columns: number
}

/** Returns where the column ends; where it begins, if its numbers have more decimals. */
function packChanges(
  numbers: Float64Array,
  { column, last, columns, decimals }: Column & { readonly decimals: number },
  bytes: Uint8Array,
  head: number,
): number {
  const power = POWERS_OF_TEN[decimals] ?? 1
  let end = head + 1
  let before = 0
  for (let at = column; at < last; at += columns) {
    const value = numbers[at] ?? Number.NaN
    if (Number.isNaN(value)) {
      bytes[end++] = NULL
      continue
    }
    const units = Math.round(value * power)
    const isExact = units / power === value && Math.abs(units) <= LARGEST_UNITS
    if (!isExact || Object.is(value, -0)) return head
    const change = units - before
    before = units
    end = writeVarint(1 + (change < 0 ? -2 * change - 1 : 2 * change), bytes, end)
  }
  return end
}

function packAsTheyAre(
  numbers: Float64Array,
  { column, last, columns }: Column,
  bytes: Uint8Array,
  head: number,
): number {
  bytes[head] = AS_THEY_ARE
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let end = head + 1
  for (let at = column; at < last; at += columns) {
    view.setFloat64(end, numbers[at] ?? Number.NaN, true)
    end += NUMBER_BYTES
  }
  return end
}

/** Seven bits a byte, the lowest first; the eighth says that more follow. */
function writeVarint(value: number, bytes: Uint8Array, from: number): number {
  let at = from
  let left = value
  for (; left >= WORD_LIMIT; left = Math.floor(left / 128)) bytes[at++] = (left % 128) | 128
  for (; left >= 128; left >>>= 7) bytes[at++] = left | 128
  bytes[at++] = left
  return at
}

const reader = {
  bytes: Buffer.alloc(0) as Buffer,
  at: 0,
  begin(bytes: Buffer): void {
    this.bytes = bytes
    this.at = 0
  },
  byte(): number {
    return this.bytes.readUInt8(this.at++)
  },
  number(): number {
    this.at += NUMBER_BYTES
    return this.bytes.readDoubleLE(this.at - NUMBER_BYTES)
  },
  /** NaN for null. */
  change(): number {
    let value = 0
    let place = 1
    let byte = this.byte()
    for (; byte >= 128; byte = this.byte()) {
      value += (byte - 128) * place
      place *= 128
    }
    value += byte * place
    if (value === NULL) return Number.NaN
    const zigzag = value - 1
    return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
  },
}
