// What the client library gets wrong, and what others do to our topics: none of it may reach the engine.

import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Producer } from '@platformatic/kafka'
import { type LinkProxy, openLinkProxy } from '../../../test/link-proxy.ts'
import { startKafka } from '../../../test/servers/kafka.ts'
import { kafkaOrSkip, sharedKafka } from '../../../test/servers/shared-kafka.ts'
import { PlatformError } from '../../kernel/errors.ts'
import type { Log, LogRecord, NewRecord } from '../../ports/log.ts'
import { systemClock } from '../clock/system-clock.ts'
import { BatchBuilder, identify } from './batch-builder.ts'
import { KafkaCluster } from './kafka-cluster.ts'
import { openKafkaLog } from './kafka-log.ts'
import { decodeBatches } from './record-batch.ts'

const clock = systemClock()
const TIMEOUT_MS = 90_000
const LIMIT = { records: 10_000, bytes: 10_000_000 }
let topics = 0

interface Bench {
  readonly log: Log
  readonly cluster: KafkaCluster
  readonly brokers: string[]
  readonly topic: string
}

async function bench(t: TestContext): Promise<Bench> {
  const { addresses } = await sharedKafka()
  const address = { brokers: addresses, tls: null, sasl: null }
  const log = openKafkaLog({ address, clock })
  const cluster = new KafkaCluster(address, clock)
  t.after(async () => {
    await log.close()
    await cluster.close()
  })
  const topic = `faults-${process.pid}-${topics++}`
  await log.ensureTopic(topic, { partitions: 1 })
  return { log, cluster, brokers: [...addresses], topic }
}

async function readAll(log: Log, topic: string, fromOffset = 0): Promise<readonly LogRecord[]> {
  const { endOffset } = await log.bounds(topic, 0)
  const records: LogRecord[] = []
  for (let next = fromOffset; next < endOffset; ) {
    const batch = await log.read(topic, 0, next, LIMIT)
    records.push(...batch.records)
    ok(batch.nextOffset > next)
    next = batch.nextOffset
  }
  return records
}

const textOf = ({ value }: Pick<LogRecord, 'value'>): string => Buffer.from(value).toString()

function message(topic: string, text: string): { topic: string; partition: number; value: Buffer } {
  return { topic, partition: 0, value: Buffer.from(text) }
}

test('records that others wrote are read: no key, no headers, any compression, and the time of the broker', async (t) => {
  if (!kafkaOrSkip(t)) return
  const { log, brokers, topic } = await bench(t)
  const startedMs = clock.nowMs()
  const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
  for (const compression of compressions) {
    const producer = new Producer({ clientId: 'foreign', bootstrapBrokers: brokers })
    // Their clock is wrong by years; what counts is when the record came.
    await producer.send({
      messages: Array.from({ length: 50 }, (_, index) => ({
        ...message(topic, `${compression} ${index}`),
        timestamp: 1_000n,
      })),
      compression,
    })
    await producer.close()
  }
  const records = await readAll(log, topic)
  deepEqual(
    records.map(textOf),
    compressions.flatMap((name) => Array.from({ length: 50 }, (_, index) => `${name} ${index}`)),
  )
  for (const { key, tenantId, receivedAtMs } of records) {
    deepEqual([key, tenantId], ['', 'default'])
    ok(receivedAtMs >= startedMs - 5_000 && receivedAtMs <= clock.nowMs() + 5_000)
  }
})

