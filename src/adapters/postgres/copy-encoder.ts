// Rows in the binary format of COPY, written while events are processed. The hottest code of the
// program: blocks of bytes, no garbage for a row.

import { PlatformError } from '../../kernel/errors.ts'
import type { EpochMs } from '../../kernel/time.ts'
import type {
  ArchiveChunk,
  ArchiveEncoder,
  ArchiveRowMeta,
  ArchiveTable,
  EventFlag,
  RowWriter,
} from '../../ports/archive.ts'
import { type CopyBlock, CopyBlocks } from './copy-blocks.ts'
import { parseNumeric, writeNumeric } from './numeric.ts'
import type { EncodedRows } from './row-sorting.ts'
import { storable, storableJson } from './stored-text.ts'

/** Columns that every archive table begins with. */
export const META_COLUMNS = [
  'log_partition',
  'log_offset',
  'received_at',
  'tenant_id',
  'event_id',
  'flags',
] as const

/** Strings up to this length are written character by character, which is quicker than a call out. */
const SHORT_TEXT = 32
/** Most that a value of fixed size or a short string takes, its length included. */
const FIELD_ROOM = 4 + SHORT_TEXT
const FLAGS_ROOM = 128
/** 2000-01-01T00:00:00Z, where PostgreSQL's time begins. */
export const POSTGRES_EPOCH_MS = 946_684_800_000
/** PostgreSQL's time ends in the year 294276, ours in 275760; it begins in 4713 BC. */
const FIRST_INSTANT_MS = -210_866_803_200_000
const TEXT_OID = 25
const TWO_TO_32 = 4_294_967_296
const NO_BYTES = Buffer.alloc(0)
const NO_VIEW = new DataView(NO_BYTES.buffer, 0, 0)

/** Late events that carry an id: they may be repeats of what the archive has. */
export interface Suspects {
  readonly table: string
  readonly entityColumn: string
  readonly recordedAtColumn: string
  readonly offsets: readonly number[]
  readonly firstReceivedAtMs: EpochMs
  readonly lastReceivedAtMs: EpochMs
}

export interface CopyPayload extends EncodedRows {
  readonly columns: readonly string[]
  readonly suspects: Suspects | null
}

export class CopyEncoder<E> implements ArchiveEncoder<E>, RowWriter {
  readonly #table: ArchiveTable<E>
  readonly #columns: readonly string[]
  /** What every row may take without asking again; longer values ask for themselves. */
  readonly #rowRoom: number
  readonly #blocks: CopyBlocks
  /** Null until the first row. */
  #block: CopyBlock | null = null
  #buffer: Buffer = NO_BYTES
  #view: DataView = NO_VIEW
  #start = 0
  #at = 0
  /** Blocks that rows since the last `take` filled, and what they wrote there. */
  #fullBlocks: CopyBlock[] = []
  #full: Buffer[] = []
  #fullBytes = 0
  #keys: string[] = []
  #ends: number[] = []
  #suspects: number[] = []
  #firstSuspectMs = Number.POSITIVE_INFINITY
  #lastSuspectMs = Number.NEGATIVE_INFINITY
  #lastTenant = ''
  #lastTenantBytes = Buffer.alloc(0)

  constructor(table: ArchiveTable<E>, blocks = new CopyBlocks()) {
    this.#table = table
    this.#blocks = blocks
    this.#columns = [...META_COLUMNS, ...table.columns.map((column) => column.name)]
    this.#rowRoom = FIELD_ROOM * this.#columns.length + FLAGS_ROOM
  }

  get pendingBytes(): number {
    return this.#fullBytes + this.#at - this.#start
  }

  add(meta: ArchiveRowMeta, event: E, key = ''): void {
    this.#room(this.#rowRoom)
    this.#view.setInt16(this.#at, this.#columns.length)
    this.#at += 2
    this.int4(meta.partition)
    this.int8(meta.offset)
    this.timestamp(meta.receivedAtMs)
    this.#tenant(meta.tenantId)
    this.text(meta.eventId)
    this.#flags(meta.flags)
    this.#table.write(this, event)
    this.#keys.push(key)
    this.#ends.push(this.pendingBytes)
    if (meta.eventId !== null && meta.flags?.includes('late') === true) this.#suspect(meta)
  }

