// Appends to Kafka: idempotent, acknowledged by all replicas in sync, one batch of a partition at a time.
//
// The client's own producer sends on while an earlier batch of the same partition is being tried again, and
// then repeats it under a new identity, out of order or twice. Here a partition has one batch under way;
// what arrives meanwhile gathers in the next. A batch keeps its identity and sequence until it is
// answered, so a repeat is recognised by the broker; one that is given up takes a new epoch, which
// shuts out whatever of it is still on its way.

import { initProducerIdV4 } from '@platformatic/kafka'
import { PlatformError } from '../../kernel/errors.ts'
import { murmur2 } from '../../kernel/partitioner.ts'
import type { DurationMs } from '../../kernel/time.ts'
import type { NewRecord } from '../../ports/log.ts'
import { BatchBuilder, identify, RECORD_OVERHEAD_BYTES } from './batch-builder.ts'
import type { CompressionName } from './kafka-address.ts'
import type { KafkaCluster } from './kafka-cluster.ts'
import { isPassing, KAFKA, kafkaFailure, protocolFailure } from './kafka-failures.ts'
import { ProduceRequests } from './produce-requests.ts'

/** Bytes that wait for Kafka; beyond it appends are refused for now. */
export const MAX_PENDING_BYTES = 64 * 1024 * 1024
/** How long a batch is tried; then its senders are told to send it again. */
const DELIVERY_PATIENCE_MS: DurationMs = 20_000
const RETRY_MS: DurationMs = 50
/** Kafka takes 1 MiB by default; a batch is closed before it gets there. */
const MAX_BATCH_BYTES = 900 * 1024
const LAST_EPOCH = 32_767

/** One call of `append`, done when all its batches are. */
interface Appending {
  left: number
  bytes: number
  failed: boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

interface Batch {
  readonly builder: BatchBuilder
  readonly appends: Set<Appending>
}

/** A partition and what waits for it. */
interface Lane {
  readonly topic: string
  readonly partition: number
  readonly waiting: Batch[]
  busy: boolean
  identity: { producerId: bigint; epoch: number; sequence: number } | null
}

export class KafkaProducer {
  readonly #cluster: KafkaCluster
  readonly #compression: CompressionName
  readonly #requests: ProduceRequests
  readonly #lanes = new Map<string, Lane>()
  #producerId: Promise<bigint> | null = null
  #pendingBytes = 0
  #closing = false
  readonly #idle: (() => void)[] = []

  constructor(cluster: KafkaCluster, compression: CompressionName) {
    this.#cluster = cluster
    this.#compression = compression
    this.#requests = new ProduceRequests(cluster)
  }

