// Keyed state as compressed runs of keys. Keys are spread over buckets; a snapshot adds a run to each
// bucket that it touches, and a bucket whose runs have grown is written anew as one.
//
//   bucket 7:  [ run 1: all its keys ] [ run 2: changed ] [ run 3: changed, some gone ]
//                                └────── later over earlier ──────┘
//
// Source: docs/decisions/0006-snapshots-as-compressed-runs.md

import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import type pg from 'pg'
import type { SnapshotEntry, TaskId } from '../../ports/checkpoint-store.ts'
import { keyOfStored, storedKey } from './stored-text.ts'

/** Bounds the memory that one step needs: the state of a task divided by this. */
export const SNAPSHOT_BUCKETS = 32
/** A bucket is written anew once it has more runs than this. */
export const MAX_RUNS = 16
/** Or once its runs have this many times the bytes of the first. */
export const MAX_GROWTH = 3
/** Bytes that one snapshot may read to write buckets anew, or as many as its own where those are more. */
export const REWRITE_BYTES = 64 * 1024 * 1024
/** Bytes, before compression, that one question reads at once; a larger bucket stands alone. */
const READ_BYTES = 16 * 1024 * 1024
/** Bytes that are put together without a pause, and compressed at once; a larger bucket stands alone. */
const COMPRESS_BYTES = 4 * 1024 * 1024
/** Compressed bytes that one statement writes; a larger run stands alone. */
const INSERT_BYTES = 4 * 1024 * 1024

const FRAME_HEAD = 8
const GONE = 0xff_ff_ff_ff
/** The quickest level comes within a few percent of the slower ones. */
const COMPRESSION = { [constants.ZSTD_c_compressionLevel]: 1 }
/** States shrink at least so much: all of a run then fits into one piece of output, or a few. */
const LEAST_RATIO = 4
const SMALLEST_CHUNK = 1024
const LARGEST_CHUNK = 256 * 1024
const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

type Questions = Pick<pg.Pool, 'query'>

interface Run {
  readonly bucket: number
  readonly run: number
  readonly rawBytes: number
  readonly body: Buffer
}

export interface PreparedSnapshot {
  readonly runs: readonly Run[]
  /** Buckets written anew, whose earlier runs go. */
  readonly replaced: readonly number[]
}

interface BucketState {
  readonly runs: number
  readonly last: number
  readonly firstBytes: number
  readonly bytes: number
}

/** A key's latest state, as text where it is new and as bytes where it was read; null where it is gone. */
type Frames = Map<string, Buffer | string | null>

/**
 * Compresses what a snapshot will write, before its transaction begins. Only the owner of the task
 * writes its runs, so what is read here still holds behind the fence.
 */
export async function prepareSnapshot(
  database: Questions,
  task: TaskId,
  entries: readonly SnapshotEntry[],
): Promise<PreparedSnapshot> {
  const changes = spread(entries)
  const states = await readStates(database, task)
  const sizes = new Map([...changes].map(([bucket, frames]) => [bucket, bytesOf(frames)]))
  const replaced = new Set(bucketsToRewrite(sizes, states))
  const bytesToHold = ([bucket, bytes]: readonly [number, number]): number =>
    bytes + (replaced.has(bucket) ? (states.get(bucket)?.bytes ?? 0) : 0)
  const runs: Run[] = []
  // Commits of the task wait behind its snapshot: buckets one by one would each wait for a turn of a busy thread.
  for (const group of groupsOf(sizes, bytesToHold, COMPRESS_BYTES)) {
    const buckets = group.map(([bucket]) => bucket)
    const anew = buckets.filter((bucket) => replaced.has(bucket))
    const earlier = anew.length === 0 ? null : await readBuckets(database, task, anew)
    const prepared = buckets.map((bucket) => {
      const changed: Frames = changes.get(bucket) ?? new Map()
      const last = states.get(bucket)?.last ?? 0
      const isFirst = last === 0 || replaced.has(bucket)
      return compressRun(encodeFrames(merge(earlier?.get(bucket), changed), isFirst), {
        bucket,
        run: last + 1,
      })
    })
    runs.push(...(await Promise.all(prepared)).filter((run) => run !== null))
  }
  return { runs, replaced: [...replaced] }
}

