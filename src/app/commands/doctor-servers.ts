// What `doctor` asks of servers outside: there, new enough, the right credentials, no setting that loses data,
// a clock like ours. Each finding says how to mend it.

import type { KafkaFacts } from '../../adapters/kafka/kafka-inspection.ts'
import { connectDatabase } from '../../adapters/postgres/database.ts'
import type { RedisFacts } from '../../adapters/views/redis-inspection.ts'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { SqlRow } from '../../ports/database.ts'
import { problemText } from '../command-line.ts'
import type { Settings } from '../settings.ts'
import { neededTopics, topicName } from '../topics.ts'

export interface Finding {
  readonly part: string
  readonly state: 'ok' | 'warning' | 'failed'
  readonly message: string
}

const MINIMUM_POSTGRES = 15
const MINIMUM_REDIS = [6, 2] as const
/** Beyond it events of other machines look late or early. */
const MAX_CLOCK_SKEW_MS: DurationMs = SECOND_MS

/** Fewer brokers can't keep what they acknowledged when one is lost for good. */
const SAFE_BROKERS = 3

export async function checkKafka(settings: Settings, clock: Clock): Promise<readonly Finding[]> {
  if (settings.kafka === null) return []
  try {
    const { inspectKafka } = await import('../../adapters/kafka/kafka-inspection.ts')
    return kafkaFindings(settings, await inspectKafka(settings.kafka.address, clock))
  } catch (error) {
    return [{ part: 'kafka', state: 'failed', message: problemText(error) }]
  }
}

function kafkaFindings(settings: Settings, { brokers, topics }: KafkaFacts): readonly Finding[] {
  const counts = new Map(topics.map(({ topic, partitions }) => [topic, partitions]))
  const names = neededTopics.map((topic) => topicName(settings, topic))
  const missing = names.filter((name) => !counts.has(name))
  const small = names.filter((name) => (counts.get(name) ?? Infinity) < settings.partitions)
  const found = `${brokers} ${brokers === 1 ? 'broker' : 'brokers'}, ${names.length - missing.length} of ${names.length} topics`
  const create = missing.length === 0 ? '' : `; the start creates ${missing.join(', ')}`
  return [
    brokers < SAFE_BROKERS
      ? {
          part: 'kafka',
          state: 'warning',
          message: `${found}${create}. With fewer than ${SAFE_BROKERS} brokers the loss of one can lose what was acknowledged.`,
        }
      : { part: 'kafka', state: 'ok', message: `${found}${create}` },
    ...small.map((name) => ({
      part: 'kafka',
      state: 'failed' as const,
      message: `Topic ${name} has ${counts.get(name)} partitions, fewer than OUTRIDER_PARTITIONS (${settings.partitions}). Set that to the number it has.`,
    })),
  ]
}

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
    const message = `${problemText(error)}\n  Check address, user and password in OUTRIDER_DATABASE_URL.`
    return [{ part, state: 'failed', message }]
  } finally {
    await database.close()
  }
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

export function skewFinding(part: string, skewMs: DurationMs): readonly Finding[] {
  if (Math.abs(skewMs) <= MAX_CLOCK_SKEW_MS) return []
  const seconds = Math.abs(skewMs / SECOND_MS).toFixed(1)
  const message = `its clock is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} ours. Run an NTP service on both machines.`
  return [{ part, state: 'warning', message }]
}