  /** Resolves once all records are durable. Order within a key is that of the calls. */
  append(topic: string, partitions: number, records: readonly NewRecord[]): Promise<void> {
    if (this.#closing) return Promise.reject(unavailable('the log is closed'))
    if (this.#pendingBytes >= MAX_PENDING_BYTES) {
      return Promise.reject(unavailable(`${this.#pendingBytes} bytes wait for Kafka already`))
    }
    return new Promise((resolve, reject) => {
      const appending: Appending = { left: 0, bytes: 0, failed: false, resolve, reject }
      for (const record of records) {
        const key = Buffer.from(record.key)
        const partition = (murmur2(key) & 0x7fffffff) % partitions
        this.#add(this.#lane(topic, partition), key, record, appending)
      }
      this.#pendingBytes += appending.bytes
      if (appending.left === 0) resolve()
    })
  }

  /** Sends what was taken, then takes nothing more. */
  async close(): Promise<void> {
    this.#closing = true
    while ([...this.#lanes.values()].some(({ busy }) => busy)) {
      await new Promise<void>((resolve) => this.#idle.push(resolve))
    }
  }

  #lane(topic: string, partition: number): Lane {
    const name = `${topic}/${partition}`
    let lane = this.#lanes.get(name)
    if (lane === undefined) {
      lane = { topic, partition, waiting: [], busy: false, identity: null }
      this.#lanes.set(name, lane)
    }
    return lane
  }

  #add(lane: Lane, key: Buffer, record: NewRecord, appending: Appending): void {
    const bytes = key.length + record.value.length + RECORD_OVERHEAD_BYTES
    let batch = lane.waiting.at(-1)
    if (batch === undefined || batch.builder.bytes + bytes > MAX_BATCH_BYTES) {
      batch = { builder: new BatchBuilder(), appends: new Set() }
      lane.waiting.push(batch)
    }
    batch.builder.add(key, record)
    appending.bytes += bytes
    if (!batch.appends.has(appending)) {
      batch.appends.add(appending)
      appending.left++
    }
    if (lane.busy) return
    lane.busy = true
    // What is appended in the same turn of the event loop goes with it.
    setImmediate(() => void this.#drain(lane))
  }

  async #drain(lane: Lane): Promise<void> {
    for (let batch = lane.waiting.shift(); batch !== undefined; batch = lane.waiting.shift()) {
      // The rest of an append that failed is not sent: its sender sends all of it again, in order.
      const wanted = [...batch.appends].some(({ failed }) => !failed)
      if (wanted) await this.#deliver(lane, batch)
      else for (const appending of batch.appends) this.#settle(appending)
    }
    lane.busy = false
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  async #deliver(lane: Lane, batch: Batch): Promise<void> {
    try {
      const bytes = batch.builder.finish(this.#compression)
      await this.#sendUntilKept(lane, bytes, batch.builder.count)
    } catch (error) {
      const failure = kafkaFailure(`append to "${lane.topic}"`, this.#cluster.address, error)
      for (const appending of batch.appends) {
        if (!appending.failed) appending.reject(failure)
        appending.failed = true
      }
    }
    for (const appending of batch.appends) this.#settle(appending)
  }

  #settle(appending: Appending): void {
    appending.left--
    if (appending.left > 0) return
    this.#pendingBytes -= appending.bytes
    if (!appending.failed) appending.resolve()
  }

  async #sendUntilKept(lane: Lane, bytes: Buffer, count: number): Promise<void> {
    const { clock } = this.#cluster
    const deadlineMs = clock.monotonicMs() + DELIVERY_PATIENCE_MS
    for (;;) {
      let failure: unknown
      try {
        lane.identity ??= { producerId: await this.#newProducerId(), epoch: 0, sequence: 0 }
        const { producerId, epoch, sequence } = lane.identity
        identify(bytes, { producerId, producerEpoch: epoch, sequence })
        const code = await this.#send(lane, bytes)
        if (code === KAFKA.none || code === KAFKA.duplicateSequence) {
          lane.identity.sequence = nextSequence(sequence, count)
          return
        }
        failure = this.#judge(lane, code)
      } catch (error) {
        failure = kafkaFailure(`append to "${lane.topic}"`, this.#cluster.address, error)
      }
      const hopeless = failure instanceof PlatformError && failure.retry === 'never'
      if (hopeless || clock.monotonicMs() > deadlineMs || this.#cluster.closed) {
        // It may still be written, so what follows must not continue its sequence.
        this.#newEpoch(lane)
        throw failure
      }
      await clock.sleep(RETRY_MS)
      await this.#cluster.look(lane.topic).catch(() => undefined)
    }
  }

  /** What a refusal means; the batch was not written. */
  #judge(lane: Lane, code: number): PlatformError {
    if (
      code === KAFKA.outOfOrderSequence ||
      code === KAFKA.unknownProducer ||
      code === KAFKA.invalidProducerEpoch
    ) {
      // The broker does not know, or lost, what came before. As nothing else of ours is under way for
      // this partition, the batch can go again under a new identity.
      this.#newEpoch(lane)
      return unavailable(`Kafka lost track of what we sent to "${lane.topic}" (code ${code})`)
    }
    const task = `append to "${lane.topic}"`
    return (
      protocolFailure(task, code) ??
      unavailable(
        isPassing(code)
          ? `too few replicas of "${lane.topic}" take it at the moment (code ${code})`
          : `Kafka refused a batch for "${lane.topic}" (code ${code})`,
      )
    )
  }

  #newEpoch(lane: Lane): void {
    const { identity } = lane
    if (identity === null) return
    lane.identity =
      identity.epoch >= LAST_EPOCH
        ? null
        : { producerId: identity.producerId, epoch: identity.epoch + 1, sequence: 0 }
    if (lane.identity === null) this.#producerId = null
  }

  /** The code that the broker answered for the partition. */
  async #send({ topic, partition }: Lane, bytes: Buffer): Promise<number> {
    const leader = await this.#cluster.leader(topic, partition)
    if (leader === undefined) return KAFKA.leaderNotAvailable
    return this.#requests.send(leader, { topic, partition, bytes })
  }

  #newProducerId(): Promise<bigint> {
    this.#producerId ??= this.#askProducerId().catch((error: unknown) => {
      this.#producerId = null
      throw error
    })
    return this.#producerId
  }

  async #askProducerId(): Promise<bigint> {
    const connections = await this.#cluster.admin.connectToBrokers()
    const [connection] = connections.values()
    if (connection === undefined) throw unavailable('no broker answers')
    const { producerId } = await initProducerIdV4.api.async(connection, null, 0, -1n, -1)
    return producerId
  }
}

/** Counts on over 31 bits. Source: Kafka's `DefaultRecordBatch.incrementSequence`. */
function nextSequence(sequence: number, count: number): number {
  return (sequence + count) % 2_147_483_648
}

function unavailable(why: string): PlatformError {
  return new PlatformError('log-unavailable', `Cannot append: ${why}. Try again shortly.`, {
    retry: 'later',
  })
}
