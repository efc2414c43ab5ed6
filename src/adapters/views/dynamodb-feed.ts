// The feed in DynamoDB: records under consecutive numbers, each written once, the same for every reader.
//
//   publisher:  head.n + 1 ──► n      record n, if nothing is there      (filled meanwhile: take another number)
//   reader:     records behind the last, in order; one that stays away is filled with nothing, if nothing is there
//
// A publisher that ends between its two writes leaves a hole; whoever fills it decides for everybody.
// Source of the idea: CORFU's sequencer and hole filling (Balakrishnan et al., NSDI 2012).

import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import {
  type AttributeValue,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { PlatformError } from '../../kernel/errors.ts'
import { type DurationMs, HOUR_MS, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { FeedPosition } from '../../ports/views.ts'
import { isConditionFailed } from './dynamodb-client.ts'
import { type DynamoDbNames, expiryAt, MAX_ITEM_BYTES } from './dynamodb-table.ts'

const compress = promisify(gzip)
const decompress = promisify(gunzip)

/** A record is of use to readers that are behind; DynamoDB removes it some time after this. */
export const RECORD_KEPT_MS: DurationMs = HOUR_MS
/** A number whose record stays away so long is filled, and whoever took it takes another one. */
export const HOLE_PATIENCE_MS: DurationMs = SECOND_MS
/** Numbers taken for one record before the publisher waits. */
const MAX_TRIES = 5
/** Digits of a number as a sort key, so that text sorts like numbers. */
const DIGITS = 16
const MICROSECONDS = 1_000

export interface StoredRecord {
  readonly sequence: number
  /** Texts as `feed-record.ts` writes them; none where the record was filled. */
  readonly texts: readonly string[]
}

export class DynamoDbFeed {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly #names: DynamoDbNames
  readonly #clock: Clock

  constructor(options: {
    readonly client: DynamoDBClient
    readonly table: string
    readonly names: DynamoDbNames
    readonly clock: Clock
  }) {
    this.#client = options.client
    this.#table = options.table
    this.#names = options.names
    this.#clock = options.clock
  }

  /** Null where no generation has begun. */
  async head(): Promise<FeedPosition | null> {
    const { Item: item } = await this.#client.send(
      new GetItemCommand({ TableName: this.#table, Key: this.#headKey(), ConsistentRead: true }),
    )
    if (item?.g?.S === undefined || item.n?.N === undefined) return null
    return { feed: item.g.S, sequence: Number(item.n.N) }
  }

  /**
   * Begins a generation in place of `before`; where somebody else was quicker, theirs is the answer. Numbers
   * begin above the time of day in microseconds and above `known`, so that they never fall.
   */
  async begin(
    generation: string,
    { before, known }: { readonly before: FeedPosition | null; readonly known: number },
  ): Promise<FeedPosition> {
    const sequence = Math.max(known, before?.sequence ?? 0, this.#clock.nowMs() * MICROSECONDS) + 1
    try {
      await this.#client.send(
        new PutItemCommand({
          TableName: this.#table,
          Item: { ...this.#headKey(), g: { S: generation }, n: { N: String(sequence) } },
          ConditionExpression: before === null ? 'attribute_not_exists(pk)' : 'g = :before',
          ...(before === null
            ? {}
            : { ExpressionAttributeValues: { ':before': { S: before.feed } } }),
        }),
      )
      return { feed: generation, sequence }
    } catch (error) {
      if (!isConditionFailed(error)) throw error
      const present = await this.head()
      if (present !== null) return present
      throw error
    }
  }

  /** Writes the texts as one record, or as several where they are large. Null where the generation is over. */
  async append(generation: string, texts: readonly string[]): Promise<number | null> {
    const record = await compress(JSON.stringify(texts))
    if (record.length <= MAX_ITEM_BYTES) return this.#appendRecord(generation, record)
    if (texts.length === 1) {
      throw new PlatformError('invariant-broken', 'One message is larger than DynamoDB takes.', {
        retry: 'never',
      })
    }
    const half = Math.ceil(texts.length / 2)
    const first = await this.append(generation, texts.slice(0, half))
    return first === null ? null : this.append(generation, texts.slice(half))
  }

  /** A record from its item. */
  async decode(item: Record<string, AttributeValue>): Promise<StoredRecord> {
    const sequence = Number(item.sk?.S)
    if (item.d?.B === undefined) return { sequence, texts: [] }
    const texts: unknown = JSON.parse(String(await decompress(item.d.B)))
    return { sequence, texts: Array.isArray(texts) ? texts.map(String) : [] }
  }

  /** Decides that nobody wrote this number; harmless where somebody did. */
  async fill({ feed, sequence }: FeedPosition): Promise<void> {
    await this.#write(feed, sequence, undefined)
  }

  static sortKey(sequence: number): string {
    return String(sequence).padStart(DIGITS, '0')
  }

  async #appendRecord(generation: string, record: Uint8Array): Promise<number | null> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const sequence = await this.#takeNumber(generation)
      if (sequence === null) return null
      if (await this.#write(generation, sequence, record)) return sequence
    }
    throw new PlatformError(
      'views-unavailable',
      `Cannot write a record of the live feed to DynamoDB: ${MAX_TRIES} times it took longer than readers wait.`,
      { retry: 'later' },
    )
  }

  async #takeNumber(generation: string): Promise<number | null> {
    try {
      const { Attributes: changed } = await this.#client.send(
        new UpdateItemCommand({
          TableName: this.#table,
          Key: this.#headKey(),
          UpdateExpression: 'ADD n :one',
          ConditionExpression: 'g = :generation',
          ExpressionAttributeValues: { ':one': { N: '1' }, ':generation': { S: generation } },
          ReturnValues: 'UPDATED_NEW',
        }),
      )
      return Number(changed?.n?.N)
    } catch (error) {
      if (isConditionFailed(error)) return null
      throw error
    }
  }

  /** False where something is there already. */
  async #write(
    generation: string,
    sequence: number,
    record: Uint8Array | undefined,
  ): Promise<boolean> {
    try {
      await this.#client.send(
        new PutItemCommand({
          TableName: this.#table,
          Item: {
            pk: { S: this.#names.feed(generation) },
            sk: { S: DynamoDbFeed.sortKey(sequence) },
            x: expiryAt(this.#clock.nowMs() + RECORD_KEPT_MS),
            ...(record === undefined ? {} : { d: { B: record } }),
          },
          ConditionExpression: 'attribute_not_exists(pk)',
        }),
      )
      return true
    } catch (error) {
      if (isConditionFailed(error)) return false
      throw error
    }
  }

  #headKey(): Record<'pk' | 'sk', { readonly S: string }> {
    return { pk: { S: this.#names.head }, sk: { S: 'head' } }
  }
}
