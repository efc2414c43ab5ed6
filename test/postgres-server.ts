// One embedded PostgreSQL server for all tests of a process; a fresh database, migrated, for each call.

import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext } from 'node:test'
import pg from 'pg'
import { systemClock } from '../src/adapters/clock/system-clock.ts'
import type { DatabaseAddress } from '../src/adapters/postgres/address.ts'
import { connectDatabase, type PostgresDatabase } from '../src/adapters/postgres/database.ts'
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../src/adapters/postgres/embedded-server.ts'
import { migrate } from '../src/adapters/postgres/migrate.ts'
import {
  connectTenantDatabase,
  type PostgresTenantDatabase,
} from '../src/adapters/postgres/tenant-database.ts'
import type { Logger } from '../src/ports/logger.ts'

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }

let running: Promise<EmbeddedPostgres> | null = null
let dataDir: string | null = null
let databases = 0
const left = new Set<() => Promise<void>>()

after(async () => {
  if (running === null) return
  for (const drop of left) await drop()
  await (await running).stop()
  if (dataDir !== null) rmSync(dataDir, { recursive: true, force: true })
})

export interface TestPostgres {
  readonly server: EmbeddedPostgres
  readonly address: DatabaseAddress
  readonly database: PostgresDatabase
  readonly tenantDatabase: PostgresTenantDatabase
}

/** A database for one test, gone after it. */
export async function testPostgres(t: TestContext): Promise<TestPostgres> {
  const { drop, ...made } = await newDatabase()
  t.after(drop)
  return made
}

/** A database for a suite whose tests share it, gone with the process. */
export async function suitePostgres(): Promise<TestPostgres> {
  const { drop: _, ...made } = await newDatabase()
  return made
}

/** The first call of a process starts the server, which takes about a second. */
async function newDatabase(): Promise<TestPostgres & { drop(): Promise<void> }> {
  running ??= startServer()
  const server = await running
  const name = `test_${++databases}`
  await onServer(server, `CREATE DATABASE ${name}`)
  const address = { ...server.address, database: name }
  await migrate(address, silentLogger)
  const database = connectDatabase({ address })
  const tenantDatabase = connectTenantDatabase({ address })
  const drop = async (): Promise<void> => {
    left.delete(drop)
    await Promise.all([database.close(), tenantDatabase.close()])
    await onServer(server, `DROP DATABASE ${name} WITH (FORCE)`)
  }
  left.add(drop)
  return { server, address, database, tenantDatabase, drop }
}

async function startServer(): Promise<EmbeddedPostgres> {
  dataDir = mkdtempSync(join(tmpdir(), 'outrider-pg-'))
  // Where we are root the server runs as another user, who must be able to enter.
  chmodSync(dataDir, 0o755)
  return startEmbeddedPostgres({ dataDir, clock: systemClock(), logger: silentLogger })
}

async function onServer(server: EmbeddedPostgres, sql: string): Promise<void> {
  const client = new pg.Client({ ...server.address })
  client.on('error', () => undefined)
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
