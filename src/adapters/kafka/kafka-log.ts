// The log on Apache Kafka: replication, partitions and retention are Kafka's; what an offset holds, ours.

import { PlatformError } from '../../kernel/errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log, LogBatch, LogBounds, NewRecord, ReadLimit } from '../../ports/log.ts'
import { fetchRecords, findOffset, findOffsets, type OffsetKind } from './fetch.ts'
import type { CompressionName, KafkaAddress } from './kafka-address.ts'
import { KafkaCluster, type Leader } from './kafka-cluster.ts'
import { isPassing, KAFKA, protocolFailure } from './kafka-failures.ts'
import { KafkaProducer } from './kafka-producer.ts'
import { ensureKafkaTopic, listKafkaTopics } from './kafka-topics.ts'
import { decodeBatches } from './record-batch.ts'
import { RecordBuffer } from './record-buffer.ts'
import { placeName, RecordWatch } from './record-watch.ts'

export interface KafkaLogOptions {
  readonly address: KafkaAddress
  readonly clock: Clock
  /** Of what we append (default zstd); what others wrote is read whatever it is. */
  readonly compression?: CompressionName
}

/** Asked for at once, so that a small limit does not fetch the same bytes again and again. */
const LEAST_FETCH_BYTES = 64 * 1024
const MOST_FETCH_BYTES = 4 * 1024 * 1024

/** Connects with the first request. */
export function openKafkaLog(options: KafkaLogOptions): Log {
  return new KafkaLog(options)
}

class KafkaLog implements Log {
  readonly #cluster: KafkaCluster
  readonly #clock: Clock
  readonly #producer: KafkaProducer
  readonly #buffer = new RecordBuffer()
  readonly #watch: RecordWatch

  constructor({ address, clock, compression = 'zstd' }: KafkaLogOptions) {
    this.#clock = clock
    this.#cluster = new KafkaCluster(address, clock)
    this.#producer = new KafkaProducer(this.#cluster, compression)
    this.#watch = new RecordWatch(this.#cluster, this.#buffer)
  }

  ensureTopic(topic: string, settings: { readonly partitions: number }): Promise<void> {
    return ensureKafkaTopic(this.#cluster, topic, settings.partitions)
  }

  topics(): Promise<readonly { readonly topic: string; readonly partitions: number }[]> {
    return listKafkaTopics(this.#cluster)
  }

  async append(topic: string, records: readonly NewRecord[]): Promise<void> {
    this.#cluster.assertOpen(`append to "${topic}"`)
    // Without a step in between where the topic is known: closing waits for what was taken before it.
    const known = this.#cluster.known(topic) ?? (await this.#topic(`append to "${topic}"`, topic))
    await this.#producer.append(topic, known.partitions, records)
  }

  async read(
    topic: string,
    partition: number,
    fromOffset: number,
    limit: ReadLimit,
  ): Promise<LogBatch> {
    const task = `read "${topic}" partition ${partition} from offset ${fromOffset}`
    this.#cluster.assertOpen(task)
    const place = placeName(topic, partition)
    const buffered = this.#buffer.take(place, fromOffset, limit)
    if (buffered !== undefined) return buffered
    const maxBytes = Math.min(MOST_FETCH_BYTES, Math.max(LEAST_FETCH_BYTES, limit.bytes))
    return this.#cluster.persist(task, topic, async () => {
      const leader = await this.#cluster.leader(topic, partition)
      if (leader === undefined) return undefined
      const connection = await this.#cluster.connection('direct', leader)
      const places = [{ topic, partition, offset: fromOffset, maxBytes }]
      const [found] = await fetchRecords(connection, { maxWaitMs: 0, maxBytes, places })
      if (found === undefined) return undefined
      if (found.errorCode === KAFKA.offsetOutOfRange) {
        return this.#outOfRange(topic, partition, fromOffset)
      }
      if (found.errorCode !== KAFKA.none) return refusal(task, found.errorCode)
      const { bytes, aborted } = found
      const decoded = decodeBatches({ topic, partition, bytes, fromOffset, aborted })
      this.#buffer.drop(place)
      this.#buffer.put(place, fromOffset, decoded)
      return this.#buffer.take(place, fromOffset, limit) ?? { records: [], nextOffset: fromOffset }
    })
  }

