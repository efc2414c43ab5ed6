// Checkpoints in PostgreSQL: the fence, archive rows, alerts and all else that a batch decided, in one
// transaction.

import { finished } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { assert } from '../../kernel/errors.ts'
import { toIso } from '../../kernel/time.ts'
import type { ArchivedEvent, ArchiveTable } from '../../ports/archive.ts'
import type {
  Checkpoint,
  CheckpointStore,
  Claim,
  CommitOutcome,
  JournalEntry,
  Snapshot,
  SnapshotEntry,
  TaskId,
} from '../../ports/checkpoint-store.ts'
import type { DatabaseAddress } from './address.ts'
import { ensureArchiveTable } from './archive-table.ts'
import { CopyDecoder } from './copy-decoder.ts'
import { CopyEncoder, type CopyPayload, META_COLUMNS, storableStrings } from './copy-encoder.ts'
import { createPool } from './database.ts'
import { databaseError, isPassing } from './failures.ts'

/** Transactions at a time; further commits wait for a connection. */
export const MAX_COMMIT_CONNECTIONS = 4
const SNAPSHOT_ROWS = 2_000
const COPY_HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])
const COPY_TRAILER = Buffer.from([0xff, 0xff])

export function createCheckpointStore(options: {
  readonly address: DatabaseAddress
}): CheckpointStore {
  return new PostgresCheckpointStore(options.address)
}

class PostgresCheckpointStore implements CheckpointStore {
  readonly #pool: pg.Pool

  constructor(address: DatabaseAddress) {
    this.#pool = createPool({ address, maxConnections: MAX_COMMIT_CONNECTIONS })
  }

