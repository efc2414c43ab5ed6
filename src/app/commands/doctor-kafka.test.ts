import { deepEqual, equal, match } from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import type { KafkaFacts } from '../../adapters/kafka/kafka-inspection.ts'
import { loadSettings } from '../settings.ts'
import { neededTopics } from '../topics.ts'
import { kafkaFindings } from './doctor-kafka.ts'

const SETTINGS = new Map([
  ['cleanup.policy', 'delete'],
  ['min.insync.replicas', '2'],
  ['retention.ms', '604800000'],
  ['unclean.leader.election.enable', 'false'],
])
const GOOD: KafkaFacts = {
  brokers: 3,
  topics: neededTopics.map((topic) => ({ topic, partitions: 8, replicas: 3, settings: SETTINGS })),
  unknownRequests: [],
  knowsConsumerGroups: true,
}

async function said(
  facts: Partial<KafkaFacts>,
  environment: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const settings = await loadSettings({
    environment: { OUTRIDER_KAFKA_BROKERS: 'kafka:9092', ...environment },
    directory: tmpdir(),
    overrides: {},
  })
  return kafkaFindings(settings, { ...GOOD, ...facts }).map(
    ({ state, message }) => `${state}: ${message}`,
  )
}

test('three brokers with our topics are well', async () => {
  const count = neededTopics.length
  deepEqual(await said({}), [`ok: 3 brokers, ${count} of ${count} topics`])
})

test('brokers that are too old are found, and nothing else is said of them', async () => {
  deepEqual(await said({ unknownRequests: ['Fetch 12'] }), [
    "failed: Its brokers don't know Fetch 12: Kafka 2.7 or newer is needed.",
  ])
})

test('the group protocol of Kafka 4 is missed only where it is asked for', async () => {
  const old = { knowsConsumerGroups: false }
  equal((await said(old)).length, 1)
  const [, second] = await said(old, { OUTRIDER_KAFKA_GROUP_PROTOCOL: 'consumer' })
  match(second ?? '', /^failed: .*Kafka 4.*OUTRIDER_KAFKA_GROUP_PROTOCOL=classic/)
})

test('settings that lose events are named with the topics that have them', async () => {
  const careless = (changes: readonly (readonly [string, string])[], replicas = 3): KafkaFacts => ({
    ...GOOD,
    topics: GOOD.topics.map((topic) =>
      topic.topic === 'trips' || topic.topic === 'alerts'
        ? { ...topic, replicas, settings: new Map([...SETTINGS, ...changes]) }
        : topic,
    ),
  })
  const second = async (facts: KafkaFacts): Promise<string> => (await said(facts))[1] ?? ''
  match(
    await second(careless([['min.insync.replicas', '1']])),
    /^warning: Topics trips, alerts: min/,
  )
  match(await second(careless([['unclean.leader.election.enable', 'true']])), /lagged may lead/)
  match(await second(careless([], 1)), /^warning: Topics trips, alerts: fewer than 3 replicas/)
  // Of alerts only the last state of each may be kept: the database has all of them.
  match(await second(careless([['cleanup.policy', 'compact']])), /^warning: Topic trips: cleanup/)
  match(await second(careless([['retention.ms', '3600000']])), /^warning: Topic trips: retention/)
  equal((await said(careless([['retention.ms', '-1']]))).length, 1)
})
