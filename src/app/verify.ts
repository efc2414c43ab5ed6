// Audits the archive against the log: every event of the log is archived exactly once, or kept as a dead
// letter with its reason; nothing else is in the archive.

import type { Database } from '../ports/database.ts'
import type { Log } from '../ports/log.ts'
import type { AnyPipeline } from '../streams/pipeline.ts'

/** Offsets listed for each kind of fault; the counts are complete. */
export const MAX_LISTED_OFFSETS = 20
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
  /** Rows whose offset the log does not have. */
  readonly unexpected: number
  readonly missingOffsets: readonly number[]
  readonly repeatedOffsets: readonly number[]
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
    for (let partition = 0; partition < (known.get(topic) ?? 0); partition++) {
      audits.push(await auditPartition(options, pipeline, topic, partition))
    }
  }
  return audits
}

export function isClean(audits: readonly PartitionAudit[]): boolean {
  return audits.every(({ missing, repeated, unexpected }) => missing + repeated + unexpected === 0)
}

async function auditPartition(
  options: VerifyOptions,
  pipeline: AnyPipeline,
  topic: string,
  partition: number,
): Promise<PartitionAudit> {
  const { log, database } = options
  const committedOffset = await committedOf(database, pipeline.name, partition)
  const { startOffset, endOffset } = await log.bounds(topic, partition)
  const archived = archivedOffsets(database, pipeline, topic, partition, committedOffset)
  const expected = loggedOffsets(log, topic, partition, startOffset, committedOffset)
  const tally = new Tally(startOffset)
  await compare(expected, archived, tally, (offsets) =>
    options.progress?.({ topic, partition, offsets }),
  )
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
  }
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
  const letters = `SELECT log_offset, true AS dead_letter FROM dead_letter
    WHERE log_topic = $1 AND log_partition = $2 AND log_offset < $3`
  const events = `SELECT log_offset, false AS dead_letter FROM ${pipeline.topic.archive.name}
    WHERE log_partition = $2 AND log_offset < $3`
  const sql =
    pipeline.readDeadLetter === undefined
      ? `${events} UNION ALL ${letters} ORDER BY log_offset`
      : `${letters} ORDER BY log_offset`
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
      else tally.unexpected++
    }
    seen += batch.length
    progress(seen)
  }
  while (next.done !== true) {
    tally.isMissing(next.value)
    next = await logged.next()
  }
}
