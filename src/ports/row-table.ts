// Rows that a pipeline keeps for those who ask later: the state of a trip, a period of driving, a refuel.
// One row a key, replaced as the pipeline learns more, in the same transaction as the events it follows from.

import type { ArchiveColumn, RowWriter } from './archive.ts'

/**
 * A table of such rows. A migration makes it; beside its own columns it has `tenant_id`, `log_partition` and
 * `log_offset` (the event at which the row came to be as it is). Its primary key is `tenant_id` and the first
 * `keyColumns` columns, which hold the key of the event: two partitions never write one row.
 */
export interface RowTable<R> {
  readonly name: string
  readonly columns: readonly ArchiveColumn[]
  /** How many of the first columns tell one row of a tenant from another; they are never null. */
  readonly keyColumns: number
  /**
   * A column that never goes back: a row whose value is smaller than that of the row it would replace changes
   * nothing. For pipelines that forget a key before its last event may have come.
   */
  readonly newestBy?: string
  /** Columns in which null means "not said this time", and leaves what is there. */
  readonly keptWhereNull?: readonly string[]
  write(row: RowWriter, value: R): void
}

export type RowLayout = Omit<RowTable<never>, 'write'>

/** What became of one row. */
export interface RowChange {
  readonly table: RowLayout
  readonly tenantId: string
  /** JSON list of the key's values. */
  readonly key: string
  /** The event that it follows from. */
  readonly offset: number
  /** One value a column, those at the end left out where they are null; null: the row never was. */
  readonly values: readonly unknown[] | null
}

/** Names a row among all rows of all tables. */
export function rowId({
  table,
  tenantId,
  key,
}: Pick<RowChange, 'table' | 'tenantId' | 'key'>): string {
  return JSON.stringify([table.name, tenantId, key])
}
