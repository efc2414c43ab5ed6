// A member of a consumer group by the protocol before KIP-848, for brokers older than Kafka 4. The client joins and
// assigns; its streams, offsets and transactions are not used.

import { Consumer, type GroupAssignment, type GroupPartitionsAssigner } from '@platformatic/kafka'
import type { DurationMs } from '../../kernel/time.ts'
import type {
  Assigned,
  PartitionAssignment,
  PartitionProgress,
} from '../../ports/partition-assignment.ts'
import type { GroupOptions } from './consumer-group.ts'
import { REBALANCE_TIMEOUT_MS } from './consumer-group.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import { CLIENT_ID, connectionOptions } from './kafka-address.ts'
import { KafkaCluster } from './kafka-cluster.ts'
import { kafkaFailure } from './kafka-failures.ts'
import { classicMembers, removeClassicMember, watchMembers } from './member-watch.ts'
import { type GroupMember, sharePartitions } from './partition-shares.ts'

/**
 * As short as brokers allow unless told otherwise: so long the partitions of a member stand still that nobody but
 * Kafka misses, such as one whose machine lost its power.
 */
const SESSION_TIMEOUT_MS: DurationMs = 6_000
const HEARTBEAT_MS: DurationMs = 1_000
const REJOIN_MS: DurationMs = 1_000
/** How often it is looked at whether the membership still stands. */
const WATCH_MS: DurationMs = 1_000
/** What the client may take to join again by itself: all members answer within the rebalance timeout. */
const REJOIN_PATIENCE_MS: DurationMs = REBALANCE_TIMEOUT_MS + SESSION_TIMEOUT_MS
const REJOIN_LOOK_MS: DurationMs = 100
/** How often it is looked at whether topics have more partitions. The group itself would not notice. */
const PARTITIONS_WATCH_MS: DurationMs = 10_000

export function joinClassicGroup(options: GroupOptions): PartitionAssignment {
  return new ClassicGroup(options)
}

class ClassicGroup implements PartitionAssignment {
  readonly #options: GroupOptions
  readonly #consumer: Consumer
  #confirmations: (() => void)[] = []
  /** Assignments are adopted one after the other. */
  #adopting: Promise<void> = Promise.resolve()
  /** Partitions of all topics as the assignment in force saw them. */
  #partitions = ''
  /** The client joins again by itself where the group changes; until then it is no member, nor ours to join. */
  #rejoinsUntilMs = 0

