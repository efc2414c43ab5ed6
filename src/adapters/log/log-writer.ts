// The thread that writes: one transaction at a time, offsets taken inside it, answered once it is on
// disk. A thread of its own keeps fsync off the event loop and off the runtime's shared pool, where
// it would wait behind password hashing and name look-ups.

import { statfsSync } from 'node:fs'
import { BroadcastChannel, parentPort, workerData } from 'node:worker_threads'
import { summarize } from './chunk.ts'
import {
  chunkKey,
  chunksFrom,
  listTopics,
  MAX_UINT16,
  onFreshSnapshot,
  openStore,
  putFormat,
  putPartition,
  putTopic,
  readPartition,
  readTopic,
  type Store,
} from './store.ts'
import type {
  AppendPart,
  LogNews,
  PartitionEnd,
  WriterAnswer,
  WriterCommand,
  WriterRefusal,
  WriterReply,
  WriterRequest,
  WriterSettings,
} from './writer-protocol.ts'

/** Appends stop while less than this is free, so that what drops old records can still write. */
const RESERVED_FREE_BYTES = 1024 * 1024
/** Pages of the tree that a transaction rewrites besides the chunks. */
const TREE_BYTES = 256 * 1024
/** Chunks dropped in one transaction; appends run between two of them. */
const RETAIN_CHUNKS = 64

const ENOSPC = 28
const EDQUOT = 122
const MDB_MAP_FULL = -30_792

const settings: WriterSettings = workerData
const port = parentPort
const store = openStore(settings.directory, { create: true })
const news = new BroadcastChannel(settings.channel)
let failure: WriterRefusal | undefined

port?.on('message', (request: WriterRequest) => {
  const answer = run(request.command)
  const reply: WriterReply = { id: request.id, answer }
  port.postMessage(reply)
  if (request.command.kind === 'close') void close()
})

async function close(): Promise<void> {
  news.close()
  await store.close()
  port?.close()
}

function run(command: WriterCommand): WriterAnswer {
  if (failure !== undefined && command.kind !== 'close') return failure
  try {
    switch (command.kind) {
      case 'close':
        return { kind: 'done' }
      case 'append':
        return append(command.parts)
      case 'ensure-topic':
        return ensureTopic(command.topic, command.partitions)
      case 'retain':
        return retain(command)
    }
  } catch (error) {
    return refuse(error)
  }
}

function append(parts: readonly AppendPart[]): WriterAnswer {
  const full = whyFull(parts)
  if (full !== undefined) return full
  const ends = store.transactionSync(() => parts.map((part) => putPart(store, part)))
  const told: LogNews = { kind: 'appended', ends }
  news.postMessage(told)
  return { kind: 'done' }
}

function putPart(store: Store, part: AppendPart): PartitionEnd {
  const { topicId, partition, count, chunk } = part
  const state = readPartition(store, topicId, partition)
  const endOffset = state.endOffset + count
  store.putSync(chunkKey(topicId, partition, endOffset - 1), chunk)
  putPartition(store, topicId, partition, {
    startOffset: state.startOffset,
    endOffset,
    bytes: state.bytes + chunk.length,
  })
  return { topicId, partition, endOffset }
}

function ensureTopic(topic: string, partitions: number): WriterAnswer {
  const entry = store.transactionSync(() => {
    const present = readTopic(store, topic)
    if (present !== undefined) return present
    putFormat(store)
    const ids = listTopics(store).map(({ id }) => id)
    const created = { id: Math.max(0, ...ids) + 1, partitions }
    if (created.id > MAX_UINT16) return undefined
    putTopic(store, topic, created)
    return created
  })
  if (entry !== undefined) return { kind: 'topic', entry }
  return {
    kind: 'refused',
    code: 'bad-setting',
    retry: 'never',
    message: `Cannot create topic "${topic}": the log holds ${MAX_UINT16} topics already.`,
    details: { topic },
    cause: undefined,
  }
}

