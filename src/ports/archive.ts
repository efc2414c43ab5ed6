// How a topic's events stand in the archive: one table a topic, typed columns, written and read back
// column by column so that no event is lost to a generic mapping on the hot path.

import type { EpochMs } from '../kernel/time.ts'

export type ArchiveColumnType =
  | 'text'
  | 'float8'
  | 'int4'
  | 'int8'
  | 'bool'
  | 'timestamptz'
  | 'numeric'
  | 'jsonb'

export interface ArchiveColumn {
  /** snake_case, the unit last. */
  readonly name: string
  readonly type: ArchiveColumnType
}

/** Takes one value a call, in the order of the table's columns; null is SQL NULL. */
export interface RowWriter {
  text(value: string | null): void
  float8(value: number | null): void
  int4(value: number | null): void
  int8(value: number | null): void
  bool(value: boolean | null): void
  timestamp(value: EpochMs | null): void
  /** An exact decimal as text, such as `12.50`. */
  numeric(value: string | null): void
  json(value: unknown): void
}

/** Gives one value a call, in the order of the table's columns. */
export interface RowReader {
  text(): string | null
  float8(): number | null
  int4(): number | null
  int8(): number | null
  bool(): boolean | null
  timestamp(): EpochMs | null
  numeric(): string | null
  json(): unknown
}

export interface ArchiveTable<E> {
  readonly name: string
  /** The topic's own columns; every table also has `log_partition, log_offset, received_at, tenant_id, event_id, flags`. */
  readonly columns: readonly ArchiveColumn[]
  /** Column of the entity, indexed together with `recordedAtColumn`. */
  readonly entityColumn: string
  readonly recordedAtColumn: string
  write(row: RowWriter, event: E): void
  /** The inverse of `write`: an archived event replays exactly as it first ran. */
  read(row: RowReader): E
}

/** What must exist in the database for a table, whatever the type of its events. */
export type ArchiveLayout = Pick<
  ArchiveTable<unknown>,
  'name' | 'columns' | 'entityColumn' | 'recordedAtColumn'
>

export type EventFlag = 'duplicate' | 'late' | 'future'

export interface ArchiveRowMeta {
  readonly partition: number
  readonly offset: number
  readonly receivedAtMs: EpochMs
  readonly tenantId: string
  readonly eventId: string | null
  readonly flags: readonly EventFlag[] | null
}

export interface ArchivedEvent<E> extends ArchiveRowMeta {
  readonly event: E
}

/** Rows of one table, encoded, ready to be written once or again with the same content. */
export interface ArchiveChunk {
  readonly table: string
  readonly rows: number
  readonly bytes: number
  /** What the adapter that made it writes. */
  readonly payload: readonly unknown[]
  /** To be called once, when its rows are in the archive: its memory holds other rows from then on. */
  readonly release?: () => void
}

/** Encodes rows while the batch is processed. Pure: no I/O. */
export interface ArchiveEncoder<E> {
  /** Rows of one key are best stored side by side. */
  add(meta: ArchiveRowMeta, event: E, key?: string): void
  /** Bytes encoded since the last `take`. */
  readonly pendingBytes: number
  take(): ArchiveChunk
}
