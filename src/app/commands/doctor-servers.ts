// What `doctor` asks of servers outside: there, new enough, the right credentials, no setting that loses data,
// a clock like ours. Each finding says how to mend it.

import { connectDatabase } from '../../adapters/postgres/database.ts'
import { sqlState } from '../../adapters/postgres/failures.ts'
import { inspectMailServer } from '../../adapters/smtp/mail-inspection.ts'
import type { RedisFacts } from '../../adapters/views/redis-inspection.ts'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { SqlRow } from '../../ports/database.ts'
import { problemText } from '../command-line.ts'

export interface Finding {
  readonly part: string
  readonly state: 'ok' | 'warning' | 'failed'
  readonly message: string
}

const MINIMUM_POSTGRES = 15
const MINIMUM_REDIS = [6, 2] as const
/** Beyond it events of other machines look late or early. */
const MAX_CLOCK_SKEW_MS: DurationMs = SECOND_MS

export async function checkPostgres(
  connectionString: string,
  clock: Clock,
): Promise<readonly Finding[]> {
  const part = 'database'
  const database = connectDatabase({ address: { connectionString }, maxConnections: 1 })
  try {
    const beforeMs = clock.nowMs()
    const [row] = await database.query(
      `SELECT current_setting('server_version_num')::int AS version,
         has_schema_privilege('public', 'CREATE') AS may_create,
         pg_is_in_recovery() AS is_replica, current_setting('server_encoding') AS encoding,
         current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
         current_setting('synchronous_commit') AS synchronous_commit,
         extract(epoch FROM clock_timestamp())::float8 * 1000 AS now_ms`,
    )
    return row === undefined
      ? []
      : postgresFindings(part, row, Number(row.now_ms) - (beforeMs + clock.nowMs()) / 2)
  } catch (error) {
    const message = databaseProblem(connectionString, error)
    return [{ part, state: 'failed', message }]
  } finally {
    await database.close()
  }
}

/** Where it is, what it said and what to do; never the password. */
function databaseProblem(connectionString: string, error: unknown): string {
  const { host, pathname, searchParams, username } = new URL(connectionString)
  // A socket's folder has no room before the path.
  const place = `PostgreSQL at ${searchParams.get('host') ?? host}`
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const reason = cause instanceof Error ? cause.message : String(cause)
  const state = sqlState(cause)
  if (state.startsWith('28')) {
    return `${place} refuses the user "${decodeURIComponent(username)}" (${reason}). Check user and password in OUTRIDER_DATABASE_URL.`
  }
  if (state === '3D000') {
    const database = decodeURIComponent(pathname.slice(1))
    return `${place} has no database "${database}". Make it (createdb), or name another in OUTRIDER_DATABASE_URL.`
  }
  // Codes of the system, such as ECONNREFUSED, begin with a letter.
  if (/^\d/.test(state)) return `${place} refuses to be asked: ${reason}.`
  return `${place} does not answer (${reason}). Start it, or check OUTRIDER_DATABASE_URL.`
}

function postgresFindings(part: string, row: SqlRow, skewMs: DurationMs): readonly Finding[] {
  const failed = (message: string): readonly Finding[] => [{ part, state: 'failed', message }]
  const major = Math.floor(Number(row.version) / 10_000)
  if (major < MINIMUM_POSTGRES) {
    return failed(`PostgreSQL ${major}; ${MINIMUM_POSTGRES} or newer is needed.`)
  }
  if (row.is_replica === true) {
    return failed('It is a standby, which takes no writes. Name the primary.')
  }
  if (row.may_create !== true) {
    return failed(
      'The user may not create tables: GRANT CREATE ON SCHEMA public, or name another user.',
    )
  }
  if (row.encoding !== 'UTF8') {
    return failed(`The encoding is ${row.encoding}: CREATE DATABASE … ENCODING 'UTF8'.`)
  }
  const findings: Finding[] = [{ part, state: 'ok', message: `PostgreSQL ${major} answers` }]
  for (const setting of ['fsync', 'full_page_writes', 'synchronous_commit']) {
    if (row[setting] !== 'off') continue
    const message = `${setting} is off: what is committed may be lost in a crash. Set it on.`
    findings.push({ part, state: 'warning', message })
  }
  return [...findings, ...skewFinding(part, skewMs)]
}

export async function checkRedis(url: string, clock: Clock): Promise<readonly Finding[]> {
  const part = 'Redis'
  try {
    const beforeMs = clock.nowMs()
    const { inspectRedis } = await import('../../adapters/views/redis-inspection.ts')
    const facts = await inspectRedis(url)
    return redisFindings(part, facts, facts.nowMs - (beforeMs + clock.nowMs()) / 2)
  } catch (error) {
    return [{ part, state: 'failed', message: problemText(error) }]
  }
}

function redisFindings(part: string, facts: RedisFacts, skewMs: DurationMs): readonly Finding[] {
  const failed = (message: string): readonly Finding[] => [{ part, state: 'failed', message }]
  const [major = 0, minor = 0] = facts.version.split('.').map(Number)
  if (major < MINIMUM_REDIS[0] || (major === MINIMUM_REDIS[0] && minor < MINIMUM_REDIS[1])) {
    return failed(`Redis ${facts.version}; ${MINIMUM_REDIS.join('.')} or newer is needed.`)
  }
  if (facts.isCluster) {
    return failed('It is a Redis Cluster, which is not supported. Name a single server.')
  }
  if (facts.isReplica) return failed('It is a replica, which takes no writes. Name the primary.')
  if (facts.refusal !== null) {
    return failed(
      `It refuses to put views (${facts.refusal}). Give the user scripts and the keys outrider:*.`,
    )
  }
  const findings: Finding[] = [{ part, state: 'ok', message: `Redis ${facts.version} answers` }]
  if (facts.maxMemoryBytes > 0 && facts.evictionPolicy !== 'noeviction') {
    const message = `maxmemory-policy is ${facts.evictionPolicy}: views vanish when memory is full. Set noeviction, and a Redis of its own.`
    findings.push({ part, state: 'warning', message })
  }
  return [...findings, ...skewFinding(part, skewMs)]
}

export async function checkMail(url: string): Promise<readonly Finding[]> {
  const part = 'mail'
  const { host } = new URL(url)
  const found = await inspectMailServer(url)
  switch (found.state) {
    case 'ok':
      return [{ part, state: 'ok', message: `${host} answers and lets us in` }]
    case 'refuses-credentials':
      return [
        {
          part,
          state: 'failed',
          message: `${host} refuses the credentials (${found.reason}). Check user and password in OUTRIDER_SMTP_URL.`,
        },
      ]
    case 'away':
      return [
        {
          part,
          state: 'failed',
          message: `${host} does not answer as a mail server does (${found.reason}). Start it, or check OUTRIDER_SMTP_URL.`,
        },
      ]
  }
}

export function skewFinding(part: string, skewMs: DurationMs): readonly Finding[] {
  if (Math.abs(skewMs) <= MAX_CLOCK_SKEW_MS) return []
  const seconds = Math.abs(skewMs / SECOND_MS).toFixed(1)
  const message = `its clock is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} ours. Run an NTP service on both machines.`
  return [{ part, state: 'warning', message }]
}
