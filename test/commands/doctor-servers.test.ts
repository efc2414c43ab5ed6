// `doctor` against real servers that are away, locked, too small or too careless.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Admin } from '@platformatic/kafka'
import pg from 'pg'
import { startMailServer } from '../mail-server.ts'
import { runCommand, temporaryDataDir } from '../program.ts'
import { requireOrSkip } from '../requirements.ts'
import { dynamoDbMissing, startDynamoDb } from '../servers/dynamodb.ts'
import { postgresMissing, startPostgres } from '../servers/postgres.ts'
import { redisMissing, startRedis } from '../servers/redis.ts'
import { kafkaOrSkip, sharedKafka } from '../servers/shared-kafka.ts'

interface Finding {
  readonly part: string
  readonly state: string
  readonly message: string
}

async function findings(
  dataDir: string,
  environment: NodeJS.ProcessEnv,
  flags: readonly string[] = [],
): Promise<{ code: number | null; found: readonly Finding[] }> {
  const { code, stdout } = await runCommand(
    ['doctor', '--json', '--data-dir', dataDir, ...flags],
    environment,
  )
  return { code, found: JSON.parse(stdout).findings }
}

test('a Redis is tried: what it lacks is said, with how to mend it', async (t) => {
  if (!requireOrSkip(t, 'Redis', redisMissing() === undefined, redisMissing() ?? '')) return
  const dataDir = temporaryDataDir(t)
  const redis = await startRedis({ password: 'right' })
  const redisFindings = async (url: string): Promise<string> => {
    const { found } = await findings(dataDir, { OUTRIDER_REDIS_URL: url })
    return found
      .filter(({ part }) => part === 'Redis')
      .map(({ state, message }) => `${state}: ${message}`)
      .join('\n')
  }
  try {
    assert.match(await redisFindings(redis.url), /^ok: Redis \d+\.\d+\.\d+ answers$/)
    const wrong = await redisFindings(redis.url.replace('right', 'hunter2'))
    assert.match(wrong, /^failed: Redis at 127.0.0.1:\d+ refuses the credentials. Check user/)
    assert.doesNotMatch(wrong, /hunter2/)
  } finally {
    await redis.stop()
  }
  assert.match(
    await redisFindings(redis.url),
    /^failed: Cannot reach Redis at .* Start it, or check/,
  )
  const small = await startRedis({
    args: ['--maxmemory', '20mb', '--maxmemory-policy', 'allkeys-lru'],
  })
  try {
    assert.match(
      await redisFindings(small.url),
      /warning: maxmemory-policy is allkeys-lru: .*noeviction/,
    )
  } finally {
    await small.stop()
  }
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', '1'] })
  try {
    assert.match(await redisFindings(replica.url), /^failed: It is a replica/)
  } finally {
    await replica.stop()
  }
})

test('a PostgreSQL that may lose what it committed is pointed out', async (t) => {
  if (!requireOrSkip(t, 'PostgreSQL', postgresMissing() === undefined, postgresMissing() ?? ''))
    return
  const postgres = await startPostgres()
  t.after(() => postgres.stop())
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  await client.query('ALTER DATABASE outrider SET synchronous_commit = off')
  await client.end()
  const { code, found } = await findings(temporaryDataDir(t), postgres.settings)
  assert.equal(code, 0, 'a warning is no failure')
  assert.match(
    found.find(({ part, state }) => part === 'database' && state === 'warning')?.message ?? '',
    /synchronous_commit is off: what is committed may be lost in a crash. Set it on./,
  )
})

