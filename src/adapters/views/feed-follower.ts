// What a shared store holds of the views, kept in this process as well: read once, then followed through the
// feed. So a page costs the store nothing, and while the store is away the last known state is shown.

import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Logger } from '../../ports/logger.ts'
import type { FeedListener, FeedMessage, FeedPosition } from '../../ports/views.ts'
import { ViewState } from './view-state.ts'

/** Until the first publisher began a generation. */
const EMPTY_MS: DurationMs = 20
const FIRST_RETRY_MS: DurationMs = 50
const LONGEST_RETRY_MS: DurationMs = SECOND_MS

export interface FeedRecord {
  readonly sequence: number
  readonly generation: string
  readonly messages: readonly FeedMessage[]
}

/** Where views and feed are read. */
export interface FeedSource {
  /** As messages call it. */
  readonly name: string
  /** Null where nothing was ever put. */
  newest(): Promise<FeedPosition | null>
  /**
   * Records behind the position, in order. Waits up to about a second for the first; the signal ends that. A
   * record that does not follow on the position says that some are missing.
   */
  read(after: FeedPosition, signal: AbortSignal): Promise<readonly FeedRecord[]>
  /** All that is kept: whatever was told up to `newest` before this began is in it. */
  everything(): AsyncIterable<FeedMessage>
  close(): void
}

export interface FeedFollowerOptions {
  readonly source: FeedSource
  readonly clock: Clock
  readonly logger: Logger
}

export class FeedFollower {
  readonly state = new ViewState()
  readonly #options: FeedFollowerOptions
  readonly #listeners = new Set<FeedListener>()
  readonly #closed = new AbortController()
  readonly #running: Promise<void>
  /** Null until everything was read once. */
  #position: FeedPosition | null = null
  #away = false

  constructor(options: FeedFollowerOptions) {
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
    const { source } = this.#options
    return this.#away ? `${source.name} does not answer: the live views stand still` : null
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
    this.#options.source.close()
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
    const { source } = this.#options
    const { feed, sequence } = this.#position
    const records = await source.read(this.#position, this.#closed.signal)
    if (records.length === 0) {
      const found = await source.newest()
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
    const { source, logger } = this.#options
    const found = await source.newest()
    if (found === null) return false
    const isGap = before !== null && before.feed === found.feed
    // A store that lost everything is being filled again: until then this process knows more than it does.
    if (isGap) this.state.clear()
    const messages: FeedMessage[] = isGap ? [{ type: 'gap' }] : []
    for await (const message of source.everything()) {
      if (this.#apply(message) && !isGap) messages.push(message)
    }
    this.#position = found
    if (isGap) logger.warn('feed-gap', { sequence: found.sequence })
    this.#tell(messages)
    return true
  }
}
