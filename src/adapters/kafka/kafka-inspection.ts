// What is worth knowing of a Kafka before anything is written to it.

import type { Clock } from '../../ports/clock.ts'
import type { KafkaAddress } from './kafka-address.ts'
import { KafkaCluster } from './kafka-cluster.ts'
import { kafkaFailure } from './kafka-failures.ts'
import { listKafkaTopics } from './kafka-topics.ts'

export interface KafkaFacts {
  readonly brokers: number
  readonly topics: readonly { readonly topic: string; readonly partitions: number }[]
}

/** Rejects with what is wrong, and what to check. */
export async function inspectKafka(address: KafkaAddress, clock: Clock): Promise<KafkaFacts> {
  const cluster = new KafkaCluster(address, clock)
  try {
    const { brokers } = await cluster.admin.metadata({ topics: [], retries: 0 })
    return { brokers: brokers.size, topics: await listKafkaTopics(cluster) }
  } catch (error) {
    throw kafkaFailure('ask Kafka for its topics', address, error)
  } finally {
    await cluster.close()
  }
}
