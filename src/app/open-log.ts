// The log that the settings name, and what says which of its partitions are ours; nobody else picks one. What
// only Kafka needs is loaded with Kafka alone: it would cost every thread half a second and 50 MiB.

import { join } from 'node:path'
import { openLmdbLog } from '../adapters/log/lmdb-log.ts'
import type { DatabaseAddress } from '../adapters/postgres/address.ts'
import { openLifelines } from '../adapters/postgres/lifelines.ts'
import { randomRunId } from '../adapters/random/system-random.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Logger } from '../ports/logger.ts'
import type { PartitionAssignment } from '../ports/partition-assignment.ts'
import { fixedAssignment } from '../streams/fixed-assignment.ts'
import type { Settings } from './settings.ts'

/** `read` goes beside a process that writes. */
export async function openLog(
  { dataDir, kafka }: Settings,
  { clock, mode }: { readonly clock: Clock; readonly mode: 'read' | 'write' },
): Promise<Log> {
  if (kafka === null) return openLmdbLog({ directory: join(dataDir, 'log'), clock, mode })
  const { openKafkaLog } = await import('../adapters/kafka/kafka-log.ts')
  return openKafkaLog({ address: kafka.address, compression: kafka.compression, clock })
}

export interface MemberOptions {
  readonly settings: Settings
  readonly database: DatabaseAddress
  /** Topics as the log calls them, with the partitions that each has in the embedded log. */
  readonly topics: ReadonlyMap<string, number>
  /** Which of the threads of this process, each a member of its own. */
  readonly thread: number
  readonly threads: number
  readonly clock: Clock
  readonly logger: Logger
}

/** In one process all partitions, dealt out to its threads; with Kafka what the group gives each thread. */
export async function openAssignment(options: MemberOptions): Promise<PartitionAssignment> {
  const { settings, database, topics, thread, threads, clock, logger } = options
  const { kafka } = settings
  if (kafka === null) {
    const ours = (count: number): readonly number[] =>
      Array.from({ length: count }, (_, partition) => partition).filter(
        (partition) => partition % threads === thread,
      )
    return fixedAssignment(new Map([...topics].map(([topic, count]) => [topic, ours(count)])))
  }
  const instanceId = kafka.instanceId === null ? null : `${kafka.instanceId}-${thread}`
  const join =
    kafka.groupProtocol === 'classic'
      ? (await import('../adapters/kafka/classic-group.ts')).joinClassicGroup
      : (await import('../adapters/kafka/consumer-group.ts')).joinConsumerGroup
  return join({
    address: kafka.address,
    groupId: kafka.group,
    // A member that comes back under the same name is the same member.
    memberId: instanceId ?? randomRunId(),
    instanceId,
    topics: [...topics.keys()],
    lifelines: openLifelines({ address: database, clock }),
    clock,
    logger,
  })
}
