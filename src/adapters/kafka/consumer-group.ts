// A member of a consumer group, by the protocol of KIP-848: the broker assigns, we say by heartbeats that we
// live and what we hold. For assignment only: offsets, positions and fencing are not its business.
//
// What is taken from us is given back only after its tasks ended, so that the next owner finds all of it
// committed. A member that the broker has given up drops everything and joins anew.

import { consumerGroupHeartbeatV1 } from '@platformatic/kafka'
import type { DurationMs } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Lifelines } from '../../ports/lifelines.ts'
import type { Logger } from '../../ports/logger.ts'
import type {
  Assigned,
  PartitionAssignment,
  PartitionProgress,
} from '../../ports/partition-assignment.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import type { KafkaAddress } from './kafka-address.ts'
import { KafkaCluster } from './kafka-cluster.ts'
import { apiCodes, kafkaFailure } from './kafka-failures.ts'
import { consumerMembers, type WatchedGroup, watchMembers } from './member-watch.ts'

export interface GroupOptions {
  readonly address: KafkaAddress
  readonly groupId: string
  /** Names this member; another each time it starts. */
  readonly memberId: string
  /**
   * Names it over restarts: one that was killed and comes back in time finds its partitions again. No two
   * at once may have the same.
   */
  readonly instanceId: string | null
  readonly topics: readonly string[]
  /** By which members miss each other; closed with the membership. Null: only Kafka misses them. */
  readonly lifelines: Lifelines | null
  readonly clock: Clock
  readonly logger: Logger
}

/** How long tasks may take to end before their partitions are given to others all the same. */
export const REBALANCE_TIMEOUT_MS: DurationMs = 15_000
const AFTER_FAILURE_MS: DurationMs = 500
const LEAVE_TIMEOUT_MS: DurationMs = 2_000
const LEFT_EPOCH = -1
/**
 * Deals each topic out evenly. Kafka's default counts partitions over all topics, and then one member may
 * get the whole of the one topic that is busy.
 */
const ASSIGNOR = 'range'
/** Answers that say whose fault a failed heartbeat is. Source: Kafka protocol guide. */
const CODE = {
  coordinatorLoading: 14,
  coordinatorUnavailable: 15,
  notCoordinator: 16,
  unknownMember: 25,
  unsupportedVersion: 35,
  fencedMember: 110,
  unreleasedInstance: 111,
} as const

interface TopicPartitions {
  readonly topicId: string
  readonly partitions: number[]
}

export function joinConsumerGroup(options: GroupOptions): PartitionAssignment {
  return new ConsumerGroup(options)
}

class ConsumerGroup implements PartitionAssignment {
  readonly #options: GroupOptions
  readonly #cluster: KafkaCluster
  readonly #coordinator: GroupCoordinator
  #epoch = 0
  /** What we told the broker that we hold. */
  #held: readonly TopicPartitions[] = []
  /** What it wants us to hold. */
  #target: readonly TopicPartitions[] | null = null
  /** While tasks of lost partitions end, heartbeats go on. */
  #taking: Promise<void> | null = null
  #toldAll = false
  #confirmations: (() => void)[] = []
  /** What we hold changed: the broker must know at once. */
  #due = false
  #wake: () => void = () => undefined

  constructor(options: GroupOptions) {
    this.#options = options
    this.#cluster = new KafkaCluster(options.address, options.clock)
    this.#coordinator = new GroupCoordinator(this.#cluster, options.groupId)
  }

