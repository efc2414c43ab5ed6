// How far each topic is processed: its end from the log; what is committed from the tasks of this process,
// and where they run elsewhere from the database.

import type { Metrics } from '../api/metrics.ts'
import type { TopicStatus } from '../api/options.ts'
import type { EpochMs } from '../kernel/time.ts'
import type { Database } from '../ports/database.ts'
import type { Log } from '../ports/log.ts'
import type { AnyPipeline } from '../streams/pipeline.ts'
import type { Settings } from './settings.ts'
import type { TaskThreads } from './task-threads.ts'
import { allPipelines, topicName } from './topics.ts'

export interface TopicStatusOptions {
  readonly log: Log
  readonly database: Database
  readonly settings: Settings
  readonly tasks: TaskThreads | null
  readonly metrics: Metrics
}

interface Progress {
  readonly committedOffset: number
  readonly watermarkMs: EpochMs
}

export function createTopicStatus(
  options: TopicStatusOptions,
): () => Promise<readonly TopicStatus[]> {
  return async () => {
    const topics = await options.log.topics()
    const counts = new Map(topics.map(({ topic, partitions }) => [topic, partitions]))
    const progress = await progressOfTasks(options, counts)
    const status = await Promise.all(
      allPipelines.map((pipeline) => statusOf(pipeline, counts, progress, options)),
    )
    for (const { topic, partitions } of status) {
      for (const { partition, endOffset, committedOffset } of partitions) {
        options.metrics.setLag({ topic, partition }, Math.max(0, endOffset - committedOffset))
      }
    }
    return status
  }
}

async function statusOf(
  pipeline: AnyPipeline,
  counts: ReadonlyMap<string, number>,
  progress: ReadonlyMap<string, Progress>,
  { log, settings }: TopicStatusOptions,
): Promise<TopicStatus> {
  const topic = topicName(settings, pipeline.topic.name)
  const ends = await log.endOffsets(topic, counts.get(topic) ?? 0)
  const partitions = ends.map((endOffset, partition) => {
    const found = progress.get(taskName({ pipeline: pipeline.name, partition }))
    const watermarkMs = found?.watermarkMs ?? 0
    return {
      partition,
      endOffset,
      committedOffset: found?.committedOffset ?? 0,
      watermarkMs: watermarkMs === 0 ? null : watermarkMs,
    }
  })
  return { topic: pipeline.topic.name, partitions }
}

/** Tasks of our own answer also while the database is away. */
async function progressOfTasks(
  options: TopicStatusOptions,
  counts: ReadonlyMap<string, number>,
): Promise<ReadonlyMap<string, Progress>> {
  const own = options.tasks?.tasks() ?? []
  const everything = allPipelines.reduce((sum, { topic }) => {
    return sum + (counts.get(topicName(options.settings, topic.name)) ?? 0)
  }, 0)
  const recorded = own.length >= everything ? [] : await recordedProgress(options.database)
  return new Map([
    ...recorded,
    ...own.filter(({ ready }) => ready).map((task) => [taskName(task.id), task] as const),
  ])
}

async function recordedProgress(
  database: Database,
): Promise<readonly (readonly [string, Progress])[]> {
  const rows = await database.query(
    'SELECT pipeline, log_partition, next_offset, watermark_ms FROM task',
  )
  return rows.map((row) => [
    taskName({ pipeline: String(row.pipeline), partition: Number(row.log_partition) }),
    { committedOffset: Number(row.next_offset), watermarkMs: Number(row.watermark_ms) },
  ])
}

function taskName(id: { readonly pipeline: string; readonly partition: number }): string {
  return `${id.pipeline}/${id.partition}`
}
