// Where the log no longer reaches back to what is archived: events that retention took before a task came to
// them. A task stands still there until somebody accepts that they are lost.

import type { Database } from '../ports/database.ts'
import type { Log } from '../ports/log.ts'
import type { AnyPipeline } from '../streams/pipeline.ts'

export interface LogGap {
  readonly pipeline: string
  /** Topic as the log calls it. */
  readonly topic: string
  readonly partition: number
  /** `[fromOffset, toOffset)` is archived nowhere; empty where only state has to go on from an older snapshot. */
  readonly fromOffset: number
  readonly toOffset: number
}

export interface AcceptedGap extends LogGap {
  /** ISO 8601. */
  readonly acceptedAt: string
}

export interface LogGapsOptions {
  readonly log: Log
  readonly database: Database
  readonly pipelines: readonly AnyPipeline[]
  /** Topic as the log calls it. */
  readonly topicName: (topic: string) => string
}

/** Gaps that nobody has accepted yet. */
export async function findGaps(options: LogGapsOptions): Promise<readonly LogGap[]> {
  const { log, database, pipelines, topicName } = options
  const known = new Map((await log.topics()).map((each) => [each.topic, each.partitions]))
  const gaps: LogGap[] = []
  for (const { name: pipeline, topic: declared } of pipelines) {
    const topic = topicName(declared.name)
    const rows = await database.query(
      `SELECT log_partition, next_offset, least(next_offset, snapshot_offset) AS needed FROM task
       WHERE pipeline = $1 AND log_partition < $2 ORDER BY log_partition`,
      [pipeline, known.get(topic) ?? 0],
    )
    for (const row of rows) {
      const partition = Number(row.log_partition)
      const { startOffset } = await log.bounds(topic, partition)
      if (Number(row.needed) >= startOffset) continue
      const fromOffset = Number(row.next_offset)
      const toOffset = Math.max(fromOffset, startOffset)
      gaps.push({ pipeline, topic, partition, fromOffset, toOffset })
    }
  }
  return gaps
}

/**
 * Lets the task go on behind the gap, from the state of its last snapshot, and keeps a record of what is lost.
 * Whoever owns the task is fenced. False where the task has moved meanwhile: nothing is written then.
 */
export async function acceptGap(database: Database, gap: LogGap): Promise<boolean> {
  const rows = await database.query(
    `WITH moved AS (
       UPDATE task SET epoch = epoch + 1, next_offset = $4, snapshot_offset = $4, updated_at = now()
       WHERE pipeline = $1 AND log_partition = $2 AND next_offset = $3 RETURNING 1
     )
     INSERT INTO log_gap (pipeline, log_partition, from_offset, to_offset)
     SELECT $1, $2, $3, $4 FROM moved RETURNING from_offset`,
    [gap.pipeline, gap.partition, gap.fromOffset, gap.toOffset],
  )
  return rows.length > 0
}

/** What was accepted as lost in a task, by offset. */
export async function acceptedGaps(
  database: Database,
  pipeline: string,
  topic: string,
): Promise<readonly AcceptedGap[]> {
  const rows = await database.query(
    `SELECT log_partition, from_offset, to_offset, accepted_at FROM log_gap
     WHERE pipeline = $1 ORDER BY log_partition, from_offset`,
    [pipeline],
  )
  return rows.map((row) => ({
    pipeline,
    topic,
    partition: Number(row.log_partition),
    fromOffset: Number(row.from_offset),
    toOffset: Number(row.to_offset),
    acceptedAt: new Date(String(row.accepted_at)).toISOString(),
  }))
}