test('of transactions of others only the committed are seen, several aborted ones of one producer or not', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  if (!kafkaOrSkip(t)) return
  const { log, brokers, topic } = await bench(t)
  const producer = new Producer({
    clientId: 'foreign',
    bootstrapBrokers: brokers,
    idempotent: true,
    transactionalId: topic,
  })
  t.after(() => producer.close(true))
  for (const [text, commits] of [
    ['aborted 1', false],
    ['aborted 2', false],
    ['committed 1', true],
    ['aborted 3', false],
    ['committed 2', true],
    ['aborted 4', false],
  ] as const) {
    const transaction = await producer.beginTransaction()
    await transaction.send({ messages: [message(topic, text), message(topic, text)] })
    if (commits) await transaction.commit()
    else await transaction.abort()
  }
  await log.append(topic, [
    { key: 'a', value: Buffer.from('ours'), receivedAtMs: 1, tenantId: 'default' },
  ])
  while ((await log.bounds(topic, 0)).endOffset < 19) await clock.sleep(20)
  deepEqual((await readAll(log, topic)).map(textOf), [
    'committed 1',
    'committed 1',
    'committed 2',
    'committed 2',
    'ours',
  ])
})

test('a read goes by the offset asked for, whatever the group has committed', async (t) => {
  if (!kafkaOrSkip(t)) return
  const { log, cluster, topic } = await bench(t)
  const groupId = `${topic}-group`
  const records = Array.from({ length: 100 }, (_, index) => ({
    key: 'a',
    value: Buffer.from(String(index)),
    receivedAtMs: 1,
    tenantId: 'default',
  }))
  await log.append(topic, records)
  for (const committed of [0n, 100n]) {
    await cluster.admin.alterConsumerGroupOffsets({
      groupId,
      topics: [{ name: topic, partitionOffsets: [{ partition: 0, offset: committed }] }],
    })
    const [first] = (await log.read(topic, 0, 60, LIMIT)).records
    equal(first?.offset, 60)
  }
})

test('a partition that retention cut below the offset asked for says so', async (t) => {
  if (!kafkaOrSkip(t)) return
  const { log, cluster, topic } = await bench(t)
  const record = { key: 'a', value: Buffer.from('x'), receivedAtMs: 1, tenantId: 'default' }
  await log.append(
    topic,
    Array.from({ length: 30 }, () => record),
  )
  await cluster.admin.deleteRecords({
    topics: [{ name: topic, partitions: [{ partition: 0, offset: 20n }] }],
  })
  deepEqual(await log.bounds(topic, 0), { startOffset: 20, endOffset: 30 })
  await rejects(log.read(topic, 0, 19, LIMIT), { code: 'log-truncated' })
  equal((await log.read(topic, 0, 20, LIMIT)).records.length, 10)
  const waited = clock.monotonicMs()
  const signal = new AbortController().signal
  await log.waitForRecords(topic, 0, 5, { maxWaitMs: 30_000, signal })
  ok(clock.monotonicMs() - waited < 10_000, 'whoever waits for what is gone is not left waiting')
})

test('a damaged batch is not passed on', () => {
  for (const compression of ['none', 'zstd'] as const) {
    const builder = new BatchBuilder()
    for (const text of ['one', 'two']) {
      const value = Buffer.from(text.repeat(400))
      builder.add(Buffer.from('key'), { key: 'key', value, receivedAtMs: 5, tenantId: 'other' })
    }
    const bytes = builder.finish(compression)
    identify(bytes, { producerId: 7n, producerEpoch: 0, sequence: 0 })
    const source = { topic: 't', partition: 0, fromOffset: 0, aborted: [] }
    const { records, nextOffset } = decodeBatches({ ...source, bytes })
    deepEqual([records.length, records[1]?.tenantId, nextOffset], [2, 'other', 2])
    for (const at of [21, 40, 70, bytes.length - 1]) {
      const damaged = Buffer.from(bytes)
      damaged[at] = (damaged[at] ?? 0) ^ 1
      throwsCode(() => decodeBatches({ ...source, bytes: damaged }), 'log-corrupt')
    }
    const cut = bytes.subarray(0, bytes.length - 1)
    equal(decodeBatches({ ...source, bytes: cut }).records.length, 0)
  }
})

