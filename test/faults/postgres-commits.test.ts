// What a commit must survive: a connection that is cut after COMMIT went out, a server that is killed,
// stopped, full or out of disk. Everything is archived once, and nothing waits for ever.

import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import pg from 'pg'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import type { DatabaseAddress } from '../../src/adapters/postgres/address.ts'
import { createCheckpointStore } from '../../src/adapters/postgres/checkpoint-store.ts'
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/adapters/postgres/embedded-server.ts'
import { migrate } from '../../src/adapters/postgres/migrate.ts'
import { isRetryable } from '../../src/kernel/errors.ts'
import { derivedId } from '../../src/kernel/ids.ts'
import type { ArchiveTable } from '../../src/ports/archive.ts'
import type { Checkpoint, CheckpointStore } from '../../src/ports/checkpoint-store.ts'
import { type BatchOutput, noCounts } from '../../src/streams/batch.ts'
import { CommitQueue } from '../../src/streams/commit-queue.ts'
import { silentLogger, testPostgres } from '../postgres-server.ts'
import { requireOrSkip } from '../requirements.ts'

/** Longest wait for anything here; a loaded machine is slow, and a hang must still end. */
const PATIENCE_MS = 60_000
const KILLS = 8
/** Shorter than the server's own limits: a server that stands still keeps none. */
const ANSWER_TIMEOUT_MS = 500
const BATCH = 200
const task = { pipeline: 'commits', partition: 0 }
const clock = systemClock()

interface Count {
  readonly entityId: string
  readonly recordedAtMs: number
  readonly eventId: string | null
  readonly number: number
  readonly padding: string
}

const table: ArchiveTable<Count> = {
  name: 'counted',
  columns: [
    { name: 'entity_id', type: 'text' },
    { name: 'recorded_at', type: 'timestamptz' },
    { name: 'number', type: 'int8' },
    { name: 'padding', type: 'text' },
  ],
  entityColumn: 'entity_id',
  recordedAtColumn: 'recorded_at',
  write(row, event) {
    row.text(event.entityId)
    row.timestamp(event.recordedAtMs)
    row.int8(event.number)
    row.text(event.padding)
  },
  read: (row) => ({
    entityId: row.text() ?? '',
    recordedAtMs: row.timestamp() ?? 0,
    eventId: null,
    number: row.int8() ?? -1,
    padding: row.text() ?? '',
  }),
}

type Part = Partial<BatchOutput>

/** What a task would make of events `[fromOffset, toOffset)`: rows, and one effect. */
function outputOf(store: CheckpointStore, fromOffset: number, toOffset: number): BatchOutput {
  const encoder = store.archiveEncoder(table)
  const receivedAtMs = clock.nowMs()
  for (let offset = fromOffset; offset < toOffset; offset++) {
    const plain = { entityId: 'truck-1', recordedAtMs: receivedAtMs, eventId: null }
    encoder.add(
      { partition: 0, offset, receivedAtMs, tenantId: 'default', eventId: null, flags: null },
      { ...plain, number: offset, padding: 'x'.repeat(200) },
    )
  }
  return {
    fromOffset,
    toOffset,
    watermarkMs: 0,
    archive: [encoder.take()],
    alerts: [],
    deadLetters: [],
    outbox: [],
    windows: [],
    rows: [],
    journal: [],
    counts: noCounts(),
    causedByTick: false,
  }
}

function effectAt(offset: number): BatchOutput['outbox'] {
  const id = derivedId('effect', offset)
  return [{ id, kind: 'notify', tenantId: 'default', payload: { offset } }]
}

function checkpointOf(epoch: number, output: BatchOutput, part: Part = {}): Checkpoint {
  return { ...output, ...part, task, epoch, untold: [], bytes: 0 }
}

interface Engine {
  readonly server: EmbeddedPostgres
  readonly dataDir: string
  open(options?: { readonly answerTimeoutMs?: number; readonly port?: number }): CheckpointStore
  ask(sql: string): Promise<readonly unknown[]>
}

