// The tables that events are archived in: one a topic, a partition a day, made ahead of time.

import type pg from 'pg'
import type { ArchiveLayout } from '../../ports/archive.ts'
import { sqlState } from './failures.ts'

/** Days for which partitions are made ahead; the default partition takes what would lie beyond. */
export const DAYS_AHEAD = 7
const NAME = /^[a-z][a-z0-9_]{0,40}$/
const DUPLICATE_TABLE = '42P07'
const CHECK_VIOLATION = '23514'

const SQL_TYPES: Readonly<Record<string, string>> = {
  text: 'text',
  float8: 'double precision',
  int4: 'int',
  int8: 'bigint',
  bool: 'boolean',
  timestamptz: 'timestamptz',
  numeric: 'numeric',
  jsonb: 'jsonb',
}

/**
 * Creates the table, adds columns that its definition gained, and makes partitions for yesterday, today
 * and the days ahead. `received_at` of a position never changes, so a key that is unique in each
 * partition is unique in the table.
 */
export async function ensureArchiveTable(
  client: pg.ClientBase,
  layout: ArchiveLayout,
): Promise<void> {
  const { name, columns, entityColumn, recordedAtColumn } = layout
  for (const each of [name, entityColumn, recordedAtColumn, ...columns.map((one) => one.name)]) {
    if (!NAME.test(each)) throw new Error(`"${each}" is no name for a table or column.`)
  }
  const own = columns.map((column) => `${column.name} ${SQL_TYPES[column.type]}`)
  await client.query(`SELECT pg_advisory_xact_lock(hashtext('outrider-archive'))`)
  await client.query(`
    CREATE TABLE IF NOT EXISTS ${name} (
      log_partition int NOT NULL,
      log_offset bigint NOT NULL,
      received_at timestamptz NOT NULL,
      tenant_id text NOT NULL,
      event_id text,
      flags text[],
      ${own.join(', ')}
    ) PARTITION BY RANGE (received_at)`)
  for (const column of own) {
    await client.query(`ALTER TABLE ${name} ADD COLUMN IF NOT EXISTS ${column}`)
  }
  await client.query(
    `CREATE INDEX IF NOT EXISTS ${name}_by_entity ON ${name} (${entityColumn}, ${recordedAtColumn})`,
  )
  await client.query(`GRANT SELECT ON ${name} TO outrider_reader`)
  await addPartition(client, name, `${name}_default`, 'DEFAULT')
  const { rows } = await client.query<{ day: string; next: string }>(
    `SELECT to_char(day, 'YYYYMMDD') AS day, to_char(day + interval '1 day', 'YYYYMMDD') AS next
     FROM generate_series(current_date - 1, current_date + ${DAYS_AHEAD}, interval '1 day') AS day`,
  )
  for (const { day, next } of rows) {
    await addPartition(client, name, `${name}_${day}`, `FOR VALUES FROM ('${day}') TO ('${next}')`)
  }
}

async function addPartition(
  client: pg.ClientBase,
  table: string,
  partition: string,
  bound: string,
): Promise<void> {
  const found = await client.query('SELECT to_regclass($1) AS found', [partition])
  if (found.rows[0]?.found !== null) return
  await client.query('SAVEPOINT partition')
  try {
    await client.query(`CREATE TABLE ${partition} PARTITION OF ${table} ${bound}`)
    await client.query(`ALTER TABLE ${partition} ADD PRIMARY KEY (log_partition, log_offset)`)
    await client.query(`GRANT SELECT ON ${partition} TO outrider_reader`)
  } catch (error) {
    // Rows of that day lie in the default partition already and stay there.
    if (![DUPLICATE_TABLE, CHECK_VIOLATION].includes(sqlState(error))) throw error
    await client.query('ROLLBACK TO SAVEPOINT partition')
  }
}