  async waitForRecords(
    topic: string,
    partition: number,
    fromOffset: number,
    options: { readonly maxWaitMs: number; readonly signal: AbortSignal },
  ): Promise<boolean> {
    this.#cluster.assertOpen(`wait for records of "${topic}"`)
    const { maxWaitMs, signal } = options
    if (signal.aborted) return false
    const over = new AbortController()
    const end = (): void => over.abort()
    signal.addEventListener('abort', end, { once: true })
    try {
      return await Promise.race([
        this.#watch.waitFor(topic, partition, fromOffset, over.signal).then(() => true),
        this.#clock.sleep(maxWaitMs, over.signal).then(() => false),
      ])
    } finally {
      signal.removeEventListener('abort', end)
      over.abort()
    }
  }

  async bounds(topic: string, partition: number): Promise<LogBounds> {
    const [startOffset, endOffset] = await Promise.all([
      this.#offset(topic, partition, 'earliest'),
      this.#offset(topic, partition, 'latest'),
    ])
    return { startOffset, endOffset }
  }

  /** One question for each broker; partitions whose broker refuses are asked for by themselves, and may be waited for. */
  async endOffsets(topic: string, partitions: number): Promise<readonly number[]> {
    this.#cluster.assertOpen(`find the ends of "${topic}"`)
    const all = Array.from({ length: partitions }, (_, partition) => partition)
    const led = await Promise.all(
      all.map(async (partition) => ({
        partition,
        leader: await this.#cluster.leader(topic, partition),
      })),
    )
    const answers = [...Map.groupBy(led, ({ leader }) => leader?.id).values()].map((places) => {
      const [first] = places
      return this.#endsAt(
        first?.leader,
        topic,
        places.map(({ partition }) => partition),
      )
    })
    const found = (await Promise.all(answers)).flat()
    const ends = new Map(found.map(({ partition, offset }) => [partition, offset]))
    return Promise.all(
      all.map((partition) => ends.get(partition) ?? this.#offset(topic, partition, 'latest')),
    )
  }

  async #endsAt(
    leader: Leader | undefined,
    topic: string,
    partitions: readonly number[],
  ): Promise<readonly { readonly partition: number; readonly offset: number }[]> {
    if (leader === undefined) return []
    try {
      const connection = await this.#cluster.connection('direct', leader)
      const found = await findOffsets(connection, { topic, partitions }, 'latest')
      return found.filter(({ errorCode }) => errorCode === KAFKA.none)
    } catch {
      // Each is asked for by itself then: that says what is wrong, and with which.
      return []
    }
  }

  /** Deletes nothing: how long a topic is kept is its own setting, in Kafka. */
  async retain(topic: string, partition: number): Promise<number> {
    return this.#offset(topic, partition, 'earliest')
  }

  async close(): Promise<void> {
    this.#watch.close()
    await this.#producer.close()
    await this.#cluster.close()
  }

  #topic(task: string, topic: string): Promise<{ readonly partitions: number }> {
    return this.#cluster.persist(task, topic, () => this.#cluster.topic(topic))
  }

  #offset(topic: string, partition: number, kind: OffsetKind): Promise<number> {
    const task = `find the bounds of "${topic}" partition ${partition}`
    this.#cluster.assertOpen(task)
    return this.#cluster.persist(task, topic, async () => {
      const leader = await this.#cluster.leader(topic, partition)
      if (leader === undefined) return undefined
      const connection = await this.#cluster.connection('direct', leader)
      const found = await findOffset(connection, { topic, partition }, kind)
      return found.errorCode === KAFKA.none ? found.offset : refusal(task, found.errorCode)
    })
  }

  async #outOfRange(topic: string, partition: number, fromOffset: number): Promise<undefined> {
    const { startOffset, endOffset } = await this.bounds(topic, partition)
    const details = { topic, partition, fromOffset, startOffset, endOffset }
    const place = `"${topic}" partition ${partition} from offset ${fromOffset}`
    if (fromOffset < startOffset) {
      throw new PlatformError(
        'log-truncated',
        `Cannot read ${place}: Kafka keeps ${startOffset} and later. Its retention was shorter than we lagged.`,
        { retry: 'never', details },
      )
    }
    if (fromOffset > endOffset) {
      throw new PlatformError(
        'log-corrupt',
        `Cannot read ${place}: the partition ends at ${endOffset}. Was the topic deleted and made again, ` +
          'or a replica that lagged elected leader? Start with an empty database, or bring the records back.',
        { retry: 'never', details },
      )
    }
    // It moved in between.
    return undefined
  }
}

/** Undefined where asking again may help. */
function refusal(task: string, code: number): undefined {
  if (isPassing(code)) return undefined
  throw (
    protocolFailure(task, code) ??
    new PlatformError('log-unavailable', `Cannot ${task}: Kafka answered with code ${code}.`, {
      retry: 'later',
      details: { kafkaCode: code },
    })
  )
}
