// Members of the group that died are made to leave it: Kafka itself misses one only after its session timed
// out, and its partitions stand still for so long. Where it is wrong about one, that one joins again.

import { consumerGroupDescribeV0, describeGroupsV5, leaveGroupV4 } from '@platformatic/kafka'
import type { DurationMs } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Lifelines } from '../../ports/lifelines.ts'
import type { Logger } from '../../ports/logger.ts'
import type { GroupCoordinator } from './group-coordinator.ts'

const LOOK_MS: DurationMs = 250
/** How often the group is asked who its members are. */
const MEMBERS_MS: DurationMs = 2_000

export interface WatchedGroup {
  readonly groupId: string
  /** As the group knows us; null while we are no member. */
  own(): string | null
  members(): Promise<readonly string[]>
  remove(memberId: string): Promise<void>
}

export interface MemberWatchOptions {
  readonly group: WatchedGroup
  readonly lifelines: Lifelines
  readonly clock: Clock
  readonly logger: Logger
}

/** Watches until aborted. What fails is tried again: the session timeout is behind it. */
export async function watchMembers(
  { group, lifelines, clock, logger }: MemberWatchOptions,
  signal: AbortSignal,
): Promise<void> {
  const { groupId } = group
  const nameOf = (memberId: string): string => `${groupId} ${memberId}`
  const remove = async (memberId: string): Promise<void> => {
    try {
      await group.remove(memberId)
      logger.warn('group-member-died', { groupId, memberId })
    } catch (error) {
      // It left as it should, or another member was quicker.
      logger.debug('group-member-not-removed', { groupId, memberId, reason: String(error) })
    }
  }
  let members: readonly string[] = []
  let askedMs = Number.NEGATIVE_INFINITY
  while (!signal.aborted) {
    try {
      const own = group.own()
      if (own !== null) {
        await lifelines.hold(nameOf(own))
        if (clock.monotonicMs() - askedMs >= MEMBERS_MS) {
          askedMs = clock.monotonicMs()
          members = await group.members()
        }
        const others = members.filter((memberId) => memberId !== own)
        const ended = new Set(await lifelines.ended(others.map(nameOf)))
        const dead = others.filter((memberId) => ended.has(nameOf(memberId)))
        await Promise.all(dead.map((memberId) => remove(memberId)))
      }
    } catch (error) {
      logger.debug('group-members-not-watched', { groupId, reason: String(error) })
    }
    await clock.sleep(LOOK_MS, signal)
  }
}

/** Members of a group of the classic protocol. Static ones are left to their timeout: they may come back. */
export async function classicMembers(
  coordinator: GroupCoordinator,
  groupId: string,
): Promise<readonly string[]> {
  const connection = await coordinator.connection()
  const { groups } = await describeGroupsV5.api.async(connection, [groupId], false)
  return groups
    .flatMap(({ members }) => members)
    .filter(({ groupInstanceId }) => groupInstanceId === null)
    .map(({ memberId }) => memberId)
}

export async function removeClassicMember(
  coordinator: GroupCoordinator,
  groupId: string,
  memberId: string,
): Promise<void> {
  const connection = await coordinator.connection()
  await leaveGroupV4.api.async(connection, groupId, [{ memberId, groupInstanceId: null }])
}

/** The same of a group of KIP-848. */
export async function consumerMembers(
  coordinator: GroupCoordinator,
  groupId: string,
): Promise<readonly string[]> {
  const connection = await coordinator.connection()
  const { groups } = await consumerGroupDescribeV0.api.async(connection, [groupId], false)
  return groups
    .flatMap(({ members }) => members)
    .filter(({ instanceId }) => instanceId === null)
    .map(({ memberId }) => memberId)
}
