// The embedded log: LMDB files in one directory, read by any number of threads and processes.

import { PlatformError } from '../../kernel/errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log, LogBatch, LogBounds, NewRecord, ReadLimit, Retention } from '../../ports/log.ts'
import { Arrivals } from './arrivals.ts'
import { RecordCollector, summarize } from './chunk.ts'
import { LogWriterClient } from './log-writer-client.ts'
import {
  channelName,
  chunksFrom,
  isTopicName,
  listTopics,
  MAX_UINT16,
  onFreshSnapshot,
  openStore,
  readPartition,
  readTopic,
  type Store,
  type TopicEntry,
} from './store.ts'

/** Of a wait that needs no more; without a reason the runtime would make an error each time, with its stack. */
const OVER = 'over'

export interface LmdbLogOptions {
  /** A directory of its own; created where it is missing and `mode` is `write`. */
  readonly directory: string
  readonly clock: Clock
  readonly mode: 'write' | 'read'
  /** Most bytes that records and the index over them may take; without it the disk is the limit. */
  readonly maxBytes?: number
}

/**
 * Opens the log. `read` never writes, and rejects with `not-found` where there is no log yet.
 * Rejects with `state-format` where another version of the program wrote it, with `log-failed`
 * where its files can't be opened.
 */
export async function openLmdbLog(options: LmdbLogOptions): Promise<Log> {
  return new LmdbLog(options, openStore(options.directory, { create: options.mode === 'write' }))
}

class LmdbLog implements Log {
  readonly #store: Store
  readonly #directory: string
  readonly #clock: Clock
  readonly #writer: LogWriterClient | undefined
  readonly #arrivals: Arrivals
  readonly #topics = new Map<string, TopicEntry>()
  #closed = false