/** Behind the fence. A repeat, after an end that was unclear, writes the same again. */
export async function writeSnapshot(
  client: pg.ClientBase,
  task: TaskId,
  { runs, replaced }: PreparedSnapshot,
): Promise<void> {
  if (replaced.length > 0) {
    await client.query(
      `DELETE FROM task_snapshot
       WHERE pipeline = $1 AND log_partition = $2 AND bucket = ANY($3::int[])`,
      [task.pipeline, task.partition, replaced],
    )
  }
  for (const some of groupsOf(runs, ({ body }) => body.length, INSERT_BYTES)) {
    const rows = some.map((_, row) => `($1, $2, ${[3, 4, 5, 6].map((n) => `$${row * 4 + n}`)})`)
    await client.query(
      `INSERT INTO task_snapshot (pipeline, log_partition, bucket, run, raw_bytes, body)
       VALUES ${rows.join(', ')}
       ON CONFLICT (pipeline, log_partition, bucket, run)
         DO UPDATE SET raw_bytes = excluded.raw_bytes, body = excluded.body`,
      [
        task.pipeline,
        task.partition,
        ...some.flatMap((each) => [each.bucket, each.run, each.rawBytes, each.body]),
      ],
    )
  }
}

/** Every key once, bucket by bucket; no connection is held in between. */
export async function* readSnapshot(
  database: Questions,
  task: TaskId,
): AsyncIterable<readonly SnapshotEntry[]> {
  const states = await readStates(database, task)
  for (const group of groupsOf(states, ([, { bytes }]) => bytes, READ_BYTES)) {
    const buckets = group.map(([bucket]) => bucket)
    for (const frames of (await readBuckets(database, task, buckets)).values()) {
      const entries: SnapshotEntry[] = []
      for (const [key, state] of frames) {
        if (state !== null) entries.push({ key: keyOfStored(key), state: state.toString() })
      }
      if (entries.length > 0) yield entries
    }
  }
}

function spread(entries: readonly SnapshotEntry[]): ReadonlyMap<number, Frames> {
  const buckets = new Map<number, Frames>()
  for (const { key, state } of entries) {
    const stored = storedKey(key)
    const bucket = bucketOf(stored)
    const frames = buckets.get(bucket) ?? new Map()
    buckets.set(bucket, frames)
    frames.set(stored, state)
  }
  return buckets
}

/** FNV-1a over the UTF-16 units: what matters is only that it never changes. */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index++) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  }
  return ((hash ^ (hash >>> 15)) >>> 0) % SNAPSHOT_BUCKETS
}

async function readStates(
  database: Questions,
  task: TaskId,
): Promise<ReadonlyMap<number, BucketState>> {
  const { rows } = await database.query<Record<keyof BucketState | 'bucket', string>>(
    `SELECT bucket, count(*) AS runs, max(run) AS last, sum(raw_bytes) AS bytes,
       (array_agg(raw_bytes ORDER BY run))[1] AS "firstBytes"
     FROM task_snapshot WHERE pipeline = $1 AND log_partition = $2 GROUP BY bucket ORDER BY bucket`,
    [task.pipeline, task.partition],
  )
  return new Map(
    rows.map((row) => [
      Number(row.bucket),
      {
        runs: Number(row.runs),
        last: Number(row.last),
        firstBytes: Number(row.firstBytes),
        bytes: Number(row.bytes),
      },
    ]),
  )
}

/** Those with the most runs first, as far as the snapshot may take the time. */
function bucketsToRewrite(
  sizes: ReadonlyMap<number, number>,
  states: ReadonlyMap<number, BucketState>,
): readonly number[] {
  let written = 0
  const grown: { readonly bucket: number; readonly state: BucketState }[] = []
  for (const [bucket, bytes] of sizes) {
    written += bytes
    const state = states.get(bucket)
    if (state === undefined) continue
    const many = state.runs >= MAX_RUNS || state.bytes + bytes > MAX_GROWTH * state.firstBytes
    if (many) grown.push({ bucket, state })
  }
  let left = Math.max(REWRITE_BYTES, written)
  const chosen: number[] = []
  for (const { bucket, state } of grown.sort((a, b) => b.state.runs - a.state.runs)) {
    // The first always: a bucket larger than the limit must not grow for ever.
    if (chosen.length > 0 && state.bytes > left) continue
    left -= state.bytes
    chosen.push(bucket)
  }
  return chosen
}

