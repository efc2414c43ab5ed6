// The tables that events are archived in: one a topic, a partition a day, made ahead of time.

import type pg from 'pg'
import type { ArchiveColumn, ArchiveLayout } from '../../ports/archive.ts'
import type { Suspects } from './copy-encoder.ts'
import { sqlState } from './failures.ts'
import { storableInstant } from './stored-text.ts'

/** Days for which partitions are made ahead; the default partition takes what lies beyond. */
export const DAYS_AHEAD = 7
/** A repeat is looked for among what arrived so many days before it. */
export const REPEAT_DAYS = 7
/** Longest wait for somebody's query to let go of a table: whoever writes would wait behind us. */
const LOCK_TIMEOUT_S = 5
/**
 * Rows that the server samples of a partition are 300 times this, every few minutes while it grows. It took 30,000 of all
 * columns, for which alerts waited a tenth of a second; whole-table estimates are as good with fewer.
 */
const STATISTICS_TARGET = 10
const NAME = /^[a-z][a-z0-9_]{0,40}$/
const CHECK_VIOLATION = '23514'

const SQL_TYPES: Readonly<Record<ArchiveColumn['type'], string>> = {
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
 * and the days ahead. Where nothing is missing no lock is taken, so it may be called at any time.
 *
 * `received_at` of a position never changes, so a key that is unique in each partition is unique in the
 * table. Source: docs/decisions/0005-archive-keys-and-partitions.md
 */
export async function ensureArchiveTable(
  client: pg.ClientBase,
  layout: ArchiveLayout,
): Promise<void> {
  const { name, columns, entityColumn, recordedAtColumn } = layout
  for (const each of [name, entityColumn, recordedAtColumn, ...columns.map((one) => one.name)]) {
    if (!NAME.test(each)) throw new Error(`"${each}" is no name for a table or column.`)
  }
  if (isComplete(layout, await readState(client, name))) return
  await client.query(`BEGIN; SET LOCAL lock_timeout = '${LOCK_TIMEOUT_S}s'`)
  await client.query(`SELECT pg_advisory_xact_lock(hashtext('outrider-archive'))`)
  if ((await readState(client, name)).columns.size === 0) await createTable(client, layout)
  const state = await readState(client, name)
  for (const column of missingColumns(layout, state)) {
    await client.query(`ALTER TABLE ${name} ADD COLUMN ${column.name} ${SQL_TYPES[column.type]}`)
  }
  for (const day of state.missingDays) await addDay(client, name, day)
  await client.query('COMMIT')
}

interface Day {
  /** Such as `20260131`. */
  readonly day: string
  readonly next: string
}

interface TableState {
  readonly columns: ReadonlySet<string>
  readonly missingDays: readonly Day[]
}

/**
 * What is there; no columns where there is no table. The catalog itself is asked: `to_regclass` may
 * answer from before another connection's commit that we just waited for.
 */
async function readState(client: pg.ClientBase, name: string): Promise<TableState> {
  const columns = await client.query<{ name: string }>(
    `SELECT attname AS name FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
     WHERE relname = $1 AND pg_table_is_visible(pg_class.oid) AND attnum > 0 AND NOT attisdropped`,
    [name],
  )
  const days = await client.query<Day>(
    `SELECT day, next FROM (
       SELECT to_char(today + n, 'YYYYMMDD') AS day, to_char(today + n + 1, 'YYYYMMDD') AS next
       FROM generate_series(-1, ${DAYS_AHEAD}) AS n,
         (SELECT (now() AT TIME ZONE 'UTC')::date AS today) AS calendar
     ) AS days WHERE NOT EXISTS (
       SELECT FROM pg_class WHERE relname = $1 || '_' || day AND pg_table_is_visible(oid))
     ORDER BY day`,
    [name],
  )
  return { columns: new Set(columns.rows.map((row) => row.name)), missingDays: days.rows }
}

function missingColumns(layout: ArchiveLayout, state: TableState): readonly ArchiveColumn[] {
  return layout.columns.filter((column) => !state.columns.has(column.name))
}

function isComplete(layout: ArchiveLayout, state: TableState): boolean {
  return missingColumns(layout, state).length === 0 && state.missingDays.length === 0
}

async function createTable(client: pg.ClientBase, layout: ArchiveLayout): Promise<void> {
  const { name, columns, entityColumn, recordedAtColumn } = layout
  await client.query(`
    CREATE TABLE ${name} (
      log_partition int NOT NULL,
      log_offset bigint NOT NULL,
      received_at timestamptz NOT NULL,
      tenant_id text NOT NULL,
      event_id text,
      flags text[],
      ${columns.map((column) => `${column.name} ${SQL_TYPES[column.type]}`).join(', ')}
    ) PARTITION BY RANGE (received_at);
    CREATE INDEX ${name}_by_entity ON ${name} (${entityColumn}, ${recordedAtColumn});
    CREATE TABLE ${name}_default PARTITION OF ${name} DEFAULT;
    ALTER TABLE ${name}_default ADD PRIMARY KEY (log_partition, log_offset)`)
  await sampleLess(client, `${name}_default`)
  await grantRead(client, name)
  await grantRead(client, `${name}_default`)
  await client.query('SELECT outrider_protect()')
}

/** Made apart and attached when whole: attaching, unlike creating in place, lets writers go on. */
async function addDay(client: pg.ClientBase, table: string, { day, next }: Day): Promise<void> {
  const partition = `${table}_${day}`
  await client.query('SAVEPOINT day')
  try {
    await client.query(`
      CREATE TABLE ${partition} (LIKE ${table} INCLUDING DEFAULTS);
      ALTER TABLE ${partition} ADD PRIMARY KEY (log_partition, log_offset)`)
    await sampleLess(client, partition)
    await grantRead(client, partition)
    await client.query(`ALTER TABLE ${table} ATTACH PARTITION ${partition}
      FOR VALUES FROM ('${day} 00:00:00+00') TO ('${next} 00:00:00+00')`)
  } catch (error) {
    // Rows of that day lie in the default partition already, and stay there with those to come.
    if (sqlState(error) !== CHECK_VIOLATION) throw error
    await client.query('ROLLBACK TO SAVEPOINT day')
  }
}

/** A column that is added later has the server's own target up to the last partition that is there then. */
async function sampleLess(client: pg.ClientBase, table: string): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped`,
    [table],
  )
  const each = rows.map(({ name }) => `ALTER COLUMN ${name} SET STATISTICS ${STATISTICS_TARGET}`)
  await client.query(`ALTER TABLE ${table} ${each.join(', ')}`)
}

/** A database where we may not make roles has no role to give this to. */
async function grantRead(client: pg.ClientBase, table: string): Promise<void> {
  await client.query(`DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outrider_reader') THEN
      GRANT SELECT ON ${table} TO outrider_reader;
    END IF;
  END $$`)
}

export interface Repeats extends Suspects {
  readonly partition: number
}

/** A late event whose id, key and time the archive has already is a repeat, and says so. */
export async function flagRepeats(client: pg.ClientBase, suspects: Repeats): Promise<void> {
  const { table, entityColumn, recordedAtColumn, partition, offsets } = suspects
  // Times as literals let the planner leave out the days that can hold neither.
  const from = `timestamptz '${storableInstant(suspects.firstReceivedAtMs)}'`
  const to = `timestamptz '${storableInstant(suspects.lastReceivedAtMs)}'`
  await client.query(
    `UPDATE ${table} AS late SET flags = array_append(late.flags, 'duplicate')
     WHERE late.log_partition = $1 AND late.log_offset = ANY($2::bigint[])
       AND late.received_at BETWEEN ${from} AND ${to}
       AND NOT 'duplicate' = ANY(late.flags)
       AND EXISTS (
         SELECT FROM ${table} AS earlier
         WHERE earlier.${entityColumn} = late.${entityColumn}
           AND earlier.${recordedAtColumn} = late.${recordedAtColumn}
           AND earlier.event_id = late.event_id AND earlier.tenant_id = late.tenant_id
           AND earlier.log_offset < late.log_offset AND earlier.log_partition = $1
           AND earlier.received_at >= late.received_at - interval '${REPEAT_DAYS} days'
           AND earlier.received_at >= ${from} - interval '${REPEAT_DAYS} days')`,
    [partition, offsets],
  )
}
