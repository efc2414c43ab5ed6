// The recent events of one key, in the order of their time, and the one before them. They lie there as columns of
// numbers: hundreds of thousands of them are alive at any time, and as objects they would be what the collection of
// memory is busy with. Texts and documents stand beside, each once for as long as it repeats.

import type { EpochMs } from '../kernel/time.ts'
import type { ArchiveTable, RowReader, RowWriter } from '../ports/archive.ts'
import { MAX_TAIL_EVENTS } from './key-slot.ts'
import { packColumns, packedBytes, unpackColumns } from './packed-columns.ts'
import { CACHE_LINE_NUMBERS } from './prefetch.ts'
import type { StreamEvent } from './topic.ts'

export interface TailEvent<E> {
  readonly event: E
  /** Event time, clamped to the arrival where the device's clock runs ahead. */
  readonly eventTimeMs: EpochMs
  readonly offset: number
  readonly receivedAtMs: EpochMs
}

/** Columns of every tail; the archive's follow. */
const EVENT_TIME = 0
const OFFSET = 1
const ARRIVAL = 2
const EVENT_ID = 3
const OWN_COLUMNS = 4

/** Rows that there is room for, one step after the other; the last holds a tail as long as it gets. */
const ROOM_ROWS = [4, 24, MAX_TAIL_EVENTS + 1]
const NUMBER_BYTES = 8
const NO_NUMBERS = new Float64Array(0)
const BESIDE: ReadonlySet<string> = new Set(['text', 'numeric', 'jsonb'])

/** A tail as snapshots hold it: rows, columns of each, the packed rows in base64, what stands beside. */
export type PackedTail = readonly [number, number, string, readonly unknown[]]

export class EventTail<E extends StreamEvent> {
  readonly #table: ArchiveTable<E>
  /** The first row is the event before the tail, of time NaN where there is none. */
  #numbers: Float64Array<ArrayBuffer> = NO_NUMBERS
  /** What is no number; its place here stands in the columns. */
  #beside: unknown[] = []
  #length = 0

  constructor(table: ArchiveTable<E>) {
    this.#table = table
  }

  get length(): number {
    return this.#length
  }

