// Rows in the binary format of COPY, written while events are processed. The hottest code of the
// program: one growing buffer, no garbage for a row.

import type {
  ArchiveChunk,
  ArchiveEncoder,
  ArchiveRowMeta,
  ArchiveTable,
  EventFlag,
  RowWriter,
} from '../../ports/archive.ts'
import { parseNumeric, writeNumeric } from './numeric.ts'

/** Columns that every archive table begins with. */
export const META_COLUMNS = [
  'log_partition',
  'log_offset',
  'received_at',
  'tenant_id',
  'event_id',
  'flags',
] as const

/** Buffers grow in steps of this size; a taken chunk leaves the rest of its buffer unused. */
const BUFFER_BYTES = 1024 * 1024
/** Free space that must be left before a value of fixed size is written. */
const FIXED_ROOM = 64
/** 2000-01-01T00:00:00Z, where PostgreSQL's time begins. */
export const POSTGRES_EPOCH_MS = 946_684_800_000
const TEXT_OID = 25
/** Strings up to this length are written character by character, which is quicker than a call out. */
const SHORT_TEXT = 32
const TWO_TO_32 = 4_294_967_296

/** What a repeat of an old event is recognised by, once it is in the database. */
export interface CopyPayload {
  readonly buffers: readonly Buffer[]
  readonly columns: readonly string[]
  readonly entityColumn: string
  readonly recordedAtColumn: string
  /** Late events that carry an id: they may be repeats of archived ones. */
  readonly suspects: readonly number[]
}

export class CopyEncoder<E> implements ArchiveEncoder<E>, RowWriter {
  readonly #table: ArchiveTable<E>
  readonly #columns: readonly string[]
  readonly #fields: number
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #start = 0
  #at = 0
  #full: Buffer[] = []
  #fullBytes = 0
  #rows = 0
  #suspects: number[] = []
  #lastTenant = ''
  #lastTenantBytes = Buffer.alloc(0)

  constructor(table: ArchiveTable<E>) {
    this.#table = table
    this.#columns = [...META_COLUMNS, ...table.columns.map((column) => column.name)]
    this.#fields = this.#columns.length
  }

  get pendingBytes(): number {
    return this.#fullBytes + this.#at - this.#start
  }

  add(meta: ArchiveRowMeta, event: E): void {
    this.#room(FIXED_ROOM)
    this.#at = this.#buffer.writeInt16BE(this.#fields, this.#at)
    this.int4(meta.partition)
    this.int8(meta.offset)
    this.timestamp(meta.receivedAtMs)
    this.#tenant(meta.tenantId)
    this.text(meta.eventId)
    this.#flags(meta.flags)
    this.#table.write(this, event)
    this.#rows++
    if (meta.eventId !== null && meta.flags?.includes('late') === true) {
      this.#suspects.push(meta.offset)
    }
  }