/** A server of the test's own, which it may mistreat. */
async function ownEngine(t: TestContext, folder?: string): Promise<Engine> {
  const dataDir = folder ?? mkdtempSync(join(tmpdir(), 'pg-commits-'))
  chmodSync(dataDir, 0o755)
  const server = await startEmbeddedPostgres({ dataDir, clock, logger: silentLogger })
  t.after(async () => {
    await server.stop()
    if (folder === undefined) rmSync(dataDir, { recursive: true, force: true })
  })
  await migrate(server.address, silentLogger)
  return engineOf(t, server, dataDir, server.address)
}

function engineOf(
  t: TestContext,
  server: EmbeddedPostgres,
  dataDir: string,
  address: DatabaseAddress,
): Engine {
  ok('host' in address)
  return {
    server,
    dataDir,
    open(options = {}) {
      const { port, ...rest } = options
      const place = port === undefined ? address : { ...address, host: '127.0.0.1', port }
      const store = createCheckpointStore({ ...rest, address: place })
      t.after(() => store.close())
      return store
    },
    async ask(sql) {
      const client = new pg.Client({ ...address })
      client.on('error', () => undefined)
      await client.connect()
      try {
        return (await client.query({ text: sql, rowMode: 'array' })).rows.map((row) => row[0])
      } finally {
        await client.end()
      }
    },
  }
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = clock.monotonicMs() + PATIENCE_MS
  while (!(await condition())) {
    ok(clock.monotonicMs() < deadlineMs, `waited too long until ${what}`)
    await clock.sleep(5)
  }
}

/** As the commit queue does it: the same content until there is an answer. */
async function commitUntilAnswered(store: CheckpointStore, content: Checkpoint): Promise<string> {
  const deadlineMs = clock.monotonicMs() + PATIENCE_MS
  for (;;) {
    try {
      return await store.commit(content)
    } catch (error) {
      if (!isRetryable(error) || clock.monotonicMs() > deadlineMs) throw error
      await clock.sleep(20)
    }
  }
}

/** Every offset once, with what belongs to it, and nothing else. */
async function checkArchive(engine: Engine, store: CheckpointStore, count: number): Promise<void> {
  let next = 0
  const range = { partition: 0, fromOffset: 0, toOffset: Number.MAX_SAFE_INTEGER }
  for await (const rows of store.readArchive(table, range)) {
    for (const { offset, event } of rows) deepEqual([offset, event.number], [next, next++])
  }
  equal(next, count)
  deepEqual(await engine.ask('SELECT next_offset::int FROM task'), [count])
}

interface AnswerProxy {
  readonly port: number
  /** From the next client bytes on that `seen` accepts, answers of that connection are lost. */
  loseAnswersAfter(seen: (bytes: Buffer) => boolean): void
  /** The same, but neither do the bytes arrive. */
  loseBytesAt(seen: (bytes: Buffer) => boolean): void
  /** How many connections have lost something. */
  readonly lost: number
  /** Ends every connection; new ones work. */
  cut(): void
}

function answerProxy(t: TestContext, port: number): Promise<AnswerProxy> {
  const sockets = new Set<Socket>()
  let seen: ((bytes: Buffer) => boolean) | null = null
  let forward = true
  let lost = 0
  const server = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port })
    let deaf = false
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.on('data', (bytes: Buffer) => {
      if (!deaf && seen?.(bytes) === true) {
        seen = null
        deaf = true
        lost++
        if (!forward) {
          far.destroy()
          return
        }
      }
      far.write(bytes)
    })
    far.on('data', (bytes: Buffer) => {
      if (!deaf) near.write(bytes)
    })
  })
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : 0,
        loseAnswersAfter(predicate) {
          seen = predicate
          forward = true
        },
        loseBytesAt(predicate) {
          seen = predicate
          forward = false
        },
        get lost() {
          return lost
        },
        cut() {
          for (const socket of sockets) socket.destroy()
        },
      })
    })
  })
}

const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4])
const endsCopy = (bytes: Buffer): boolean => bytes.includes(COPY_DONE)
const commits = (bytes: Buffer): boolean => bytes.includes('COMMIT')

async function behindProxy(t: TestContext) {
  const { server, address } = await testPostgres(t)
  ok('host' in address)
  const engine = engineOf(t, server, '', address)
  const proxy = await answerProxy(t, address.port)
  const store = engine.open({ port: proxy.port })
  await store.ensureArchive(table)
  const { epoch } = await store.claim(task)
  return { engine, proxy, store, epoch }
}