  async ensureArchive(layout: Parameters<CheckpointStore['ensureArchive']>[0]): Promise<void> {
    await this.#transaction(`Cannot prepare the archive ${layout.name}`, async (client) => {
      await client.query('BEGIN')
      await ensureArchiveTable(client, layout)
      await client.query('COMMIT')
    })
  }

  archiveEncoder<E>(table: ArchiveTable<E>): CopyEncoder<E> {
    return new CopyEncoder(table)
  }

  async claim(task: TaskId): Promise<Claim> {
    return this.#transaction(`Cannot claim ${nameOf(task)}`, async (client) => {
      const claimed = await client.query<Record<string, string>>(
        `INSERT INTO task (pipeline, log_partition, epoch, next_offset, watermark_ms, snapshot_offset)
         VALUES ($1, $2, 1, 0, 0, 0)
         ON CONFLICT (pipeline, log_partition) DO UPDATE SET epoch = task.epoch + 1, updated_at = now()
         RETURNING epoch, next_offset, watermark_ms, snapshot_offset`,
        [task.pipeline, task.partition],
      )
      const row = claimed.rows[0]
      assert(row !== undefined, 'A claim returned no row.')
      const snapshotOffset = Number(row.snapshot_offset)
      return {
        epoch: Number(row.epoch),
        nextOffset: Number(row.next_offset),
        watermarkMs: Number(row.watermark_ms),
        snapshotOffset,
        journal: await readJournal(client, task, snapshotOffset),
      }
    })
  }

  async *snapshotEntries(task: TaskId): AsyncIterable<readonly SnapshotEntry[]> {
    const client = await this.#connect(`Cannot read the snapshot of ${nameOf(task)}`)
    let ended = false
    try {
      let after: string | null = null
      for (;;) {
        const { rows }: pg.QueryResult<{ key: string; state: string }> = await client.query(
          `SELECT key, state FROM task_snapshot
           WHERE pipeline = $1 AND log_partition = $2 AND ($3::text IS NULL OR key > $3)
           ORDER BY key LIMIT ${SNAPSHOT_ROWS}`,
          [task.pipeline, task.partition, after],
        )
        if (rows.length > 0) yield rows
        if (rows.length < SNAPSHOT_ROWS) break
        after = rows.at(-1)?.key ?? null
      }
      ended = true
    } catch (cause) {
      throw databaseError(`Cannot read the snapshot of ${nameOf(task)}`, cause)
    } finally {
      client.release(!ended)
    }
  }

  async commit(checkpoint: Checkpoint): Promise<CommitOutcome> {
    return this.#fenced(checkpoint.task, checkpoint.epoch, checkpoint.toOffset, async (client) => {
      const { task, epoch, fromOffset, toOffset, watermarkMs } = checkpoint
      const fence = `UPDATE task SET next_offset = ${integer(toOffset)},
        watermark_ms = ${integer(watermarkMs)}, updated_at = now()
        WHERE ${isTask(task)} AND epoch = ${integer(epoch)} AND next_offset = ${integer(fromOffset)}`
      if ((await beginFenced(client, fence)) === 0) return false
      for (const chunk of checkpoint.archive) {
        for (const payload of chunk.payload) {
          await copyRows(client, chunk.table, payload as CopyPayload)
          await flagRepeats(client, chunk.table, task.partition, payload as CopyPayload)
        }
      }
      await writeOutputs(client, checkpoint)
      return true
    })
  }

  async saveSnapshot(snapshot: Snapshot): Promise<CommitOutcome> {
    const { task, epoch, offset, entries } = snapshot
    return this.#fenced(task, epoch, null, async (client) => {
      const fence = `UPDATE task SET snapshot_offset = ${integer(offset)}
        WHERE ${isTask(task)} AND epoch = ${integer(epoch)} AND next_offset >= ${integer(offset)}`
      if ((await beginFenced(client, fence)) === 0) return false
      for (let from = 0; from < entries.length; from += SNAPSHOT_ROWS) {
        await writeSnapshotRows(client, task, entries.slice(from, from + SNAPSHOT_ROWS))
      }
      return true
    })
  }

  async keepFromOffset(task: TaskId): Promise<number> {
    return this.#transaction(`Cannot look up ${nameOf(task)}`, async (client) => {
      const { rows } = await client.query<{ offset: string }>(
        `SELECT least(next_offset, snapshot_offset) AS offset FROM task WHERE ${isTask(task)}`,
      )
      return Number(rows[0]?.offset ?? 0)
    })
  }

  async *readArchive<E>(
    table: ArchiveTable<E>,
    range: { readonly partition: number; readonly fromOffset: number; readonly toOffset: number },
  ): AsyncIterable<readonly ArchivedEvent<E>[]> {
    const tried = `Cannot read the archive ${table.name}`
    const client = await this.#connect(tried)
    const columns = [...META_COLUMNS, ...table.columns.map(({ name }) => name)]
    const decoder = new CopyDecoder(table)
    let ended = false
    try {
      await client.query('SET statement_timeout = 0')
      const rows = client.query(
        copyTo(`COPY (SELECT ${columns.join(', ')} FROM ${table.name}
          WHERE log_partition = ${integer(range.partition)}
            AND log_offset >= ${integer(range.fromOffset)} AND log_offset < ${integer(range.toOffset)}
          ORDER BY log_offset) TO STDOUT (FORMAT binary)`),
      )
      for await (const bytes of rows as AsyncIterable<Buffer>) {
        const decoded = decoder.decode(bytes)
        if (decoded.length > 0) yield decoded
      }
      await client.query('RESET statement_timeout')
      ended = true
    } catch (cause) {
      throw databaseError(tried, cause)
    } finally {
      client.release(!ended)
    }
  }

  async journal(task: TaskId): Promise<readonly JournalEntry[]> {
    return this.#transaction(`Cannot read the journal of ${nameOf(task)}`, (client) =>
      readJournal(client, task, 0),
    )
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }

  async #connect(tried: string): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect()
    } catch (cause) {
      throw databaseError(tried, cause)
    }
  }

  async #transaction<T>(tried: string, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#connect(tried)
    let failure: unknown = null
    try {
      return await work(client)
    } catch (cause) {
      failure = cause
      throw databaseError(tried, cause)
    } finally {
      client.release(failure !== null)
    }
  }

  /**
   * Runs `work` between the fence and the commit. Where the connection was lost the outcome is looked up:
   * only the owner of an epoch moves its offset, so an offset at `reached` is our own commit.
   */
  async #fenced(
    task: TaskId,
    epoch: number,
    reached: number | null,
    work: (client: pg.PoolClient) => Promise<boolean>,
  ): Promise<CommitOutcome> {
    const tried = `Cannot commit ${nameOf(task)}`
    const client = await this.#connect(tried)
    let failure: unknown = null
    try {
      if (await work(client)) {
        await client.query('COMMIT')
        return 'committed'
      }
      await client.query('ROLLBACK')
      return (await hasReached(client, task, epoch, reached)) ? 'committed' : 'fenced'
    } catch (cause) {
      failure = cause
      if (!isPassing(cause)) throw databaseError(tried, cause)
    } finally {
      client.release(failure !== null)
    }
    return this.#resolve(task, epoch, reached, failure)
  }

  async #resolve(
    task: TaskId,
    epoch: number,
    reached: number | null,
    failure: unknown,
  ): Promise<CommitOutcome> {
    const tried = `Cannot commit ${nameOf(task)}`
    const committed = await this.#transaction(tried, (client) =>
      hasReached(client, task, epoch, reached),
    ).catch(() => false)
    if (committed) return 'committed'
    throw databaseError(tried, failure)
  }
}

