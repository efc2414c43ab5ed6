// A PostgreSQL server of our own: made on the first start, watched while we run, stopped with us, and
// taken care of where an earlier run was killed.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { PlatformError } from '../../kernel/errors.ts'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Logger } from '../../ports/logger.ts'
import type { DatabaseAddress } from './address.ts'
import { findPrograms, type ServerPrograms, type ServerUser, serverUser } from './binaries.ts'

/** A server that recovers from a crash may take this long until it answers. */
export const START_TIMEOUT_MS: DurationMs = 120 * SECOND_MS
const STOP_TIMEOUT_MS: DurationMs = 8 * SECOND_MS
const POLL_MS: DurationMs = 20
const FIRST_RESTART_MS: DurationMs = 100
const LONGEST_RESTART_MS: DurationMs = 5 * SECOND_MS
/** Longest path that the kernel takes for a Unix socket, less the name of the socket. */
const MAX_SOCKET_DIR = 80
const MAX_LOG_BYTES = 10 * 1024 * 1024

const SUPERUSER = 'outrider'
const DATABASE = 'outrider'

/** Enough for heavy COPY on a small machine; the whole platform stays under a gigabyte. */
const SERVER_SETTINGS: Readonly<Record<string, string>> = {
  shared_buffers: '128MB',
  work_mem: '16MB',
  maintenance_work_mem: '64MB',
  effective_cache_size: '512MB',
  max_wal_size: '2GB',
  min_wal_size: '256MB',
  wal_compression: 'on',
  checkpoint_timeout: '5min',
  checkpoint_completion_target: '0.9',
  max_connections: '60',
  wal_level: 'minimal',
  max_wal_senders: '0',
  autovacuum_naptime: '15s',
  timezone: 'UTC',
  log_timezone: 'UTC',
  listen_addresses: '127.0.0.1',
  password_encryption: 'scram-sha-256',
  log_min_messages: 'warning',
}

export interface EmbeddedPostgres {
  readonly address: DatabaseAddress
  /** Of the server as it runs now; another one after a restart. */
  readonly pid: number
  /** Fast shutdown: open transactions are rolled back, everything committed is on disk. */
  stop(): Promise<void>
}

export interface EmbeddedPostgresOptions {
  readonly dataDir: string
  readonly clock: Clock
  readonly logger: Logger
}

/** What other processes on this machine need to reach the server; in a file that only we can read. */
interface ServerFile {
  readonly port: number
  readonly password: string
  readonly socketDir: string
  readonly home: string
}

const SERVER_FILE = 'postgres.json'

/** The running server of a data directory, as another process finds it; undefined where none was started. */
export function embeddedAddress(dataDir: string): DatabaseAddress | undefined {
  const file = readServerFile(dataDir)
  return file === undefined ? undefined : addressOf(file)
}

export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const server = new Server(options)
  await server.start()
  return server
}

class Server implements EmbeddedPostgres {
  readonly #options: EmbeddedPostgresOptions
  readonly #user: ServerUser | undefined
  readonly #home: string
  readonly #cluster: string
  readonly #programs: ServerPrograms
  #file: ServerFile
  #process: ChildProcess | null = null
  #stopping = false
  #watching: Promise<void> = Promise.resolve()
  readonly #stopped = new AbortController()

  constructor(options: EmbeddedPostgresOptions) {
    this.#options = options
    mkdirSync(options.dataDir, { recursive: true })
    this.#user = serverUser()
    this.#home = homeFor(options.dataDir, this.#user)
    this.#cluster = join(this.#home, 'cluster')
    this.#programs = findPrograms(this.#user, spareDirFor(this.#home))
    const known = readServerFile(options.dataDir)
    this.#file = {
      port: 0,
      password: known?.password ?? randomBytes(24).toString('base64url'),
      socketDir: socketDirFor(this.#home),
      home: this.#home,
    }
  }