  constructor({ directory, clock, mode, maxBytes }: LmdbLogOptions, store: Store) {
    this.#store = store
    this.#directory = directory
    this.#clock = clock
    const channel = channelName(directory)
    this.#writer =
      mode === 'write' ? new LogWriterClient({ directory, channel, maxBytes }) : undefined
    this.#arrivals = new Arrivals({
      channel,
      clock,
      endOf: (topicId, partition) => this.#boundsOf(topicId, partition).endOffset,
      onFailed: (cause) => this.#writer?.fail(failedElsewhere(directory, cause)),
    })
  }

  async ensureTopic(topic: string, settings: { readonly partitions: number }): Promise<void> {
    const { partitions } = settings
    if (!isTopicName(topic) || !(partitions >= 1 && partitions <= MAX_UINT16)) {
      throw new PlatformError(
        'bad-setting',
        `Cannot create topic "${topic}" with ${partitions} partitions: a name has letters, ` +
          `digits, ".", "_" and "-", and a topic 1 to ${MAX_UINT16} partitions.`,
        { retry: 'never', details: { topic, partitions } },
      )
    }
    const entry = this.#findTopic(topic) ?? (await this.#createTopic(topic, partitions))
    this.#topics.set(topic, entry)
    if (entry.partitions < partitions) throw tooFewPartitions(topic, entry.partitions, partitions)
  }

  async topics(): Promise<readonly { readonly topic: string; readonly partitions: number }[]> {
    const entries = onFreshSnapshot(this.#openStore(), () => listTopics(this.#store))
    return entries.map(({ name, partitions }) => ({ topic: name, partitions }))
  }

  async append(topic: string, records: readonly NewRecord[]): Promise<void> {
    await this.#writerFor(`append to "${topic}"`).append(this.#topic(topic), records)
  }

  async read(
    topic: string,
    partition: number,
    fromOffset: number,
    limit: ReadLimit,
  ): Promise<LogBatch> {
    const { id } = this.#topic(topic, partition)
    const place = { topic, partition, fromOffset }
    const collector = new RecordCollector(limit)
    const { records } = collector
    onFreshSnapshot(this.#openStore(), () => {
      const bounds = readPartition(this.#store, id, partition)
      this.#checkRange(place, bounds)
      this.#collect(collector, id, place)
      if (records.length === 0 && fromOffset < bounds.endOffset) throw this.#corrupt(place)
    })
    return { records, nextOffset: fromOffset + records.length }
  }

  async waitForRecords(
    topic: string,
    partition: number,
    fromOffset: number,
    options: { readonly maxWaitMs: number; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const { id: topicId } = this.#topic(topic, partition)
    const { maxWaitMs, signal } = options
    if (this.#boundsOf(topicId, partition).endOffset > fromOffset) return true
    if (signal.aborted) return false
    const over = new AbortController()
    const end = (): void => over.abort(OVER)
    signal.addEventListener('abort', end, { once: true })
    try {
      return await Promise.race([
        this.#arrivals.waitFor({ topicId, partition, fromOffset }, over.signal).then(() => true),
        this.#clock.sleep(maxWaitMs, over.signal).then(() => false),
      ])
    } finally {
      signal.removeEventListener('abort', end)
      end()
    }
  }

  async bounds(topic: string, partition: number): Promise<LogBounds> {
    const { startOffset, endOffset } = this.#boundsOf(this.#topic(topic, partition).id, partition)
    return { startOffset, endOffset }
  }

  async endOffsets(topic: string, partitions: number): Promise<readonly number[]> {
    return Array.from({ length: partitions }, (_, partition) => {
      return this.#boundsOf(this.#topic(topic, partition).id, partition).endOffset
    })
  }

  async retain(topic: string, partition: number, retention: Retention): Promise<number> {
    const writer = this.#writerFor(`drop old records of "${topic}"`)
    const { id: topicId } = this.#topic(topic, partition)
    for (;;) {
      const answer = await writer.request({ kind: 'retain', topicId, partition, ...retention })
      if (answer.kind === 'retained' && !answer.more) return answer.startOffset
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#arrivals.close()
    await this.#writer?.close()
    await this.#store.close()
  }

  /** Until the limit, the end, or a chunk that is missing or damaged: what lies before it is good. */
  #collect(collector: RecordCollector, topicId: number, place: Place): void {
    const { partition, fromOffset } = place
    let expected = fromOffset
    for (const { lastOffset, chunk } of chunksFrom(this.#store, topicId, partition, fromOffset)) {
      const count = summarize(chunk)?.count
      if (count === undefined || lastOffset + 1 - count > expected) return
      if (!collector.take(chunk, lastOffset + 1 - count, fromOffset)) return
      expected = lastOffset + 1
    }
  }

  async #createTopic(topic: string, partitions: number): Promise<TopicEntry> {
    const writer = this.#writerFor(`create topic "${topic}"`)
    const answer = await writer.request({ kind: 'ensure-topic', topic, partitions })
    return answer.kind === 'topic' ? answer.entry : { id: 0, partitions: 0 }
  }

  #boundsOf(topicId: number, partition: number): LogBounds {
    return onFreshSnapshot(this.#openStore(), () => readPartition(this.#store, topicId, partition))
  }

  #findTopic(name: string): TopicEntry | undefined {
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    const found = onFreshSnapshot(this.#openStore(), () => readTopic(this.#store, name))
    if (found !== undefined) this.#topics.set(name, found)
    return found
  }

  #topic(name: string, partition = 0): TopicEntry {
    const topic = this.#findTopic(name)
    if (topic !== undefined && partition < topic.partitions) return topic
    throw new PlatformError(
      'not-found',
      topic === undefined
        ? `The log in ${this.#directory} has no topic "${name}".`
        : `Topic "${name}" has ${topic.partitions} partitions, none numbered ${partition}.`,
      { retry: 'never', details: { topic: name, partition } },
    )
  }

  #openStore(): Store {
    if (!this.#closed) return this.#store
    throw new PlatformError('log-unavailable', `The log in ${this.#directory} is closed.`, {
      retry: 'later',
      details: { directory: this.#directory },
    })
  }

  #writerFor(task: string): LogWriterClient {
    this.#openStore()
    if (this.#writer !== undefined) return this.#writer
    throw new PlatformError(
      'invariant-broken',
      `Cannot ${task}: the log in ${this.#directory} was opened for reading.`,
      { retry: 'never', details: { directory: this.#directory } },
    )
  }

  #checkRange(place: Place, { startOffset, endOffset }: LogBounds): void {
    const { topic, partition, fromOffset } = place
    const details = { ...place, startOffset, endOffset }
    if (fromOffset < startOffset) {
      throw new PlatformError(
        'log-truncated',
        `Cannot read "${topic}" partition ${partition} from offset ${fromOffset}: the log keeps ` +
          `${startOffset} and later.`,
        { retry: 'never', details },
      )
    }
    if (fromOffset > endOffset) {
      throw new PlatformError(
        'log-corrupt',
        `Cannot read "${topic}" partition ${partition} from offset ${fromOffset}: the log ends ` +
          `at ${endOffset}. Was the directory ${this.#directory} replaced or restored from an ` +
          'older copy? Put the right one back.',
        { retry: 'never', details },
      )
    }
  }

  #corrupt(place: Place): PlatformError {
    const { topic, partition, fromOffset } = place
    return new PlatformError(
      'log-corrupt',
      `Cannot read "${topic}" partition ${partition}: the record at offset ${fromOffset} is ` +
        `missing or damaged in ${this.#directory}. Restore the directory from a copy.`,
      { retry: 'never', details: { ...place } },
    )
  }
}

interface Place {
  readonly topic: string
  readonly partition: number
  readonly fromOffset: number
}

function tooFewPartitions(topic: string, present: number, wanted: number): PlatformError {
  return new PlatformError(
    'bad-setting',
    `Topic "${topic}" has ${present} partitions, ${wanted} were asked for. Partitions can't be ` +
      'added later, because keys would change theirs: keep the number or start with a new log.',
    { retry: 'never', details: { topic, present, wanted } },
  )
}

function failedElsewhere(directory: string, cause: unknown): PlatformError {
  return new PlatformError(
    'log-failed',
    `Cannot write to the log in ${directory}: a write failed in another thread. It takes no more ` +
      'events until the program is started again; check the disk first.',
    { retry: 'never', details: { directory }, cause },
  )
}
