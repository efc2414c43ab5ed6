// Brings the database's tables to the state this build needs; safe to call from several processes.

import { fileURLToPath } from 'node:url'
import { runner } from 'node-pg-migrate'
import pg from 'pg'
import type { Logger } from '../../ports/logger.ts'
import type { DatabaseAddress } from './address.ts'
import { databaseError } from './failures.ts'

const MIGRATIONS = fileURLToPath(new URL('./migrations', import.meta.url))

/** Rejects with `database-unavailable` (retry later) or `database-failed`. */
export async function migrate(address: DatabaseAddress, logger: Logger): Promise<void> {
  const client = new pg.Client({ ...address, application_name: 'outrider-migrate' })
  client.on('error', () => undefined)
  client.on('notice', ({ severity, message }) => {
    if (severity === 'WARNING') logger.warn('migration', { message })
  })
  try {
    await client.connect()
    await runner({
      dbClient: client,
      dir: MIGRATIONS,
      direction: 'up',
      migrationsTable: 'schema_migration',
      checkOrder: true,
      advisoryLockMode: 'wait',
      logger: {
        debug: () => undefined,
        info: (message) => logger.debug('migration', { message: String(message).slice(0, 200) }),
        warn: (message) => logger.warn('migration', { message: String(message).slice(0, 200) }),
        error: (message) => logger.warn('migration', { message: String(message).slice(0, 500) }),
      },
    })
    await client.query('SELECT outrider_protect()')
  } catch (cause) {
    throw databaseError('Cannot bring the tables up to date', cause)
  } finally {
    await client.end().catch(() => undefined)
  }
}