  get address(): DatabaseAddress {
    return addressOf(this.#file)
  }

  get pid(): number {
    return this.#process?.pid ?? 0
  }

  async start(): Promise<void> {
    this.#checkVersion()
    await this.#endLeftOver()
    if (!existsSync(join(this.#cluster, 'PG_VERSION'))) this.#create()
    makeDir(this.#file.socketDir, this.#user)
    // The port is chosen once a start: after a restart of the server the address is the same.
    this.#file = { ...this.#file, port: await freePort() }
    this.#writeServerFile()
    await this.#launch()
    this.#watching = this.#watch()
  }

  async stop(): Promise<void> {
    if (this.#stopping) return this.#watching
    this.#stopping = true
    this.#stopped.abort()
    const server = this.#process
    if (server?.pid !== undefined && server.exitCode === null) {
      await this.#endProcess(server.pid)
    }
    await this.#watching
  }

  #checkVersion(): void {
    const file = join(this.#cluster, 'PG_VERSION')
    if (!existsSync(file)) return
    const found = readFileSync(file, 'utf8').trim()
    const { majorVersion } = this.#programs
    if (found === majorVersion) return
    throw new PlatformError(
      'data-dir-version',
      `Cannot open the database in ${this.#cluster}: PostgreSQL ${found} wrote it, this build brings ` +
        `PostgreSQL ${majorVersion}. Start the version of Outrider that wrote it, save the data with ` +
        'pg_dumpall, start this version on a new data directory and restore it there; or point ' +
        `OUTRIDER_DATABASE_URL at a PostgreSQL ${found} server that runs on this directory.`,
      { retry: 'never', details: { found, expected: majorVersion } },
    )
  }

  /** initdb into a folder beside, renamed when whole: a kill half-way leaves nothing that looks finished. */
  #create(): void {
    rmSync(this.#cluster, { recursive: true, force: true })
    makeDir(this.#home, this.#user)
    const passwordFile = join(this.#home, 'initial-password')
    writeFileSync(passwordFile, this.#file.password, { mode: 0o600 })
    if (this.#user !== undefined) chownSync(passwordFile, this.#user.uid, this.#user.gid)
    try {
      execFileSync(
        this.#programs.initdb,
        [
          `--pgdata=${this.#cluster}`,
          `--username=${SUPERUSER}`,
          '--auth=scram-sha-256',
          `--pwfile=${passwordFile}`,
          '--encoding=UTF8',
          '--locale=C',
          '--data-checksums',
        ],
        { ...this.#user, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'], env: environment() },
      )
    } catch (cause) {
      rmSync(this.#cluster, { recursive: true, force: true })
      throw new PlatformError(
        'server-failed',
        `Cannot create the database in ${this.#cluster}: initdb failed.`,
        { retry: 'never', cause },
      )
    } finally {
      rmSync(passwordFile, { force: true })
    }
  }

  /** A server that an earlier, killed run of ours left behind is stopped; a stale lock file is removed. */
  async #endLeftOver(): Promise<void> {
    const lockFile = join(this.#cluster, 'postmaster.pid')
    if (!existsSync(lockFile)) return
    const pid = Number(readFileSync(lockFile, 'utf8').split('\n')[0])
    if (runsOn(pid, this.#cluster)) {
      this.#options.logger.warn('postgres-left-over', { pid })
      await this.#endProcess(pid)
    }
    rmSync(lockFile, { force: true })
  }

  async #launch(): Promise<void> {
    const logFile = join(this.#options.dataDir, 'postgres.log')
    if (existsSync(logFile) && statSync(logFile).size > MAX_LOG_BYTES) rmSync(logFile)
    const log = openSync(logFile, 'a', 0o600)
    const settings = { ...SERVER_SETTINGS, unix_socket_directories: this.#file.socketDir }
    const server = spawn(
      this.#programs.postgres,
      [
        `-D${this.#cluster}`,
        `-p${this.#file.port}`,
        ...Object.entries(settings).map(([name, value]) => `-c${name}=${value}`),
      ],
      // A group of its own: Ctrl-C reaches us alone, and we stop the server after our own work.
      { ...this.#user, cwd: '/', detached: true, stdio: ['ignore', log, log], env: environment() },
    )
    closeSync(log)
    this.#process = server
    await this.#untilReady(server, logFile)
  }

  async #untilReady(server: ChildProcess, logFile: string): Promise<void> {
    const { clock } = this.#options
    const deadlineMs = clock.monotonicMs() + START_TIMEOUT_MS
    let lastError: unknown
    while (clock.monotonicMs() < deadlineMs) {
      if (server.exitCode !== null || server.signalCode !== null || server.pid === undefined) {
        throw new PlatformError(
          'server-failed',
          `PostgreSQL ended while it started (exit ${server.exitCode ?? server.signalCode}). ` +
            `The end of ${logFile} says: ${lastLines(logFile)}`,
          { retry: 'later' },
        )
      }
      try {
        await ensureDatabase(this.#file)
        return
      } catch (error) {
        lastError = error
      }
      await clock.sleep(POLL_MS)
    }
    throw new PlatformError('server-failed', 'PostgreSQL did not answer in time.', {
      retry: 'later',
      cause: lastError,
    })
  }

  /** Starts the server again where it dies under us. */
  async #watch(): Promise<void> {
    const { clock, logger } = this.#options
    let waitMs = FIRST_RESTART_MS
    while (!this.#stopping) {
      const server = this.#process
      if (server === null) return
      await exitOf(server)
      if (this.#stopping) return
      logger.warn('postgres-ended', {
        exit: server.exitCode ?? server.signalCode,
        restartInMs: waitMs,
      })
      await clock.sleep(waitMs, this.#stopped.signal)
      if (this.#stopping) return
      try {
        await this.#endLeftOver()
        await this.#launch()
        logger.info('postgres-restarted', { pid: this.pid })
        waitMs = FIRST_RESTART_MS
      } catch (error) {
        logger.error('postgres-restart-failed', error)
        waitMs = Math.min(LONGEST_RESTART_MS, waitMs * 2)
      }
    }
  }

  async #endProcess(pid: number): Promise<void> {
    const { clock } = this.#options
    for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
      sendSignal(pid, signal)
      const deadlineMs = clock.monotonicMs() + STOP_TIMEOUT_MS
      while (clock.monotonicMs() < deadlineMs) {
        if (!runsOn(pid, this.#cluster)) return
        await clock.sleep(POLL_MS)
      }
    }
  }

  #writeServerFile(): void {
    const path = join(this.#options.dataDir, SERVER_FILE)
    writeFileSync(path, JSON.stringify(this.#file), { mode: 0o600 })
    chmodSync(path, 0o600)
  }
}

function readServerFile(dataDir: string): ServerFile | undefined {
  try {
    return JSON.parse(readFileSync(join(dataDir, SERVER_FILE), 'utf8')) as ServerFile
  } catch {
    return undefined
  }
}

function addressOf(file: ServerFile): DatabaseAddress {
  return {
    host: existsSync(file.socketDir) ? file.socketDir : '127.0.0.1',
    port: file.port,
    user: SUPERUSER,
    password: file.password,
    database: DATABASE,
  }
}

/**
 * The folder of the cluster: in the data directory, or, where the server's user can't enter that (a
 * checkout below /root, say), in a place of its own that the data directory names.
 */
function homeFor(dataDir: string, user: ServerUser | undefined): string {
  const inside = join(dataDir, 'postgres')
  if (user === undefined) return inside
  makeDir(inside, user)
  if (canEnter(user, inside)) return inside
  const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 16)
  const outside = join('/var/lib/outrider', name)
  mkdirSync('/var/lib/outrider', { recursive: true, mode: 0o755 })
  makeDir(outside, user)
  if (canEnter(user, outside)) return outside
  throw new PlatformError(
    'server-failed',
    `PostgreSQL does not run as root, and its user can enter neither ${inside} nor ${outside}. Set ` +
      'OUTRIDER_DATA_DIR to a folder that other users can enter.',
    { retry: 'never' },
  )
}

function spareDirFor(home: string): string {
  return home
}

function canEnter(user: ServerUser, dir: string): boolean {
  try {
    execFileSync('/bin/sh', ['-c', 'cd "$1"', 'sh', dir], { ...user, stdio: 'ignore', cwd: '/' })
    return true
  } catch {
    return false
  }
}

function makeDir(dir: string, user: ServerUser | undefined): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  if (user !== undefined) chownSync(dir, user.uid, user.gid)
}

function socketDirFor(home: string): string {
  const inside = join(home, 'run')
  if (inside.length <= MAX_SOCKET_DIR) return inside
  const name = createHash('sha256').update(home).digest('hex').slice(0, 16)
  return join(tmpdir(), `outrider-${name}`)
}

function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' }
}

/** True where the process is alive and a server of this cluster: a recycled id is not. */
function runsOn(pid: number, cluster: string): boolean {
  if (!Number.isInteger(pid) || pid <= 1) return false
  try {
    return commandOf(pid).includes(`-D${cluster}`)
  } catch {
    return false
  }
}

/** Throws where there is no such process; a dead one that nobody has waited for has no command. */
function commandOf(pid: number): string {
  if (process.platform === 'linux') {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  }
  return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended in between.
  }
}

function exitOf(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => server.once('exit', () => resolve()))
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-5).join(' | ')
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const found = probe.address()
      probe.close(() => resolve(typeof found === 'object' && found !== null ? found.port : 0))
    })
  })
}

async function ensureDatabase(file: ServerFile): Promise<void> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: file.port,
    user: SUPERUSER,
    password: file.password,
    database: 'postgres',
    connectionTimeoutMillis: 2_000,
  })
  client.on('error', () => undefined)
  await client.connect()
  try {
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE])
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`)
  } finally {
    await client.end()
  }
}
