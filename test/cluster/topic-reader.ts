// Reads a topic as any other consumer would, with headers; and cuts one as retention would.

import { Consumer } from '@platformatic/kafka'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import type { KafkaCluster } from '../../src/adapters/kafka/kafka-cluster.ts'
import { openKafkaLog } from '../../src/adapters/kafka/kafka-log.ts'
import type { TestKafka } from '../servers/kafka.ts'

export interface ReadMessage {
  readonly key: string
  readonly value: string
  readonly headers: Readonly<Record<string, string>>
}

const QUIET_MS = 1_000
let readers = 0

/** Everything that is in it now. */
export async function readTopic(kafka: TestKafka, topic: string): Promise<readonly ReadMessage[]> {
  const consumer = new Consumer({
    clientId: 'reader',
    groupId: `reader-${process.pid}-${readers++}`,
    bootstrapBrokers: [...kafka.addresses],
  })
  const found: ReadMessage[] = []
  const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false })
  let lastMs = performance.now()
  stream.on('data', ({ key, value, headers }) => {
    lastMs = performance.now()
    found.push({
      key: String(key),
      value: String(value),
      headers: Object.fromEntries([...headers].map(([name, text]) => [String(name), String(text)])),
    })
  })
  while (performance.now() - lastMs < QUIET_MS) await new Promise((done) => setTimeout(done, 50))
  await stream.close()
  await consumer.close(true)
  return found
}

/** Deletes all that a partition holds; returns where it begins now. */
export async function deleteTo(
  cluster: KafkaCluster,
  kafka: TestKafka,
  topic: string,
  partition: number,
): Promise<number> {
  const address = { brokers: kafka.addresses, tls: null, sasl: null }
  const log = openKafkaLog({ address, clock: systemClock() })
  try {
    const { endOffset } = await log.bounds(topic, partition)
    await cluster.admin.deleteRecords({
      topics: [{ name: topic, partitions: [{ partition, offset: BigInt(endOffset) }] }],
    })
    return endOffset
  } finally {
    await log.close()
  }
}
