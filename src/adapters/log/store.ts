// How the log lies in LMDB. One ordered space of keys, the first byte telling what an entry is:
//
//   0                                        format version
//   1 · topic name                           topic id u16 · partitions u16
//   2 · topic id u16 · partition u16         start offset · end offset · bytes stored, each f64
//   3 · topic id u16 · partition u16 · last offset u64     a chunk of records
//
// Numbers in keys are big-endian, so that byte order is their order. A chunk is filed under its last
// offset: the first entry at or after an offset is the one that holds it.
//
// Commits are durable before they are visible: pages, fdatasync, then the meta page through a
// synchronous descriptor. The store's own faster mode shows a commit to readers before it is on disk,
// and a reader could then archive an event whose offset a power failure hands to another event.

import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { open, type RootDatabase } from 'lmdb'
import { PlatformError } from '../../kernel/errors.ts'
import type { LogBounds } from '../../ports/log.ts'

export type Store = RootDatabase<Uint8Array, Uint8Array>

const FORMAT_VERSION = 1
/** Address space for the memory map, not memory: growing it while threads read is best avoided. */
const MAP_BYTES = 256 * 1024 ** 3
/** Highest topic id and highest number of partitions of a topic. */
export const MAX_UINT16 = 65_535
/** As Kafka limits it, so that a topic can move there. */
const MAX_TOPIC_NAME_LENGTH = 249

export interface TopicEntry {
  readonly id: number
  readonly partitions: number
}

export interface PartitionState extends LogBounds {
  /** Of all chunks kept. */
  readonly bytes: number
}

export const EMPTY_PARTITION: PartitionState = { startOffset: 0, endOffset: 0, bytes: 0 }

/**
 * Opens the store, for writing even where only reads are meant: within a process all threads share
 * one handle, and whoever opens it first decides for all. Falls back to reading only where the files
 * can't be written.
 *
 * Throws `not-found` where it is missing and not to be created, `state-format` where another
 * version of the program wrote it, `log-failed` where the files can't be opened.
 */
export function openStore(directory: string, options: { readonly create: boolean }): Store {
  const file = dataFile(directory)
  if (!options.create && !existsSync(file)) {
    throw new PlatformError('not-found', `There is no log in ${directory} yet.`, {
      retry: 'later',
      details: { directory },
    })
  }
  let store: Store
  try {
    mkdirSync(directory, { recursive: true })
    store = open<Uint8Array, Uint8Array>({
      path: directory,
      noSubdir: false,
      encoding: 'binary',
      keyEncoding: 'binary',
      overlappingSync: false,
      mapSize: MAP_BYTES,
      readOnly: !options.create && !isWritable(file),
    })
  } catch (cause) {
    throw new PlatformError('log-failed', `Cannot open the log in ${directory}.`, {
      retry: 'never',
      details: { directory },
      cause,
    })
  }
  checkFormat(store, directory)
  return store
}

export function dataFile(directory: string): string {
  return join(directory, 'data.mdb')
}

/** The same for every process and thread that has this directory open, whatever path it came by. */
export function channelName(directory: string): string {
  const { dev, ino } = statSync(directory)
  return `outrider-log-${dev}-${ino}`
}

function isWritable(file: string): boolean {
  try {
    accessSync(file, constants.W_OK)
    return true
  } catch {
    return false
  }
}

const FORMAT_KEY = Uint8Array.of(0)

function checkFormat(store: Store, directory: string): void {
  const found = store.get(FORMAT_KEY)?.[0]
  if (found === undefined || found === FORMAT_VERSION) return
  void store.close()
  throw new PlatformError(
    'state-format',
    `Cannot open the log in ${directory}: its format is ${found}, this build reads ` +
      `${FORMAT_VERSION}. Use the build that wrote it, or another data directory.`,
    { retry: 'never', details: { directory, found } },
  )
}

/** Within a write transaction. */
export function putFormat(store: Store): void {
  if (store.get(FORMAT_KEY) === undefined) store.putSync(FORMAT_KEY, Uint8Array.of(FORMAT_VERSION))
}

