// The durable rows of a key while its history may still change. A row that events of the tail put, and that
// they do not put any more once a late event found its place, goes back to what it was at the base.

import { type RowChange, type RowTable, rowId } from '../ports/row-table.ts'
import { columnValues } from './event-values.ts'
import { firstFrame, type KeySlot } from './key-slot.ts'
import type { Pipeline, PutRow } from './pipeline.ts'
import type { StreamEvent } from './topic.ts'

/** The newest change of each row. */
export type RowsById = Map<string, RowChange>

export function rowChange<R>(
  { tenantId, offset }: Pick<RowChange, 'tenantId' | 'offset'>,
  table: RowTable<R>,
  row: R,
): RowChange {
  const values = columnValues(table, row)
  return { table, tenantId, key: JSON.stringify(values.slice(0, table.keyColumns)), offset, values }
}

/** The rows that a state may still change, as far as they go. */
export function openRows<E extends StreamEvent, S>(
  { rows }: Pipeline<E, S>,
  {
    key,
    tenantId,
    state,
    offset,
  }: Pick<RowChange, 'tenantId' | 'offset'> & {
    readonly key: string
    readonly state: S
  },
): RowsById {
  const open: RowsById = new Map()
  const put: PutRow = (table, row) => {
    const change = rowChange({ tenantId, offset }, table, row)
    open.set(rowId(change), change)
  }
  rows?.open(state, key, put)
  return open
}

/**
 * What has to be written after history was computed again: all that it put, and what was put before in error.
 * `slot.rows` is brought up to date.
 */
export function amendRows<E extends StreamEvent, S>(
  slot: KeySlot<E, S>,
  pipeline: Pipeline<E, S>,
  recomputed: RowsById,
): readonly RowChange[] {
  const changes = [...recomputed.values()]
  const inError = [...(slot.rows?.keys() ?? [])].filter((id) => !recomputed.has(id))
  slot.rows = new Map(changes.map((change) => [rowId(change), change.offset]))
  if (inError.length === 0) return changes
  const { key, tenantId, lastOffset: offset } = slot
  const { state } = slot.base ?? firstFrame(slot, pipeline)
  const atBase = openRows(pipeline, { key, tenantId, state, offset })
  return [...changes, ...inError.map((id) => atBase.get(id) ?? withdrawn(id, pipeline, offset))]
}

function withdrawn<E extends StreamEvent, S>(
  id: string,
  { rows }: Pipeline<E, S>,
  offset: number,
): RowChange {
  const [name, tenantId, key] = JSON.parse(id) as [string, string, string]
  const table = rows?.tables.find((each) => each.name === name)
  if (table === undefined)
    throw new Error(`A row of ${name} was put, which is no table of its pipeline.`)
  return { table, tenantId, key, offset, values: null }
}
