// Audits the archive against the log: every event of the log is archived exactly once, or kept as a dead
// letter with its reason; nothing else is in the archive.

import type { Database, SqlRow } from '../ports/database.ts'
import type { Log } from '../ports/log.ts'
import type { AnyPipeline } from '../streams/pipeline.ts'
import { type AcceptedGap, acceptedGaps } from './log-gaps.ts'

/** Offsets listed for each kind of fault; the counts are complete. */
export const MAX_LISTED_OFFSETS = 20
const MAX_STRAY_PARTITIONS = 100
const READ_RECORDS = 20_000
const READ_BYTES = 16 * 1024 * 1024
const ROWS_AT_A_TIME = 20_000

export interface PartitionAudit {
  readonly topic: string
  readonly partition: number
  /** First offset that the log still keeps. */
  readonly firstOffset: number
  readonly endOffset: number
  /** Everything below is committed; what lies above is on its way, not missing. */
  readonly committedOffset: number
  /** Rows of the archive below `committedOffset`, those no longer in the log included. */
  readonly rows: number
  readonly deadLetters: number
  readonly missing: number
  readonly repeated: number
  /** Rows whose offset the log does not have, or that nobody committed. */
  readonly unexpected: number
  readonly missingOffsets: readonly number[]
  readonly repeatedOffsets: readonly number[]
  readonly unexpectedOffsets: readonly number[]
  /** Offsets that retention took before they were archived: the task stands still before them. */
  readonly lost: number
  /** The same, where somebody accepted it. */
  readonly accepted: readonly AcceptedGap[]
}

export interface VerifyOptions {
  readonly log: Log
  readonly database: Database
  readonly pipelines: readonly AnyPipeline[]
  /** Topic as the log calls it. */
  readonly topicName: (topic: string) => string
  /** Called now and then with the offsets looked at so far. */
  readonly progress?: (done: {
    readonly topic: string
    readonly partition: number
    readonly offsets: number
  }) => void
}

export async function verifyArchive(options: VerifyOptions): Promise<readonly PartitionAudit[]> {
  const audits: PartitionAudit[] = []
  const known = new Map((await options.log.topics()).map((each) => [each.topic, each.partitions]))
  for (const pipeline of options.pipelines) {
    const topic = options.topicName(pipeline.topic.name)
    const partitions = known.get(topic) ?? 0
    const gaps = await acceptedGaps(options.database, pipeline.name, topic)
    for (let partition = 0; partition < partitions; partition++) {
      const accepted = gaps.filter((gap) => gap.partition === partition)
      audits.push({ ...(await auditPartition(options, pipeline, topic, partition)), accepted })
    }
    audits.push(...(await strayPartitions(options.database, pipeline, topic, partitions)))
  }
  return audits
}

export function isClean(audits: readonly PartitionAudit[]): boolean {
  return audits.every(
    ({ missing, repeated, unexpected, lost }) => missing + repeated + unexpected + lost === 0,
  )
}

async function auditPartition(
  options: VerifyOptions,
  pipeline: AnyPipeline,
  topic: string,
  partition: number,
): Promise<Omit<PartitionAudit, 'accepted'>> {
  const { log, database } = options
  const committedOffset = await committedOf(database, pipeline.name, partition)
  const { startOffset, endOffset } = await log.bounds(topic, partition)
  const archived = archivedOffsets(database, pipeline, topic, partition, committedOffset)
  const expected = loggedOffsets(log, topic, partition, startOffset, committedOffset)
  const tally = new Tally(startOffset)
  await compare(expected, archived, tally, (offsets) =>
    options.progress?.({ topic, partition, offsets }),
  )
  tally.areUnexpected(await uncommittedRows(database, pipeline, topic, partition))
  return {
    topic,
    partition,
    firstOffset: startOffset,
    endOffset,
    committedOffset,
    rows: tally.rows,
    deadLetters: tally.deadLetters,
    missing: tally.missing,
    repeated: tally.repeated,
    unexpected: tally.unexpected,
    missingOffsets: tally.missingOffsets,
    repeatedOffsets: tally.repeatedOffsets,
    unexpectedOffsets: tally.unexpectedOffsets,
    lost: Math.max(0, startOffset - committedOffset),
  }
}

/**
 * Rows beyond what is committed, which a checkpoint can't leave: it writes both at once. One statement
 * sees both as of one instant, so what is committed meanwhile is no fault.
 */
async function uncommittedRows(
  database: Database,
  pipeline: AnyPipeline,
  topic: string,
  partition: number,
): Promise<Unexpected> {
  const [row] = await database.query(
    `WITH beyond AS (
       SELECT log_offset FROM (${keptRows(pipeline)}) AS kept
       WHERE log_partition = $2 AND log_offset >= coalesce(
         (SELECT next_offset FROM task WHERE pipeline = $3 AND log_partition = $2), 0)
     )
     SELECT (SELECT count(*) FROM beyond) AS count,
       ARRAY(SELECT log_offset FROM beyond ORDER BY log_offset LIMIT ${MAX_LISTED_OFFSETS}) AS offsets`,
    [topic, partition, pipeline.name],
  )
  return unexpectedOf(row)
}

