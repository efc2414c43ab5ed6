// What is worth knowing of a Kafka before anything is written to it.

import { apiVersionsV3, ConfigResourceTypes } from '@platformatic/kafka'
import { PlatformError } from '../../kernel/errors.ts'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import { CLIENT_ID, type KafkaAddress } from './kafka-address.ts'
import { KafkaCluster } from './kafka-cluster.ts'
import { kafkaFailure } from './kafka-failures.ts'

/** Something that listens there and does not answer as Kafka does is given up after so long. */
const PATIENCE_MS: DurationMs = 15 * SECOND_MS

/** Requests in the versions that we send them. Source: Kafka protocol guide, "Api Keys". */
const NEEDED: readonly (readonly [name: string, key: number, version: number])[] = [
  ['Produce 9', 0, 9],
  ['Fetch 12', 1, 12],
  ['ListOffsets 7', 2, 7],
  ['InitProducerId 4', 22, 4],
]
const GROUP_HEARTBEAT = { key: 68, version: 1 } as const
const LOOKED_AT = [
  'cleanup.policy',
  'min.insync.replicas',
  'retention.ms',
  'unclean.leader.election.enable',
]

export interface KafkaTopicFacts {
  readonly topic: string
  readonly partitions: number
  /** Of the partition that has fewest. */
  readonly replicas: number
  /** By name, of those that may lose events. */
  readonly settings: ReadonlyMap<string, string>
}

export interface KafkaFacts {
  readonly brokers: number
  /** Of those asked for the ones that are there. */
  readonly topics: readonly KafkaTopicFacts[]
  /** What we ask for and these brokers do not know. */
  readonly unknownRequests: readonly string[]
  /** KIP-848. */
  readonly knowsConsumerGroups: boolean
}

/** Rejects with what is wrong, and what to check. */
export async function inspectKafka(
  address: KafkaAddress,
  topics: readonly string[],
  clock: Clock,
): Promise<KafkaFacts> {
  const cluster = new KafkaCluster(address, clock)
  const over = new AbortController()
  try {
    return await Promise.race([
      ask(cluster, topics),
      clock.sleep(PATIENCE_MS, over.signal).then(() => {
        throw silent(address)
      }),
    ])
  } catch (error) {
    throw kafkaFailure('ask Kafka for its topics', address, error)
  } finally {
    over.abort()
    await cluster.close()
  }
}

async function ask({ admin }: KafkaCluster, wanted: readonly string[]): Promise<KafkaFacts> {
  const { brokers } = await admin.metadata({ topics: [], retries: 0 })
  const [connection] = (await admin.connectToBrokers()).values()
  const apis =
    connection === undefined
      ? []
      : (await apiVersionsV3.api.async(connection, CLIENT_ID, '1')).apiKeys
  const knows = (key: number, version: number): boolean =>
    apis.some((api) => api.apiKey === key && api.minVersion <= version && api.maxVersion >= version)
  const present = new Set(await admin.listTopics())
  const names = wanted.filter((topic) => present.has(topic))
  const settings = await settingsOf(admin, names)
  const { topics } = await admin.metadata({ topics: names, forceUpdate: true })
  return {
    brokers: brokers.size,
    topics: names.flatMap((topic) => {
      const found = topics.get(topic)
      if (found === undefined) return []
      return {
        topic,
        partitions: found.partitionsCount,
        replicas: Math.min(...found.partitions.map(({ replicas }) => replicas.length)),
        settings: settings.get(topic) ?? new Map(),
      }
    }),
    unknownRequests: NEEDED.filter(([, key, version]) => !knows(key, version)).map(
      ([name]) => name,
    ),
    knowsConsumerGroups: knows(GROUP_HEARTBEAT.key, GROUP_HEARTBEAT.version),
  }
}

async function settingsOf(
  admin: KafkaCluster['admin'],
  topics: readonly string[],
): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
  if (topics.length === 0) return new Map()
  const described = await admin.describeConfigs({
    resources: topics.map((resourceName) => ({
      resourceType: ConfigResourceTypes.TOPIC,
      resourceName,
      configurationKeys: LOOKED_AT,
    })),
  })
  return new Map(
    described.map(({ resourceName, configs }) => [
      resourceName,
      new Map(configs.map(({ name, value }) => [name, value ?? ''])),
    ]),
  )
}

function silent({ brokers }: KafkaAddress): PlatformError {
  return new PlatformError(
    'log-unavailable',
    `Cannot ask Kafka for its topics: what listens at ${brokers.join(', ')} does not answer as Kafka does. ` +
      'Check OUTRIDER_KAFKA_BROKERS, and OUTRIDER_KAFKA_TLS where the brokers want it.',
    { retry: 'later', details: { brokers } },
  )
}