test('a Kafka is tried: topics that are too small or may lose events, and addresses where there is none', {
  timeout: 90_000,
}, async (t) => {
  if (!kafkaOrSkip(t)) return
  const { addresses, settings } = await sharedKafka()
  const dataDir = temporaryDataDir(t)
  const topic = `doctor-${process.pid}`
  const admin = new Admin({ clientId: 'doctor-test', bootstrapBrokers: [...addresses] })
  t.after(() => admin.close())
  await admin.createTopics({
    topics: [topic],
    partitions: 2,
    replicas: 1,
    configs: [
      { name: 'cleanup.policy', value: 'compact' },
      { name: 'retention.ms', value: '3600000' },
    ],
  })
  const kafkaSaid = async (environment: NodeJS.ProcessEnv): Promise<string> => {
    const { found } = await findings(dataDir, environment)
    return found
      .filter(({ part }) => part === 'kafka')
      .map(({ state, message }) => `${state}: ${message}`)
      .join('\n')
  }
  const named = { ...settings, OUTRIDER_TOPIC_NAMES: `truck-readings=${topic}` }
  const said = await kafkaSaid(named)
  assert.match(said, /^warning: 1 broker, \d+ of \d+ topics/)
  const says = (text: string): void => assert.ok(said.includes(text), said)
  says(`failed: Topic ${topic} has 2 partitions, fewer than OUTRIDER_PARTITIONS (8). Set that`)
  says(`warning: Topic ${topic}: cleanup.policy compact: `)
  says(`warning: Topic ${topic}: retention.ms under a day: `)
  assert.match(
    await kafkaSaid({ OUTRIDER_KAFKA_BROKERS: '127.0.0.1:1' }),
    /^failed: .*Kafka at 127\.0\.0\.1:1 does not answer \(.*ECONNREFUSED.*\)\. Check OUTRIDER_KAFKA_BROKERS/,
  )
  const locked = await kafkaSaid({
    ...settings,
    OUTRIDER_KAFKA_USERNAME: 'ann',
    OUTRIDER_KAFKA_PASSWORD: 'hunter2',
  })
  assert.match(locked, /^failed: .* does not let us in as "ann" by SCRAM-SHA-512\. Check/)
  assert.doesNotMatch(locked, /hunter2/)
})

test('a mail server is asked whether it lets us in', async (t) => {
  const { url } = await startMailServer(t)
  const mailSaid = async (smtpUrl: string): Promise<string> => {
    const { found } = await findings(temporaryDataDir(t), { OUTRIDER_SMTP_URL: smtpUrl })
    const mail = found.find(({ part }) => part === 'mail')
    return `${mail?.state}: ${mail?.message}`
  }
  assert.match(await mailSaid(url), /^ok: \S+ answers and lets us in$/)
  assert.match(
    await mailSaid('smtp://127.0.0.1:1'),
    /^failed: 127\.0\.0\.1:1 does not answer as a mail server does \(.*ECONNREFUSED.*\)\. Start it/,
  )
})

test('roles that lack their servers are found', async (t) => {
  const { code, found } = await findings(temporaryDataDir(t), { OUTRIDER_ROLES: 'tasks' })
  assert.equal(code, 1)
  const messages = found.filter(({ part }) => part === 'roles').map(({ message }) => message)
  assert.equal(messages.length, 3, messages.join('\n'))
})

test('a DynamoDB without a table is mended by --fix, and then answers', async (t) => {
  if (!requireOrSkip(t, 'DynamoDB Local', dynamoDbMissing() === undefined, dynamoDbMissing() ?? ''))
    return
  const dataDir = temporaryDataDir(t)
  const server = await startDynamoDb()
  t.after(() => server.stop())
  const environment = { ...server.settings, OUTRIDER_DYNAMODB_TABLE: 'fleet-views' }
  const said = async (...flags: string[]): Promise<string> => {
    const found = await findings(dataDir, environment, flags)
    const lines = found.found.filter(({ part }) => part === 'DynamoDB')
    return lines.map(({ state, message }) => `${state}: ${message}`).join('\n')
  }
  assert.match(await said(), /^failed: There is no table fleet-views at http.*doctor --fix$/)
  assert.match(await said('--fix'), /^ok: table fleet-views at http.* answers; made just now$/)
  assert.match(await said('--fix'), /^ok: table fleet-views at \S+ answers$/)
})
