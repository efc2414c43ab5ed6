// Wakes those who wait for records: at once where a thread of this process wrote them, by looking
// again shortly where another process did.

import { BroadcastChannel } from 'node:worker_threads'
import { Slab } from '../../kernel/slab.ts'
import type { DurationMs } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { LogNews, PartitionEnd } from './writer-protocol.ts'

/** How long a record written by another process may go unnoticed. */
const POLL_MS: DurationMs = 20

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

  constructor(options: ArrivalsOptions) {
    this.#options = options
    this.#channel = new BroadcastChannel(options.channel)
    this.#channel.onmessage = ({ data }: { readonly data: LogNews }) => this.#onNews(data)
    // Only whoever waits keeps the process alive.
    this.#channel.unref()
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

  #onNews(news: LogNews): void {
    if (news.kind === 'failed') {
      this.#options.onFailed(news.cause)
      return
    }
    for (const { topicId, partition, endOffset } of news.ends) {
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
      await this.#options.clock.sleep(POLL_MS, stop.signal)
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