  /** Reads a number from where the next event will be put, and from the one before it. */
  prefetch(): number {
    const columns = this.#columns
    const end = Math.min(this.#numbers.length, (this.#length + 2) * columns)
    let sum = this.#beside.length
    for (let at = this.#length * columns; at < end; at += CACHE_LINE_NUMBERS) {
      sum += this.#numbers[at] ?? 0
    }
    return sum
  }

  /** The event at an index that is there. */
  at(index: number): TailEvent<E> {
    return this.#read((index + 1) * this.#columns)
  }

  /** The event before the one at an index, the length included; undefined where none is known. */
  before(index: number): TailEvent<E> | undefined {
    const from = index * this.#columns
    return Number.isNaN(this.#numbers[from + EVENT_TIME] ?? Number.NaN)
      ? undefined
      : this.#read(from)
  }

  *[Symbol.iterator](): IterableIterator<TailEvent<E>> {
    for (let index = 0; index < this.#length; index++) yield this.at(index)
  }

  /** Event time of the event at an index; undefined where there is none. */
  timeAt(index: number): EpochMs | undefined {
    if (index < 0 || index >= this.#length) return undefined
    return this.#numbers[(index + 1) * this.#columns + EVENT_TIME]
  }

  /** Offset of the newest event; undefined where the tail is empty. */
  get newestOffset(): number | undefined {
    if (this.#length === 0) return undefined
    return this.#numbers[this.#length * this.#columns + OFFSET]
  }

  hasOffset(offset: number | null): boolean {
    const columns = this.#columns
    for (let at = columns + OFFSET; at <= this.#length * columns + OFFSET; at += columns) {
      if (this.#numbers[at] === offset) return true
    }
    return false
  }

  /** Index at which an event of this time belongs; events of one time keep the order of their arrival. */
  indexFor(eventTimeMs: EpochMs): number {
    let index = this.#length
    while (index > 0 && (this.timeAt(index - 1) ?? 0) > eventTimeMs) index--
    return index
  }

  push(entry: TailEvent<E>): void {
    this.insert(this.#length, entry)
  }

  insert(index: number, entry: TailEvent<E>): void {
    const columns = this.#columns
    const end = (this.#length + 1) * columns
    if (end >= this.#numbers.length) this.#grow()
    const from = (index + 1) * columns
    if (from < end) this.#numbers.copyWithin(from + columns, from, end)
    this.#length++
    this.#write(from, entry)
  }

  /** Drops so many of the oldest; the last of them is the one before the tail. */
  drop(count: number): void {
    if (count === 0) return
    const columns = this.#columns
    this.#numbers.copyWithin(0, count * columns, (this.#length + 1) * columns)
    this.#length -= count
    if (this.#beside.length > 0) this.#tidy()
  }

  clear(): void {
    this.drop(this.#length)
  }

  encode(): PackedTail {
    const columns = this.#columns
    const rows = this.#numbers.length === 0 ? 0 : this.#length + 1
    const bytes = space.for(packedBytes({ rows, columns }))
    const length = packColumns(this.#numbers, { rows, columns }, bytes)
    return [rows, columns, bytes.toString('base64', 0, length), this.#beside]
  }

  /** What `encode` gave; columns that the table did not have then are null. */
  static decode<E extends StreamEvent>(
    table: ArchiveTable<E>,
    [rows, columns, base64, beside]: PackedTail,
  ): EventTail<E> {
    const tail = new EventTail(table)
    if (rows === 0) return tail
    const stored = unpackColumns(Buffer.from(base64, 'base64'), { rows, columns })
    const now = tail.#columns
    tail.#numbers = new Float64Array(roomFor(rows) * now).fill(Number.NaN, 0, rows * now)
    for (let row = 0; row < rows; row++) {
      const from = row * columns
      tail.#numbers.set(stored.subarray(from, from + Math.min(columns, now)), row * now)
    }
    tail.#beside = [...beside]
    tail.#length = rows - 1
    return tail
  }

  get #columns(): number {
    return OWN_COLUMNS + this.#table.columns.length
  }

  #read(from: number): TailEvent<E> {
    const numbers = this.#numbers
    unpacker.begin(numbers, from + EVENT_ID, this.#beside)
    const eventId = unpacker.text()
    const event = this.#table.read(unpacker)
    return {
      event: eventId === null ? event : { ...event, eventId },
      eventTimeMs: numbers[from + EVENT_TIME] ?? Number.NaN,
      offset: numbers[from + OFFSET] ?? Number.NaN,
      receivedAtMs: numbers[from + ARRIVAL] ?? Number.NaN,
    }
  }

  #write(from: number, { event, eventTimeMs, offset, receivedAtMs }: TailEvent<E>): void {
    const numbers = this.#numbers
    numbers[from + EVENT_TIME] = eventTimeMs
    numbers[from + OFFSET] = offset
    numbers[from + ARRIVAL] = receivedAtMs
    packer.begin(numbers, from + EVENT_ID, { beside: this.#beside, columns: this.#columns })
    packer.text(event.eventId)
    this.#table.write(packer, event)
  }

  /** The memory before is free at once: of so many tails, what waits for a collection would be half of all. */
  #grow(): void {
    const bytes = roomFor(this.#length + 2) * this.#columns * NUMBER_BYTES
    const isFirst = this.#numbers.length === 0
    const buffer = isFirst ? new ArrayBuffer(bytes) : this.#numbers.buffer.transfer(bytes)
    this.#numbers = new Float64Array(buffer)
    if (isFirst) this.#numbers.fill(Number.NaN, 0, this.#columns)
  }

  /** Lets go of what stood beside events that are gone. */
  #tidy(): void {
    const { columns: archived } = this.#table
    const columns = this.#columns
    const before = this.#beside
    this.#beside = []
    packer.begin(this.#numbers, 0, { beside: this.#beside, columns })
    for (let column = EVENT_ID; column < columns; column++) {
      const type = archived[column - OWN_COLUMNS]?.type
      if (column !== EVENT_ID && (type === undefined || !BESIDE.has(type))) continue
      for (let row = 0; row <= this.#length; row++) {
        const at = row * columns + column
        const place = this.#numbers[at] ?? Number.NaN
        if (!Number.isNaN(place)) packer.putBeside(at, before[place])
      }
    }
  }
}

function roomFor(rows: number): number {
  return ROOM_ROWS.find((room) => rows <= room) ?? rows * 2
}

/** Where rows are packed: it grows, and serves all. */
const space = {
  buffer: Buffer.alloc(0),
  for(bytes: number): Buffer {
    if (this.buffer.length < bytes) this.buffer = Buffer.allocUnsafeSlow(bytes * 2)
    return this.buffer
  },
}

/** NaN stands for null: no event holds it, since JSON has none. One packer serves all: writing is one call. */
class Packer implements RowWriter {
  #numbers: Float64Array = NO_NUMBERS
  #at = 0
  #beside: unknown[] = []
  #columns = 0

  begin(
    numbers: Float64Array,
    at: number,
    { beside, columns }: { readonly beside: unknown[]; readonly columns: number },
  ): void {
    this.#numbers = numbers
    this.#at = at
    this.#beside = beside
    this.#columns = columns
  }

  float8(value: number | null): void {
    this.#numbers[this.#at++] = value ?? Number.NaN
  }

  int4(value: number | null): void {
    this.#numbers[this.#at++] = value ?? Number.NaN
  }

  int8(value: number | null): void {
    this.#numbers[this.#at++] = value ?? Number.NaN
  }

  timestamp(value: EpochMs | null): void {
    this.#numbers[this.#at++] = value ?? Number.NaN
  }

  bool(value: boolean | null): void {
    this.#numbers[this.#at++] = value === null ? Number.NaN : value ? 1 : 0
  }

  text(value: string | null): void {
    this.json(value)
  }

  numeric(value: string | null): void {
    this.json(value)
  }

  json(value: unknown): void {
    const at = this.#at++
    if (value === null || value === undefined) this.#numbers[at] = Number.NaN
    else this.putBeside(at, value)
  }

  /** As the event before has it, or in a place of its own. */
  putBeside(at: number, value: unknown): void {
    const place = this.#numbers[at - this.#columns] ?? Number.NaN
    const same = !Number.isNaN(place) && this.#beside[place] === value
    this.#numbers[at] = same ? place : this.#beside.push(value) - 1
  }
}

class Unpacker implements RowReader {
  #numbers: Float64Array = NO_NUMBERS
  #at = 0
  #beside: readonly unknown[] = []

  begin(numbers: Float64Array, at: number, beside: readonly unknown[]): void {
    this.#numbers = numbers
    this.#at = at
    this.#beside = beside
  }

  float8(): number | null {
    const value = this.#numbers[this.#at++] ?? Number.NaN
    return Number.isNaN(value) ? null : asParsed(value)
  }

  int4(): number | null {
    return this.float8()
  }

  int8(): number | null {
    return this.float8()
  }

  timestamp(): EpochMs | null {
    return this.float8()
  }

  bool(): boolean | null {
    const value = this.float8()
    return value === null ? null : value === 1
  }

  text(): string | null {
    return this.json() as string | null
  }

  numeric(): string | null {
    return this.json() as string | null
  }

  json(): unknown {
    const place = this.float8()
    return place === null ? null : this.#beside[place]
  }
}

/**
 * V8 tells whole numbers from others, and a parser of JSON makes whole ones where it can. Said otherwise here, an event
 * read again would have another shape, and every event of the topic be brought into that one first.
 */
function asParsed(value: number): number {
  const whole = value | 0
  return whole === value && (whole !== 0 || !Object.is(value, -0)) ? whole : value
}

const packer = new Packer()
const unpacker = new Unpacker()