function nameOf(task: TaskId): string {
  return `${task.pipeline}/${task.partition}`
}

function isTask(task: TaskId): string {
  return `pipeline = ${pg.escapeLiteral(task.pipeline)} AND log_partition = ${integer(task.partition)}`
}

/** Numbers that are written into statements are whole, whatever the caller believed. */
function integer(value: number): string {
  assert(Number.isSafeInteger(Math.trunc(value)), `${value} is no whole number.`)
  return String(Math.trunc(value))
}

/** One round trip for both; returns how many tasks are ours to move. */
async function beginFenced(client: pg.PoolClient, fence: string): Promise<number> {
  const results: unknown = await client.query(`BEGIN; ${fence}`)
  const last: unknown = Array.isArray(results) ? results.at(-1) : results
  return typeof last === 'object' && last !== null && 'rowCount' in last ? Number(last.rowCount) : 0
}

async function hasReached(
  client: pg.PoolClient,
  task: TaskId,
  epoch: number,
  reached: number | null,
): Promise<boolean> {
  if (reached === null) return false
  const { rows } = await client.query<{ epoch: string; next_offset: string }>(
    `SELECT epoch, next_offset FROM task WHERE ${isTask(task)}`,
  )
  return Number(rows[0]?.epoch) === epoch && Number(rows[0]?.next_offset) === reached
}

async function copyRows(client: pg.PoolClient, table: string, payload: CopyPayload): Promise<void> {
  const columns = payload.columns.join(', ')
  const stream = client.query(copyFrom(`COPY ${table} (${columns}) FROM STDIN (FORMAT binary)`))
  const done = finished(stream)
  stream.cork()
  stream.write(COPY_HEADER)
  for (const buffer of payload.buffers) stream.write(buffer)
  stream.end(COPY_TRAILER)
  stream.uncork()
  await done
}

/** A late event whose id, key and time the archive has already is a repeat, and says so. */
async function flagRepeats(
  client: pg.PoolClient,
  table: string,
  partition: number,
  payload: CopyPayload,
): Promise<void> {
  if (payload.suspects.length === 0) return
  const { entityColumn, recordedAtColumn } = payload
  await client.query(
    `UPDATE ${table} AS late SET flags = array_append(late.flags, 'duplicate')
     WHERE late.log_partition = $1 AND late.log_offset = ANY($2::bigint[])
       AND NOT 'duplicate' = ANY(late.flags)
       AND EXISTS (
         SELECT FROM ${table} AS earlier
         WHERE earlier.${entityColumn} = late.${entityColumn}
           AND earlier.${recordedAtColumn} = late.${recordedAtColumn}
           AND earlier.event_id = late.event_id AND earlier.tenant_id = late.tenant_id
           AND earlier.log_offset < late.log_offset AND earlier.log_partition = $1
           AND earlier.received_at >= late.received_at - interval '7 days')`,
    [partition, payload.suspects],
  )
}

