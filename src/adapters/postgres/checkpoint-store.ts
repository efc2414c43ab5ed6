// Checkpoints in PostgreSQL: the fence, archive rows, alerts and all else that a batch decided, in one
// transaction.

import pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { assert } from '../../kernel/errors.ts'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { ArchivedEvent, ArchiveTable } from '../../ports/archive.ts'
import type {
  ArchiveRange,
  Checkpoint,
  CheckpointStore,
  Claim,
  CommitOutcome,
  JournalEntry,
  Snapshot,
  SnapshotEntry,
  TaskId,
} from '../../ports/checkpoint-store.ts'
import type { Clock } from '../../ports/clock.ts'
import type { DatabaseAddress } from './address.ts'
import { ensureArchiveTable } from './archive-table.ts'
import { CommitGroups } from './commit-groups.ts'
import { commitCheckpoints, HOLDS_TASK, integer, isTask } from './commit-transaction.ts'
import { CopyBatchQuery } from './copy-batch.ts'
import { CopyBlocks } from './copy-blocks.ts'
import { CopyDecoder } from './copy-decoder.ts'
import { CopyEncoder, META_COLUMNS } from './copy-encoder.ts'
import { createPool } from './database.ts'
import { databaseError, isPassing, sqlState } from './failures.ts'
import { SortingRooms } from './row-sorting.ts'
import { prepareSnapshot, readSnapshot, writeSnapshot } from './snapshot-runs.ts'
import { newestOf } from './stored-alerts.ts'

/** Commits of little begin so far apart. Warnings don't wait for it: most are told before they are committed. */
const COMMIT_INTERVAL_MS: DurationMs = 50
/** Transactions at a time; further commits wait for the next one. */
export const MAX_COMMIT_CONNECTIONS = 4
/** Archives read at a time; apart from the commits, which must not wait for a slow reader. */
export const MAX_READ_CONNECTIONS = 4
/** The server gives a statement up after this. */
export const COMMIT_STATEMENT_TIMEOUT_MS: DurationMs = 60 * SECOND_MS
/** We give the server up after this; the commit is then tried again, and finds out if it happened. */
export const COMMIT_ANSWER_TIMEOUT_MS: DurationMs = 75 * SECOND_MS

/** A claim waits so long for the commit of the owner before it, then ends it. */
export const OWNER_PATIENCE_S = 3
const END_WAIT_MS: DurationMs = 5 * SECOND_MS
/**
 * For connections that read archives: in offset order from the index at once. A sort would read and write
 * all of it before the first row, on all cores.
 */
const READ_SETTINGS =
  'SET statement_timeout = 0; SET enable_sort = off; SET max_parallel_workers_per_gather = 0'
/** Events of one entity are few, and have an index of their own: those are sorted. */
const ENTITY_SETTINGS =
  'SET statement_timeout = 0; SET enable_sort = on; SET max_parallel_workers_per_gather = 0'
const LOCK_NOT_AVAILABLE = '55P03'

export interface CheckpointStoreOptions {
  readonly address: DatabaseAddress
  /** With one, commits of little wait a moment for each other; without, each goes as soon as it may. */
  readonly clock?: Clock
  /** Tests shorten it. */
  readonly answerTimeoutMs?: DurationMs
}

export function createCheckpointStore(options: CheckpointStoreOptions): CheckpointStore {
  return new PostgresCheckpointStore(options)
}

class PostgresCheckpointStore implements CheckpointStore {
  readonly #commits: pg.Pool
  readonly #reads: pg.Pool
  readonly #groups: CommitGroups
  readonly #blocks = new CopyBlocks()
  readonly #rooms = new SortingRooms()

