// The thread that writes: one transaction at a time, offsets taken inside it, answered once it is on
// disk. A thread of its own keeps fsync off the event loop and off the runtime's shared pool, where
// it would wait behind password hashing and name look-ups.

import { closeSync, openSync } from 'node:fs'
import { BroadcastChannel, parentPort, workerData } from 'node:worker_threads'
import { summarize } from './chunk.ts'
import { isNoSpace, makeRoom, RESERVED_FREE_BYTES, TREE_BYTES } from './space.ts'
import {
  chunkKey,
  chunksFrom,
  dataFile,
  listTopics,
  MAX_UINT16,
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

/** Chunks dropped in one transaction; appends run between two of them. */
const RETAIN_CHUNKS = 64
/** A chunk may leave almost a page of the store unused. */
const PAGE_BYTES = 4096

const settings: WriterSettings = workerData
const port = parentPort
const store = openStore(settings.directory, { create: true })
const news = new BroadcastChannel(settings.channel)
news.onmessage = ({ data }: { readonly data: LogNews }) => {
  if (data.kind === 'who-writes') tell({ kind: 'writer-open' })
}
tell({ kind: 'writer-open' })
const descriptor = openSync(dataFile(settings.directory), 'r+')
let failure: WriterRefusal | undefined

port?.on('message', (request: WriterRequest) => {
  const { id, command } = request
  const answer = run(command)
  const memory = command.kind === 'append' ? command.parts.map(({ chunk }) => chunk.buffer) : []
  const reply: WriterReply = { id, answer, memory }
  port.postMessage(reply, memory)
  if (command.kind === 'close') void close()
})

function tell(message: LogNews): void {
  news.postMessage(message)
}

async function close(): Promise<void> {
  tell({ kind: 'writer-closed' })
  news.close()
  closeSync(descriptor)
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
  const written = store.transactionSync(() => {
    const inTheWay = makeRoom(store, {
      directory: settings.directory,
      descriptor,
      neededBytes: parts.reduce((sum, { chunk }) => sum + chunk.length + PAGE_BYTES, TREE_BYTES),
      reservedBytes: RESERVED_FREE_BYTES,
      maxBytes: settings.maxBytes,
    })
    if (inTheWay !== undefined) return fullRefusal(inTheWay, undefined)
    return parts.map((part) => putPart(store, part))
  })
  if ('kind' in written) return written
  tell({ kind: 'appended', ends: written })
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
  const retained = store.transactionSync((): RetainedPart => {
    // What dropping itself writes may come out of the reserve; it goes on without, if it must.
    makeRoom(store, {
      directory: settings.directory,
      descriptor,
      neededBytes: TREE_BYTES,
      reservedBytes: 0,
      maxBytes: undefined,
    })
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
    return { startOffset, more, dropped: dropped.length }
  })
  if (retained.dropped > 0 && !retained.more) settle(topicId, partition)
  return { kind: 'retained', startOffset: retained.startOffset, more: retained.more }
}

interface RetainedPart {
  readonly startOffset: number
  /** There is more to drop. */
  readonly more: boolean
  readonly dropped: number
}

/**
 * One more transaction: pages that one gives back are used by the next but one, and on a full disk
 * the append that comes next has no other pages.
 */
function settle(topicId: number, partition: number): void {
  store.transactionSync(() =>
    putPartition(store, topicId, partition, readPartition(store, topicId, partition)),
  )
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
  if (isNoSpace(error)) {
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
  tell({ kind: 'failed', cause: error })
  return failure
}
