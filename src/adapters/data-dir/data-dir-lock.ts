// One process at a time on a data directory. The lock is the operating system's: SQLite, which the
// runtime brings along, holds an exclusive lock on a file, and the kernel drops it when the process
// dies, whatever it dies of. So nothing is ever stale, and a recycled process id means nothing.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { PlatformError } from '../../kernel/errors.ts'

/** Stays empty; other programs must not open it, since closing it would drop the lock. */
const LOCK_FILE = 'outrider.lock'
/** Says who holds the lock, for the message only. */
const OWNER_FILE = 'outrider.pid'
const SQLITE_BUSY = 5

export interface DataDirLock {
  release(): Promise<void>
}

/**
 * Takes the data directory for this process, creating it where it is missing.
 *
 * Rejects with `data-dir-locked` (retry later) where another holder lives, in this process or
 * another one, and with `bad-setting` (never) where the directory can't be written.
 */
export async function lockDataDir(directory: string): Promise<DataDirLock> {
  const database = openLockFile(directory)
  try {
    database.exec('PRAGMA journal_mode = MEMORY')
    database.exec('BEGIN EXCLUSIVE')
  } catch (cause) {
    database.close()
    throw isBusy(cause) ? lockedError(directory, cause) : unusableError(directory, cause)
  }
  writeFileSync(join(directory, OWNER_FILE), `${process.pid}\n`)
  let held = true
  return {
    async release() {
      if (!held) return
      held = false
      rmSync(join(directory, OWNER_FILE), { force: true })
      database.close()
    },
  }
}

function openLockFile(directory: string): DatabaseSync {
  try {
    mkdirSync(directory, { recursive: true })
    return new DatabaseSync(join(directory, LOCK_FILE), { timeout: 0 })
  } catch (cause) {
    throw unusableError(directory, cause)
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY
}

function lockedError(directory: string, cause: unknown): PlatformError {
  const pid = ownerPid(directory)
  const owner = pid === undefined ? 'another process' : `process ${pid}`
  return new PlatformError(
    'data-dir-locked',
    `Cannot use the data directory ${directory}: ${owner} is using it. ` +
      `Stop ${pid === undefined ? 'that process' : `it (kill ${pid})`}, ` +
      'or choose another directory with --data-dir or OUTRIDER_DATA_DIR.',
    { retry: 'later', details: { directory, pid: pid ?? null }, cause },
  )
}

function unusableError(directory: string, cause: unknown): PlatformError {
  return new PlatformError(
    'bad-setting',
    `Cannot write to the data directory ${directory}. Make it writable for this user, ` +
      'or choose another with --data-dir or OUTRIDER_DATA_DIR.',
    { retry: 'never', details: { directory }, cause },
  )
}

function ownerPid(directory: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(join(directory, OWNER_FILE), 'utf8'), 10)
    return pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}