function throwsCode(work: () => unknown, code: string): void {
  try {
    work()
  } catch (error) {
    ok(error instanceof PlatformError)
    equal(error.code, code)
    return
  }
  ok(false, 'it was passed on')
}

test('connections cut again and again while appending: nothing twice, nothing lost, nothing out of order', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  if (!kafkaOrSkip(t)) return
  let proxy: LinkProxy | undefined
  const kafka = await startKafka({
    advertise: async (port) => {
      proxy = await openLinkProxy({ host: '127.0.0.1', port })
      return proxy.port
    },
  })
  t.after(async () => {
    await proxy?.close()
    await kafka.stop()
  })
  const log = openKafkaLog({ address: { brokers: kafka.addresses, tls: null, sasl: null }, clock })
  t.after(() => log.close())
  const topic = 'cut'
  await log.ensureTopic(topic, { partitions: 1 })
  const acknowledged: string[] = []
  let sending = true
  const cuts = (async () => {
    for (let cut = 0; cut < 15; cut++) {
      await clock.sleep(150)
      proxy?.cut()
      await clock.sleep(30)
      proxy?.mend()
    }
    sending = false
  })()
  const senders = Array.from({ length: 3 }, async (_, sender) => {
    for (let number = 0; sending; number++) {
      const text = `${sender} ${number}`
      await log.append(topic, [
        { key: String(sender), value: Buffer.from(text), receivedAtMs: 1, tenantId: 'default' },
      ])
      acknowledged.push(text)
    }
  })
  await Promise.all([cuts, ...senders])
  const kept = (await readAll(log, topic)).map(textOf)
  equal(new Set(kept).size, kept.length, 'nothing twice')
  deepEqual([...kept].sort(), [...acknowledged].sort())
  for (const sender of ['0', '1', '2']) {
    const numbers = kept
      .filter((text) => text.startsWith(`${sender} `))
      .map((text) => Number(text.split(' ')[1]))
    deepEqual(
      numbers,
      numbers.map((_, index) => index),
    )
  }
  t.diagnostic(`${kept.length} records over 15 cuts`)
})

test('of batches that go to a broker together one may be refused, and the others are kept', async (t) => {
  if (!kafkaOrSkip(t)) return
  const { log, cluster, topic } = await bench(t)
  const strict = `${topic}-strict`
  await cluster.admin.createTopics({
    topics: [{ topic: strict, partitions: 1, replicas: 1 }],
    configs: [{ name: 'max.message.bytes', value: '2000' }],
  })
  const record = (value: string): NewRecord => ({
    key: 'k',
    value: Buffer.from(value),
    receivedAtMs: clock.nowMs(),
    tenantId: 'default',
  })
  const incompressible = Array.from({ length: 6_000 }, (_, index) => (index * index) % 9_973).join()
  // In the same turn of the event loop, so that one request carries both.
  const [kept, refused, alsoKept] = await Promise.allSettled([
    log.append(topic, [record('one')]),
    log.append(strict, [record(incompressible)]),
    log.append(topic, [record('two')]),
  ])
  deepEqual([kept.status, refused.status, alsoKept.status], ['fulfilled', 'rejected', 'fulfilled'])
  deepEqual((await readAll(log, topic)).map(textOf), ['one', 'two'])
  deepEqual(await readAll(log, strict), [])
  await log.append(strict, [record('small')])
  deepEqual((await readAll(log, strict)).map(textOf), ['small'])
})

test('a wrong address is answered with what to check', async () => {
  const address = { brokers: ['127.0.0.1:1'], tls: null, sasl: null }
  const log = openKafkaLog({ address, clock })
  try {
    await rejects(log.ensureTopic('any', { partitions: 1 }), (error: unknown) => {
      ok(error instanceof PlatformError)
      equal(error.code, 'log-unavailable')
      match(error.message, /127\.0\.0\.1:1 does not answer .*Check OUTRIDER_KAFKA_BROKERS/)
      return true
    })
  } finally {
    await log.close()
  }
})
