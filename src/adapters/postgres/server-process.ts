// A running server as a process: our child, or one that an earlier run of ours left behind.

import { type ChildProcess, execFileSync } from 'node:child_process'
import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'

/** How often we look whether a server that is not our child still runs. */
const WATCH_MS: DurationMs = 250
const POLL_MS: DurationMs = 10
/** Fast shutdown, then at once (recovery at the next start), then by force. */
const STOPS = [
  { signal: 'SIGINT', waitMs: 6 * SECOND_MS },
  { signal: 'SIGQUIT', waitMs: 2 * SECOND_MS },
  { signal: 'SIGKILL', waitMs: 2 * SECOND_MS },
] as const

export interface ServerProcess {
  readonly pid: number
  /** What it ended with, or null while it runs. */
  ended(): string | null
  /** Resolves with what it ended with, or with null on abort. */
  untilEnded(signal: AbortSignal): Promise<string | null>
}

export function childProcess(child: ChildProcess): ServerProcess {
  // A child that could not be spawned says so by an event, which nobody else listens for.
  let failure: string | null = null
  child.on('error', (error) => {
    failure = error.message
  })
  const ended = (): string | null => {
    if (child.exitCode !== null) return `exit code ${child.exitCode}`
    return child.signalCode ?? failure ?? (child.pid === undefined ? 'it did not start' : null)
  }
  return {
    pid: child.pid ?? 0,
    ended,
    untilEnded: (signal) =>
      new Promise((resolve) => {
        const settle = (): void => {
          child.off('exit', settle)
          signal.removeEventListener('abort', settle)
          resolve(ended())
        }
        child.once('exit', settle)
        signal.addEventListener('abort', settle)
        if (ended() !== null || signal.aborted) settle()
      }),
  }
}

export function adoptedProcess(pid: number, cluster: string, clock: Clock): ServerProcess {
  const ended = (): string | null => (serves(pid, cluster) ? null : 'unknown')
  return {
    pid,
    ended,
    async untilEnded(signal) {
      while (ended() === null && !signal.aborted) await clock.sleep(WATCH_MS, signal)
      return ended()
    },
  }
}

/** The server that runs on a cluster, whoever started it; undefined where none does. */
export function runningServer(cluster: string): number | undefined {
  const pid = lockedBy(cluster)
  return pid !== undefined && serves(pid, cluster) ? pid : undefined
}

export async function endProcess(pid: number, cluster: string, clock: Clock): Promise<void> {
  for (const { signal, waitMs } of STOPS) {
    sendSignal(pid, signal)
    const deadlineMs = clock.monotonicMs() + waitMs
    while (clock.monotonicMs() < deadlineMs) {
      if (!serves(pid, cluster)) return
      await clock.sleep(POLL_MS)
    }
  }
}

/**
 * Makes a cluster whose server was killed ready for the next: ends the killed server's own children,
 * and frees a lock whose process id went to somebody else.
 *
 * The lock file itself stays. It names the shared memory by which PostgreSQL finds out that a child of
 * the dead server still writes; without it two servers could write the same files.
 */
export async function clearCluster(cluster: string, clock: Clock): Promise<void> {
  for (const pid of orphansOf(cluster)) sendSignal(pid, 'SIGQUIT')
  const deadlineMs = clock.monotonicMs() + 2 * SECOND_MS
  while (orphansOf(cluster).length > 0 && clock.monotonicMs() < deadlineMs) {
    await clock.sleep(POLL_MS)
  }
  for (const pid of orphansOf(cluster)) sendSignal(pid, 'SIGKILL')
  const holder = lockedBy(cluster)
  if (holder === undefined || !isAlive(holder)) return
  // PostgreSQL passes over a lock that names its own parent.
  const file = join(cluster, 'postmaster.pid')
  const [, ...rest] = readFileSync(file, 'utf8').split('\n')
  writeFileSync(file, [process.pid, ...rest].join('\n'))
}

function lockedBy(cluster: string): number | undefined {
  const file = join(cluster, 'postmaster.pid')
  if (!existsSync(file)) return undefined
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10)
  return pid > 1 ? pid : undefined
}

/** True where the process is alive and the server of this cluster: a recycled id is not. */
export function serves(pid: number, cluster: string): boolean {
  if (pid <= 1) return false
  if (process.platform === 'linux') return worksIn(String(pid), cluster)
  try {
    const command = execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
    return command.includes(`-D${cluster} `)
  } catch {
    return false
  }
}

/** Processes that work in the cluster's folder; on systems without /proc PostgreSQL's own check remains. */
function orphansOf(cluster: string): readonly number[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && worksIn(name, cluster))
    .map(Number)
}

/** A dead process that nobody has waited for works nowhere. */
function worksIn(pid: string, cluster: string): boolean {
  try {
    return (
      readlinkSync(`/proc/${pid}/cwd`) === realpathSync(cluster) &&
      readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'postgres'
    )
  } catch {
    return false
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended in between.
  }
}
