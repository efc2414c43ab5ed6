// Reads what DynamoDB holds of the views, and its feed, by asking for what follows every few milliseconds.

import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { FeedMessage, FeedPosition } from '../../ports/views.ts'
import { DynamoDbFeed, HOLE_PATIENCE_MS, RECORD_KEPT_MS } from './dynamodb-feed.ts'
import type { DynamoDbItems } from './dynamodb-items.ts'
import type { DynamoDbNames } from './dynamodb-table.ts'
import type { FeedRecord, FeedSource } from './feed-follower.ts'
import { decodeRecord } from './feed-record.ts'

/** An empty answer costs half a read unit or one: 20 a second and server. */
const POLL_MS: DurationMs = 50
/** After so long without a record it is looked whether the feed is still the same one. */
const WAIT_MS: DurationMs = SECOND_MS
/** Partition keys read at the same time when everything is read. */
const PARALLEL_READS = 16
/** A reader further behind reads everything anew. */
const MAX_RECORDS_BEHIND = 2_000

export interface DynamoDbFeedSourceOptions {
  readonly items: DynamoDbItems
  readonly feed: DynamoDbFeed
  readonly names: DynamoDbNames
  readonly clock: Clock
  readonly close: () => void
}

export function dynamoDbFeedSource(options: DynamoDbFeedSourceOptions): FeedSource {
  const reader = new FeedReader(options)
  return {
    name: 'DynamoDB',
    newest: () => options.feed.head(),
    read: (after, signal) => reader.read(after, signal),
    everything: () => everything(options),
    close: options.close,
  }
}

class FeedReader {
  readonly #options: DynamoDbFeedSourceOptions
  /** The number that is missing while later ones are there, and since when. */
  #hole: { readonly sequence: number; readonly sinceMs: number } | null = null
  #lastReadMs: number

  constructor(options: DynamoDbFeedSourceOptions) {
    this.#options = options
    this.#lastReadMs = options.clock.monotonicMs()
  }

  async read(after: FeedPosition, signal: AbortSignal): Promise<readonly FeedRecord[]> {
    const { clock } = this.#options
    const untilMs = clock.monotonicMs() + WAIT_MS
    while (!signal.aborted && clock.monotonicMs() < untilMs) {
      const records = await this.#step(after)
      if (records.length > 0) return records
      await clock.sleep(POLL_MS, signal)
    }
    return []
  }

  async #step(after: FeedPosition): Promise<readonly FeedRecord[]> {
    const { clock } = this.#options
    const nowMs = clock.monotonicMs()
    // What was told while nobody read here may be gone from the feed.
    const isLate = nowMs - this.#lastReadMs > RECORD_KEPT_MS / 2
    const found = await this.#following(after)
    this.#lastReadMs = nowMs
    const [first] = found
    if (first === undefined) return []
    const isFar = first.sequence - after.sequence > MAX_RECORDS_BEHIND
    // A number that does not follow makes the follower read everything.
    if (isLate || isFar) return [{ ...first, sequence: after.sequence + 2 }]
    return this.#consecutive(after, found)
  }

  /** Records up to the first hole. One that lasts is filled, and seen as filled with the next step. */
  async #consecutive(
    after: FeedPosition,
    found: readonly FeedRecord[],
  ): Promise<readonly FeedRecord[]> {
    const { clock, feed } = this.#options
    const whole = found.findIndex(({ sequence }, at) => sequence !== after.sequence + 1 + at)
    if (whole !== 0) {
      this.#hole = null
      return whole < 0 ? found : found.slice(0, whole)
    }
    const sequence = after.sequence + 1
    const nowMs = clock.monotonicMs()
    if (this.#hole?.sequence !== sequence) this.#hole = { sequence, sinceMs: nowMs }
    else if (nowMs - this.#hole.sinceMs > HOLE_PATIENCE_MS) {
      await feed.fill({ feed: after.feed, sequence })
    }
    return []
  }

  async #following({ feed: generation, sequence }: FeedPosition): Promise<readonly FeedRecord[]> {
    const { items, feed, names } = this.#options
    const pages = items.under(names.feed(generation), DynamoDbFeed.sortKey(sequence))
    for await (const page of pages) {
      const records = await Promise.all(page.map((item) => feed.decode(item)))
      // One page, of a megabyte at most, at a time.
      return records.map((record) => ({
        sequence: record.sequence,
        generation,
        messages: messagesOf(record.texts),
      }))
    }
    return []
  }
}

async function* everything({
  items,
  names,
}: DynamoDbFeedSourceOptions): AsyncIterable<FeedMessage> {
  const places: string[] = [...names.alerts]
  for await (const page of items.under(names.views)) {
    for (const { sk } of page) {
      const [tenantId, view]: readonly unknown[] = JSON.parse(sk?.S ?? '[]')
      places.push(...names.view(String(tenantId), String(view)))
    }
  }
  for (let at = 0; at < places.length; at += PARALLEL_READS) {
    const wave = places.slice(at, at + PARALLEL_READS).map((place) => textsUnder(items, place))
    for (const texts of await Promise.all(wave)) yield* messagesOf(texts)
  }
}

async function textsUnder(items: DynamoDbItems, pk: string): Promise<readonly string[]> {
  const texts: string[] = []
  for await (const page of items.under(pk)) texts.push(...page.map(({ d }) => d?.S ?? ''))
  return texts
}

function messagesOf(texts: readonly string[]): readonly FeedMessage[] {
  return texts.flatMap((text) => decodeRecord(text) ?? [])
}
