// What roles need from outside once they live in several processes; said at the start, all at once.

import { PlatformError } from '../kernel/errors.ts'
import { PROCESS_ROLES, type Settings } from './settings.ts'

/** Rejects with `bad-setting`, naming everything that is missing. */
export function checkRoles(settings: Settings): void {
  const missing = missingForRoles(settings)
  if (missing.length === 0) return
  const roles = [...settings.roles].join(', ')
  throw new PlatformError(
    'bad-setting',
    [`The roles ${roles} can't run in this process alone:`, ...missing].join('\n  '),
    { retry: 'never' },
  )
}

export function missingForRoles(settings: Settings): readonly string[] {
  const { roles, databaseUrl, views } = settings
  if (PROCESS_ROLES.every((role) => roles.has(role))) return []
  const missing: string[] = []
  if (roles.has('doors') !== roles.has('tasks') && !hasSharedLog(settings)) {
    missing.push(
      'doors and tasks in different processes need Apache Kafka: set OUTRIDER_KAFKA_BROKERS. The embedded log has one writer; with it, run doors and tasks together, and serve beside them on the same data directory.',
    )
  }
  const needsDatabase = roles.has('tasks') || roles.has('serve') || roles.has('work')
  if (needsDatabase && databaseUrl === null) {
    missing.push(
      'several processes need one PostgreSQL: set OUTRIDER_DATABASE_URL. The embedded one belongs to a single process.',
    )
  }
  if (roles.has('tasks') !== roles.has('serve') && views === 'memory') {
    missing.push(
      'tasks and serve in different processes meet in Redis or DynamoDB: set OUTRIDER_VIEWS=redis and OUTRIDER_REDIS_URL, or OUTRIDER_VIEWS=dynamodb.',
    )
  }
  return missing
}

/** A log that processes on several machines may write to. */
export function hasSharedLog({ kafka }: Settings): boolean {
  return kafka !== null
}

/** Beside the writer of an embedded log a process only reads. */
export function mayWriteLog(settings: Settings): boolean {
  const { roles } = settings
  return hasSharedLog(settings) || roles.has('doors') || roles.has('tasks')
}

/** True where this process is the one that writes to the data directory. */
export function ownsDataDir(settings: Settings): boolean {
  const embeddedLog = !hasSharedLog(settings) && mayWriteLog(settings)
  const embeddedDatabase = settings.databaseUrl === null && settings.roles.size > 1
  return embeddedLog || embeddedDatabase
}
