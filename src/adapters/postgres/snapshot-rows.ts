// Keyed state as rows of its own, a row a key, changed in place.

import type pg from 'pg'
import type { SnapshotEntry, TaskId } from '../../ports/checkpoint-store.ts'
import { keyOfStored, storedKey } from './stored-text.ts'

/** Keys that one statement writes or reads. */
const PAGE_KEYS = 2_000
/** Characters of state that one statement writes; a state that is larger by itself stands alone. */
const PAGE_CHARACTERS = 8 * 1024 * 1024

export async function writeSnapshotRows(
  client: pg.PoolClient,
  task: TaskId,
  entries: readonly SnapshotEntry[],
): Promise<void> {
  const newest = new Map(entries.map((entry) => [storedKey(entry.key), entry.state]))
  let gone: string[] = []
  let kept: { key: string; state: string }[] = []
  let characters = 0
  const flush = async (): Promise<void> => {
    await forget(client, task, gone)
    await keep(client, task, kept)
    gone = []
    kept = []
    characters = 0
  }
  for (const [key, state] of newest) {
    if (state === null) gone.push(key)
    else kept.push({ key, state })
    characters += state?.length ?? 0
    if (gone.length + kept.length >= PAGE_KEYS || characters >= PAGE_CHARACTERS) await flush()
  }
  await flush()
}

/** One page of keys after another; an empty one is the last. */
export async function readSnapshotPage(
  pool: pg.Pool,
  task: TaskId,
  after: string | null,
): Promise<{ readonly entries: readonly SnapshotEntry[]; readonly last: string | null }> {
  const { rows } = await pool.query<{ key: string; state: string }>(
    `SELECT key, state FROM task_snapshot
     WHERE pipeline = $1 AND log_partition = $2 AND ($3::text IS NULL OR key > $3)
     ORDER BY key LIMIT ${PAGE_KEYS}`,
    [task.pipeline, task.partition, after],
  )
  return {
    entries: rows.map(({ key, state }) => ({ key: keyOfStored(key), state })),
    last: rows.at(-1)?.key ?? null,
  }
}

async function forget(client: pg.PoolClient, task: TaskId, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return
  await client.query(
    'DELETE FROM task_snapshot WHERE pipeline = $1 AND log_partition = $2 AND key = ANY($3::text[])',
    [task.pipeline, task.partition, textArray(keys)],
  )
}

async function keep(
  client: pg.PoolClient,
  task: TaskId,
  entries: readonly { readonly key: string; readonly state: string }[],
): Promise<void> {
  if (entries.length === 0) return
  await client.query(
    `INSERT INTO task_snapshot (pipeline, log_partition, key, state)
     SELECT $1, $2, key, state FROM unnest($3::text[], $4::text[]) AS entry (key, state)
     ON CONFLICT (pipeline, log_partition, key) DO UPDATE SET state = excluded.state`,
    [
      task.pipeline,
      task.partition,
      textArray(entries.map(({ key }) => key)),
      textArray(entries.map(({ state }) => state)),
    ],
  )
}

const TEXT_OID = 25

/** `text[]` in binary form: pg's own text form would quote every quote of the JSON inside. */
function textArray(texts: readonly string[]): Buffer {
  let bytes = 20
  for (const text of texts) bytes += 4 + Buffer.byteLength(text)
  const buffer = Buffer.allocUnsafe(bytes)
  let at = 0
  // Dimensions, whether there are nulls, type of the elements, size and lower bound.
  for (const number of [1, 0, TEXT_OID, texts.length, 1]) at = buffer.writeInt32BE(number, at)
  for (const text of texts) {
    const length = buffer.write(text, at + 4)
    buffer.writeInt32BE(length, at)
    at += 4 + length
  }
  return buffer
}
