// The program under test: `outrider start` in a process of its own on a data directory of its own, as a
// user would run it, and the other commands beside it.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { embeddedAddress } from '../src/adapters/postgres/embedded-server.ts'
import { atTheEnd } from './clean-up.ts'

const MAIN = fileURLToPath(new URL('../src/app/main.ts', import.meta.url))
const READY_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 30_000
const POLL_MS = 20
/** Without progress for so long, waiting is given up. */
const STALL_MS = 60_000
/** Lines of the program's log that are kept to explain a failure. */
const KEPT_LINES = 20

export interface Program {
  readonly pid: number
  /** Such as `http://127.0.0.1:40123`. */
  readonly url: string
  /** Events of the cold-chain pipeline that are archived. */
  archived(): Promise<number>
  /** Resolves with the wall time at which so many were archived, to some 20 ms. */
  untilArchived(events: number): Promise<number>
  /** Wall time at which the first task began; only for a program that was started here. */
  readonly tasksStartedMs: () => number
  /** As Ctrl-C. */
  stop(): Promise<void>
  /** As a power failure of this process alone: the database's server lives on. */
  kill(): Promise<void>
}

export interface ProgramOptions {
  readonly dataDir: string
  readonly partitions?: number
  /** Further settings, by their names in the environment. */
  readonly settings?: Readonly<Record<string, string>>
}

export async function startProgram({
  dataDir,
  partitions,
  settings,
}: ProgramOptions): Promise<Program> {
  mkdirSync(dataDir, { recursive: true })
  const child = spawn(
    process.execPath,
    [MAIN, 'start', '--no-simulate', '--port', '0', '--data-dir', dataDir],
    {
      cwd: dataDir,
      env: {
        ...cleanEnvironment(),
        OUTRIDER_LOG_LEVEL: 'debug',
        ...(partitions === undefined ? {} : { OUTRIDER_PARTITIONS: String(partitions) }),
        ...settings,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const endChild = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await exited
    clearTimeout(late)
  }
  const ended = atTheEnd(() => endChild('SIGTERM'))
  const told = listen(child)
  const url = await told.address
  const database = databaseOf(dataDir)
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    await database.end()
    await endChild(signal)
    ended()
  }
  return {
    pid: child.pid ?? 0,
    url,
    archived: () => archivedIn(database),
    untilArchived: (events) => untilArchived(database, events),
    tasksStartedMs: told.tasksStartedMs,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  }
}

/** Runs a command of the program with `--json`; rejects where it printed no document. */
export async function runCommand(
  command: readonly string[],
  dataDir: string,
): Promise<{ readonly exitCode: number; readonly document: unknown }> {
  const child = spawn(process.execPath, [MAIN, ...command, '--json', '--data-dir', dataDir], {
    cwd: dataDir,
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const pieces: Buffer[] = []
  child.stdout.on('data', (piece: Buffer) => pieces.push(piece))
  await once(child, 'close')
  return { exitCode: child.exitCode ?? 1, document: JSON.parse(Buffer.concat(pieces).toString()) }
}

/** The settings of whoever runs the benchmark are not those of what is measured. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('OUTRIDER_')),
  )
}

interface Told {
  readonly address: Promise<string>
  readonly tasksStartedMs: () => number
}

function listen(child: ChildProcess): Told {
  const lastLines: string[] = []
  let startedMs = Number.NaN
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      const found = /"time":"([^"]+)".*"name":"task-started"/.exec(line)
      if (found?.[1] !== undefined && line.includes('"cold-chain/')) {
        if (Number.isNaN(startedMs)) startedMs = Date.parse(found[1])
        return
      }
      if (line.includes('"level":"debug"')) return
      lastLines.push(line)
      if (lastLines.length > KEPT_LINES) lastLines.shift()
    })
  }
  const address = new Promise<string>((resolve, reject) => {
    const fail = (why: string): void => {
      reject(new Error(`The program ${why}. The end of its log:\n${lastLines.join('\n')}`))
    }
    const late = setTimeout(() => fail('did not start in time'), READY_TIMEOUT_MS)
    child.once('exit', (code, signal) => {
      clearTimeout(late)
      fail(`ended with ${code ?? signal}`)
    })
    child.once('error', reject)
    if (child.stdout === null) return
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /running at (\S+)/.exec(line)?.[1]
      if (found === undefined) return
      clearTimeout(late)
      resolve(found)
    })
  })
  return { address, tasksStartedMs: () => startedMs }
}

export function databaseOf(dataDir: string): pg.Pool {
  const address = embeddedAddress(dataDir)
  if (address === undefined) throw new Error(`No database was started in ${dataDir}.`)
  const pool = new pg.Pool({ ...address, max: 1 })
  pool.on('error', () => undefined)
  return pool
}

export async function archivedIn(database: pg.Pool, pipeline = 'cold-chain'): Promise<number> {
  const { rows } = await database.query<{ events: string | null }>(
    'SELECT sum(next_offset) AS events FROM task WHERE pipeline = $1',
    [pipeline],
  )
  return Number(rows[0]?.events ?? 0)
}

export async function untilArchived(
  database: pg.Pool,
  events: number,
  pipeline?: string,
): Promise<number> {
  let reached = -1
  let reachedMs = Date.now()
  for (;;) {
    const now = await archivedIn(database, pipeline)
    if (now >= events) return Date.now()
    if (now > reached) {
      reached = now
      reachedMs = Date.now()
    }
    if (Date.now() - reachedMs > STALL_MS) {
      throw new Error(`${now} of ${events} events are archived, and for a minute none was.`)
    }
    await sleep(POLL_MS)
  }
}
