// Rows that pipelines keep: each replaced by its newest state. The owner of a partition alone writes its
// rows, in the order of the log, so the last one wins; written twice, the second changes nothing.

import type pg from 'pg'
import type { RowChange, RowLayout } from '../../ports/row-table.ts'
import { arrayParameter, arrayTypeOf } from './array-parameter.ts'
import { storable, storableJson } from './stored-text.ts'

/** One statement takes no more rows. */
const STATEMENT_ROWS = 5_000
/** How JSON writes what PostgreSQL cannot store, among others. */
const ESCAPE = '\\u'

/** What one task's partition changed. */
export interface PartitionRows {
  readonly partition: number
  readonly rows: readonly RowChange[]
}

/** Of several tasks at once, of which each has its own rows: a statement a table, however many they are. */
export async function writeRows(
  client: pg.PoolClient,
  parts: readonly PartitionRows[],
): Promise<void> {
  for (const { table, changes } of byTable(parts)) {
    const kept = changes.filter(({ values }) => values !== null)
    const withdrawn = changes.filter(({ values }) => values === null)
    for (const slice of slices(kept)) await upsert(client, table, slice)
    for (const slice of slices(withdrawn)) await remove(client, table, slice)
  }
}

interface PlacedChange extends RowChange {
  readonly partition: number
}

interface TableChanges {
  readonly table: RowLayout
  readonly changes: readonly PlacedChange[]
}

/** The newest change of each row; names as they will be stored, so that no two of them are one row. */
function byTable(parts: readonly PartitionRows[]): readonly TableChanges[] {
  const tables = new Map<string, { table: RowLayout; newest: Map<string, PlacedChange> }>()
  for (const { partition, rows } of parts) {
    for (const row of rows) {
      let known = tables.get(row.table.name)
      if (known === undefined) {
        known = { table: row.table, newest: new Map() }
        tables.set(row.table.name, known)
      }
      known.newest.set(storedName(row), { ...row, partition })
    }
  }
  return [...tables.values()].map(({ table, newest }) => ({
    table,
    changes: [...newest.values()],
  }))
}

/** A key without escapes is stored as it is. */
function storedName({ tenantId, key }: RowChange): string {
  const stored = key.includes(ESCAPE) ? storableJson(JSON.parse(key)) : key
  return `${stored} ${storable(tenantId)}`
}

async function upsert(
  client: pg.PoolClient,
  table: RowLayout,
  rows: readonly PlacedChange[],
): Promise<void> {
  const { name, columns, keyColumns, newestBy } = table
  const names = columns.map((column) => column.name)
  const sources = columns.map(
    ({ name: column, type }, index) => `unnest($${index + 4}::${arrayTypeOf(type)}) AS ${column}`,
  )
  const values = columns.map(({ name: column, type }) => `${column}::${type}`)
  const replaced = columns
    .slice(keyColumns)
    .map(({ name: column }) =>
      table.keptWhereNull?.includes(column) === true
        ? `${column} = coalesce(excluded.${column}, ${name}.${column})`
        : `${column} = excluded.${column}`,
    )
  const guard = newestBy === undefined ? '' : `WHERE ${name}.${newestBy} <= excluded.${newestBy}`
  // Side by side in the list of columns: in FROM each of them would be gathered whole, and read again.
  await client.query(
    `INSERT INTO ${name} (tenant_id, log_partition, log_offset, ${names.join(', ')})
     SELECT tenant_id, log_partition, log_offset, ${values.join(', ')}
     FROM (SELECT unnest($1::text[]) AS tenant_id, unnest($2::int4[]) AS log_partition,
       unnest($3::int8[]) AS log_offset,
       ${sources.join(', ')}) AS source
     ON CONFLICT (tenant_id, ${names.slice(0, keyColumns).join(', ')}) DO UPDATE
       SET log_partition = excluded.log_partition, log_offset = excluded.log_offset,
         ${replaced.join(', ')}
       ${guard}`,
    [
      arrayParameter(
        'text',
        rows.map(({ tenantId }) => tenantId),
      ),
      arrayParameter(
        'int4',
        rows.map(({ partition }) => partition),
      ),
      arrayParameter(
        'int8',
        rows.map(({ offset }) => offset),
      ),
      ...columns.map(({ type }, index) =>
        arrayParameter(
          type,
          rows.map(({ values: row }) => row?.[index]),
        ),
      ),
    ],
  )
}

async function remove(
  client: pg.PoolClient,
  table: RowLayout,
  rows: readonly RowChange[],
): Promise<void> {
  const { name, columns, keyColumns } = table
  const keys = columns.slice(0, keyColumns)
  const sources = keys.map(({ type }, index) => `$${index + 2}::${arrayTypeOf(type)}`)
  const same = keys.map(({ name: column, type }) => `${name}.${column} = source.${column}::${type}`)
  const lists = rows.map(({ key }): readonly unknown[] => JSON.parse(key))
  await client.query(
    `DELETE FROM ${name} USING unnest($1::text[], ${sources.join(', ')})
       AS source (tenant_id, ${keys.map((column) => column.name).join(', ')})
     WHERE ${name}.tenant_id = source.tenant_id AND ${same.join(' AND ')}`,
    [
      arrayParameter(
        'text',
        rows.map(({ tenantId }) => tenantId),
      ),
      ...keys.map(({ type }, index) =>
        arrayParameter(
          type,
          lists.map((list) => list[index]),
        ),
      ),
    ],
  )
}

function* slices<R extends RowChange>(rows: readonly R[]): Iterable<readonly R[]> {
  for (let from = 0; from < rows.length; from += STATEMENT_ROWS) {
    yield rows.slice(from, from + STATEMENT_ROWS)
  }
}