async function writeOutputs(client: pg.PoolClient, checkpoint: Checkpoint): Promise<void> {
  const { alerts, deadLetters, outbox, windows, journal, task } = checkpoint
  if (alerts.length > 0) await writeAlerts(client, alerts)
  if (deadLetters.length > 0) await writeDeadLetters(client, deadLetters)
  if (outbox.length > 0) {
    await client.query(
      `INSERT INTO outbox (id, kind, tenant_id, payload)
       SELECT id, kind, "tenantId", payload FROM jsonb_to_recordset($1::jsonb)
         AS entry (id uuid, kind text, "tenantId" text, payload jsonb)
       ON CONFLICT (id) DO NOTHING`,
      [json(outbox)],
    )
  }
  if (windows.length > 0) await writeWindows(client, task, windows)
  if (journal.length > 0) await writeJournal(client, task, journal)
}

async function writeAlerts(client: pg.PoolClient, alerts: Checkpoint['alerts']): Promise<void> {
  const newest = new Map(alerts.map((alert) => [alert.id, alert]))
  await client.query(
    `INSERT INTO alert (id, tenant_id, rule, rule_version, severity, entity_type, entity_id, status,
       starts_at, ends_at, updated_at, revision, summary, labels, value, peak, event_count, withdrawn,
       topic, log_partition, log_offset, changed_by, received_at)
     SELECT id, "tenantId", rule, "ruleVersion", severity, "entityType", "entityId", status,
       "startsAt", "endsAt", "updatedAt", revision, summary, labels, value, peak, count, withdrawn,
       position ->> 'topic', (position ->> 'partition')::int, (position ->> 'offset')::bigint,
       "changedBy", "receivedAt"
     FROM jsonb_to_recordset($1::jsonb) AS alert (id uuid, "tenantId" text, rule text,
       "ruleVersion" int, severity text, "entityType" text, "entityId" text, status text,
       "startsAt" timestamptz, "endsAt" timestamptz, "updatedAt" timestamptz, revision int,
       summary text, labels jsonb, value jsonb, peak jsonb, count int, withdrawn boolean,
       position jsonb, "changedBy" jsonb, "receivedAt" timestamptz)
     ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, status = excluded.status,
       starts_at = excluded.starts_at, ends_at = excluded.ends_at, updated_at = excluded.updated_at,
       revision = excluded.revision, summary = excluded.summary, labels = excluded.labels,
       value = excluded.value, peak = excluded.peak, event_count = excluded.event_count,
       withdrawn = excluded.withdrawn, log_offset = excluded.log_offset,
       changed_by = excluded.changed_by, received_at = excluded.received_at
     WHERE alert.revision < excluded.revision`,
    [json([...newest.values()].map(alertRow))],
  )
  await client.query(
    `INSERT INTO alert_transition (alert_id, revision, status, severity, at, document)
     SELECT (document ->> 'id')::uuid, (document ->> 'revision')::int, document ->> 'status',
       document ->> 'severity', (document ->> 'updatedAt')::timestamptz, document
     FROM jsonb_array_elements($1::jsonb) AS document
     ON CONFLICT (alert_id, revision) DO NOTHING`,
    [json(alerts.map(alertRow))],
  )
}

/** The alert as it goes over the wire: times as ISO 8601. */
function alertRow(alert: Checkpoint['alerts'][number]): Readonly<Record<string, unknown>> {
  const { startsAtMs, endsAtMs, updatedAtMs, receivedAtMs, ...rest } = alert
  return {
    ...rest,
    startsAt: toIso(startsAtMs),
    endsAt: endsAtMs === null ? null : toIso(endsAtMs),
    updatedAt: toIso(updatedAtMs),
    receivedAt: toIso(receivedAtMs),
  }
}

async function writeDeadLetters(
  client: pg.PoolClient,
  letters: Checkpoint['deadLetters'],
): Promise<void> {
  await client.query(
    `INSERT INTO dead_letter (id, topic, received_at, tenant_id, door, code, message, path, raw,
       raw_encoding, log_topic, log_partition, log_offset)
     SELECT id, topic, "receivedAt", "tenantId", door, code, message, path, raw, "rawEncoding",
       position ->> 'topic', (position ->> 'partition')::int, (position ->> 'offset')::bigint
     FROM jsonb_to_recordset($1::jsonb) AS letter (id uuid, topic text, "receivedAt" timestamptz,
       "tenantId" text, door text, code text, message text, path text, raw text, "rawEncoding" text,
       position jsonb)
     ON CONFLICT (id) DO NOTHING`,
    [
      json(
        letters.map(({ receivedAtMs, ...rest }) => ({ ...rest, receivedAt: toIso(receivedAtMs) })),
      ),
    ],
  )
}

