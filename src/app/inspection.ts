// Opens a data directory to look at it: beside a running program, or, where none runs, by itself.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../adapters/clock/system-clock.ts'
import { lockDataDir } from '../adapters/data-dir/data-dir-lock.ts'
import type { DatabaseAddress } from '../adapters/postgres/address.ts'
import { createCheckpointStore } from '../adapters/postgres/checkpoint-store.ts'
import { connectDatabase, type PostgresDatabase } from '../adapters/postgres/database.ts'
import { embeddedAddress, startEmbeddedPostgres } from '../adapters/postgres/embedded-server.ts'
import { migrate } from '../adapters/postgres/migrate.ts'
import { createReferenceStore } from '../adapters/postgres/reference-store.ts'
import { PlatformError } from '../kernel/errors.ts'
import type { CheckpointStore } from '../ports/checkpoint-store.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Logger } from '../ports/logger.ts'
import type { ReferenceStore } from '../ports/reference-source.ts'
import { openLog } from './open-log.ts'
import type { Settings } from './settings.ts'

export interface Inspection {
  readonly clock: Clock
  /** Where threads of a command find the database. */
  readonly address: DatabaseAddress
  readonly database: PostgresDatabase
  readonly store: CheckpointStore
  readonly references: ReferenceStore
  readonly log: Log
  /** True where a program runs on the data directory at this moment. */
  readonly beside: boolean
  close(): Promise<void>
}

/** Rejects with `not-found` where the data directory holds nothing yet. */
export async function openInspection(settings: Settings, logger: Logger): Promise<Inspection> {
  if (settings.kafka === null && !existsSync(join(settings.dataDir, 'log'))) {
    throw new PlatformError(
      'not-found',
      `There is nothing in ${settings.dataDir} yet. Start Outrider there once, or name another folder with OUTRIDER_DATA_DIR.`,
      { retry: 'never' },
    )
  }
  const clock = systemClock()
  const closers: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    const { address, beside } = await openDatabase(settings, clock, logger, closers)
    const database = connectDatabase({ address })
    closers.push(() => database.close())
    const store = createCheckpointStore({ address })
    closers.push(() => store.close())
    const log = await openLog(settings, { clock, mode: 'read' })
    closers.push(() => log.close())
    return {
      clock,
      address,
      database,
      store,
      references: createReferenceStore(database),
      log,
      beside,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function openDatabase(
  settings: Settings,
  clock: Clock,
  logger: Logger,
  closers: (() => Promise<void>)[],
): Promise<{ readonly address: DatabaseAddress; readonly beside: boolean }> {
  // Where nothing of ours lies on this machine there is nothing to lock.
  const elsewhere = settings.kafka !== null && settings.databaseUrl !== null
  const beside = elsewhere || !(await takeLock(settings, closers))
  if (settings.databaseUrl !== null) {
    return { address: { connectionString: settings.databaseUrl }, beside }
  }
  if (beside) {
    const address = embeddedAddress(settings.dataDir)
    if (address !== undefined) return { address, beside }
    throw new PlatformError(
      'database-unavailable',
      `The program that runs on ${settings.dataDir} has not started its database yet. Try again shortly.`,
      { retry: 'later' },
    )
  }
  const server = await startEmbeddedPostgres({ dataDir: settings.dataDir, clock, logger })
  closers.push(() => server.stop())
  await migrate(server.address, logger)
  return { address: server.address, beside }
}

async function takeLock(settings: Settings, closers: (() => Promise<void>)[]): Promise<boolean> {
  try {
    const lock = await lockDataDir(settings.dataDir)
    closers.push(() => lock.release())
    return true
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'data-dir-locked') return false
    throw error
  }
}
