// Two servers on one machine know nothing of each other, and each stops in time whatever is open on it.

import { deepEqual, equal, notEqual, ok, rejects } from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import pg from 'pg'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/adapters/postgres/embedded-server.ts'
import { silentLogger } from '../postgres-server.ts'

/** Ctrl-C drains and stops the whole program within 10 s; the server may take most of it. */
const STOP_LIMIT_MS = 8_000
const clock = systemClock()

async function start(t: TestContext, dataDir: string): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, clock, logger: silentLogger })
  t.after(() => server.stop())
  return server
}

function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'pg-beside-'))
  chmodSync(made, 0o755)
  t.after(() => rmSync(made, { recursive: true, force: true }))
  return made
}

async function connect(t: TestContext, server: EmbeddedPostgres): Promise<pg.Client> {
  const client = new pg.Client(server.address)
  client.on('error', () => undefined)
  t.after(() => client.end().catch(() => undefined))
  await client.connect()
  return client
}

test('two servers run side by side, and each stops in time with work open on it', async (t) => {
  const dirs = [folder(t), folder(t)] as const
  const [one, other] = await Promise.all([start(t, dirs[0]), start(t, dirs[1])])
  notEqual(one.pid, other.pid)
  const writer = await connect(t, one)
  await writer.query('CREATE TABLE place (name text)')
  await writer.query("INSERT INTO place VALUES ('kept')")
  await writer.query("BEGIN; INSERT INTO place VALUES ('not kept')")
  const busy = await connect(t, one)
  const sleeping = rejects(busy.query('SELECT pg_sleep(600)'), { code: '57P01' })
  const idle = await Promise.all(Array.from({ length: 20 }, () => connect(t, one)))
  equal(idle.length, 20)
  const stranger = await connect(t, other)
  await rejects(stranger.query('SELECT * FROM place'), { code: '42P01' })

  const startedMs = clock.monotonicMs()
  await one.stop()
  const tookMs = clock.monotonicMs() - startedMs
  ok(tookMs < STOP_LIMIT_MS, `${tookMs} ms to stop`)
  await sleeping
  ok(!existsSync(join(dirs[0], 'postgres/cluster/postmaster.pid')))
  await one.stop()

  deepEqual((await stranger.query('SELECT 1 AS one')).rows, [{ one: 1 }])
  const again = await connect(t, await start(t, dirs[0]))
  deepEqual((await again.query('SELECT name FROM place')).rows, [{ name: 'kept' }])
})

test('a stop during a restart leaves nothing running', async (t) => {
  const dataDir = folder(t)
  for (const waitMs of [0, 30, 60, 120]) {
    const each = await start(t, dataDir)
    process.kill(each.pid, 'SIGKILL')
    await clock.sleep(waitMs)
    await each.stop()
    await rejects(connect(t, each))
    await untilGone(each.pid)
  }
})

/** A killed process is there until its parent, ourselves, has heard of it. */
async function untilGone(pid: number): Promise<void> {
  const deadlineMs = clock.monotonicMs() + STOP_LIMIT_MS
  while (isThere(pid)) {
    ok(clock.monotonicMs() < deadlineMs, `${pid} is still there`)
    await clock.sleep(5)
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
