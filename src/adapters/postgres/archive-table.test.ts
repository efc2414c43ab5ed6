// The archive's tables: partitions, what SQL tools may read of them, and repeats found on commit.

import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { type TestPostgres, testPostgres } from '../../../test/postgres-server.ts'
import { DAY_MS } from '../../kernel/time.ts'
import type { ArchiveRowMeta, ArchiveTable } from '../../ports/archive.ts'
import type { CheckpointStore } from '../../ports/checkpoint-store.ts'
import { systemClock } from '../clock/system-clock.ts'
import { DAYS_AHEAD } from './archive-table.ts'
import { createCheckpointStore } from './checkpoint-store.ts'

interface Fix {
  readonly entityId: string
  readonly recordedAtMs: number
  readonly eventId: string | null
}

const table: ArchiveTable<Fix> = {
  name: 'fix',
  columns: [
    { name: 'entity_id', type: 'text' },
    { name: 'recorded_at', type: 'timestamptz' },
  ],
  entityColumn: 'entity_id',
  recordedAtColumn: 'recorded_at',
  write(row, event) {
    row.text(event.entityId)
    row.timestamp(event.recordedAtMs)
  },
  read: (row) => ({
    entityId: row.text() ?? '',
    recordedAtMs: row.timestamp() ?? 0,
    eventId: null,
  }),
}

const task = { pipeline: 'fixes', partition: 0 }

async function openStore(
  t: Parameters<typeof testPostgres>[0],
): Promise<TestPostgres & { readonly store: CheckpointStore }> {
  const postgres = await testPostgres(t)
  const store = createCheckpointStore({ address: postgres.address })
  t.after(() => store.close())
  await store.ensureArchive(table)
  return { ...postgres, store }
}

test('the server samples little of a partition, whenever that was made', async (t) => {
  const { database, store } = await openStore(t)
  const targets = async (name: string): Promise<readonly unknown[]> => {
    const rows = await database.query(
      `SELECT DISTINCT attstattarget FROM pg_attribute
       WHERE attrelid = $1::regclass AND attnum > 0`,
      [name],
    )
    return rows.map(({ attstattarget }) => attstattarget)
  }
  const last = dayName(systemClock().nowMs() + DAYS_AHEAD * DAY_MS)
  deepEqual(await targets('fix_default'), [10])
  deepEqual(await targets(last), [10])
  await database.query(`DROP TABLE ${last}`)
  await store.ensureArchive(table)
  deepEqual(await targets(last), [10])
})

type Row = Fix & Partial<ArchiveRowMeta>

/** Commits rows at the offsets that follow. */
async function commitRows(store: CheckpointStore, rows: readonly Row[]): Promise<void> {
  const claim = await store.claim(task)
  const encoder = store.archiveEncoder(table)
  for (const [index, row] of rows.entries()) {
    const offset = claim.nextOffset + index
    const plain = { partition: 0, offset, receivedAtMs: 0, tenantId: 'default', flags: null }
    encoder.add({ ...plain, ...row }, row)
  }
  const outcome = await store.commit({
    task,
    epoch: claim.epoch,
    fromOffset: claim.nextOffset,
    toOffset: claim.nextOffset + rows.length,
    watermarkMs: 0,
    archive: [encoder.take()],
    alerts: [],
    untold: [],
    deadLetters: [],
    outbox: [],
    windows: [],
    rows: [],
    journal: [],
    bytes: 0,
  })
  equal(outcome, 'committed')
}

const dayName = (atMs: number): string =>
  `fix_${new Date(atMs).toISOString().slice(0, 10).replaceAll('-', '')}`

