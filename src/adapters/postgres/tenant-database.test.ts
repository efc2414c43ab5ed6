// What the database keeps back from whom, whatever the SQL says.

import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import pg from 'pg'
import { type TestPostgres, testPostgres } from '../../../test/postgres-server.ts'
import type { Database } from '../../ports/database.ts'
import { createCheckpointStore } from './checkpoint-store.ts'
import { connectTenantDatabase } from './tenant-database.ts'

const operator = { tenantId: 'default', merchantId: null }
const acme = { tenantId: 'default', merchantId: 'acme' }
const zenith = { tenantId: 'default', merchantId: 'zenith' }
const elsewhere = { tenantId: 'other', merchantId: null }
const nobody = { tenantId: 'nobody', merchantId: null }

const archive = {
  name: 'parcel_scan',
  columns: [
    { name: 'parcel_id', type: 'text' },
    { name: 'merchant_id', type: 'text' },
    { name: 'recorded_at', type: 'timestamptz' },
  ],
  entityColumn: 'parcel_id',
  recordedAtColumn: 'recorded_at',
} as const

async function filled(t: TestContext): Promise<TestPostgres> {
  const made = await testPostgres(t)
  const store = createCheckpointStore({ address: made.address })
  t.after(() => store.close())
  await store.ensureArchive(archive)
  const { database } = made
  await database.query(`INSERT INTO parcel_scan (log_partition, log_offset, received_at, tenant_id, parcel_id,
      merchant_id, recorded_at)
    VALUES (0, 1, now(), 'default', 'p1', 'acme', now()), (0, 2, now(), 'default', 'p2', 'zenith', now()),
      (0, 3, now(), 'other', 'p3', 'acme', now())`)
  await database.query(`INSERT INTO alert (id, tenant_id, rule, rule_version, severity, entity_type, entity_id,
      status, starts_at, updated_at, revision, summary, labels, value, peak, event_count, withdrawn, topic,
      log_partition, log_offset, changed_by, received_at)
    SELECT gen_random_uuid(), tenant, 'late', 1, 'major', 'shipment', entity, 'firing', now(), now(), 1, '',
      labels::jsonb, '{}', '{}', 1, false, 'shipment-events', 0, 1, '{}', now()
    FROM (VALUES ('default', 's1', '{"merchantId":"acme"}'), ('default', 's2', '{"merchantId":"zenith"}'),
      ('default', 't1', '{}'), ('other', 's3', '{"merchantId":"acme"}')) AS v (tenant, entity, labels)`)
  await database.query(`INSERT INTO alert_comment (alert_id, author, text)
    SELECT id, 'x', entity_id FROM alert`)
  return made
}

async function seen(database: Database, sql: string): Promise<readonly string[]> {
  return (await database.query(sql)).map((row) => String(Object.values(row)[0])).sort()
}

test('each sees their own rows, of tables made by migrations and of archives made later', async (t) => {
  const { tenantDatabase } = await filled(t)
  const all = async (sql: string) =>
    Promise.all(
      [operator, acme, zenith, elsewhere, nobody].map((who) =>
        seen(tenantDatabase.within(who), sql),
      ),
    )
  deepEqual(await all('SELECT parcel_id FROM parcel_scan'), [
    ['p1', 'p2'],
    ['p1'],
    ['p2'],
    ['p3'],
    [],
  ])
  deepEqual(await all('SELECT entity_id FROM alert'), [
    ['s1', 's2', 't1'],
    ['s1'],
    ['s2'],
    ['s3'],
    [],
  ])
  deepEqual(await all('SELECT text FROM alert_comment'), [['s1', 's2', 't1'], [], [], ['s3'], []])
  const read: string[] = []
  const stream = tenantDatabase
    .within(acme)
    .stream('SELECT parcel_id FROM parcel_scan', [], { batchRows: 10 })
  for await (const rows of stream) read.push(...rows.map((row) => String(row.parcel_id)))
  deepEqual(read, ['p1'])
})

test('no table with rows is open to a merchant by mistake', async (t) => {
  const { database, tenantDatabase } = await filled(t)
  const unguarded = await seen(
    database,
    `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
       AND NOT relispartition AND has_table_privilege('outrider_api', oid, 'SELECT')
       AND (NOT relrowsecurity OR NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid))`,
  )
  deepEqual(unguarded, [])
  const merchant = tenantDatabase.within(acme)
  const tables = await seen(
    database,
    `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')
       AND NOT relispartition`,
  )
  ok(tables.length > 20)
  for (const table of tables) {
    const found = await merchant.query(`SELECT to_jsonb(x)::text AS row FROM ${table} AS x`).then(
      (rows) => rows.map(({ row }) => String(row)),
      () => [],
    )
    for (const row of found) ok(/acme/.test(row), `${table}: ${row}`)
  }
  await rejects(merchant.query('SELECT token_hash FROM access_token'), { code: 'database-failed' })
  await rejects(merchant.query('SELECT key FROM signing_key'), { code: 'database-failed' })
  await rejects(merchant.query('SELECT parcel_id FROM parcel_scan_default'), {
    code: 'database-failed',
  })
})

test('nobody writes rows of others, or makes their own into theirs', async (t) => {
  const { tenantDatabase } = await filled(t)
  const merchant = tenantDatabase.within(acme)
  deepEqual(
    await merchant.query("UPDATE alert SET assignee = 'me' WHERE true RETURNING entity_id"),
    [{ entity_id: 's1' }],
  )
  await rejects(merchant.query(`UPDATE alert SET labels = '{"merchantId":"zenith"}'`), {
    code: 'database-failed',
  })
  await rejects(tenantDatabase.within(elsewhere).query("UPDATE alert SET tenant_id = 'default'"), {
    code: 'database-failed',
  })
})

test('a scope ends with its question: the next one on the same connection begins with none', async (t) => {
  const { address } = await filled(t)
  const one = connectTenantDatabase({ address, maxConnections: 1 })
  t.after(() => one.close())
  equal((await seen(one.within(acme), 'SELECT entity_id FROM alert')).length, 1)
  await rejects(one.within(acme).query('SELECT no_such_column FROM alert'))
  equal((await seen(one.within(operator), 'SELECT entity_id FROM alert')).length, 3)
  const hostile = { tenantId: "x'; SET LOCAL outrider.tenant = 'default", merchantId: null }
  deepEqual(await seen(one.within(hostile), 'SELECT entity_id FROM alert'), [])
  const [who] = await one.within(zenith).query('SELECT current_user::text AS role')
  equal(who?.role, 'outrider_api')
})

test('a login that may not act as the bound role lets no merchant in', async (t) => {
  const { server, address, database } = await filled(t)
  await database.query("CREATE ROLE unbound LOGIN PASSWORD 'unbound' NOINHERIT")
  await database.query('GRANT SELECT ON alert TO unbound')
  t.after(async () => {
    const client = new pg.Client({ ...server.address })
    await client.connect()
    await client.query('DROP ROLE unbound')
    await client.end()
  })
  const own = connectTenantDatabase({
    address: { ...address, user: 'unbound', password: 'unbound' },
  })
  try {
    await rejects(own.within(acme).query('SELECT 1'), { code: 'tenancy-not-enforced' })
  } finally {
    await own.close()
    await database.query('DROP OWNED BY unbound')
  }
})
