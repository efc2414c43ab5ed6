// How each topic flows: lag, rate, health. Asked for by many at once, looked up at most once a second.

import { type EpochMs, MINUTE_MS, toIso } from '../kernel/time.ts'
import type { Clock } from '../ports/clock.ts'
import type { TopicStatus } from './options.ts'

const FRESH_MS = 1_000
/** A rate over a longer stretch says nothing of now. */
const RATE_SPAN_MS = 30_000
/** Uncommitted events from which a feed counts as lagging. */
export const LAGGING_EVENTS = 10_000
/** Without an event for this long a feed counts as idle. */
export const IDLE_MS = 2 * MINUTE_MS

export interface FeedHealth {
  readonly topic: string
  readonly endOffset: number
  readonly lag: number
  readonly watermark: string | null
  readonly health: 'ok' | 'idle' | 'lagging'
}

export interface FeedSummary {
  readonly feeds: readonly FeedHealth[]
  readonly lag: number
  /** Null until two looks lie far enough apart. */
  readonly eventsPerSecond: number | null
}

export interface FeedStatus {
  topics(): Promise<readonly TopicStatus[]>
  summary(): Promise<FeedSummary>
}

interface Look {
  readonly atMs: EpochMs
  readonly topics: readonly TopicStatus[]
  readonly endOffset: number
}

export function createFeedStatus(
  clock: Clock,
  topicStatus: () => Promise<readonly TopicStatus[]>,
): FeedStatus {
  const moved = new Map<string, { endOffset: number; atMs: EpochMs }>()
  let newest: Look | undefined
  let looking: Promise<Look> | undefined
  let eventsPerSecond: number | null = null

  const look = async (): Promise<Look> => {
    if (newest !== undefined && clock.nowMs() - newest.atMs < FRESH_MS) return newest
    looking ??= lookNow().finally(() => {
      looking = undefined
    })
    return looking
  }

  const lookNow = async (): Promise<Look> => {
    const topics = await topicStatus()
    const endOffset = topics.reduce((sum, topic) => sum + endOffsetOf(topic), 0)
    const found = { atMs: clock.nowMs(), topics, endOffset }
    for (const topic of topics) noteMovement(topic, found.atMs)
    eventsPerSecond = newest === undefined ? null : rateBetween(newest, found)
    newest = found
    return found
  }

  const noteMovement = (topic: TopicStatus, atMs: EpochMs): void => {
    const endOffset = endOffsetOf(topic)
    if (moved.get(topic.topic)?.endOffset !== endOffset) {
      moved.set(topic.topic, { endOffset, atMs })
    }
  }

  const healthOf = (topic: TopicStatus, atMs: EpochMs): FeedHealth => {
    const lag = lagOf(topic)
    const stillMs = atMs - (moved.get(topic.topic)?.atMs ?? atMs)
    return {
      topic: topic.topic,
      endOffset: endOffsetOf(topic),
      lag,
      watermark: watermarkOf(topic),
      health: lag >= LAGGING_EVENTS ? 'lagging' : stillMs >= IDLE_MS ? 'idle' : 'ok',
    }
  }

  return {
    topics: async () => (await look()).topics,
    async summary() {
      const { topics, atMs } = await look()
      const feeds = topics.map((topic) => healthOf(topic, atMs))
      return { feeds, lag: feeds.reduce((sum, feed) => sum + feed.lag, 0), eventsPerSecond }
    },
  }
}

function rateBetween(earlier: Look, later: Look): number | null {
  const spanMs = later.atMs - earlier.atMs
  if (spanMs <= 0 || spanMs > RATE_SPAN_MS) return null
  return Math.round(((later.endOffset - earlier.endOffset) / spanMs) * 10_000) / 10
}

function endOffsetOf(topic: TopicStatus): number {
  return topic.partitions.reduce((sum, partition) => sum + partition.endOffset, 0)
}

export function lagOf(topic: TopicStatus): number {
  return topic.partitions.reduce(
    (sum, { endOffset, committedOffset }) => sum + Math.max(0, endOffset - committedOffset),
    0,
  )
}

/** Of the partition that is furthest behind, among those that have seen anything. */
function watermarkOf(topic: TopicStatus): string | null {
  const marks = topic.partitions.flatMap(({ watermarkMs }) => watermarkMs ?? [])
  return marks.length === 0 ? null : toIso(Math.min(...marks))
}
