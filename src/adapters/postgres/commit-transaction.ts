// One transaction: the fences of its checkpoints, their archive rows, and all else that their batches decided.

import pg from 'pg'
import { assert } from '../../kernel/errors.ts'
import type { Checkpoint, CommitOutcome, TaskId } from '../../ports/checkpoint-store.ts'
import { flagRepeats, type Repeats } from './archive-table.ts'
import { CopyBatchQuery } from './copy-batch.ts'
import type { CopyPayload } from './copy-encoder.ts'
import { hasOutputs, writeOutputs } from './outputs.ts'
import type { EncodedRows, SortingRoom, SortingRooms } from './row-sorting.ts'

/** Always true; marks the transaction, so that whoever claims the task can find it. */
export const HOLDS_TASK =
  'pg_try_advisory_xact_lock_shared(hashtext(task.pipeline), task.log_partition)'

/** Where a fence refused, `fenced`: the transaction is then open, and the caller rolls it back. */
export async function commitCheckpoints(
  client: pg.PoolClient,
  checkpoints: readonly Checkpoint[],
  rooms: SortingRooms,
): Promise<CommitOutcome> {
  const { tables, repeats } = archiveOf(checkpoints)
  const used: SortingRoom[] = []
  const copies = tables.map(({ sql, parts }) => {
    const room = rooms.take()
    used.push(room)
    return { sql, rows: room.sort(parts) }
  })
  // Rows stop where a fence refused; without any, nobody would.
  const moreFollows = copies.length === 0 || repeats.length > 0 || checkpoints.some(hasOutputs)
  const statements = ['BEGIN', fencesOf(checkpoints), ...copies.map(({ sql }) => sql)]
  const query = new CopyBatchQuery({
    sql: [...statements, ...(moreFollows ? [] : ['COMMIT'])].join('; '),
    fences: checkpoints.length,
    copies: copies.map(({ rows }) => rows),
  })
  const outcome = await client.query(query).outcome
  for (const room of used) rooms.giveBack(room)
  if (outcome === 'fenced') return 'fenced'
  if (!moreFollows) return 'committed'
  for (const each of repeats) await flagRepeats(client, each)
  await writeOutputs(client, checkpoints)
  await client.query('COMMIT')
  return 'committed'
}

/** One statement moves all tasks on; it counts those that nobody else has claimed. */
function fencesOf(checkpoints: readonly Checkpoint[]): string {
  const moves = checkpoints.map(({ task, epoch, fromOffset, toOffset, watermarkMs, untold }) => {
    const { pipeline, partition } = task
    const numbers = [partition, epoch, fromOffset, toOffset, watermarkMs].map(integer)
    return `(${[pg.escapeLiteral(pipeline), ...numbers, uuids(untold)].join(', ')})`
  })
  return `UPDATE task SET next_offset = move.to_offset, watermark_ms = move.watermark_ms,
      updated_at = now(), untold = move.untold
    FROM (VALUES ${moves.join(', ')})
      AS move (pipeline, log_partition, epoch, from_offset, to_offset, watermark_ms, untold)
    WHERE task.pipeline = move.pipeline AND task.log_partition = move.log_partition
      AND task.epoch = move.epoch AND task.next_offset = move.from_offset
    RETURNING ${HOLDS_TASK}`
}

/** One COPY a table, however many chunks were merged; and the rows that may be repeats of older ones. */
function archiveOf(checkpoints: readonly Checkpoint[]): {
  readonly tables: readonly { readonly sql: string; readonly parts: readonly EncodedRows[] }[]
  readonly repeats: readonly Repeats[]
} {
  const tables = new Map<string, { sql: string; parts: EncodedRows[] }>()
  const repeats: Repeats[] = []
  for (const { archive, task } of checkpoints) {
    for (const { table, payload } of archive) {
      for (const rows of payload as readonly CopyPayload[]) {
        const { columns, suspects } = rows
        const sql = `COPY ${table} (${columns.join(', ')}) FROM STDIN (FORMAT binary)`
        const known = tables.get(sql) ?? { sql, parts: [] }
        known.parts.push(rows)
        tables.set(sql, known)
        if (suspects !== null) repeats.push({ ...suspects, partition: task.partition })
      }
    }
  }
  return { tables: [...tables.values()], repeats }
}

export function isTask(task: TaskId): string {
  return `pipeline = ${pg.escapeLiteral(task.pipeline)} AND log_partition = ${integer(task.partition)}`
}

/** Numbers that are written into statements are whole, whatever the caller believed. */
export function integer(value: number): string {
  assert(Number.isSafeInteger(Math.trunc(value)), `${value} is no whole number.`)
  return String(Math.trunc(value))
}

function uuids(ids: readonly string[]): string {
  return `${pg.escapeLiteral(`{${ids.join()}}`)}::uuid[]`
}
