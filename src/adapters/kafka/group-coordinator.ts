// Requests to the broker that coordinates a group.

import { type Connection, findCoordinatorV4, offsetCommitV9 } from '@platformatic/kafka'
import { PlatformError } from '../../kernel/errors.ts'
import type { PartitionProgress } from '../../ports/partition-assignment.ts'
import type { KafkaCluster, Leader } from './kafka-cluster.ts'

const GROUP_KEY = 0

export class GroupCoordinator {
  readonly #cluster: KafkaCluster
  readonly #groupId: string
  #broker: Leader | null = null

  constructor(cluster: KafkaCluster, groupId: string) {
    this.#cluster = cluster
    this.#groupId = groupId
  }

  async connection(): Promise<Connection> {
    this.#broker ??= await this.#find()
    return this.#cluster.connection('group', this.#broker)
  }

  /** Another broker may have the group by now. */
  lost(): void {
    this.#broker = null
  }

  async commit(
    member: { readonly memberId: string; readonly epoch: number },
    progress: readonly PartitionProgress[],
  ): Promise<void> {
    const topics = [...Map.groupBy(progress, ({ topic }) => topic)].map(([name, places]) => ({
      name,
      partitions: places.map(({ partition, offset }) => ({
        partitionIndex: partition,
        committedOffset: BigInt(offset),
        committedLeaderEpoch: -1,
        committedMetadata: null,
      })),
    }))
    const { memberId, epoch } = member
    const connection = await this.connection()
    await offsetCommitV9.api.async(connection, this.#groupId, epoch, memberId, null, topics)
  }

  async #find(): Promise<Leader> {
    const [connection] = (await this.#cluster.admin.connectToBrokers()).values()
    if (connection === undefined) throw unavailable(this.#groupId)
    const { coordinators } = await findCoordinatorV4.api.async(connection, GROUP_KEY, [
      this.#groupId,
    ])
    const [found] = coordinators
    if (found === undefined) throw unavailable(this.#groupId)
    return { id: found.nodeId, host: found.host, port: found.port }
  }
}

function unavailable(groupId: string): PlatformError {
  return new PlatformError(
    'log-unavailable',
    `Cannot find the coordinator of group "${groupId}": no broker answers.`,
    { retry: 'later' },
  )
}