function merge(earlier: Frames | undefined, changed: Frames): Frames {
  if (earlier === undefined) return changed
  for (const [key, state] of changed) earlier.set(key, state)
  return earlier
}

async function compressRun(
  raw: Buffer<ArrayBuffer>,
  place: { readonly bucket: number; readonly run: number },
): Promise<Run | null> {
  const { length: rawBytes } = raw
  if (rawBytes === 0) return null
  const expectedBytes = Math.ceil(rawBytes / LEAST_RATIO)
  const body = await compress(raw, {
    chunkSize: Math.min(Math.max(SMALLEST_CHUNK, expectedBytes), LARGEST_CHUNK),
    params: COMPRESSION,
  })
  // Free at once: left to a collection, megabytes of each snapshot would hasten the next full one.
  raw.buffer.transfer(0)
  return { ...place, rawBytes, body }
}

async function readBuckets(
  database: Questions,
  task: TaskId,
  buckets: readonly number[],
): Promise<ReadonlyMap<number, Frames>> {
  const { rows } = await database.query<{ bucket: number; raw: number; body: Buffer }>(
    `SELECT bucket, raw_bytes::int AS raw, body FROM task_snapshot
     WHERE pipeline = $1 AND log_partition = $2 AND bucket = ANY($3::int[]) ORDER BY bucket, run`,
    [task.pipeline, task.partition, buckets],
  )
  const found = new Map<number, Frames>()
  for (const { bucket, raw, body } of rows) {
    const frames = found.get(bucket) ?? new Map()
    found.set(bucket, frames)
    decodeFrames(await decompress(body, { chunkSize: Math.max(SMALLEST_CHUNK, raw) }), frames)
  }
  return found
}

/** In their order, each group within the limit; what is larger by itself stands alone. */
function groupsOf<T>(
  items: Iterable<T>,
  bytesOfOne: (item: T) => number,
  maxBytes: number,
): readonly (readonly T[])[] {
  const groups: T[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const item of items) {
    const more = bytesOfOne(item)
    if (bytes + more > maxBytes) {
      groups.push([])
      bytes = 0
    }
    groups.at(-1)?.push(item)
    bytes += more
  }
  return groups
}

function bytesOf(frames: Frames): number {
  let bytes = 0
  for (const [key, state] of frames) bytes += FRAME_HEAD + Buffer.byteLength(key) + sizeOf(state)
  return bytes
}

function sizeOf(state: Buffer | string | null): number {
  if (state === null) return 0
  return typeof state === 'string' ? Buffer.byteLength(state) : state.length
}

/** Length of key and state as 32 bits each, key, state. The first run of a bucket needs no gone keys. */
function encodeFrames(frames: Frames, isFirst: boolean): Buffer<ArrayBuffer> {
  if (isFirst) for (const [key, state] of frames) if (state === null) frames.delete(key)
  const raw = Buffer.allocUnsafeSlow(bytesOf(frames))
  let at = 0
  for (const [key, state] of frames) {
    const from = at
    at += FRAME_HEAD
    at += raw.write(key, at)
    raw.writeUInt32LE(at - from - FRAME_HEAD, from)
    const stateFrom = at
    if (typeof state === 'string') at += raw.write(state, at)
    else if (state !== null) at += state.copy(raw, at)
    raw.writeUInt32LE(state === null ? GONE : at - stateFrom, from + 4)
  }
  return raw
}

/** Puts the keys of a run over those of earlier runs. */
function decodeFrames(raw: Buffer, frames: Frames): void {
  let at = 0
  while (at < raw.length) {
    const keyEnd = at + FRAME_HEAD + raw.readUInt32LE(at)
    const stateBytes = raw.readUInt32LE(at + 4)
    const key = raw.toString('utf8', at + FRAME_HEAD, keyEnd)
    const end = stateBytes === GONE ? keyEnd : keyEnd + stateBytes
    frames.set(key, stateBytes === GONE ? null : raw.subarray(keyEnd, end))
    at = end
  }
}