async function writeWindows(
  client: pg.PoolClient,
  task: TaskId,
  windows: Checkpoint['windows'],
): Promise<void> {
  const name = (each: Checkpoint['windows'][number]): string =>
    JSON.stringify([each.window, each.tenantId, each.startMs, each.group])
  const newest = new Map(windows.map((each) => [name(each), each]))
  await client.query(
    `INSERT INTO window_kpi (window_name, log_partition, group_key, tenant_id, window_start,
       window_end, values, revision, final)
     SELECT "window", ${integer(task.partition)}, "group", "tenantId",
       to_timestamp("startMs" / 1000.0), to_timestamp("endMs" / 1000.0), values, revision, final
     FROM jsonb_to_recordset($1::jsonb) AS kpi ("window" text, "group" text, "tenantId" text,
       "startMs" float8, "endMs" float8, values jsonb, revision int, final boolean)
     ON CONFLICT (window_name, tenant_id, window_start, group_key, log_partition) DO UPDATE
       SET values = excluded.values, revision = excluded.revision, final = excluded.final
       WHERE window_kpi.revision < excluded.revision`,
    [json([...newest.values()])],
  )
}

async function writeJournal(
  client: pg.PoolClient,
  task: TaskId,
  journal: readonly JournalEntry[],
): Promise<void> {
  const newest = new Map(journal.map((entry) => [entry.offset, entry]))
  await client.query(
    `INSERT INTO task_journal (pipeline, log_partition, log_offset, tick_ms, reference_versions,
       broadcast_offsets)
     SELECT $2, $3, "offset", "tickMs", "references", broadcasts
     FROM jsonb_to_recordset($1::jsonb) AS entry ("offset" bigint, "tickMs" bigint,
       "references" jsonb, broadcasts jsonb)
     ON CONFLICT (pipeline, log_partition, log_offset) DO UPDATE SET tick_ms = excluded.tick_ms,
       reference_versions = excluded.reference_versions, broadcast_offsets = excluded.broadcast_offsets`,
    [json([...newest.values()]), task.pipeline, task.partition],
  )
}

/** Entries that hold at or after an offset: the last one before it too. */
async function readJournal(
  client: pg.PoolClient,
  task: TaskId,
  fromOffset: number,
): Promise<readonly JournalEntry[]> {
  const { rows } = await client.query<{
    log_offset: string
    tick_ms: string
    reference_versions: Record<string, number>
    broadcast_offsets: Record<string, number>
  }>(
    `SELECT log_offset, tick_ms, reference_versions, broadcast_offsets FROM task_journal
     WHERE ${isTask(task)} AND log_offset >= coalesce((
       SELECT max(log_offset) FROM task_journal WHERE ${isTask(task)} AND log_offset < $1), 0)
     ORDER BY log_offset`,
    [fromOffset],
  )
  return rows.map((row) => ({
    offset: Number(row.log_offset),
    tickMs: Number(row.tick_ms),
    references: row.reference_versions,
    broadcasts: row.broadcast_offsets,
  }))
}

async function writeSnapshotRows(
  client: pg.PoolClient,
  task: TaskId,
  entries: readonly SnapshotEntry[],
): Promise<void> {
  const newest = new Map(entries.map((entry) => [entry.key, entry.state]))
  const gone = [...newest].filter(([, state]) => state === null).map(([key]) => key)
  const kept = [...newest].flatMap(([key, state]) =>
    state === null ? [] : [[key, state] as const],
  )
  if (gone.length > 0) {
    await client.query(
      `DELETE FROM task_snapshot WHERE ${isTask(task)} AND key = ANY($1::text[])`,
      [gone],
    )
  }
  await client.query(
    `INSERT INTO task_snapshot (pipeline, log_partition, key, state)
     SELECT $1, $2, key, state FROM unnest($3::text[], $4::text[]) AS entry (key, state)
     ON CONFLICT (pipeline, log_partition, key) DO UPDATE SET state = excluded.state`,
    [task.pipeline, task.partition, kept.map(([key]) => key), kept.map(([, state]) => state)],
  )
}

function json(value: unknown): string {
  return JSON.stringify(value, storableStrings)
}