  take(): ArchiveChunk {
    const bytes = this.pendingBytes
    const last = this.#buffer.subarray(this.#start, this.#at)
    const { entityColumn, recordedAtColumn } = this.#table
    const payload: CopyPayload = {
      buffers: [...this.#full, last],
      columns: this.#columns,
      entityColumn,
      recordedAtColumn,
      suspects: this.#suspects,
    }
    const chunk = { table: this.#table.name, rows: this.#rows, bytes, payload: [payload] }
    this.#start = this.#at
    this.#full = []
    this.#fullBytes = 0
    this.#rows = 0
    this.#suspects = []
    return chunk
  }

  text(value: string | null): void {
    if (value === null) {
      this.#null()
      return
    }
    const { length } = value
    if (length > SHORT_TEXT) {
      this.#longText(value)
      return
    }
    this.#room(FIXED_ROOM)
    const buffer = this.#buffer
    let at = this.#at + 4
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index)
      if (code === 0 || code > 127) {
        this.#longText(value)
        return
      }
      buffer[at++] = code
    }
    buffer.writeInt32BE(length, this.#at)
    this.#at = at
  }

  float8(value: number | null): void {
    if (value === null) {
      this.#null()
      return
    }
    this.#room(FIXED_ROOM)
    this.#buffer.writeInt32BE(8, this.#at)
    this.#at = this.#buffer.writeDoubleBE(value, this.#at + 4)
  }

  int4(value: number | null): void {
    if (value === null) {
      this.#null()
      return
    }
    this.#room(FIXED_ROOM)
    this.#buffer.writeInt32BE(4, this.#at)
    this.#at = this.#buffer.writeInt32BE(value, this.#at + 4)
  }

  int8(value: number | null): void {
    if (value === null) {
      this.#null()
      return
    }
    this.#room(FIXED_ROOM)
    this.#buffer.writeInt32BE(8, this.#at)
    this.#at = this.#writeInt64(value, this.#at + 4)
  }

  bool(value: boolean | null): void {
    if (value === null) {
      this.#null()
      return
    }
    this.#room(FIXED_ROOM)
    this.#buffer.writeInt32BE(1, this.#at)
    this.#buffer[this.#at + 4] = value ? 1 : 0
    this.#at += 5
  }

  timestamp(value: number | null): void {
    this.int8(value === null ? null : (value - POSTGRES_EPOCH_MS) * 1_000)
  }

  numeric(value: string | null): void {
    if (value === null) {
      this.#null()
      return
    }
    const parts = parseNumeric(value)
    this.#room(FIXED_ROOM + parts.digits.length * 2)
    const bytes = writeNumeric(this.#buffer, this.#at + 4, parts)
    this.#buffer.writeInt32BE(bytes, this.#at)
    this.#at += 4 + bytes
  }

  json(value: unknown): void {
    if (value === null || value === undefined) {
      this.#null()
      return
    }
    const text = JSON.stringify(value, storableStrings)
    const bytes = Buffer.byteLength(text)
    this.#room(FIXED_ROOM + bytes)
    this.#buffer.writeInt32BE(bytes + 1, this.#at)
    // Version 1 of jsonb's binary form: the text follows.
    this.#buffer[this.#at + 4] = 1
    this.#buffer.write(text, this.#at + 5)
    this.#at += 5 + bytes
  }

  #null(): void {
    this.#room(FIXED_ROOM)
    this.#at = this.#buffer.writeInt32BE(-1, this.#at)
  }

  #longText(value: string): void {
    const text = storable(value)
    this.#room(FIXED_ROOM + text.length * 3)
    const bytes = this.#buffer.write(text, this.#at + 4)
    this.#buffer.writeInt32BE(bytes, this.#at)
    this.#at += 4 + bytes
  }

  /** The tenant is nearly always the one of the row before. */
  #tenant(tenantId: string): void {
    if (tenantId !== this.#lastTenant) {
      this.#lastTenant = tenantId
      this.#lastTenantBytes = Buffer.from(storable(tenantId))
    }
    const bytes = this.#lastTenantBytes
    this.#room(FIXED_ROOM + bytes.length)
    this.#at = this.#buffer.writeInt32BE(bytes.length, this.#at)
    this.#at += bytes.copy(this.#buffer, this.#at)
  }

  /** An array of text: dimensions, no nulls, element type, size, lower bound, elements. */
  #flags(flags: readonly EventFlag[] | null): void {
    if (flags === null) {
      this.#null()
      return
    }
    this.#room(FIXED_ROOM * (1 + flags.length))
    const from = this.#at
    let at = from + 4
    for (const number of [1, 0, TEXT_OID, flags.length, 1]) {
      at = this.#buffer.writeInt32BE(number, at)
    }
    for (const flag of flags) {
      at = this.#buffer.writeInt32BE(flag.length, at)
      at += this.#buffer.write(flag, at)
    }
    this.#buffer.writeInt32BE(at - from - 4, from)
    this.#at = at
  }

  /** Exact up to 2⁵³, and to the nearest representable number beyond. */
  #writeInt64(value: number, at: number): number {
    const high = Math.floor(value / TWO_TO_32)
    this.#buffer.writeInt32BE(high, at)
    return this.#buffer.writeUInt32BE(value - high * TWO_TO_32, at + 4)
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return
    const filled = this.#buffer.subarray(this.#start, this.#at)
    if (filled.length > 0) this.#full.push(filled)
    this.#fullBytes += filled.length
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(BUFFER_BYTES, bytes))
    this.#start = 0
    this.#at = 0
  }
}

/** PostgreSQL's text has no NUL, and no half of a surrogate pair. */
export function storable(text: string): string {
  const whole = text.toWellFormed()
  return whole.includes('\u0000') ? whole.replaceAll('\u0000', '\ufffd') : whole
}

/** Replacer for `JSON.stringify` with the same care for every string, keys included. */
export function storableStrings(_key: string, value: unknown): unknown {
  if (typeof value === 'string') return storable(value)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const keys = Object.keys(value)
  if (keys.every((key) => storable(key) === key)) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [storable(key), each]))
}