const reached = (engine: Engine, offset: number) => async (): Promise<boolean> =>
  (await engine.ask('SELECT next_offset::int FROM task'))[0] === offset

test('a commit whose answer was lost counts as committed, and is written once', async (t) => {
  const { engine, proxy, store, epoch } = await behindProxy(t)
  for (const [seen, outbox] of [
    [endsCopy, []],
    [commits, effectAt(1)],
  ] as const) {
    const fromOffset = Number((await engine.ask('SELECT next_offset::int FROM task'))[0])
    const output = outputOf(store, fromOffset, fromOffset + BATCH)
    proxy.loseAnswersAfter(seen)
    const outcome = store.commit(checkpointOf(epoch, output, { outbox }))
    await until('the server has committed', reached(engine, fromOffset + BATCH))
    proxy.cut()
    equal(await outcome, 'committed')
  }
  equal(proxy.lost, 2)
  await checkArchive(engine, store, 2 * BATCH)
})

test('a commit that the server never heard of is tried again by the caller, and written once', async (t) => {
  const { engine, proxy, store, epoch } = await behindProxy(t)
  const content = checkpointOf(epoch, outputOf(store, 0, BATCH), { outbox: effectAt(1) })
  for (const seen of [endsCopy, commits]) {
    proxy.loseBytesAt(seen)
    await rejects(store.commit(content), { code: 'database-unavailable', retry: 'later' })
    deepEqual(await engine.ask('SELECT count(*)::int FROM counted'), [0])
    deepEqual(await engine.ask('SELECT count(*)::int FROM outbox'), [0])
  }
  equal(proxy.lost, 2)
  equal(await store.commit(content), 'committed')
  await checkArchive(engine, store, BATCH)
})

test('a commit without events whose answer was lost is tried again, and its effect stands once', async (t) => {
  const { engine, proxy, store, epoch } = await behindProxy(t)
  const nothing = { ...outputOf(store, 0, 0), archive: [] }
  const content = checkpointOf(epoch, nothing, { outbox: effectAt(1) })
  proxy.loseBytesAt(commits)
  await rejects(store.commit(content), { code: 'database-unavailable', retry: 'later' })
  deepEqual(await engine.ask('SELECT count(*)::int FROM outbox'), [0])
  proxy.loseAnswersAfter(commits)
  const outcome = rejects(store.commit(content), { code: 'database-unavailable', retry: 'later' })
  const written = async (): Promise<boolean> =>
    (await engine.ask('SELECT count(*)::int FROM outbox'))[0] === 1
  await until('the server has committed', written)
  proxy.cut()
  await outcome
  equal(await store.commit(content), 'committed')
  ok(await written())
})

test('a zombie whose answers are lost learns that it was fenced', async (t) => {
  const { engine, proxy, store, epoch } = await behindProxy(t)
  const output = outputOf(store, 0, BATCH)
  proxy.loseBytesAt(endsCopy)
  await rejects(store.commit(checkpointOf(epoch, output)), { retry: 'later' })
  await store.claim(task)
  equal(await store.commit(checkpointOf(epoch, output)), 'fenced')
  deepEqual(await engine.ask('SELECT count(*)::int FROM counted'), [0])
})

/** None where it has ended already. */
function childrenOf(pid: number): readonly number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    return children === '' ? [] : children.split(' ').map(Number)
  } catch {
    return []
  }
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name)
    } catch {
      // It ended in between.
    }
  }
}

test('a server that stands still holds no commit for ever, and writes none twice', async (t) => {
  if (!requireOrSkip(t, '/proc', process.platform === 'linux', 'its processes must be found'))
    return
  const engine = await ownEngine(t)
  const store = engine.open({ answerTimeoutMs: ANSWER_TIMEOUT_MS })
  await store.ensureArchive(table)
  const { epoch } = await store.claim(task)
  let next = 0
  // From before the commit is sent to after it is done: whatever it was at is what stands still.
  for (const [afterMs, untilAnswered] of [
    [1, true],
    [0, false],
    [1, false],
    [2, false],
    [3, false],
    [4, false],
    [6, false],
  ] as const) {
    const output = outputOf(store, next, next + 20 * BATCH)
    const content = checkpointOf(epoch, output, { outbox: effectAt(next) })
    const outcome = store.commit(content).catch((error: unknown) => error)
    if (afterMs > 0) await clock.sleep(afterMs)
    const { pid } = engine.server
    const all = [pid, ...childrenOf(pid)]
    signal(all, 'SIGSTOP')
    const startedMs = clock.monotonicMs()
    if (untilAnswered) await outcome
    else await clock.sleep(1.2 * ANSWER_TIMEOUT_MS)
    signal(all, 'SIGCONT')
    const answer = await outcome
    const waitedMs = clock.monotonicMs() - startedMs
    ok(answer === 'committed' || isRetryable(answer), String(answer))
    ok(waitedMs < 15_000, `waited ${waitedMs} ms`)
    equal(await commitUntilAnswered(store, content), 'committed')
    next += 20 * BATCH
    await checkArchive(engine, store, next)
  }
  deepEqual(await engine.ask('SELECT count(*)::int FROM outbox'), [7])
})

