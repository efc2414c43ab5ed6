import { deepEqual, equal, ok } from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import pg from 'pg'
import { silentLogger } from '../../../test/postgres-server.ts'
import { systemClock } from '../clock/system-clock.ts'
import type { DatabaseAddress } from './address.ts'
import { createCheckpointStore } from './checkpoint-store.ts'
import { startEmbeddedPostgres } from './embedded-server.ts'
import { migrate } from './migrate.ts'

/** A server on which nobody has made a role yet: roles belong to a whole server. */
async function freshServer(t: TestContext): Promise<DatabaseAddress & { readonly host: string }> {
  const dataDir = mkdtempSync(join(tmpdir(), 'pg-migrate-'))
  chmodSync(dataDir, 0o755)
  const clock = systemClock()
  const server = await startEmbeddedPostgres({ dataDir, clock, logger: silentLogger })
  t.after(async () => {
    await server.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })
  const { address } = server
  ok('host' in address)
  return address
}

async function run(address: DatabaseAddress, sql: string): Promise<readonly unknown[]> {
  const client = new pg.Client({ ...address })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.map((row) => row[0])
  } finally {
    await client.end()
  }
}

test('several processes may bring several databases up to date at once, and again', async (t) => {
  const address = await freshServer(t)
  const databases = ['one', 'two', 'three']
  for (const database of databases) await run(address, `CREATE DATABASE ${database}`)
  const all = databases.flatMap((database) => [database, database, database])
  await Promise.all(all.map((database) => migrate({ ...address, database }, silentLogger)))
  const applied = await run({ ...address, database: 'one' }, 'SELECT name FROM schema_migration')
  await migrate({ ...address, database: 'one' }, silentLogger)
  deepEqual(
    await run({ ...address, database: 'one' }, 'SELECT name FROM schema_migration'),
    applied,
  )
  equal(new Set(applied).size, applied.length)
})

test('a login that may not make roles still gets its tables, without a role to read them', async (t) => {
  const address = await freshServer(t)
  await run(address, "CREATE ROLE plain LOGIN PASSWORD 'plain'")
  await run(address, 'CREATE DATABASE plain OWNER plain')
  const own = { ...address, user: 'plain', password: 'plain', database: 'plain' }
  const warnings: string[] = []
  await migrate(own, {
    ...silentLogger,
    warn: (_, fields) => warnings.push(JSON.stringify(fields)),
  })
  deepEqual(await run(own, "SELECT 1 FROM pg_roles WHERE rolname = 'outrider_reader'"), [])
  ok(
    warnings.some((warning) => warning.includes('outrider_reader')),
    `${warnings}`,
  )
  const store = createCheckpointStore({ address: own })
  t.after(() => store.close())
  await store.ensureArchive({
    name: 'fix',
    columns: [
      { name: 'entity_id', type: 'text' },
      { name: 'recorded_at', type: 'timestamptz' },
    ],
    entityColumn: 'entity_id',
    recordedAtColumn: 'recorded_at',
  })
  equal((await store.claim({ pipeline: 'plain', partition: 0 })).nextOffset, 0)
})
