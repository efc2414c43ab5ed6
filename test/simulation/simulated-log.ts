// A log in memory that keeps the promises of the port: one durable part that survives every crash, and
// handles on it that live and die with their process.

import { PlatformError, type PlatformErrorCode } from '../../src/kernel/errors.ts'
import { partitionOf } from '../../src/kernel/partitioner.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type {
  Log,
  LogBatch,
  LogBounds,
  LogRecord,
  NewRecord,
  ReadLimit,
  Retention,
} from '../../src/ports/log.ts'

/** A reason of its own spares the making of an error at every wake-up. */
const AWOKEN = 'awoken'
/** What a record costs beside its value, where limits count bytes. */
const RECORD_BYTES = 50

interface Partition {
  startOffset: number
  readonly records: LogRecord[]
  waiters: { readonly offset: number; wake(): void }[]
}

/** The part that survives. */
export class SimulatedLogDisk {
  /** Hears of every record as it becomes durable. */
  appended: (topic: string, partition: number, record: LogRecord) => void = () => {}
  readonly topics = new Map<string, readonly Partition[]>()

  partition(topic: string, partition: number): Partition {
    const found = this.topics.get(topic)?.[partition]
    if (found === undefined) throw failure('not-found', `There is no ${topic}/${partition}.`)
    return found
  }

  append(topic: string, records: readonly NewRecord[]): void {
    const partitions = this.topics.get(topic)
    if (partitions === undefined) throw failure('not-found', `There is no topic ${topic}.`)
    for (const record of records) {
      const number = partitionOf(record.key, partitions.length)
      const partition = this.partition(topic, number)
      const offset = partition.startOffset + partition.records.length
      const kept = { ...record, value: Uint8Array.from(record.value), offset }
      partition.records.push(kept)
      this.appended(topic, number, kept)
    }
    for (const partition of partitions) {
      const endOffset = partition.startOffset + partition.records.length
      const due = partition.waiters.filter((waiter) => waiter.offset < endOffset)
      partition.waiters = partition.waiters.filter((waiter) => waiter.offset >= endOffset)
      for (const waiter of due) waiter.wake()
    }
  }
}

export function simulatedLog(disk: SimulatedLogDisk, clock: Clock): Log {
  const closed = new AbortController()
  const open = (): void => {
    if (closed.signal.aborted) throw failure('log-unavailable', 'The log is closed.')
  }
  return {
    async ensureTopic(topic, { partitions }) {
      open()
      if (partitions < 1 || !/^[\w.-]+$/.test(topic)) {
        throw failure('bad-setting', `Cannot make topic ${topic} with ${partitions} partitions.`)
      }
      const known = disk.topics.get(topic)
      if (known === undefined) {
        const empty = (): Partition => ({ startOffset: 0, records: [], waiters: [] })
        disk.topics.set(topic, Array.from({ length: partitions }, empty))
      } else if (known.length < partitions) {
        throw failure('bad-setting', `Topic ${topic} has ${known.length} partitions.`)
      }
    },
    async topics() {
      open()
      return [...disk.topics].map(([topic, { length }]) => ({ topic, partitions: length }))
    },
    async append(topic, records) {
      open()
      disk.append(topic, records)
    },
    async read(topic, partition, fromOffset, limit): Promise<LogBatch> {
      open()
      return readFrom(disk.partition(topic, partition), fromOffset, limit)
    },
    async waitForRecords(topic, partition, fromOffset, { maxWaitMs, signal }) {
      const found = disk.partition(topic, partition)
      if (closed.signal.aborted || signal.aborted) return false
      const mayRead = (): boolean => fromOffset < found.startOffset + found.records.length
      if (mayRead()) return true
      const over = new AbortController()
      const waiter = { offset: fromOffset, wake: () => over.abort(AWOKEN) }
      found.waiters.push(waiter)
      signal.addEventListener('abort', waiter.wake, { once: true })
      closed.signal.addEventListener('abort', waiter.wake, { once: true })
      await clock.sleep(maxWaitMs, over.signal)
      signal.removeEventListener('abort', waiter.wake)
      closed.signal.removeEventListener('abort', waiter.wake)
      found.waiters = found.waiters.filter((each) => each !== waiter)
      return mayRead()
    },
    async bounds(topic, partition): Promise<LogBounds> {
      open()
      return boundsOf(disk.partition(topic, partition))
    },
    async endOffsets(topic, partitions) {
      open()
      return Array.from({ length: partitions }, (_, partition) => {
        return boundsOf(disk.partition(topic, partition)).endOffset
      })
    },
    async retain(topic, partition, retention) {
      open()
      return retain(disk.partition(topic, partition), retention)
    },
    async close() {
      closed.abort()
    },
  }
}

function boundsOf({ startOffset, records }: Partition): LogBounds {
  return { startOffset, endOffset: startOffset + records.length }
}

function readFrom(partition: Partition, fromOffset: number, limit: ReadLimit): LogBatch {
  const { startOffset, records } = partition
  if (fromOffset < startOffset) {
    throw failure('log-truncated', `The log begins at ${startOffset}, not at ${fromOffset}.`)
  }
  const found: LogRecord[] = []
  let bytes = 0
  for (let at = fromOffset - startOffset; at < records.length; at++) {
    const record = records[at]
    if (record === undefined) break
    bytes += record.value.length + RECORD_BYTES
    if (found.length > 0 && (found.length >= limit.records || bytes > limit.bytes)) break
    found.push(record)
  }
  return { records: found, nextOffset: fromOffset + found.length }
}

function retain(partition: Partition, retention: Retention): number {
  const { records } = partition
  let bytes = 0
  for (const record of records) bytes += record.value.length + RECORD_BYTES
  while (partition.startOffset < retention.keepFromOffset) {
    const [first] = records
    if (first === undefined) break
    if (first.receivedAtMs >= retention.olderThanMs && bytes <= retention.maxBytes) break
    bytes -= first.value.length + RECORD_BYTES
    records.shift()
    partition.startOffset++
  }
  return partition.startOffset
}

function failure(code: PlatformErrorCode, message: string): PlatformError {
  const retry = code === 'log-unavailable' ? 'later' : 'never'
  return new PlatformError(code, message, { retry })
}
