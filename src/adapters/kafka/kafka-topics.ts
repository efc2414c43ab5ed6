// Topics in Kafka: made with the settings that our promises need, or checked where they exist.

import { PlatformError } from '../../kernel/errors.ts'
import { DAY_MS } from '../../kernel/time.ts'
import type { KafkaCluster } from './kafka-cluster.ts'
import { KAFKA, kafkaFailure } from './kafka-failures.ts'

const MOST_PARTITIONS = 65_535
/** As many as a cluster has brokers, up to three. */
const MOST_REPLICAS = 3
const TOPIC_NAME = /^[A-Za-z0-9._-]{1,249}$/
/** The same span as in the embedded log. */
const RETENTION_MS = 7 * DAY_MS

export async function ensureKafkaTopic(
  cluster: KafkaCluster,
  topic: string,
  partitions: number,
): Promise<void> {
  if (!TOPIC_NAME.test(topic) || !(partitions >= 1 && partitions <= MOST_PARTITIONS)) {
    throw new PlatformError(
      'bad-setting',
      `Cannot create topic "${topic}" with ${partitions} partitions: a name has letters, digits, ".", "_" and ` +
        `"-", and a topic 1 to ${MOST_PARTITIONS} partitions.`,
      { retry: 'never', details: { topic, partitions } },
    )
  }
  const present = (await partitionsOf(cluster, topic)) ?? (await create(cluster, topic, partitions))
  if (present < partitions) throw tooFewPartitions(topic, present, partitions)
}

export async function listKafkaTopics(
  cluster: KafkaCluster,
): Promise<readonly { readonly topic: string; readonly partitions: number }[]> {
  const task = 'list the topics'
  cluster.assertOpen(task)
  try {
    const names = await cluster.admin.listTopics()
    const { topics } = await cluster.admin.metadata({ topics: names, forceUpdate: true })
    return names.flatMap((topic) => {
      const found = topics.get(topic)
      // One that was deleted between the two questions is not listed.
      return found === undefined ? [] : [{ topic, partitions: found.partitionsCount }]
    })
  } catch (error) {
    throw kafkaFailure(task, cluster.address, error)
  }
}

async function partitionsOf(cluster: KafkaCluster, topic: string): Promise<number | undefined> {
  try {
    return (await cluster.look(topic)).partitions
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'not-found') return undefined
    throw error
  }
}

/** Resolves with the number of partitions that the topic has, whoever was first to make it. */
async function create(cluster: KafkaCluster, topic: string, partitions: number): Promise<number> {
  const task = `create topic "${topic}"`
  try {
    const { brokers } = await cluster.admin.metadata({ topics: [], forceUpdate: true })
    const replicas = Math.min(MOST_REPLICAS, brokers.size)
    await cluster.admin.createTopics({
      topics: [{ topic, partitions, replicas }],
      configs: [
        { name: 'min.insync.replicas', value: String(Math.min(2, replicas)) },
        { name: 'retention.ms', value: String(RETENTION_MS) },
        // The time of the broker, whatever clock a foreign producer has.
        { name: 'message.timestamp.type', value: 'LogAppendTime' },
        { name: 'unclean.leader.election.enable', value: 'false' },
      ],
    })
  } catch (error) {
    if (!isPresentAlready(error)) throw kafkaFailure(task, cluster.address, error)
  }
  // Brokers hear of it one after the other.
  const made = await cluster.persist(task, topic, async () => {
    const found = await cluster.look(topic).catch((error: unknown) => {
      if (error instanceof PlatformError && error.code === 'not-found') return undefined
      throw error
    })
    return found?.leaders.every((leader) => leader >= 0) === true ? found : undefined
  })
  return made.partitions
}

function isPresentAlready(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > 8) return false
  if ('apiCode' in error && error.apiCode === KAFKA.topicExists) return true
  return (
    ('errors' in error &&
      Array.isArray(error.errors) &&
      error.errors.some((inner: unknown) => isPresentAlready(inner, depth + 1))) ||
    ('cause' in error && isPresentAlready(error.cause, depth + 1))
  )
}

function tooFewPartitions(topic: string, present: number, wanted: number): PlatformError {
  return new PlatformError(
    'bad-setting',
    `Topic "${topic}" has ${present} partitions in Kafka, ${wanted} were asked for. Set OUTRIDER_PARTITIONS to ` +
      `${present}. Adding partitions would move keys away from their state.`,
    { retry: 'never', details: { topic, present, wanted } },
  )
}