  constructor(options: GroupOptions) {
    this.#options = options
    this.#consumer = new Consumer({
      clientId: CLIENT_ID,
      groupId: options.groupId,
      bootstrapBrokers: [...options.address.brokers],
      sessionTimeout: SESSION_TIMEOUT_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      // Few partitions move when a member comes or goes.
      protocols: [{ name: 'cooperative-sticky', version: 3 }],
      partitionAssigner: assignShares,
      ...(options.instanceId === null ? {} : { groupInstanceId: options.instanceId }),
      ...connectionOptions(options.address),
    })
    this.#consumer.topics.trackAll(...options.topics)
  }

  async run(take: (assigned: Assigned) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    this.#consumer.on('consumer:group:join', ({ assignments }) =>
      this.#adopt(take, assignments ?? []),
    )
    this.#consumer.on('consumer:heartbeat:end', () => {
      for (const resolve of this.#confirmations.splice(0)) resolve()
    })
    this.#consumer.on('error', (error) => {
      this.#rejoinsUntilMs = 0
      this.#report(error)
    })
    let lookedMs = clock.monotonicMs()
    const watching = this.#watchMembers(signal)
    try {
      while (!signal.aborted) {
        const nowMs = clock.monotonicMs()
        if (this.#consumer.isActive()) this.#rejoinsUntilMs = nowMs + REJOIN_PATIENCE_MS
        if (!this.#consumer.isActive()) {
          // A second join while the first is under way would make the whole group begin again.
          if (nowMs >= this.#rejoinsUntilMs) await this.#join(signal)
          else await clock.sleep(REJOIN_LOOK_MS, signal)
        } else if (clock.monotonicMs() - lookedMs < PARTITIONS_WATCH_MS) {
          await clock.sleep(WATCH_MS, signal)
        } else {
          lookedMs = clock.monotonicMs()
          await this.#watchPartitions(signal)
        }
      }
    } finally {
      await this.#adopting
      await take(new Map())
      for (const resolve of this.#confirmations.splice(0)) resolve()
      await this.#consumer.close(true).catch((error: unknown) => this.#report(error))
      await watching
      await this.#options.lifelines?.close()
    }
  }

  confirmed(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      this.#confirmations.push(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  async mirror(progress: readonly PartitionProgress[]): Promise<void> {
    if (progress.length === 0 || !this.#consumer.isActive()) return
    try {
      await this.#consumer.commit({
        offsets: progress.map(({ topic, partition, offset }) => ({
          topic,
          partition,
          offset: BigInt(offset),
          leaderEpoch: -1,
        })),
      })
    } catch (error) {
      this.#options.logger.debug('offsets-not-mirrored', { reason: String(error) })
    }
  }

  /** Static members are left to their timeout: they may come back. */
  async #watchMembers(signal: AbortSignal): Promise<void> {
    const { address, groupId, instanceId, lifelines, clock, logger } = this.#options
    if (lifelines === null || instanceId !== null) return
    const cluster = new KafkaCluster(address, clock)
    const coordinator = new GroupCoordinator(cluster, groupId)
    const lostAtFailure = async <T>(work: Promise<T>): Promise<T> =>
      work.catch((error: unknown) => {
        coordinator.lost()
        throw error
      })
    const group = {
      groupId,
      own: () => this.#consumer.memberId,
      members: () => lostAtFailure(classicMembers(coordinator, groupId)),
      remove: (dead: string) => lostAtFailure(removeClassicMember(coordinator, groupId, dead)),
    }
    await watchMembers({ group, lifelines, clock, logger }, signal)
    await cluster.close()
  }

  /** The group's leader shares partitions out; joining again makes it do so. */
  async #watchPartitions(signal: AbortSignal): Promise<void> {
    let counts: string
    try {
      counts = await this.#partitionCounts()
    } catch (error) {
      this.#report(error)
      return
    }
    if (counts !== this.#partitions) await this.#join(signal)
  }

  async #partitionCounts(): Promise<string> {
    const { topics } = await this.#consumer.metadata({
      topics: [...this.#options.topics],
      forceUpdate: true,
    })
    const counts = [...topics].map(([name, { partitionsCount }]) => `${name} ${partitionsCount}`)
    return counts.sort().join()
  }

  async #join(signal: AbortSignal): Promise<void> {
    try {
      const counts = await this.#partitionCounts()
      await this.#consumer.joinGroup({})
      this.#partitions = counts
    } catch (error) {
      this.#report(error)
      await this.#options.clock.sleep(REJOIN_MS, signal)
    }
  }

  #adopt(take: (assigned: Assigned) => Promise<void>, found: readonly GroupAssignment[]): void {
    const assigned = new Map(found.map(({ topic, partitions }) => [topic, [...partitions]]))
    this.#adopting = this.#adopting
      .then(() => take(assigned))
      .catch((error: unknown) => this.#options.logger.error('assignment-not-taken', error))
  }

  #report(error: unknown): void {
    const { groupId, address, logger } = this.#options
    logger.error('group-heartbeat-failed', kafkaFailure(`join group "${groupId}"`, address, error))
  }
}

const assignShares: GroupPartitionsAssigner = (_current, members, topics, metadata) => {
  const counts = [...topics].map(
    (topic) => [topic, metadata.topics.get(topic)?.partitionsCount ?? 0] as const,
  )
  const asking = new Map<string, GroupMember>()
  for (const [id, { topics: wanted, ownedPartitions, generationId }] of members) {
    const owned = (ownedPartitions ?? []).map(
      ({ topic, partitions }) => [topic, partitions] as const,
    )
    asking.set(id, {
      topics: new Set(wanted),
      owned: new Map(owned),
      generation: generationId ?? -1,
    })
  }
  return [...sharePartitions(asking, new Map(counts))].map(([memberId, shares]) => ({
    memberId,
    assignments: new Map(
      [...shares].map(([topic, partitions]) => [topic, { topic, partitions: [...partitions] }]),
    ),
  }))
}
