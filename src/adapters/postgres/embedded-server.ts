// A PostgreSQL server of our own: made on the first start, watched while we run, stopped with us, and
// taken care of where an earlier run was killed.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import pg from 'pg'
import { PlatformError } from '../../kernel/errors.ts'
import { type DurationMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Logger } from '../../ports/logger.ts'
import type { DatabaseAddress } from './address.ts'
import { findPrograms, type ServerPrograms, type ServerUser, serverUser } from './binaries.ts'
import { sqlState } from './failures.ts'
import {
  addressOf,
  DATABASE,
  findHome,
  findSocketDir,
  makeDir,
  readServerFile,
  type ServerFile,
  SUPERUSER,
  writeServerFile,
} from './server-home.ts'
import {
  adoptedProcess,
  childProcess,
  clearCluster,
  endProcess,
  runningServer,
  type ServerProcess,
} from './server-process.ts'

/** A server that recovers from a crash may take this long until it answers. */
export const START_TIMEOUT_MS: DurationMs = 120 * SECOND_MS
/** Ports tried where somebody else takes the one that was just free. */
export const LAUNCH_ATTEMPTS = 3
/** Waits between restarts of a server that dies under us; it is never given up. */
export const FIRST_RESTART_MS: DurationMs = 50
export const LONGEST_RESTART_MS: DurationMs = 5 * SECOND_MS
/** A server that ran so long is restarted without waiting longer than the first time. */
const STEADY_MS: DurationMs = MINUTE_MS
const POLL_MS: DurationMs = 10
/** The server's log is emptied beyond this size, at the start and every hour. */
export const MAX_LOG_BYTES = 10 * 1024 * 1024