function retain(command: Extract<WriterCommand, { kind: 'retain' }>): WriterAnswer {
  const { topicId, partition, keepFromOffset, olderThanMs, maxBytes } = command
  return store.transactionSync(() => {
    const state = readPartition(store, topicId, partition)
    let { startOffset, bytes } = state
    const dropped: Uint8Array[] = []
    let more = false
    for (const { key, lastOffset, chunk } of chunksFrom(store, topicId, partition, startOffset)) {
      if (lastOffset >= keepFromOffset) break
      const newestMs = summarize(chunk)?.newestReceivedAtMs ?? Number.POSITIVE_INFINITY
      if (newestMs >= olderThanMs && bytes - chunk.length < maxBytes) break
      more = dropped.length === RETAIN_CHUNKS
      if (more) break
      dropped.push(key)
      startOffset = lastOffset + 1
      bytes -= chunk.length
    }
    for (const key of dropped) store.removeSync(key)
    if (dropped.length > 0) {
      putPartition(store, topicId, partition, { startOffset, endOffset: state.endOffset, bytes })
    }
    return { kind: 'retained', startOffset, more }
  })
}

/** Refuses before the disk does: a failed write would be reported by the store on stderr. */
function whyFull(parts: readonly AppendPart[]): WriterRefusal | undefined {
  const neededBytes = parts.reduce((sum, part) => sum + part.chunk.length, TREE_BYTES)
  const disk = statfsSync(settings.directory)
  // Some file systems, such as a tmpfs without a limit, do not say how large they are.
  const diskFreeBytes = disk.blocks === 0 ? Number.POSITIVE_INFINITY : disk.bavail * disk.bsize
  const { maxBytes } = settings
  if (maxBytes === undefined && diskFreeBytes >= neededBytes + RESERVED_FREE_BYTES) return undefined
  const { fileFreeBytes, usedBytes } = onFreshSnapshot(store, () => spaceOf(store))
  if (maxBytes !== undefined && usedBytes + neededBytes > maxBytes) {
    return fullRefusal(`it may take ${maxBytes} bytes and takes ${usedBytes}`, undefined)
  }
  const freeBytes = diskFreeBytes + fileFreeBytes
  if (freeBytes >= neededBytes + RESERVED_FREE_BYTES) return undefined
  return fullRefusal(`the disk has ${freeBytes} bytes free`, undefined)
}

/** The file never shrinks: pages of dropped records are free for new ones. */
function spaceOf(store: Store): { readonly fileFreeBytes: number; readonly usedBytes: number } {
  const stats: Readonly<Record<string, unknown>> = store.getStats()
  const pageBytes = numberOf(stats, 'pageSize')
  const usedPages = 2 + pagesOf(stats) + pagesOf(stats.free)
  const filePages = numberOf(stats, 'lastPageNumber') + 1
  return {
    usedBytes: usedPages * pageBytes,
    fileFreeBytes: Math.max(0, filePages - usedPages) * pageBytes,
  }
}

function pagesOf(stats: unknown): number {
  return (
    numberOf(stats, 'treeBranchPageCount') +
    numberOf(stats, 'treeLeafPageCount') +
    numberOf(stats, 'overflowPages')
  )
}

function numberOf(stats: unknown, name: string): number {
  const value: unknown = typeof stats === 'object' && stats !== null ? Reflect.get(stats, name) : 0
  return typeof value === 'number' ? value : 0
}

function fullRefusal(found: string, cause: unknown): WriterRefusal {
  return {
    kind: 'refused',
    code: 'log-full',
    retry: 'later',
    message:
      `Cannot append to the log in ${settings.directory}: ${found}. Free space on the disk, or ` +
      'keep less history; new events are taken again as soon as there is room.',
    details: { directory: settings.directory },
    cause,
  }
}

/**
 * No space is passing: the transaction is undone, nothing refers to its pages. Anything else may be
 * a failed sync, after which the system's cache can't be trusted to hold what the disk holds.
 */
function refuse(error: unknown): WriterRefusal {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === ENOSPC || code === EDQUOT || code === MDB_MAP_FULL) {
    return fullRefusal('the disk is full', error)
  }
  failure = {
    kind: 'refused',
    code: 'log-failed',
    retry: 'never',
    message:
      `Cannot write to the log in ${settings.directory}. It takes no more events until the ` +
      'program is started again; check the disk first.',
    details: { directory: settings.directory },
    cause: error,
  }
  const told: LogNews = { kind: 'failed', cause: error }
  news.postMessage(told)
  return failure
}