test('events lie in the partition of the day they arrived, and all others in the default one', async (t) => {
  const { store, database } = await openStore(t)
  const nowMs = systemClock().nowMs()
  const todayMs = Math.floor(nowMs / DAY_MS) * DAY_MS
  const times = [
    todayMs - DAY_MS,
    todayMs - 1,
    todayMs,
    todayMs + DAY_MS - 1,
    todayMs + (DAYS_AHEAD + 1) * DAY_MS - 1,
    todayMs + (DAYS_AHEAD + 1) * DAY_MS,
    todayMs - DAY_MS - 1,
    0,
  ]
  await commitRows(
    store,
    times.map((receivedAtMs) => ({ entityId: 'a', recordedAtMs: 0, eventId: null, receivedAtMs })),
  )
  const rows = await database.query(
    'SELECT tableoid::regclass::text AS name FROM fix ORDER BY log_offset',
  )
  deepEqual(
    rows.map((row) => row.name),
    [...times.slice(0, 5).map(dayName), 'fix_default', 'fix_default', 'fix_default'],
  )
})

test('preparing the archive again makes nothing and waits for nobody', async (t) => {
  const { store, database, address } = await openStore(t)
  const names = async (): Promise<unknown> =>
    database.query(`SELECT relname, oid FROM pg_class WHERE relname LIKE 'fix%' ORDER BY 1`)
  const before = await names()
  const reader = new pg.Client({ ...address })
  await reader.connect()
  try {
    await reader.query('BEGIN; LOCK TABLE fix IN ACCESS EXCLUSIVE MODE')
    await store.ensureArchive(table)
  } finally {
    await reader.end()
  }
  deepEqual(await names(), before)
})

test('a partition that is missing is made while somebody reads and somebody writes', async (t) => {
  const { store, database, address } = await openStore(t)
  const last = dayName(systemClock().nowMs() + DAYS_AHEAD * DAY_MS)
  await database.query(`DROP TABLE ${last}`)
  const other = new pg.Client({ ...address })
  await other.connect()
  try {
    const today = dayName(systemClock().nowMs())
    await other.query(`BEGIN; SELECT * FROM ${today}; INSERT INTO fix
      (log_partition, log_offset, received_at, tenant_id, entity_id, recorded_at)
      VALUES (0, 0, now(), 'default', 'a', now())`)
    await store.ensureArchive(table)
  } finally {
    await other.end()
  }
  const found = await database.query('SELECT to_regclass($1)::text AS name', [last])
  deepEqual(found, [{ name: last }])
})

test('a day whose events came before its partition keeps them in the default one', async (t) => {
  const { store, database } = await openStore(t)
  const receivedAtMs = systemClock().nowMs() + DAYS_AHEAD * DAY_MS
  await database.query(`DROP TABLE ${dayName(receivedAtMs)}`)
  const row = { entityId: 'a', recordedAtMs: 0, eventId: null, receivedAtMs }
  await commitRows(store, [row])
  await store.ensureArchive(table)
  await commitRows(store, [row])
  const rows = await database.query('SELECT tableoid::regclass::text AS name FROM fix')
  deepEqual(rows, [{ name: 'fix_default' }, { name: 'fix_default' }])
})

test('preparing the archive gives way to a reader instead of holding up every writer', async (t) => {
  const { store, address } = await openStore(t)
  const other = new pg.Client({ ...address })
  await other.connect()
  try {
    await other.query('BEGIN; SELECT * FROM fix')
    const wider = { ...table, columns: [...table.columns, { name: 'more', type: 'text' as const }] }
    await rejects(store.ensureArchive(wider), { code: 'database-unavailable', retry: 'later' })
    await other.query('COMMIT')
    await store.ensureArchive(wider)
  } finally {
    await other.end()
  }
})

test('names that are none are refused before anything is made', async (t) => {
  const { store } = await openStore(t)
  for (const name of ['fix; DROP TABLE task', 'Fix', '', '1fix', 'x'.repeat(42)]) {
    await rejects(store.ensureArchive({ ...table, name }), { code: 'database-failed' })
  }
})

const HOUR = 3_600_000
const NOW = 1_767_571_200_000