test('where all connections are taken a commit waits its turn', async (t) => {
  const engine = await ownEngine(t)
  const store = engine.open()
  await store.ensureArchive(table)
  const { epoch } = await store.claim(task)
  const content = checkpointOf(epoch, outputOf(store, 0, BATCH))
  await engine.ask(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
  )
  const others: pg.Client[] = []
  let refusal: unknown = null
  while (refusal === null) {
    const client = new pg.Client(engine.server.address)
    client.on('error', () => undefined)
    others.push(client)
    await client.connect().catch((error: unknown) => {
      refusal = error
    })
    ok(others.length < 200)
  }
  match(String(refusal), /too many clients/)
  await rejects(store.commit(content), { code: 'database-unavailable', retry: 'later' })
  await Promise.all(others.map((client) => client.end().catch(() => undefined)))
  equal(await commitUntilAnswered(store, content), 'committed')
  await checkArchive(engine, store, BATCH)
})

interface Load {
  /** Batches that were added so far. */
  readonly batches: number
  readonly retries: number
  readonly committedRows: number
  /** Of the last snapshot that was added. */
  readonly snapshotOffset: number
  /** Adds no more, and resolves once all is committed. */
  finish(): Promise<number>
}

/** A task that decides a batch every few milliseconds, each with an effect that waits for its record. */
function startLoad(t: TestContext, store: CheckpointStore, epoch: number): Load {
  let batches = 0
  let retries = 0
  let committedRows = 0
  let released = 0
  let snapshotOffset = 0
  let running = true
  const queue = new CommitQueue({
    task,
    epoch,
    nextOffset: 0,
    store,
    clock,
    untold: () => [],
    observer: {
      committed: ({ fromOffset, toOffset }) => {
        committedRows += toOffset - fromOffset
      },
      snapshotSaved: () => undefined,
      commitRetried: () => {
        retries++
      },
    },
  })
  const adding = (async (): Promise<void> => {
    while (running) {
      const fromOffset = batches++ * BATCH
      const output = outputOf(store, fromOffset, fromOffset + BATCH)
      queue.add({ ...output, outbox: effectAt(fromOffset) }, () => released++)
      if (batches % 20 === 0 && !queue.snapshotWaits) {
        const offset = fromOffset + BATCH
        snapshotOffset = offset
        queue.addSnapshot({
          task,
          epoch,
          offset,
          entries: [{ key: 'truck-1', state: `${offset}` }],
        })
      }
      queue.check()
      await clock.sleep(5)
    }
  })()
  t.after(() => {
    running = false
    return queue.stop()
  })
  return {
    get batches() {
      return batches
    },
    get retries() {
      return retries
    },
    get committedRows() {
      return committedRows
    },
    get snapshotOffset() {
      return snapshotOffset
    },
    async finish() {
      running = false
      await adding
      await queue.drained()
      queue.check()
      ok(!queue.fenced)
      equal(released, batches)
      equal(queue.bytes, 0)
      return batches
    },
  }
}

/** All is there once, and the last snapshot is whole. */
async function checkLoad(engine: Engine, store: CheckpointStore, load: Load): Promise<void> {
  await checkArchive(engine, store, load.batches * BATCH)
  deepEqual(await engine.ask('SELECT count(*)::int FROM outbox'), [load.batches])
  deepEqual(await engine.ask('SELECT snapshot_offset::int FROM task'), [load.snapshotOffset])
  const entries = []
  for await (const page of store.snapshotEntries(task)) entries.push(...page)
  deepEqual(entries, [{ key: 'truck-1', state: `${load.snapshotOffset}` }])
}

