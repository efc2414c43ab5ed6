// The brokers of a cluster, who leads which partition, and connections to them.

import { Admin, type Connection, ConnectionPool } from '@platformatic/kafka'
import { PlatformError } from '../../kernel/errors.ts'
import type { DurationMs } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import { CLIENT_ID, connectionOptions, type KafkaAddress } from './kafka-address.ts'
import { KAFKA, kafkaFailure } from './kafka-failures.ts'

/** Between two questions of who leads what. */
const LOOK_AGAIN_MS: DurationMs = 100
/** How long a request is tried before the log counts as unavailable. */
export const PATIENCE_MS: DurationMs = 15_000
/** Attempts of the client itself at administrative requests, with what it waits between them. */
const ADMIN_RETRIES = 5
const ADMIN_RETRY_MS: DurationMs = 200

export interface KafkaTopic {
  /** Differs where a topic was deleted and made again. */
  readonly id: string
  readonly partitions: number
  /** Broker by partition; −1 where there is none at the moment. */
  readonly leaders: readonly number[]
}

export interface Leader {
  readonly id: number
  readonly host: string
  readonly port: number
}

export class KafkaCluster {
  readonly address: KafkaAddress
  readonly clock: Clock
  readonly admin: Admin
  readonly #topics = new Map<string, KafkaTopic>()
  readonly #looks = new Map<string, Promise<KafkaTopic>>()
  readonly #pools = new Map<string, ConnectionPool>()
  #brokers: ReadonlyMap<number, { readonly host: string; readonly port: number }> = new Map()
  #closed = false

  constructor(address: KafkaAddress, clock: Clock) {
    this.address = address
    this.clock = clock
    this.admin = new Admin({
      clientId: CLIENT_ID,
      bootstrapBrokers: [...address.brokers],
      retries: ADMIN_RETRIES,
      retryDelay: ADMIN_RETRY_MS,
      ...connectionOptions(address),
    })
    // Each failed request says what was wrong; these events say the same once more.
    this.admin.on('client:broker:failed', () => undefined)
  }

  get closed(): boolean {
    return this.#closed
  }

  /** The topic as it was last seen; rejects with `not-found` where Kafka does not have it. */
  async topic(name: string): Promise<KafkaTopic> {
    return this.#topics.get(name) ?? this.look(name)
  }

  /** The topic as it was last seen, without asking. */
  known(name: string): KafkaTopic | undefined {
    return this.#topics.get(name)
  }

  /** Asks Kafka again; several who ask at once share the answer. */
  look(name: string): Promise<KafkaTopic> {
    const running = this.#looks.get(name)
    if (running !== undefined) return running
    const look = this.#look(name).finally(() => this.#looks.delete(name))
    this.#looks.set(name, look)
    return look
  }

  /** The broker that leads a partition, if there is one at the moment. */
  async leader(topic: string, partition: number): Promise<Leader | undefined> {
    const known = await this.topic(topic)
    // It may have been added since.
    const { leaders, partitions } = partition < known.partitions ? known : await this.look(topic)
    if (partition >= partitions) throw noPartition(topic, partition, partitions)
    const id = leaders[partition] ?? -1
    const broker = this.#brokers.get(id)
    return broker === undefined ? undefined : { id, ...broker }
  }

  /** A connection for one purpose: requests on one connection wait for each other. */
  connection(purpose: string, leader: Leader): Promise<Connection> {
    this.assertOpen('connect')
    let pool = this.#pools.get(purpose)
    if (pool === undefined) {
      pool = new ConnectionPool(CLIENT_ID, connectionOptions(this.address))
      // A connection that breaks fails its requests; nobody needs the event as well.
      pool.on('connecting', ({ connection }) => connection.on('error', () => undefined))
      this.#pools.set(purpose, pool)
    }
    return pool.get({ host: leader.host, port: leader.port })
  }

  /**
   * Tries until it succeeds: `work` returns undefined where another broker should be asked, or the
   * same one shortly. Rejects as Kafka answered, or with `log-unavailable` where nothing helped in time.
   */
  async persist<T>(
    task: string,
    topic: string,
    work: () => Promise<T | undefined>,
    patienceMs: DurationMs = PATIENCE_MS,
  ): Promise<T> {
    const { clock } = this
    const deadlineMs = clock.monotonicMs() + patienceMs
    let last: unknown
    while (!this.#closed) {
      try {
        const result = await work()
        if (result !== undefined) return result
      } catch (error) {
        const failure = kafkaFailure(task, this.address, error)
        if (failure.retry === 'never') throw failure
        last = failure
      }
      if (clock.monotonicMs() > deadlineMs) throw last ?? leaderless(task, topic)
      await clock.sleep(LOOK_AGAIN_MS)
      await this.look(topic).catch((error: unknown) => {
        last = kafkaFailure(task, this.address, error)
      })
    }
    throw this.#closedError(task)
  }

  assertOpen(task: string): void {
    if (this.#closed) throw this.#closedError(task)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()))
    await this.admin.close()
  }

  async #look(name: string): Promise<KafkaTopic> {
    this.assertOpen(`find topic "${name}"`)
    try {
      const metadata = await this.admin.metadata({
        topics: [name],
        forceUpdate: true,
        // The client turns to the next broker with each attempt: one may take the question and stay silent.
        retries: this.address.brokers.length - 1,
      })
      this.#brokers = metadata.brokers
      const found = metadata.topics.get(name)
      if (found === undefined) throw noTopic(name)
      const topic = {
        id: found.id,
        partitions: found.partitionsCount,
        leaders: found.partitions.map(({ leader }) => leader),
      }
      this.#topics.set(name, topic)
      return topic
    } catch (error) {
      if (isUnknownTopic(error)) {
        this.#topics.delete(name)
        throw noTopic(name)
      }
      throw kafkaFailure(`find topic "${name}"`, this.address, error)
    }
  }

  #closedError(task: string): PlatformError {
    return new PlatformError('log-unavailable', `Cannot ${task}: the log is closed.`, {
      retry: 'later',
    })
  }
}

/** The client gives this answer without its code. */
function isUnknownTopic(error: unknown): boolean {
  return (
    error instanceof Error &&
    (/^Unknown topic /.test(error.message) ||
      ('apiCode' in error && error.apiCode === KAFKA.unknownTopic))
  )
}

function noTopic(topic: string): PlatformError {
  return new PlatformError('not-found', `Kafka has no topic "${topic}".`, {
    retry: 'never',
    details: { topic },
  })
}

function noPartition(topic: string, partition: number, partitions: number): PlatformError {
  return new PlatformError(
    'not-found',
    `Topic "${topic}" has ${partitions} partitions, none numbered ${partition}.`,
    { retry: 'never', details: { topic, partition } },
  )
}

function leaderless(task: string, topic: string): PlatformError {
  return new PlatformError(
    'log-unavailable',
    `Cannot ${task}: no broker leads the partition of "${topic}", or too few of its replicas are in sync. ` +
      'Check that the brokers run.',
    { retry: 'later', details: { topic } },
  )
}
