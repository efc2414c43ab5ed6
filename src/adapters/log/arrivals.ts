// Wakes those who wait for records: at once where a thread of this process wrote them, by looking again where another
// process did, which is seldom where this one has a writer.

import { BroadcastChannel } from 'node:worker_threads'
import { Slab } from '../../kernel/slab.ts'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { LogNews, PartitionEnd } from './writer-protocol.ts'

/** How long a record written by another process may go unnoticed; the second, where this one has a writer. */
const POLL_MS: DurationMs = 20
const RARE_POLL_MS: DurationMs = SECOND_MS

interface Waiter extends Omit<PartitionEnd, 'endOffset'> {
  readonly fromOffset: number
  readonly resolve: () => void
}

export interface ArrivalsOptions {
  readonly channel: string
  readonly clock: Clock
  /** The end of a partition as it stands now. */
  readonly endOf: (topicId: number, partition: number) => number
  readonly onFailed: (cause: unknown) => void
}

export class Arrivals {
  readonly #options: ArrivalsOptions
  readonly #channel: BroadcastChannel
  readonly #waiters = new Slab<Waiter>()
  #stopPolling: AbortController | undefined
  #hasWriter = false

  constructor(options: ArrivalsOptions) {
    this.#options = options
    this.#channel = new BroadcastChannel(options.channel)
    this.#channel.onmessage = ({ data }: { readonly data: LogNews }) => this.#onNews(data)
    // Only whoever waits keeps the process alive.
    this.#channel.unref()
    this.#askWhoWrites()
  }

  /** Resolves once the partition reaches beyond `fromOffset`, on abort, or when the log is closed. */
  waitFor(
    place: { readonly topicId: number; readonly partition: number; readonly fromOffset: number },
    signal: AbortSignal,
  ): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#waiters.take(at)
        signal.removeEventListener('abort', end)
        if (this.#waiters.size === 0) this.#stopPolling?.abort()
        resolve()
      }
      const at = this.#waiters.add({ ...place, resolve: end })
      signal.addEventListener('abort', end, { once: true })
      if (this.#stopPolling === undefined) void this.#poll()
    })
  }

  close(): void {
    this.#channel.close()
    for (const waiter of this.#waiters) waiter.resolve()
  }

  #askWhoWrites(): void {
    const question: LogNews = { kind: 'who-writes' }
    this.#channel.postMessage(question)
  }

  #onNews(news: LogNews): void {
    switch (news.kind) {
      case 'who-writes':
        return
      case 'writer-open':
        this.#hasWriter = true
        return
      case 'writer-closed':
        this.#hasWriter = false
        this.#stopPolling?.abort()
        this.#askWhoWrites()
        return
      case 'failed':
        this.#options.onFailed(news.cause)
        return
      case 'appended':
        this.#wake(news.ends)
    }
  }

  #wake(ends: readonly PartitionEnd[]): void {
    for (const { topicId, partition, endOffset } of ends) {
      for (const waiter of this.#waiters) {
        if (waiter.topicId !== topicId || waiter.partition !== partition) continue
        if (waiter.fromOffset < endOffset) waiter.resolve()
      }
    }
  }

  async #poll(): Promise<void> {
    const stop = new AbortController()
    this.#stopPolling = stop
    while (!stop.signal.aborted) {
      await this.#options.clock.sleep(this.#hasWriter ? RARE_POLL_MS : POLL_MS, stop.signal)
      for (const waiter of this.#waiters) {
        if (this.#hasArrived(waiter)) waiter.resolve()
      }
    }
    this.#stopPolling = undefined
    if (this.#waiters.size > 0) void this.#poll()
  }

  #hasArrived({ topicId, partition, fromOffset }: Waiter): boolean {
    try {
      return fromOffset < this.#options.endOf(topicId, partition)
    } catch {
      // The store can't be read: whoever waits reads next, and gets to know why.
      return true
    }
  }
}
