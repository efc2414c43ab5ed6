// `npm run servers`: the servers of the tests, by hand. Prints the settings that name them; Ctrl-C ends them.

import { parseArgs } from 'node:util'
import { dynamoDbMissing, startDynamoDb } from './dynamodb.ts'
import { startKafka } from './kafka.ts'
import { kafkaMissing } from './kafka-jars.ts'
import { postgresMissing, startPostgres } from './postgres.ts'
import { redisMissing, startRedis } from './redis.ts'
import type { TestServer } from './server.ts'

interface Offered {
  readonly missing: () => string | undefined
  readonly start: () => Promise<TestServer>
}

/** Each server by the word that asks for it. */
const offered: Readonly<Record<string, Offered>> = {
  kafka: { missing: kafkaMissing, start: () => startKafka() },
  redis: { missing: redisMissing, start: () => startRedis() },
  dynamodb: { missing: dynamoDbMissing, start: () => startDynamoDb() },
  postgres: { missing: postgresMissing, start: () => startPostgres() },
  kafka3: { missing: kafkaMissing, start: () => startKafka({ brokers: 3 }) },
}
const DEFAULT = ['kafka', 'redis', 'postgres']

const { positionals } = parseArgs({ allowPositionals: true })
const asked = positionals.length > 0 ? positionals : DEFAULT
const unknown = asked.filter((name) => offered[name] === undefined)
if (unknown.length > 0) {
  console.error(
    `There is no ${unknown.join(', ')}; name any of ${Object.keys(offered).join(', ')}.`,
  )
  process.exit(2)
}

const running: TestServer[] = []
let stopping = false
async function stop(code: number): Promise<void> {
  if (stopping) return
  stopping = true
  await Promise.all(running.map((server) => server.stop()))
  process.exit(code)
}
process.on('SIGINT', () => void stop(0)).on('SIGTERM', () => void stop(0))

try {
  for (const name of asked) {
    const server = offered[name]
    const missing = server?.missing()
    if (server === undefined || missing !== undefined) throw new Error(`${name}: ${missing}`)
    console.error(`Starting ${name} …`)
    running.push(await server.start())
  }
  for (const { name, settings } of running) {
    console.log(`# ${name}`)
    for (const [setting, value] of Object.entries(settings))
      console.log(`export ${setting}=${value}`)
  }
  console.error('Running; Ctrl-C ends them and removes their data.')
  setInterval(() => undefined, 60_000)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  await stop(1)
}