  constructor({ address, clock, answerTimeoutMs }: CheckpointStoreOptions) {
    this.#groups = new CommitGroups({
      most: MAX_COMMIT_CONNECTIONS,
      apart: clock === undefined ? null : { clock, intervalMs: COMMIT_INTERVAL_MS },
      commitTogether: (group) => this.#commitTogether(group),
      commitAlone: (checkpoint) => this.#commitAlone(checkpoint),
    })
    this.#commits = createPool({
      address,
      maxConnections: MAX_COMMIT_CONNECTIONS,
      statementTimeoutMs: COMMIT_STATEMENT_TIMEOUT_MS,
      answerTimeoutMs: answerTimeoutMs ?? COMMIT_ANSWER_TIMEOUT_MS,
    })
    this.#reads = createPool({ address, maxConnections: MAX_READ_CONNECTIONS })
  }

  async ensureArchive(layout: Parameters<CheckpointStore['ensureArchive']>[0]): Promise<void> {
    await this.#using(this.#commits, `Cannot prepare the archive ${layout.name}`, (client) =>
      ensureArchiveTable(client, layout),
    )
  }

  archiveEncoder<E>(table: ArchiveTable<E>): CopyEncoder<E> {
    return new CopyEncoder(table, this.#blocks)
  }

  async claim(task: TaskId): Promise<Claim> {
    const tried = `Cannot claim ${nameOf(task)}`
    const claim = (): Promise<Claim> =>
      this.#using(this.#commits, tried, (client) => claimTask(client, task))
    try {
      return await claim()
    } catch (error) {
      if (!(error instanceof Error) || sqlState(error.cause) !== LOCK_NOT_AVAILABLE) throw error
      await this.#using(this.#commits, tried, (client) => endHolders(client, task))
      return await claim()
    }
  }

  /** Nobody else writes it once the task is claimed. */
  async *snapshotEntries(task: TaskId): AsyncIterable<readonly SnapshotEntry[]> {
    try {
      yield* readSnapshot(this.#commits, task)
    } catch (cause) {
      throw databaseError(`Cannot read the snapshot of ${nameOf(task)}`, cause)
    }
  }

  commit(checkpoint: Checkpoint): Promise<CommitOutcome> {
    return this.#groups.commit(checkpoint)
  }

  hurry(): void {
    this.#groups.hurry()
  }

  async saveSnapshot({ task, epoch, offset, entries }: Snapshot): Promise<CommitOutcome> {
    const fence = `BEGIN; UPDATE task SET snapshot_offset = ${integer(offset)}
      WHERE ${isTask(task)} AND epoch = ${integer(epoch)} AND next_offset >= ${integer(offset)}
        AND ${HOLDS_TASK}`
    const prepared = await prepareSnapshot(this.#commits, task, entries).catch((cause: unknown) => {
      throw databaseError(`Cannot save the snapshot of ${nameOf(task)}`, cause)
    })
    return this.#fenced({ task, epoch, reached: null }, async (client) => {
      const query = new CopyBatchQuery({ sql: fence, fences: 1, copies: [] })
      if ((await client.query(query).outcome) === 'fenced') return 'fenced'
      await writeSnapshot(client, task, prepared)
      await client.query('COMMIT')
      return 'committed'
    })
  }

  async keepFromOffset(task: TaskId): Promise<number> {
    return this.#using(this.#commits, `Cannot look up ${nameOf(task)}`, async (client) => {
      const { rows } = await client.query<{ offset: string }>(
        `SELECT least(next_offset, snapshot_offset) AS offset FROM task WHERE ${isTask(task)}`,
      )
      return Number(rows[0]?.offset ?? 0)
    })
  }

  async *readArchive<E>(
    table: ArchiveTable<E>,
    range: ArchiveRange,
  ): AsyncIterable<readonly ArchivedEvent<E>[]> {
    const tried = `Cannot read the archive ${table.name}`
    const client = await connect(this.#reads, tried)
    const { columns: wanted, entity } = range
    const ofEntity =
      entity === undefined ? '' : `AND ${table.entityColumn} = ${pg.escapeLiteral(entity)}`
    const columns = [
      ...META_COLUMNS,
      ...table.columns.map(({ name, type }) =>
        wanted === undefined || wanted.includes(name) ? name : `NULL::${type}`,
      ),
    ]
    const decoder = new CopyDecoder(table)
    let ended = false
    try {
      await client.query(entity === undefined ? READ_SETTINGS : ENTITY_SETTINGS)
      const rows = client.query(
        copyTo(`COPY (SELECT ${columns.join(', ')} FROM ${table.name}
          WHERE log_partition = ${integer(range.partition)}
            AND log_offset >= ${integer(range.fromOffset)} AND log_offset < ${integer(range.toOffset)} ${ofEntity}
          ORDER BY log_offset) TO STDOUT (FORMAT binary)`),
      )
      for await (const bytes of rows as AsyncIterable<Buffer>) {
        const decoded = decoder.decode(bytes)
        if (decoded.length > 0) yield decoded
      }
      ended = true
    } catch (cause) {
      throw databaseError(tried, cause)
    } finally {
      client.release(!ended)
    }
  }

  async journal(task: TaskId): Promise<readonly JournalEntry[]> {
    return this.#using(this.#commits, `Cannot read the journal of ${nameOf(task)}`, (client) =>
      readJournal(client, task, 0),
    )
  }

  async close(): Promise<void> {
    await Promise.all([this.#commits.end(), this.#reads.end()])
  }

  /** After a failure the connection is not used again: a transaction may be open on it. */
  async #using<T>(
    pool: pg.Pool,
    tried: string,
    work: (client: pg.PoolClient) => Promise<T>,
  ): Promise<T> {
    const client = await connect(pool, tried)
    let failed = true
    try {
      const done = await work(client)
      failed = false
      return done
    } catch (cause) {
      throw databaseError(tried, cause)
    } finally {
      client.release(failed)
    }
  }

  #commitAlone(checkpoint: Checkpoint): Promise<CommitOutcome> {
    const { task, epoch, fromOffset, toOffset } = checkpoint
    // Without events the offset tells nothing about an unclear end; all else may be written twice.
    const reached = toOffset > fromOffset ? toOffset : null
    return this.#fenced({ task, epoch, reached }, (client) =>
      commitCheckpoints(client, [checkpoint], this.#rooms),
    )
  }

  #commitTogether(group: readonly Checkpoint[]): Promise<CommitOutcome> {
    return this.#using(this.#commits, `Cannot commit ${group.length} tasks`, async (client) => {
      const outcome = await commitCheckpoints(client, group, this.#rooms)
      if (outcome === 'fenced') await client.query('ROLLBACK')
      return outcome
    })
  }

  /** Runs one transaction; where its end is unclear, or the fence refused it, the outcome is looked up. */
  async #fenced(
    place: FencedPlace,
    work: (client: pg.PoolClient) => Promise<CommitOutcome>,
  ): Promise<CommitOutcome> {
    const tried = `Cannot commit ${nameOf(place.task)}`
    const client = await connect(this.#commits, tried)
    let failure: unknown = null
    try {
      if ((await work(client)) === 'committed') return 'committed'
      await client.query('ROLLBACK')
      return (await hasReached(client, place)) ? 'committed' : 'fenced'
    } catch (cause) {
      failure = cause
      if (!isPassing(cause)) throw databaseError(tried, cause)
    } finally {
      client.release(failure !== null)
    }
    const committed = await this.#using(this.#commits, tried, (again) =>
      hasReached(again, place),
    ).catch(() => false)
    if (committed) return 'committed'
    throw databaseError(tried, failure)
  }
}