test('a late repeat of an archived event is flagged as it is committed', async (t) => {
  const { store, database } = await openStore(t)
  const row = (changes: Partial<Row>): Row => ({
    entityId: 'truck-1',
    recordedAtMs: NOW,
    eventId: 'e-1',
    receivedAtMs: NOW,
    ...changes,
  })
  const late = { flags: ['late'] as const }
  await commitRows(store, [row({})])
  await commitRows(store, [
    row({ ...late, receivedAtMs: NOW + HOUR }),
    row({ ...late, receivedAtMs: NOW + HOUR, eventId: 'e-2' }),
    row({ ...late, receivedAtMs: NOW + HOUR, entityId: 'truck-2' }),
    row({ ...late, receivedAtMs: NOW + HOUR, recordedAtMs: NOW + 1 }),
    row({ ...late, receivedAtMs: NOW + HOUR, tenantId: 'other' }),
    row({ receivedAtMs: NOW + HOUR }),
    row({ ...late, receivedAtMs: NOW + HOUR, eventId: null }),
    row({ flags: ['late', 'duplicate'], receivedAtMs: NOW + HOUR }),
  ])
  await commitRows(store, [
    row({ ...late, receivedAtMs: NOW + HOUR + 7 * DAY_MS }),
    row({ ...late, receivedAtMs: NOW + HOUR + 7 * DAY_MS + 1 }),
    row({ ...late, receivedAtMs: NOW + 2 * HOUR + 21 * DAY_MS, eventId: 'e-2' }),
    row({ ...late, receivedAtMs: NOW + 2 * HOUR + 21 * DAY_MS, eventId: 'e-2' }),
  ])
  const rows = await database.query('SELECT flags FROM fix ORDER BY log_offset')
  const flagged = ['late', 'duplicate']
  deepEqual(
    rows.map(({ flags }) => flags),
    [
      null,
      flagged,
      ['late'],
      ['late'],
      ['late'],
      ['late'],
      null,
      ['late'],
      ['late', 'duplicate'],
      flagged,
      // The one committed a moment before it, in the same batch, is near enough.
      flagged,
      ['late'],
      flagged,
    ],
  )
})

test('SQL tools read every table and partition, those made later too, and write nothing', async (t) => {
  const { store, database, address } = await openStore(t)
  ok('host' in address)
  await commitRows(store, [{ entityId: 'a', recordedAtMs: 0, eventId: null, receivedAtMs: NOW }])
  const login = `reader_${process.pid}`
  await database.query(`CREATE ROLE ${login} LOGIN PASSWORD 'reader' IN ROLE outrider_reader`)
  const reader = new pg.Client({ ...address, user: login, password: 'reader' })
  try {
    await reader.connect()
    const last = dayName(systemClock().nowMs() + DAYS_AHEAD * DAY_MS)
    await database.query(`DROP TABLE ${last}`)
    await store.ensureArchive(table)
    const names = ['fix', 'fix_default', last, 'alert', 'alert_transition', 'alert_comment']
    for (const name of [...names, 'dead_letter', 'window_kpi', 'task']) {
      await reader.query(`SELECT * FROM ${name}`)
    }
    equal((await reader.query('SELECT * FROM fix')).rowCount, 1)
    for (const sql of [
      'DELETE FROM fix',
      "UPDATE alert SET summary = ''",
      'TRUNCATE dead_letter',
      'INSERT INTO fix_default SELECT * FROM fix',
      'DROP TABLE fix',
      'CREATE TABLE mine (a int)',
      'SELECT * FROM outbox',
      'SELECT * FROM task_snapshot',
      'SELECT * FROM pg_authid',
      "COPY fix TO PROGRAM 'cat'",
    ]) {
      await rejects(reader.query(sql), { code: /^42501$/ }, sql)
    }
  } finally {
    await reader.end()
    await database.query(`DROP ROLE ${login}`)
  }
})