test(`${KILLS} kills of the server under load, and everything is archived once`, async (t) => {
  const engine = await ownEngine(t)
  const store = engine.open()
  await store.ensureArchive(table)
  const { epoch } = await store.claim(task)
  const load = startLoad(t, store, epoch)
  for (let kill = 0; kill < KILLS; kill++) {
    const before = load.committedRows
    await until('commits go on', () => load.committedRows > before + BATCH)
    // The server itself, or one of those that serve us: then it restarts all of them by itself.
    const { pid } = engine.server
    const victim = kill % 2 === 0 ? pid : (childrenOf(pid).at(-1) ?? pid)
    const noticed = load.retries
    signal([victim], 'SIGKILL')
    await until('the kill is noticed', () => load.retries > noticed)
  }
  const before = load.committedRows
  await until('commits go on', () => load.committedRows > before + BATCH)
  const batches = await load.finish()
  t.diagnostic(`${batches * BATCH} rows, ${load.retries} commits tried again`)
  await checkLoad(engine, store, load)
})

test('a server that is away for a while is caught up with', async (t) => {
  const engine = await ownEngine(t)
  const store = engine.open()
  await store.ensureArchive(table)
  const { epoch } = await store.claim(task)
  const load = startLoad(t, store, epoch)
  await until('commits go on', () => load.committedRows > 3 * BATCH)
  await engine.server.stop()
  const awayFrom = load.batches
  await until('the task has decided much meanwhile', () => load.batches > awayFrom + 300)
  const restarted = await startEmbeddedPostgres({
    dataDir: engine.dataDir,
    clock,
    logger: silentLogger,
  })
  t.after(() => restarted.stop())
  const startedMs = clock.monotonicMs()
  await until('all of it is committed', () => load.committedRows >= (awayFrom + 300) * BATCH)
  const tookMs = clock.monotonicMs() - startedMs
  ok(tookMs < 10_000, `${tookMs} ms to catch up`)
  await load.finish()
  t.diagnostic(`caught up ${300 * BATCH} rows in ${Math.round(tookMs)} ms`)
  await checkLoad(engine, store, load)
})

/** A disk of its own for a server: a little more than it takes empty. */
const DISK_MB = 130
const SPARE_BYTES = 4 * 1024 * 1024

function ownDisk(t: TestContext): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'pg-disk-'))
  const size = `size=${DISK_MB}m`
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', size, 'tmpfs', folder], {
    encoding: 'utf8',
  })
  t.after(() => {
    if (mounted.status === 0) spawnSync('umount', ['-l', folder])
    rmSync(folder, { recursive: true, force: true })
  })
  const reason = mounted.error?.message ?? mounted.stderr.trim()
  return requireOrSkip(t, 'a disk of its own', mounted.status === 0, reason) ? folder : undefined
}

test('a full disk stops commits until there is room, and loses none', async (t) => {
  const folder = ownDisk(t)
  if (folder === undefined) return
  const engine = await ownEngine(t, folder)
  const store = engine.open()
  await store.ensureArchive(table)
  const { epoch } = await store.claim(task)
  const { bavail, bsize } = statfsSync(folder)
  const ballast = join(folder, 'ballast')
  writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - SPARE_BYTES)))
  let next = 0
  let failure: unknown = null
  while (failure === null) {
    const output = outputOf(store, next, next + 20 * BATCH)
    const content = checkpointOf(epoch, output)
    try {
      equal(await store.commit(content), 'committed')
      next += 20 * BATCH
    } catch (error) {
      failure = error
    }
    ok(next < 2_000_000, 'the disk never fills')
  }
  ok(isRetryable(failure), String(failure))
  const content = checkpointOf(epoch, outputOf(store, next, next + 20 * BATCH))
  for (let time = 0; time < 3; time++) {
    await rejects(store.commit(content), { code: 'database-unavailable', retry: 'later' })
  }
  rmSync(ballast)
  equal(await commitUntilAnswered(store, content), 'committed')
  await checkArchive(engine, store, next + 20 * BATCH)
  ok(readdirSync(folder).length > 0)
})