interface TaskRow {
  readonly epoch: string
  readonly next_offset: string
  readonly watermark_ms: string
  readonly snapshot_offset: string
  readonly untold: readonly string[]
}

async function claimTask(client: pg.PoolClient, task: TaskId): Promise<Claim> {
  await client.query(`BEGIN; SET LOCAL lock_timeout = '${OWNER_PATIENCE_S}s'`)
  const claimed = await client.query<TaskRow>(
    `INSERT INTO task (pipeline, log_partition, epoch, next_offset, watermark_ms, snapshot_offset)
     VALUES ($1, $2, 1, 0, 0, 0)
     ON CONFLICT (pipeline, log_partition) DO UPDATE SET epoch = task.epoch + 1, updated_at = now()
     RETURNING epoch, next_offset, watermark_ms, snapshot_offset, untold`,
    [task.pipeline, task.partition],
  )
  await client.query('COMMIT')
  const row = claimed.rows[0]
  assert(row !== undefined, 'A claim returned no row.')
  const snapshotOffset = Number(row.snapshot_offset)
  return {
    epoch: Number(row.epoch),
    nextOffset: Number(row.next_offset),
    watermarkMs: Number(row.watermark_ms),
    snapshotOffset,
    journal: await readJournal(client, task, snapshotOffset),
    untold: row.untold.length === 0 ? [] : await newestOf(client, row.untold),
  }
}

/**
 * Ends the transactions that hold a task. An owner that stands still in the middle of a commit (stopped,
 * or cut off without a word) would keep everybody else out for as long as the server waits for it.
 */
async function endHolders(client: pg.PoolClient, task: TaskId): Promise<void> {
  await client.query(
    `SELECT pg_terminate_backend(pid, ${END_WAIT_MS}) FROM pg_locks
     WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid() AND objsubid = 2
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND classid = (hashtext($1)::bigint & 4294967295)::oid AND objid = $2::int::oid`,
    [task.pipeline, task.partition],
  )
}

/**
 * A transaction's place in its task. Only the owner of an epoch moves its offset, so an offset at
 * `reached` is our own commit; null where no offset tells.
 */
interface FencedPlace {
  readonly task: TaskId
  readonly epoch: number
  readonly reached: number | null
}

async function hasReached(client: pg.PoolClient, place: FencedPlace): Promise<boolean> {
  if (place.reached === null) return false
  const { rows } = await client.query<{ epoch: string; next_offset: string }>(
    `SELECT epoch, next_offset FROM task WHERE ${isTask(place.task)}`,
  )
  return Number(rows[0]?.epoch) === place.epoch && Number(rows[0]?.next_offset) === place.reached
}

async function connect(pool: pg.Pool, tried: string): Promise<pg.PoolClient> {
  try {
    return await pool.connect()
  } catch (cause) {
    throw databaseError(tried, cause)
  }
}

function nameOf(task: TaskId): string {
  return `${task.pipeline}/${task.partition}`
}

/** Entries that hold at or after an offset: the last one before it too. */
async function readJournal(
  client: pg.PoolClient,
  task: TaskId,
  fromOffset: number,
): Promise<readonly JournalEntry[]> {
  const { rows } = await client.query<{
    log_offset: string
    step: number
    tick_ms: string
    reference_versions: Record<string, number>
    broadcast_offsets: Record<string, number>
  }>(
    `SELECT log_offset, step, tick_ms, reference_versions, broadcast_offsets FROM task_journal
     WHERE ${isTask(task)} AND log_offset >= coalesce((
       SELECT max(log_offset) FROM task_journal WHERE ${isTask(task)} AND log_offset < $1), 0)
     ORDER BY log_offset, step`,
    [fromOffset],
  )
  return rows.map((row) => ({
    offset: Number(row.log_offset),
    step: row.step,
    tickMs: Number(row.tick_ms),
    references: row.reference_versions,
    broadcasts: row.broadcast_offsets,
  }))
}
