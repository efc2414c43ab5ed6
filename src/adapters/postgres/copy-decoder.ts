// Rows out of the binary format of COPY, as they arrive, whatever the pieces they arrive in.

import { PlatformError } from '../../kernel/errors.ts'
import type { ArchivedEvent, ArchiveTable, EventFlag, RowReader } from '../../ports/archive.ts'
import { POSTGRES_EPOCH_MS } from './copy-encoder.ts'
import { readNumeric } from './numeric.ts'

const HEADER_BYTES = 19
const TWO_TO_32 = 4_294_967_296
/** Text up to this length is looked up among what was read lately. */
const SHORT_TEXT = 32
const LARGEST_ASCII = 0x7f
/** A power of two. */
const REMEMBERED_TEXTS = 32_768

/** Short texts by a hash of their bytes: names of entities come again and again, and as one string each. */
const remembered = new Array<string>(REMEMBERED_TEXTS).fill('')

export class CopyDecoder<E> implements RowReader {
  readonly #table: ArchiveTable<E>
  #rest: Buffer = Buffer.alloc(0)
  #header = true
  #ended = false
  #buffer: Buffer = Buffer.alloc(0)
  #view = viewOf(this.#buffer)
  #at = 0
  #lastTenant = ''

  constructor(table: ArchiveTable<E>) {
    this.#table = table
  }

  /** Rows that are whole with these further bytes. */
  decode(bytes: Buffer): readonly ArchivedEvent<E>[] {
    this.#buffer = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    this.#view = viewOf(this.#buffer)
    this.#at = 0
    const rows: ArchivedEvent<E>[] = []
    if (this.#header && this.#buffer.length >= HEADER_BYTES) {
      this.#at = HEADER_BYTES
      this.#header = false
    }
    while (!this.#header && !this.#ended) {
      const end = this.#endOfRow()
      if (end === -1) break
      rows.push(this.#row())
      if (this.#at !== end) throw corrupt()
    }
    this.#rest = this.#buffer.subarray(this.#at)
    return rows
  }

  /** Position after the row that begins here; −1 where it is not whole yet, or all rows were read. */
  #endOfRow(): number {
    const view = this.#view
    const last = view.byteLength - 4
    let at = this.#at
    if (at + 2 > view.byteLength) return -1
    const fields = view.getInt16(at)
    if (fields === -1) {
      this.#ended = true
      return -1
    }
    at += 2
    for (let field = 0; field < fields; field++) {
      if (at > last) return -1
      at += 4 + Math.max(0, view.getInt32(at))
    }
    return at > view.byteLength ? -1 : at
  }

  #row(): ArchivedEvent<E> {
    this.#at += 2
    const partition = this.int4() ?? 0
    const offset = this.int8() ?? 0
    const receivedAtMs = this.timestamp() ?? 0
    const tenantId = this.#tenant()
    const eventId = this.text()
    const flags = this.#flags()
    const event = this.#table.read(this)
    return {
      partition,
      offset,
      receivedAtMs,
      tenantId,
      eventId,
      flags,
      event: eventId === null ? event : { ...event, eventId },
    }
  }

  text(): string | null {
    const length = this.#length()
    if (length === -1) return null
    const from = this.#at
    this.#at += length
    if (length <= SHORT_TEXT) return this.#shortText(from, length)
    return this.#buffer.toString('utf8', from, this.#at)
  }

  #shortText(from: number, length: number): string {
    const buffer = this.#buffer
    let hash = length
    for (let index = from; index < from + length; index++) {
      const code = buffer[index] ?? 0
      if (code > LARGEST_ASCII) return buffer.toString('utf8', from, from + length)
      hash = Math.imul(hash ^ code, 0x01000193)
    }
    const place = (hash ^ (hash >>> 15)) & (REMEMBERED_TEXTS - 1)
    const known = remembered[place] ?? ''
    if (isAt(buffer, from, length, known)) return known
    const text = buffer.toString('latin1', from, from + length)
    remembered[place] = text
    return text
  }

  float8(): number | null {
    if (this.#length() === -1) return null
    this.#at += 8
    return this.#view.getFloat64(this.#at - 8)
  }

  int4(): number | null {
    if (this.#length() === -1) return null
    this.#at += 4
    return this.#view.getInt32(this.#at - 4)
  }

  int8(): number | null {
    if (this.#length() === -1) return null
    this.#at += 8
    return this.#view.getInt32(this.#at - 8) * TWO_TO_32 + this.#view.getUint32(this.#at - 4)
  }

  bool(): boolean | null {
    if (this.#length() === -1) return null
    this.#at += 1
    return this.#buffer[this.#at - 1] === 1
  }

  timestamp(): number | null {
    const microseconds = this.int8()
    return microseconds === null ? null : Math.round(microseconds / 1_000) + POSTGRES_EPOCH_MS
  }

  numeric(): string | null {
    const length = this.#length()
    if (length === -1) return null
    this.#at += length
    return readNumeric(this.#buffer, this.#at - length)
  }

  json(): unknown {
    const length = this.#length()
    if (length === -1) return null
    this.#at += length
    return JSON.parse(this.#buffer.toString('utf8', this.#at - length + 1, this.#at))
  }

  /** The tenant is nearly always the one of the row before. */
  #tenant(): string {
    const length = this.#length()
    const from = this.#at
    this.#at += Math.max(0, length)
    const known = this.#lastTenant
    if (length !== known.length || !isAt(this.#buffer, from, length, known)) {
      this.#lastTenant = this.#buffer.toString('utf8', from, this.#at)
    }
    return this.#lastTenant
  }

  #flags(): readonly EventFlag[] | null {
    const length = this.#length()
    if (length === -1) return null
    const end = this.#at + length
    const flags: EventFlag[] = []
    const dimensions = this.#view.getInt32(this.#at)
    this.#at += dimensions === 0 ? 12 : 20
    while (this.#at < end) {
      const flag = this.text()
      if (flag === 'duplicate' || flag === 'late' || flag === 'future') flags.push(flag)
    }
    return flags.length === 0 ? null : flags
  }

  #length(): number {
    this.#at += 4
    return this.#view.getInt32(this.#at - 4)
  }
}

/** The ASCII text stands there, byte for byte. */
function isAt(buffer: Buffer, from: number, length: number, text: string): boolean {
  if (text.length !== length) return false
  for (let index = 0; index < length; index++) {
    if (buffer[from + index] !== text.charCodeAt(index)) return false
  }
  return true
}

function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength)
}

function corrupt(): PlatformError {
  return new PlatformError(
    'invariant-broken',
    'A row of the archive does not have the columns that its table declares.',
    { retry: 'never' },
  )
}