/** Runs reads on one snapshot, the newest there is, and lets go of it: an old one pins dead pages. */
export function onFreshSnapshot<T>(store: Store, read: () => T): T {
  store.resetReadTxn()
  try {
    return read()
  } finally {
    store.resetReadTxn()
  }
}

export function readTopic(store: Store, name: string): TopicEntry | undefined {
  const entry = store.get(topicKey(name))
  return entry === undefined ? undefined : decodeTopic(entry)
}

export function listTopics(store: Store): readonly (TopicEntry & { readonly name: string })[] {
  const range = store.getRange({ start: Uint8Array.of(1), end: Uint8Array.of(2) })
  return Array.from(range, ({ key, value }) => ({
    name: Buffer.from(key.subarray(1)).toString(),
    ...decodeTopic(value),
  }))
}

export function putTopic(store: Store, name: string, entry: TopicEntry): void {
  const value = Buffer.alloc(4)
  value.writeUInt16BE(entry.id, 0)
  value.writeUInt16BE(entry.partitions, 2)
  store.putSync(topicKey(name), value)
}

/** True for what Kafka takes as a topic name too. */
export function isTopicName(name: string): boolean {
  return /^[A-Za-z0-9._-]+$/.test(name) && name.length <= MAX_TOPIC_NAME_LENGTH
}

export function readPartition(store: Store, topicId: number, partition: number): PartitionState {
  const value = store.get(partitionKey(topicId, partition))
  if (value === undefined) return EMPTY_PARTITION
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  return {
    startOffset: view.getFloat64(0),
    endOffset: view.getFloat64(8),
    bytes: view.getFloat64(16),
  }
}

export function putPartition(
  store: Store,
  topicId: number,
  partition: number,
  state: PartitionState,
): void {
  const value = Buffer.alloc(24)
  value.writeDoubleBE(state.startOffset, 0)
  value.writeDoubleBE(state.endOffset, 8)
  value.writeDoubleBE(state.bytes, 16)
  store.putSync(partitionKey(topicId, partition), value)
}

export interface StoredChunk {
  readonly key: Uint8Array
  readonly lastOffset: number
  readonly chunk: Uint8Array
}

/** Chunks of a partition in order, from the one that holds `fromOffset`; each lasts until the store is asked again. */
export function* chunksFrom(
  store: Store,
  topicId: number,
  partition: number,
  fromOffset: number,
): Generator<StoredChunk> {
  const start = chunkKey(topicId, partition, fromOffset)
  const end = chunkKey(topicId, partition, Number.MAX_SAFE_INTEGER)
  for (const key of store.getKeys({ start, end })) {
    const shared = store.getBinaryFast(key)
    if (shared === undefined) return
    // The store's own buffer, longer than it says to be.
    const chunk = new Uint8Array(shared.buffer, shared.byteOffset, shared.length)
    yield { key, lastOffset: lastOffsetOf(key), chunk }
  }
}

export function chunkKey(topicId: number, partition: number, lastOffset: number): Uint8Array {
  const key = Buffer.alloc(13)
  key[0] = 3
  key.writeUInt16BE(topicId, 1)
  key.writeUInt16BE(partition, 3)
  key.writeUInt32BE(Math.floor(lastOffset / 4_294_967_296), 5)
  key.writeUInt32BE(lastOffset % 4_294_967_296, 9)
  return key
}

function lastOffsetOf(key: Uint8Array): number {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength)
  return view.getUint32(5) * 4_294_967_296 + view.getUint32(9)
}

function topicKey(name: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(1), Buffer.from(name)])
}

function partitionKey(topicId: number, partition: number): Uint8Array {
  const key = Buffer.alloc(5)
  key[0] = 2
  key.writeUInt16BE(topicId, 1)
  key.writeUInt16BE(partition, 3)
  return key
}

function decodeTopic(value: Uint8Array): TopicEntry {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  return { id: view.getUint16(0), partitions: view.getUint16(2) }
}
