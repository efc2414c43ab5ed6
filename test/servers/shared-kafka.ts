// The broker that the tests of one file share, and whether there can be one. Apart from what starts brokers, which
// programs that are no tests use too.

import { after, type TestContext } from 'node:test'
import { requireOrSkip } from '../requirements.ts'
import { startKafka, type TestKafka } from './kafka.ts'
import { kafkaMissing } from './kafka-jars.ts'

let shared: Promise<TestKafka> | null = null

after(async () => {
  if (shared !== null) await (await shared.catch(() => null))?.stop()
})

/** One broker for all tests of this process; undefined, the test skipped, where Kafka can't be had. */
export async function sharedKafkaOrSkip(t: TestContext): Promise<TestKafka | undefined> {
  return kafkaOrSkip(t) ? sharedKafka() : undefined
}

export function sharedKafka(): Promise<TestKafka> {
  shared ??= startKafka()
  return shared
}

export function kafkaOrSkip(t: TestContext): boolean {
  const missing = kafkaMissing()
  return requireOrSkip(t, 'Apache Kafka', missing === undefined, missing ?? '')
}