/** Rows of partitions that the log does not have; one audit each. */
async function strayPartitions(
  database: Database,
  pipeline: AnyPipeline,
  topic: string,
  partitions: number,
): Promise<readonly PartitionAudit[]> {
  const rows = await database.query(
    `SELECT log_partition, count(*) AS count,
       (array_agg(log_offset ORDER BY log_offset))[1:${MAX_LISTED_OFFSETS}] AS offsets
     FROM (${keptRows(pipeline)}) AS kept
     WHERE log_partition >= $2 OR log_partition < 0
     GROUP BY log_partition ORDER BY log_partition LIMIT ${MAX_STRAY_PARTITIONS}`,
    [topic, partitions],
  )
  return rows.map((row) => {
    const { count, offsets } = unexpectedOf(row)
    return {
      topic,
      partition: Number(row.log_partition),
      firstOffset: 0,
      endOffset: 0,
      committedOffset: 0,
      rows: count,
      deadLetters: 0,
      missing: 0,
      repeated: 0,
      unexpected: count,
      missingOffsets: [],
      repeatedOffsets: [],
      unexpectedOffsets: offsets,
      lost: 0,
      accepted: [],
    }
  })
}

/** Where the events of a pipeline's topic ($1) are kept: in its archive, or as dead letters of its task. */
function keptRows({ topic, readDeadLetter }: AnyPipeline): string {
  const letters = `SELECT log_partition, log_offset, true AS dead_letter FROM dead_letter
    WHERE log_topic = $1`
  if (readDeadLetter !== undefined) return letters
  return `SELECT log_partition, log_offset, false AS dead_letter FROM ${topic.archive.name}
    UNION ALL ${letters}`
}

interface Unexpected {
  readonly count: number
  readonly offsets: readonly number[]
}

function unexpectedOf(row: SqlRow | undefined): Unexpected {
  const offsets = Array.isArray(row?.offsets) ? row.offsets.map(Number) : []
  return { count: Number(row?.count ?? 0), offsets }
}

async function committedOf(
  database: Database,
  pipeline: string,
  partition: number,
): Promise<number> {
  const rows = await database.query(
    'SELECT next_offset FROM task WHERE pipeline = $1 AND log_partition = $2',
    [pipeline, partition],
  )
  return Number(rows[0]?.next_offset ?? 0)
}

interface ArchivedOffset {
  readonly offset: number
  readonly deadLetter: boolean
}

/** Offsets in the archive and among the dead letters, in order, repeats included. */
async function* archivedOffsets(
  database: Database,
  pipeline: AnyPipeline,
  topic: string,
  partition: number,
  toOffset: number,
): AsyncIterable<readonly ArchivedOffset[]> {
  const sql = `SELECT log_offset, dead_letter FROM (${keptRows(pipeline)}) AS kept
    WHERE log_partition = $2 AND log_offset < $3 ORDER BY log_offset`
  const batches = database.stream(sql, [topic, partition, toOffset], { batchRows: ROWS_AT_A_TIME })
  for await (const rows of batches) {
    yield rows.map((row) => ({
      offset: Number(row.log_offset),
      deadLetter: row.dead_letter === true,
    }))
  }
}

async function* loggedOffsets(
  log: Log,
  topic: string,
  partition: number,
  fromOffset: number,
  toOffset: number,
): AsyncIterable<number> {
  let at = fromOffset
  while (at < toOffset) {
    const batch = await log.read(topic, partition, at, { records: READ_RECORDS, bytes: READ_BYTES })
    for (const { offset } of batch.records) if (offset < toOffset) yield offset
    if (batch.nextOffset <= at) return
    at = batch.nextOffset
  }
}

class Tally {
  rows = 0
  deadLetters = 0
  missing = 0
  repeated = 0
  unexpected = 0
  readonly missingOffsets: number[] = []
  readonly repeatedOffsets: number[] = []
  readonly unexpectedOffsets: number[] = []
  readonly #logStart: number
  #last = -1

  constructor(logStart: number) {
    this.#logStart = logStart
  }

  /** Notes an archived offset; false where it is a repeat or older than the log. */
  archived({ offset, deadLetter }: ArchivedOffset): boolean {
    if (deadLetter) this.deadLetters++
    else this.rows++
    if (offset === this.#last) {
      this.repeated++
      if (this.repeatedOffsets.length < MAX_LISTED_OFFSETS) this.repeatedOffsets.push(offset)
      return false
    }
    this.#last = offset
    return offset >= this.#logStart
  }

  isMissing(offset: number): void {
    this.missing++
    if (this.missingOffsets.length < MAX_LISTED_OFFSETS) this.missingOffsets.push(offset)
  }

  areUnexpected({ count, offsets }: Unexpected): void {
    this.unexpected += count
    const room = MAX_LISTED_OFFSETS - this.unexpectedOffsets.length
    this.unexpectedOffsets.push(...offsets.slice(0, room))
  }
}

async function compare(
  expected: AsyncIterable<number>,
  archived: AsyncIterable<readonly ArchivedOffset[]>,
  tally: Tally,
  progress: (offsets: number) => void,
): Promise<void> {
  const logged = expected[Symbol.asyncIterator]()
  let next = await logged.next()
  let seen = 0
  for await (const batch of archived) {
    for (const row of batch) {
      if (!tally.archived(row)) continue
      while (next.done !== true && next.value < row.offset) {
        tally.isMissing(next.value)
        next = await logged.next()
      }
      if (next.done !== true && next.value === row.offset) next = await logged.next()
      else tally.areUnexpected({ count: 1, offsets: [row.offset] })
    }
    seen += batch.length
    progress(seen)
  }
  while (next.done !== true) {
    tally.isMissing(next.value)
    next = await logged.next()
  }
}
