// What Redis holds of the views, kept in this process as well: read once, then followed through the feed. So
// a page costs Redis nothing, and while Redis is away the last known state is shown.

import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Logger } from '../../ports/logger.ts'
import type { FeedListener, FeedMessage, FeedPosition } from '../../ports/views.ts'
import { decodeRecord } from './feed-record.ts'
import type { RedisConnection } from './redis-connection.ts'
import { GENERATION_FIELD, type RedisKeys } from './redis-script.ts'
import { ViewState } from './view-state.ts'

/** The feed is waited for so long at a time; then it is looked whether it is still the same one. */
const WAIT_MS: DurationMs = SECOND_MS
/** Until the first publisher began a generation. */
const EMPTY_MS: DurationMs = 20
/** Records read at a time. */
const READ_RECORDS = 100
/** Fields of a hash read at a time, about. */
const SCAN_FIELDS = 500
const FIRST_RETRY_MS: DurationMs = 50
const LONGEST_RETRY_MS: DurationMs = SECOND_MS

export interface RedisReaderOptions {
  readonly connection: RedisConnection
  readonly keys: RedisKeys
  readonly clock: Clock
  readonly logger: Logger
}

interface FeedRecord {
  readonly sequence: number
  readonly generation: string
  readonly messages: readonly FeedMessage[]
}

export class RedisReader {
  readonly state = new ViewState()
  readonly #options: RedisReaderOptions
  readonly #listeners = new Set<FeedListener>()
  readonly #closed = new AbortController()
  readonly #running: Promise<void>
  /** Null until everything was read once. */
  #position: FeedPosition | null = null
  #away = false

  constructor(options: RedisReaderOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  get position(): FeedPosition {
    return this.#position ?? { feed: 'none', sequence: 0 }
  }

  subscribe(listener: FeedListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  problem(): string | null {
    if (this.#position === null) return 'the live views are being read'
    return this.#away ? 'Redis does not answer: the live views stand still' : null
  }

  /** Resolves once everything was read for the first time. */
  async loaded(): Promise<void> {
    while (this.#position === null && !this.#closed.signal.aborted) {
      await this.#options.clock.sleep(1, this.#closed.signal)
    }
  }

  /** Resolves once a message with this number, or a later one, was passed on. */
  async reached(sequence: number): Promise<void> {
    while (this.position.sequence < sequence && !this.#closed.signal.aborted) {
      await this.#options.clock.sleep(1, this.#closed.signal)
    }
  }

  async close(): Promise<void> {
    this.#closed.abort()
    this.#options.connection.destroy()
    await this.#running
    this.#listeners.clear()
    this.state.clear()
  }

  async #run(): Promise<void> {
    const { clock, logger } = this.#options
    let retryMs = FIRST_RETRY_MS
    while (!this.#closed.signal.aborted) {
      try {
        await this.#step()
        if (this.#away) logger.info('feed-back')
        this.#away = false
        retryMs = FIRST_RETRY_MS
      } catch (error) {
        if (this.#closed.signal.aborted) return
        if (!this.#away) logger.error('feed-away', error)
        this.#away = true
        await clock.sleep(retryMs, this.#closed.signal)
        retryMs = Math.min(LONGEST_RETRY_MS, retryMs * 2)
      }
    }
  }

  async #step(): Promise<void> {
    if (this.#position === null) {
      if (!(await this.#load(null))) await this.#options.clock.sleep(EMPTY_MS, this.#closed.signal)
      return
    }
    const { feed, sequence } = this.#position
    const records = await this.#read(sequence)
    if (records.length === 0) {
      const found = await this.#newest()
      // Nothing came, yet the numbering went on elsewhere: emptied, or filled again from nothing.
      if (found !== null && (found.feed !== feed || found.sequence < sequence)) {
        await this.#load(this.#position)
      }
      return
    }
    for (const record of records) {
      if (record.generation !== feed || record.sequence !== this.position.sequence + 1) {
        await this.#load(this.#position)
        return
      }
      this.#take(record)
    }
  }

  async #read(after: number): Promise<readonly FeedRecord[]> {
    const { connection, keys } = this.#options
    const reply = await connection.xRead(
      { key: keys.feed, id: `${after}-0` },
      { BLOCK: WAIT_MS, COUNT: READ_RECORDS },
    )
    return (reply?.[0]?.messages ?? []).flatMap((found) => (found === null ? [] : recordOf(found)))
  }

  #take({ sequence, generation, messages }: FeedRecord): void {
    const applied = messages.filter((message) => this.#apply(message))
    this.#position = { feed: generation, sequence }
    this.#tell(applied)
  }

  #apply(message: FeedMessage): boolean {
    if (message.type === 'entity') return this.state.apply(message.entry)
    return message.type === 'alert' ? this.state.applyAlert(message.alert) : true
  }

  #tell(messages: readonly FeedMessage[]): void {
    if (messages.length === 0) return
    for (const listener of this.#listeners) listener(messages, this.position)
  }

  /** Reads everything; false where there is nothing yet. What comes meanwhile is read from the feed afterwards. */
  async #load(before: FeedPosition | null): Promise<boolean> {
    const found = await this.#newest()
    if (found === null) return false
    const isGap = before !== null && before.feed === found.feed
    // A store that lost everything is being filled again: until then this process knows more than it does.
    if (isGap) this.state.clear()
    const messages: FeedMessage[] = isGap ? [{ type: 'gap' }] : []
    for await (const message of this.#everything()) {
      if (this.#apply(message) && !isGap) messages.push(message)
    }
    this.#position = found
    if (isGap) this.#options.logger.warn('feed-gap', { sequence: found.sequence })
    this.#tell(messages)
    return true
  }

  async #newest(): Promise<FeedPosition | null> {
    const { connection, keys } = this.#options
    const [generation, sequence] = await connection.mGet([keys.generation, keys.sequence])
    if (generation == null || sequence == null) return null
    return { feed: String(generation), sequence: Number(sequence) }
  }

  async *#everything(): AsyncIterable<FeedMessage> {
    const { connection, keys } = this.#options
    for (const hash of await connection.sMembers(keys.views)) yield* this.#hash(String(hash))
    yield* this.#hash(keys.alerts)
  }

  async *#hash(key: string): AsyncIterable<FeedMessage> {
    let cursor = '0'
    do {
      const page = await this.#options.connection.hScan(key, cursor, { COUNT: SCAN_FIELDS })
      for (const { value } of page.entries) {
        const text = String(value)
        const message = decodeRecord(text.slice(text.indexOf('\n') + 1))
        if (message !== undefined) yield message
      }
      cursor = String(page.cursor)
    } while (cursor !== '0')
  }
}

function recordOf(found: { readonly id: unknown; readonly message: object }): FeedRecord {
  const fields = Object.entries(found.message)
  const messages = fields.flatMap(([field, value]) =>
    field === GENERATION_FIELD ? [] : (decodeRecord(String(value)) ?? []),
  )
  const generation = fields.find(([field]) => field === GENERATION_FIELD)?.[1]
  return {
    sequence: Number(String(found.id).split('-')[0]),
    generation: String(generation),
    messages,
  }
}
