// What `doctor` asks of Kafka: there, new enough, letting us in, and no topic of ours with settings that lose events.

import type { KafkaFacts, KafkaTopicFacts } from '../../adapters/kafka/kafka-inspection.ts'
import { DAY_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import { problemText } from '../command-line.ts'
import type { Settings } from '../settings.ts'
import { archivedTopics, neededTopics, partitionsOf, topicName } from '../topics.ts'
import type { Finding } from './doctor-servers.ts'

/** Fewer brokers can't keep what they acknowledged when one is lost for good. */
const SAFE_BROKERS = 3
/** What is archived no more than this behind is still there after a bad night. */
const SAFE_RETENTION_MS = DAY_MS

export async function checkKafka(settings: Settings, clock: Clock): Promise<readonly Finding[]> {
  if (settings.kafka === null) return []
  const { address } = settings.kafka
  const names = neededTopics.map((topic) => topicName(settings, topic))
  try {
    const { inspectKafka } = await import('../../adapters/kafka/kafka-inspection.ts')
    return kafkaFindings(settings, await inspectKafka(address, names, clock))
  } catch (error) {
    return [{ part: 'kafka', state: 'failed', message: problemText(error) }]
  }
}

export function kafkaFindings(settings: Settings, facts: KafkaFacts): readonly Finding[] {
  const { unknownRequests, knowsConsumerGroups, topics } = facts
  const failed = (message: string): Finding => ({ part: 'kafka', state: 'failed', message })
  if (unknownRequests.length > 0) {
    return [
      failed(`Its brokers don't know ${unknownRequests.join(', ')}: Kafka 2.7 or newer is needed.`),
    ]
  }
  const wantsConsumerGroups = settings.kafka?.groupProtocol === 'consumer'
  return [
    presence(settings, facts),
    ...(wantsConsumerGroups && !knowsConsumerGroups
      ? [
          failed(
            'Its brokers have no group protocol "consumer", which Kafka 4 has. Set OUTRIDER_KAFKA_GROUP_PROTOCOL=classic, or update them.',
          ),
        ]
      : []),
    ...neededTopics.flatMap((ours) => {
      const name = topicName(settings, ours)
      const wanted = partitionsOf(settings, ours)
      const partitions = topics.find(({ topic }) => topic === name)?.partitions ?? wanted
      if (partitions >= wanted) return []
      return failed(
        `Topic ${name} has ${partitions} partitions, fewer than OUTRIDER_PARTITIONS (${wanted}). Set that to the number it has.`,
      )
    }),
    ...carelessness(settings, facts),
  ]
}

function presence(settings: Settings, { brokers, topics }: KafkaFacts): Finding {
  const names = neededTopics.map((topic) => topicName(settings, topic))
  const missing = names.filter((name) => topics.every(({ topic }) => topic !== name))
  const found = `${brokers} ${brokers === 1 ? 'broker' : 'brokers'}, ${names.length - missing.length} of ${names.length} topics`
  const create = missing.length === 0 ? '' : `; the start creates ${missing.join(', ')}`
  if (brokers >= SAFE_BROKERS) return { part: 'kafka', state: 'ok', message: `${found}${create}` }
  return {
    part: 'kafka',
    state: 'warning',
    message: `${found}${create}. With fewer than ${SAFE_BROKERS} brokers the loss of one can lose what was acknowledged.`,
  }
}

/** A line for each kind of setting that loses events, with the topics that have it. */
function carelessness(settings: Settings, { brokers, topics }: KafkaFacts): readonly Finding[] {
  const events = new Set([...archivedTopics.keys()].map((topic) => topicName(settings, topic)))
  const setting = ({ settings: its }: KafkaTopicFacts, name: string): string => its.get(name) ?? ''
  const kinds: readonly (readonly [(topic: KafkaTopicFacts) => boolean, string])[] = [
    [
      ({ replicas }) => brokers >= SAFE_BROKERS && replicas < SAFE_BROKERS,
      `fewer than ${SAFE_BROKERS} replicas: the loss of a broker can lose what was acknowledged. Reassign with ${SAFE_BROKERS}.`,
    ],
    [
      (topic) => topic.replicas > 1 && Number(setting(topic, 'min.insync.replicas')) < 2,
      'min.insync.replicas 1: one broker alone may hold what was acknowledged. Set 2.',
    ],
    [
      (topic) => setting(topic, 'unclean.leader.election.enable') === 'true',
      'unclean.leader.election.enable true: a replica that lagged may lead, and what it lacks is lost. Set false.',
    ],
    [
      (topic) => events.has(topic.topic) && /compact/.test(setting(topic, 'cleanup.policy')),
      'cleanup.policy compact: events of which a later one has the same key are dropped. Set delete.',
    ],
    [
      (topic) => {
        const retentionMs = Number(setting(topic, 'retention.ms') || -1)
        return events.has(topic.topic) && retentionMs >= 0 && retentionMs < SAFE_RETENTION_MS
      },
      'retention.ms under a day: tasks that are down for longer lose events. Set 604800000, 7 days.',
    ],
  ]
  return kinds.flatMap(([applies, what]) => {
    const found = topics.filter(applies).map(({ topic }) => topic)
    if (found.length === 0) return []
    const message = `${found.length === 1 ? 'Topic' : 'Topics'} ${found.join(', ')}: ${what}`
    return { part: 'kafka', state: 'warning' as const, message }
  })
}