  async run(take: (assigned: Assigned) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock, lifelines, instanceId, logger } = this.#options
    const watchable = lifelines !== null && instanceId === null
    const group = this.#watched()
    const watching = watchable
      ? watchMembers({ group, lifelines, clock, logger }, signal)
      : Promise.resolve()
    try {
      while (!signal.aborted) {
        const waitMs = await this.#beat(take)
        await this.#pause(clock, waitMs, signal)
      }
    } finally {
      await this.#taking
      await take(new Map())
      await this.#leave()
      await watching
      await lifelines?.close()
      for (const resolve of this.#confirmations.splice(0)) resolve()
      await this.#cluster.close()
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
    if (this.#epoch <= 0 || progress.length === 0) return
    try {
      await this.#coordinator.commit(
        { memberId: this.#options.memberId, epoch: this.#epoch },
        progress,
      )
    } catch (error) {
      // The next one carries all of it again; a partition may just have moved.
      this.#options.logger.debug('offsets-not-mirrored', { reason: String(error) })
    }
  }

  /** One heartbeat; returns how long to wait before the next. */
  async #beat(take: (assigned: Assigned) => Promise<void>): Promise<DurationMs> {
    try {
      const answer = await this.#heartbeat()
      this.#epoch = answer.memberEpoch
      this.#toldAll = true
      if (answer.assignment) this.#target = answer.assignment.topicPartitions
      for (const resolve of this.#confirmations.splice(0)) resolve()
      if (this.#taking === null && this.#differs()) this.#taking = this.#adopt(take)
      return answer.heartbeatIntervalMs
    } catch (error) {
      await this.#failed(error, take)
      return AFTER_FAILURE_MS
    }
  }

  #watched(): WatchedGroup {
    const { groupId, memberId } = this.#options
    return {
      groupId,
      own: () => (this.#epoch > 0 ? memberId : null),
      members: () => consumerMembers(this.#coordinator, groupId),
      remove: async (dead) => {
        const connection = await this.#coordinator.connection()
        const gone = [groupId, dead, LEFT_EPOCH, null, null, REBALANCE_TIMEOUT_MS] as const
        await consumerGroupHeartbeatV1.api.async(connection, ...gone, null, null, null, [])
        // The answer to our own says what is ours now.
        this.#due = true
        this.#wake()
      },
    }
  }

  async #heartbeat(): ReturnType<typeof consumerGroupHeartbeatV1.api.async> {
    const { groupId, memberId, instanceId, topics } = this.#options
    const connection = await this.#coordinator.connection()
    const joining = this.#epoch === 0
    return consumerGroupHeartbeatV1.api.async(
      connection,
      groupId,
      memberId,
      this.#epoch,
      instanceId,
      null,
      REBALANCE_TIMEOUT_MS,
      joining || !this.#toldAll ? [...topics] : null,
      null,
      joining || !this.#toldAll ? ASSIGNOR : null,
      joining ? [] : this.#held.map((each) => ({ ...each, partitions: [...each.partitions] })),
    )
  }

  #differs(): boolean {
    return this.#target !== null && nameOf(this.#target) !== nameOf(this.#held)
  }

  /** First lets go of what is lost, then says so and takes what is new. */
  async #adopt(take: (assigned: Assigned) => Promise<void>): Promise<void> {
    try {
      while (this.#target !== null && this.#differs()) {
        const target = this.#target
        const assigned = await this.#named(target)
        if (assigned === null) return
        await take(assigned)
        this.#held = target
      }
    } catch (error) {
      this.#options.logger.error('assignment-not-taken', error)
    } finally {
      this.#taking = null
      this.#due = true
      this.#wake()
    }
  }

  /** Null where a topic was not found by its id; the next heartbeat tries again. */
  async #named(target: readonly TopicPartitions[]): Promise<Assigned | null> {
    const names = new Map<string, string>()
    for (const topic of this.#options.topics) {
      names.set((await this.#cluster.topic(topic)).id, topic)
    }
    const assigned = new Map<string, readonly number[]>()
    for (const { topicId, partitions } of target) {
      const topic = names.get(topicId)
      if (topic === undefined) {
        for (const name of this.#options.topics) await this.#cluster.look(name)
        return null
      }
      assigned.set(topic, [...partitions])
    }
    return assigned
  }

  async #failed(error: unknown, take: (assigned: Assigned) => Promise<void>): Promise<void> {
    const { groupId, instanceId, address, logger } = this.#options
    const codes = apiCodes(error)
    if (codes.includes(CODE.fencedMember) || codes.includes(CODE.unknownMember)) {
      logger.warn('group-lost-member', { groupId })
      this.#epoch = 0
      this.#target = null
      this.#toldAll = false
      await this.#taking
      this.#held = []
      await take(new Map())
      return
    }
    if (codes.includes(CODE.unsupportedVersion)) {
      logger.error('group-protocol-unknown', error, {
        advice: 'these brokers are older than Kafka 4: set OUTRIDER_KAFKA_GROUP_PROTOCOL=classic',
      })
    } else if (codes.includes(CODE.unreleasedInstance)) {
      // Its former life is not given up yet, or a second process has the same name.
      logger.warn('group-instance-taken', { groupId, instanceId })
    } else {
      logger.error(
        'group-heartbeat-failed',
        kafkaFailure(`join group "${groupId}"`, address, error),
      )
    }
    this.#coordinator.lost()
  }

  /** For good, also with an instance id: then others take over at once. */
  async #leave(): Promise<void> {
    if (this.#epoch <= 0) return
    this.#epoch = LEFT_EPOCH
    const over = new AbortController()
    await Promise.race([
      this.#heartbeat().catch((error: unknown) =>
        this.#options.logger.debug('group-not-left', { reason: String(error) }),
      ),
      this.#options.clock.sleep(LEAVE_TIMEOUT_MS, over.signal),
    ])
    over.abort()
  }

  async #pause(clock: Clock, waitMs: DurationMs, signal: AbortSignal): Promise<void> {
    const over = new AbortController()
    const end = (): void => over.abort()
    this.#wake = end
    signal.addEventListener('abort', end, { once: true })
    if (!signal.aborted && !this.#due) await clock.sleep(waitMs, over.signal)
    this.#due = false
    signal.removeEventListener('abort', end)
  }
}

function nameOf(partitions: readonly TopicPartitions[]): string {
  return partitions
    .map(({ topicId, partitions: numbers }) => `${topicId}:${[...numbers].sort((a, b) => a - b)}`)
    .sort()
    .join(' ')
}