  take(): ArchiveChunk {
    const bytes = this.pendingBytes
    const last = this.#buffer.subarray(this.#start, this.#at)
    const payload: CopyPayload = {
      buffers: [...this.#full, last],
      keys: this.#keys,
      ends: this.#ends,
      columns: this.#columns,
      suspects: this.#takeSuspects(),
    }
    const chunk = {
      table: this.#table.name,
      rows: this.#keys.length,
      bytes,
      payload: [payload],
      release: this.#releaseOf(),
    }
    this.#start = this.#at
    this.#fullBlocks = []
    this.#full = []
    this.#fullBytes = 0
    this.#keys = []
    this.#ends = []
    return chunk
  }

  /** The chunk uses the blocks that were filled in place of the encoder, and the one at hand beside it. */
  #releaseOf(): () => void {
    const used = this.#fullBlocks
    if (this.#block !== null) {
      this.#block.users++
      used.push(this.#block)
    }
    const blocks = this.#blocks
    return () => {
      for (const block of used) blocks.giveBack(block)
    }
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
    this.#view.setInt32(this.#at, length)
    this.#at = at
  }

  float8(value: number | null): void {
    if (value === null) {
      this.#null()
      return
    }
    const at = this.#at
    this.#view.setInt32(at, 8)
    this.#view.setFloat64(at + 4, value)
    this.#at = at + 12
  }

  int4(value: number | null): void {
    if (value === null) {
      this.#null()
      return
    }
    if ((value | 0) !== value) throw misfit(value)
    const at = this.#at
    this.#view.setInt32(at, 4)
    this.#view.setInt32(at + 4, value)
    this.#at = at + 8
  }

  /** Exact up to 2⁵³, and to the nearest representable number beyond. */
  int8(value: number | null): void {
    if (value === null) {
      this.#null()
      return
    }
    const at = this.#at
    const high = Math.floor(value / TWO_TO_32)
    this.#view.setInt32(at, 8)
    this.#view.setInt32(at + 4, high)
    this.#view.setUint32(at + 8, value - high * TWO_TO_32)
    this.#at = at + 12
  }

  bool(value: boolean | null): void {
    if (value === null) {
      this.#null()
      return
    }
    const at = this.#at
    this.#view.setInt32(at, 1)
    this.#buffer[at + 4] = value ? 1 : 0
    this.#at = at + 5
  }

  timestamp(value: EpochMs | null): void {
    if (value === null) {
      this.#null()
      return
    }
    this.int8((Math.max(value, FIRST_INSTANT_MS) - POSTGRES_EPOCH_MS) * 1_000)
  }

  numeric(value: string | null): void {
    if (value === null) {
      this.#null()
      return
    }
    const parts = parseNumeric(value)
    this.#room(this.#rowRoom + parts.digits.length * 2)
    const bytes = writeNumeric(this.#buffer, this.#at + 4, parts)
    this.#view.setInt32(this.#at, bytes)
    this.#at += 4 + bytes
  }

  json(value: unknown): void {
    if (value === null || value === undefined) {
      this.#null()
      return
    }
    const text = storableJson(value)
    this.#room(this.#rowRoom + text.length * 3)
    const bytes = this.#buffer.write(text, this.#at + 5)
    this.#view.setInt32(this.#at, bytes + 1)
    // Version 1 of jsonb's binary form: the text follows.
    this.#buffer[this.#at + 4] = 1
    this.#at += 5 + bytes
  }

  #null(): void {
    this.#view.setInt32(this.#at, -1)
    this.#at += 4
  }

  #longText(value: string): void {
    const text = storable(value)
    this.#room(this.#rowRoom + text.length * 3)
    const bytes = this.#buffer.write(text, this.#at + 4)
    this.#view.setInt32(this.#at, bytes)
    this.#at += 4 + bytes
  }

  /** The tenant is nearly always the one of the row before. */
  #tenant(tenantId: string): void {
    if (tenantId !== this.#lastTenant) {
      this.#lastTenant = tenantId
      this.#lastTenantBytes = Buffer.from(storable(tenantId))
    }
    const bytes = this.#lastTenantBytes
    this.#room(this.#rowRoom + bytes.length)
    this.#view.setInt32(this.#at, bytes.length)
    this.#buffer.set(bytes, this.#at + 4)
    this.#at += 4 + bytes.length
  }

  /** An array of text: dimensions, no nulls, element type, size, lower bound, elements. */
  #flags(flags: readonly EventFlag[] | null): void {
    if (flags === null) {
      this.#null()
      return
    }
    const from = this.#at
    let at = from + 4
    for (const number of [1, 0, TEXT_OID, flags.length, 1]) {
      this.#view.setInt32(at, number)
      at += 4
    }
    for (const flag of flags) {
      this.#view.setInt32(at, flag.length)
      at += 4 + this.#buffer.write(flag, at + 4)
    }
    this.#view.setInt32(from, at - from - 4)
    this.#at = at
  }

  #suspect({ offset, receivedAtMs }: ArchiveRowMeta): void {
    this.#suspects.push(offset)
    this.#firstSuspectMs = Math.min(this.#firstSuspectMs, receivedAtMs)
    this.#lastSuspectMs = Math.max(this.#lastSuspectMs, receivedAtMs)
  }

  #takeSuspects(): Suspects | null {
    if (this.#suspects.length === 0) return null
    const { name, entityColumn, recordedAtColumn } = this.#table
    const suspects = {
      table: name,
      entityColumn,
      recordedAtColumn,
      offsets: this.#suspects,
      firstReceivedAtMs: this.#firstSuspectMs,
      lastReceivedAtMs: this.#lastSuspectMs,
    }
    this.#suspects = []
    this.#firstSuspectMs = Number.POSITIVE_INFINITY
    this.#lastSuspectMs = Number.NEGATIVE_INFINITY
    return suspects
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return
    this.#leaveBlock()
    const block = this.#blocks.take(bytes)
    this.#block = block
    this.#buffer = block.buffer
    this.#view = block.view
    this.#start = 0
    this.#at = 0
  }

  #leaveBlock(): void {
    const block = this.#block
    if (block === null) return
    const filled = this.#buffer.subarray(this.#start, this.#at)
    if (filled.length === 0) {
      this.#blocks.giveBack(block)
      return
    }
    this.#fullBlocks.push(block)
    this.#full.push(filled)
    this.#fullBytes += filled.length
  }
}

/** A number that an `int4` cannot hold. */
export function misfit(value: number): PlatformError {
  return new PlatformError(
    'invariant-broken',
    `${value} does not fit into a column of type int4.`,
    {
      retry: 'never',
    },
  )
}