/** Enough for heavy COPY on a small machine; the whole platform stays under a gigabyte. */
const SERVER_SETTINGS: Readonly<Record<string, string>> = {
  shared_buffers: '128MB',
  work_mem: '16MB',
  maintenance_work_mem: '64MB',
  effective_cache_size: '512MB',
  // Checkpoints far apart, since each makes the next change of every page a whole page of WAL; and near
  // enough, since all WAL since the last one is run again after a crash (170 MB took 2 s on 2 busy cores).
  max_wal_size: '1GB',
  min_wal_size: '256MB',
  wal_buffers: '16MB',
  // Compressing pages of WAL costs more than writing them: this build has no quicker way than PGLZ.
  wal_compression: 'off',
  checkpoint_timeout: '10min',
  checkpoint_completion_target: '0.9',
  max_connections: '60',
  // No replica can follow; tables that are filled as they are made then need no WAL.
  wal_level: 'minimal',
  max_wal_senders: '0',
  autovacuum_naptime: '15s',
  autovacuum_max_workers: '2',
  timezone: 'UTC',
  log_timezone: 'UTC',
  listen_addresses: '127.0.0.1',
  password_encryption: 'scram-sha-256',
  // What was in a failed statement is somebody's data; our own log has what is needed to find it.
  log_min_messages: 'warning',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  ...(process.platform === 'linux' ? { recovery_init_sync_method: 'syncfs' } : {}),
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

/** The server of a data directory, as another process finds it; undefined where none was started. */
export function embeddedAddress(dataDir: string): DatabaseAddress | undefined {
  const file = readServerFile(resolve(dataDir))
  return file === undefined ? undefined : addressOf(file)
}

/**
 * Starts the server of a data directory, which the caller holds the lock of.
 *
 * Rejects with `data-dir-version` where another major version wrote it, `data-dir-locked` where it
 * is a copy that shares its database with the original, `bad-setting` where the server's user can't
 * reach it, `server-failed` where PostgreSQL does not start.
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const server = new Server(options)
  await server.start()
  return server
}

class Server implements EmbeddedPostgres {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #dataDir: string
  readonly #user: ServerUser | undefined
  readonly #home: string
  readonly #cluster: string
  readonly #logFile: string
  readonly #programs: ServerPrograms
  readonly #known: ServerFile | undefined
  #file: ServerFile
  #process: ServerProcess | null = null
  #watching: Promise<unknown> = Promise.resolve()
  readonly #stopped = new AbortController()

  constructor({ dataDir, clock, logger }: EmbeddedPostgresOptions) {
    this.#clock = clock
    this.#logger = logger
    this.#dataDir = resolve(dataDir)
    mkdirSync(this.#dataDir, { recursive: true })
    this.#user = serverUser()
    this.#known = readServerFile(this.#dataDir)
    this.#home = findHome(this.#dataDir, this.#user, this.#known)
    this.#cluster = join(this.#home, 'cluster')
    this.#logFile = join(this.#dataDir, 'postgres.log')
    this.#programs = findPrograms(this.#user, this.#home)
    this.#file = {
      port: this.#known?.port ?? 0,
      password: this.#known?.password ?? randomBytes(24).toString('base64url'),
      socketDir: null,
      home: this.#home,
      settings: fingerprint(this.#programs),
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
    if (!(await this.#adopt())) {
      await this.#endLeftOver()
      this.#prepareCluster()
      await this.#launchOnFreePort()
    }
    this.#watching = Promise.all([this.#watch(), this.#trimLog()])
  }

  async stop(): Promise<void> {
    if (this.#stopped.signal.aborted) {
      await this.#watching
      return
    }
    this.#stopped.abort()
    await this.#watching
    if (this.#process !== null && this.#process.ended() === null) {
      await endProcess(this.#process.pid, this.#cluster, this.#clock)
    }
    const { socketDir } = this.#file
    if (socketDir !== null && dirname(socketDir) !== this.#home) {
      rmSync(socketDir, { recursive: true, force: true })
    }
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
        `"pg_dump -Fc" (its address is in ${join(this.#dataDir, 'postgres.url')}), then start this version ` +
        'on a new data directory and bring the data in with pg_restore; or point OUTRIDER_DATABASE_URL at ' +
        `a PostgreSQL ${found} server that runs on this directory.`,
      { retry: 'never', details: { found, expected: majorVersion } },
    )
  }

  /** Takes over a server that an earlier, killed run left behind, if it is what we would start. */
  async #adopt(): Promise<boolean> {
    const known = this.#known
    const pid = runningServer(this.#cluster)
    if (pid === undefined || known === undefined) return false
    if (known.settings !== this.#file.settings || known.home !== this.#home) return false
    try {
      await ensureDatabase(known)
    } catch {
      return false
    }
    this.#file = known
    this.#process = adoptedProcess(pid, this.#cluster, this.#clock)
    this.#logger.info('postgres-adopted', { pid })
    return true
  }

  async #endLeftOver(): Promise<void> {
    const pid = runningServer(this.#cluster)
    if (pid !== undefined) {
      this.#logger.warn('postgres-left-over', { pid })
      await endProcess(pid, this.#cluster, this.#clock)
    }
    await clearCluster(this.#cluster, this.#clock)
    clearSockets(this.#file.socketDir)
  }

  #prepareCluster(): void {
    makeDir(this.#home, this.#user)
    if (!existsSync(join(this.#cluster, 'PG_VERSION'))) this.#create()
    else if (this.#known === undefined) this.#resetPassword()
    const socketDir = findSocketDir(this.#home, this.#user)
    clearSockets(socketDir)
    this.#file = { ...this.#file, socketDir }
  }

  /** Made under another name and renamed when whole: a kill half-way leaves nothing that looks finished. */
  #create(): void {
    const unfinished = `${this.#cluster}-unfinished`
    rmSync(unfinished, { recursive: true, force: true })
    const passwordFile = join(this.#home, 'initial-password')
    writeFileSync(passwordFile, this.#file.password, { mode: 0o600 })
    if (this.#user !== undefined) chownSync(passwordFile, this.#user.uid, this.#user.gid)
    try {
      this.#run(this.#programs.initdb, [
        `--pgdata=${unfinished}`,
        `--username=${SUPERUSER}`,
        '--auth=scram-sha-256',
        `--pwfile=${passwordFile}`,
        '--encoding=UTF8',
        // Sorted by code point, which is quick; upper and lower case of every script.
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--data-checksums',
      ])
      // The password first: a cluster without it is of no use.
      writeServerFile(this.#dataDir, this.#file)
      renameSync(unfinished, this.#cluster)
    } catch (cause) {
      const said = `initdb says: ${wordsOf(cause)}`
      throw this.#failed(`Cannot create the database in ${this.#cluster}. ${said}`, cause)
    } finally {
      rmSync(passwordFile, { force: true })
    }
  }

  /** Where the file with the password was lost the server takes a new one, as its owner may set it. */
  #resetPassword(): void {
    const sql = `ALTER ROLE ${SUPERUSER} PASSWORD '${this.#file.password}';\n`
    try {
      this.#run(this.#programs.postgres, ['--single', `-D${this.#cluster}`, 'postgres'], sql)
    } catch (cause) {
      throw this.#failed(`Cannot set a new password for the database in ${this.#cluster}.`, cause)
    }
    this.#logger.warn('postgres-password-reset', { cluster: this.#cluster })
  }

  async #launchOnFreePort(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const wanted = attempt === 1 ? this.#file.port : 0
      this.#file = { ...this.#file, port: await freePort(wanted) }
      writeServerFile(this.#dataDir, this.#file)
      try {
        await this.#launch()
        return
      } catch (error) {
        const taken = error instanceof PlatformError && /in use/i.test(error.message)
        if (!taken || attempt === LAUNCH_ATTEMPTS) throw error
      }
    }
  }

  async #launch(): Promise<void> {
    const { port, socketDir } = this.#file
    const settings = { ...SERVER_SETTINGS, unix_socket_directories: socketDir ?? '' }
    trim(this.#logFile)
    const log = openSync(this.#logFile, 'a', 0o600)
    const logFrom = statSync(this.#logFile).size
    let child: ChildProcess
    try {
      child = spawn(
        this.#programs.postgres,
        [
          `-D${this.#cluster}`,
          `-p${port}`,
          ...Object.entries(settings).map(([name, value]) => `-c${name}=${value}`),
        ],
        // A group of its own: Ctrl-C reaches us alone, and we stop the server after our own work.
        {
          ...this.#user,
          cwd: '/',
          detached: true,
          stdio: ['ignore', log, log],
          env: environment(),
        },
      )
    } finally {
      closeSync(log)
    }
    const server = childProcess(child)
    this.#process = server
    try {
      await this.#untilReady(server, logFrom)
    } catch (error) {
      await endProcess(server.pid, this.#cluster, this.#clock)
      throw error
    }
  }

  async #untilReady(server: ServerProcess, logFrom: number): Promise<void> {
    const deadlineMs = this.#clock.monotonicMs() + START_TIMEOUT_MS
    let lastError: unknown
    while (this.#clock.monotonicMs() < deadlineMs && !this.#stopped.signal.aborted) {
      if (server.ended() !== null) {
        throw this.#failed(
          `PostgreSQL ended while it started (${server.ended()}). ` +
            `${this.#logFile} says: ${lastLines(this.#logFile, logFrom)}`,
          lastError,
        )
      }
      try {
        await ensureDatabase(this.#file)
        return
      } catch (error) {
        lastError = error
        if (sqlState(error).startsWith('28')) break
      }
      await this.#clock.sleep(POLL_MS)
    }
    throw this.#failed(
      `PostgreSQL in ${this.#cluster} runs but does not let us in. See ${this.#logFile}.`,
      lastError,
    )
  }

  /** Starts the server again where it dies under us. */
  async #watch(): Promise<void> {
    const stopped = this.#stopped.signal
    let waitMs = FIRST_RESTART_MS
    while (!stopped.aborted && this.#process !== null) {
      const sinceMs = this.#clock.monotonicMs()
      const exit = await this.#process.untilEnded(stopped)
      if (stopped.aborted) return
      if (this.#clock.monotonicMs() - sinceMs > STEADY_MS) waitMs = FIRST_RESTART_MS
      this.#logger.warn('postgres-ended', { exit, restartInMs: waitMs })
      await this.#clock.sleep(waitMs, stopped)
      if (stopped.aborted) return
      waitMs = Math.min(LONGEST_RESTART_MS, waitMs * 2)
      await this.#restart()
    }
  }

  async #restart(): Promise<void> {
    try {
      await this.#endLeftOver()
      await this.#launch()
      this.#logger.info('postgres-restarted', { pid: this.pid })
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#logger.error('postgres-restart-failed', error)
    }
  }

  async #trimLog(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await this.#clock.sleep(HOUR_MS, this.#stopped.signal)
      trim(this.#logFile)
    }
  }

  #run(program: string, options: readonly string[], input = ''): void {
    execFileSync(program, options, {
      ...this.#user,
      cwd: '/',
      input,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: environment(),
    })
  }

  #failed(message: string, cause: unknown): PlatformError {
    return new PlatformError('server-failed', message, { retry: 'later', cause })
  }
}

/** Differs where another build would start the server otherwise. */
function fingerprint(programs: ServerPrograms): string {
  const parts = JSON.stringify([programs.postgres, programs.version, SERVER_SETTINGS])
  return createHash('sha256').update(parts).digest('hex').slice(0, 16)
}

function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' }
}

/** The server appends to whatever is there, so that it may be emptied under it. */
function trim(logFile: string): void {
  if (existsSync(logFile) && statSync(logFile).size > MAX_LOG_BYTES) truncateSync(logFile)
}

function lastLines(file: string, from: number): string {
  const text = readFileSync(file).subarray(from).toString('utf8')
  return text.trimEnd().split('\n').slice(-5).join(' | ')
}

/** What a program that failed wrote before it ended. */
function wordsOf(failure: unknown): string {
  const stderr = failure instanceof Error && 'stderr' in failure ? String(failure.stderr) : ''
  return stderr.trim().split('\n').slice(-3).join(' | ').slice(0, 500)
}

/** The folder is for this cluster alone: what a dead server left in it locks nobody out. */
function clearSockets(socketDir: string | null): void {
  if (socketDir === null || !existsSync(socketDir)) return
  for (const name of readdirSync(socketDir)) {
    if (name.startsWith('.s.PGSQL.')) rmSync(join(socketDir, name), { force: true })
  }
}

/** `wanted` where nobody listens there, another one otherwise. */
async function freePort(wanted: number): Promise<number> {
  const found = await tryPort(wanted)
  return found ?? (await tryPort(0)) ?? 0
}

function tryPort(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(null))
    probe.listen(port, '127.0.0.1', () => {
      const found = probe.address()
      probe.close(() => resolve(typeof found === 'object' && found !== null ? found.port : null))
    })
  })
}

async function ensureDatabase(file: ServerFile): Promise<void> {
  const client = new pg.Client({
    ...addressOf(file),
    database: 'postgres',
    connectionTimeoutMillis: 2 * SECOND_MS,
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
