// An owner that stands still in the middle of a commit, as a stopped process or a cut network leaves it:
// the task must go on elsewhere, and whoever stood still must find itself fenced.

import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { createCheckpointStore } from '../../src/adapters/postgres/checkpoint-store.ts'
import { truckReadings } from '../../src/domains/cold-chain/events.ts'
import { isRetryable } from '../../src/kernel/errors.ts'
import type { Checkpoint, CheckpointStore, TaskId } from '../../src/ports/checkpoint-store.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Database } from '../../src/ports/database.ts'
import { testPostgres } from '../postgres-server.ts'

const TASK: TaskId = { pipeline: 'stalled', partition: 2 }
const NOW_MS = Date.UTC(2026, 0, 31)
/** The wait for the owner before, and time for a busy machine. */
const PATIENCE_MS = 45_000

interface StallingProxy {
  readonly port: number
  /** Nothing more goes to the server once a COPY was asked for; its answers still come back. */
  stallAtCopy(): void
}

/** Speaks TCP on both sides, and keeps connections open while nothing moves. */
async function stallingProxy(
  t: TestContext,
  target: { readonly host: string; readonly port: number },
): Promise<StallingProxy> {
  let armed = false
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(target)
    let stalled = false
    near.on('data', (bytes: Buffer) => {
      if (stalled) return
      far.write(bytes)
      stalled = armed && bytes.includes('COPY ')
    })
    far.on('data', (bytes: Buffer) => near.write(bytes))
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        near.destroy()
        far.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  ok(typeof address === 'object' && address !== null)
  return {
    port: address.port,
    stallAtCopy() {
      armed = true
    },
  }
}

function checkpoint(store: CheckpointStore, epoch: number, fromOffset: number): Checkpoint {
  const encoder = store.archiveEncoder(truckReadings.archive)
  const parsed = truckReadings.parse({ truckId: 'T-1', recordedAt: NOW_MS, temperatureC: 4 })
  ok(parsed.ok)
  const meta = { partition: TASK.partition, receivedAtMs: NOW_MS, tenantId: 'default' }
  encoder.add({ ...meta, offset: fromOffset, eventId: null, flags: null }, parsed.value)
  return {
    task: TASK,
    epoch,
    fromOffset,
    toOffset: fromOffset + 1,
    watermarkMs: NOW_MS,
    archive: [encoder.take()],
    alerts: [],
    untold: [],
    deadLetters: [],
    outbox: [],
    windows: [],
    rows: [],
    journal: [],
    bytes: 0,
  }
}

async function archived(store: CheckpointStore): Promise<readonly number[]> {
  const range = { partition: TASK.partition, fromOffset: 0, toOffset: 100 }
  const offsets: number[] = []
  for await (const rows of store.readArchive(truckReadings.archive, range)) {
    offsets.push(...rows.map((row) => row.offset))
  }
  return offsets
}

test('a task is taken over from an owner that stands still in its commit, which then is fenced', async (t) => {
  const { address, database } = await testPostgres(t)
  ok('port' in address)
  const proxy = await stallingProxy(t, { host: '127.0.0.1', port: address.port })
  const stalled = createCheckpointStore({
    address: { ...address, host: '127.0.0.1', port: proxy.port },
  })
  const next = createCheckpointStore({ address })
  t.after(() => Promise.all([stalled.close(), next.close()]))
  await next.ensureArchive(truckReadings.archive)

  const owner = await stalled.claim(TASK)
  equal(await stalled.commit(checkpoint(stalled, owner.epoch, 0)), 'committed')
  proxy.stallAtCopy()
  const hanging = stalled.commit(checkpoint(stalled, owner.epoch, 1))
  hanging.catch(() => undefined)
  const clock = systemClock()
  await untilHeld(database, clock)

  const startedMs = clock.monotonicMs()
  const claim = await next.claim(TASK)
  ok(clock.monotonicMs() - startedMs < PATIENCE_MS)
  equal(claim.epoch, owner.epoch + 1)
  equal(claim.nextOffset, 1)
  equal(await next.commit(checkpoint(next, claim.epoch, 1)), 'committed')

  await rejects(hanging, (error: unknown) => isRetryable(error))
  const direct = createCheckpointStore({ address })
  t.after(() => direct.close())
  equal(await direct.commit(checkpoint(direct, owner.epoch, 1)), 'fenced')
  deepEqual(await archived(next), [0, 1])
})

test('an owner that commits in good time is waited for', async (t) => {
  const { address, database } = await testPostgres(t)
  const store = createCheckpointStore({ address })
  const next = createCheckpointStore({ address })
  t.after(() => Promise.all([store.close(), next.close()]))
  await store.ensureArchive(truckReadings.archive)
  const owner = await store.claim(TASK)
  const commits = store.commit(checkpoint(store, owner.epoch, 0))
  const claim = await next.claim(TASK)
  equal(await commits, claim.nextOffset === 1 ? 'committed' : 'fenced')
  const rows = await database.query('SELECT count(*)::int AS rows FROM truck_reading')
  equal(rows[0]?.rows, claim.nextOffset)
})

/** Until the hanging commit holds the task, as any other session sees it. */
async function untilHeld(database: Database, clock: Clock): Promise<void> {
  const deadlineMs = clock.monotonicMs() + PATIENCE_MS
  for (;;) {
    const rows = await database.query(
      `SELECT count(*)::int AS holders FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event = 'ClientRead' AND query LIKE '%COPY %'
         AND state = 'active'`,
    )
    if (rows[0]?.holders === 1) return
    ok(clock.monotonicMs() < deadlineMs, 'the commit never reached its COPY')
    await clock.sleep(10)
  }
}
