// Views and alerts into DynamoDB: a batch is put, entity by entity where it is newer, and then told in the
// feed. So whatever a reader finds told is in the table; what was put and, by a sudden end, never told is put
// again by whoever owns the keys next, found to be there already, and told then.

import { type DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { DAY_MS } from '../../kernel/time.ts'
import type { Alert } from '../../ports/alert.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Logger } from '../../ports/logger.ts'
import type { FeedPosition, ViewEntry } from '../../ports/views.ts'
import type { DynamoDbFeed } from './dynamodb-feed.ts'
import type { DynamoDbItems, VersionedItem } from './dynamodb-items.ts'
import {
  type DynamoDbNames,
  expiryAt,
  MAX_ITEM_BYTES,
  MAX_KEY_BYTES,
  NEVER,
} from './dynamodb-table.ts'
import { encodeAlert, encodeEntry, encodeHandled } from './feed-record.ts'
import {
  createQueuedPublisher,
  type PublishedBatch,
  type QueuedPublisher,
  type Sent,
} from './queued-publisher.ts'

/** Alerts, or entities, of one batch, and as many handlings beside them. */
const BATCH_SIZE = 500
/** An alert that is over, and an entity that is gone, are kept so long, so that an older put can't bring them back. */
const OVER_KEPT_MS = DAY_MS
/** Tenants' views whose names were written; beyond it they are written again. */
const MAX_NAMED_VIEWS = 100_000

export interface DynamoDbPublisherOptions {
  readonly client: DynamoDBClient
  readonly table: string
  readonly names: DynamoDbNames
  readonly items: DynamoDbItems
  readonly feed: DynamoDbFeed
  readonly clock: Clock
  readonly logger: Logger
  /** A name for the generation that begins where the table is empty; different each time. */
  readonly newGeneration: () => string
  /** The table lost what it had, or something did not get there: all of it must be put again. */
  readonly onLost: () => void
  readonly close: () => void
}

export function createDynamoDbPublisher(options: DynamoDbPublisherOptions): QueuedPublisher {
  const sender = new DynamoDbSender(options)
  return createQueuedPublisher({
    ...options,
    store: {
      name: 'DynamoDB',
      batchSize: BATCH_SIZE,
      send: (batch, known) => sender.send(batch, known),
      close: options.close,
    },
  })
}

class DynamoDbSender {
  readonly #options: DynamoDbPublisherOptions
  readonly #named = new Set<string>()
  #generation: string | null = null

  constructor(options: DynamoDbPublisherOptions) {
    this.#options = options
  }

  async send(batch: PublishedBatch, known: number): Promise<Sent> {
    const head = await this.#currentHead(known)
    const { taken, left, refused } = await this.#put(batch)
    const texts = [
      ...taken.alerts.map(encodeAlert),
      ...batch.handled.map(encodeHandled),
      ...taken.entries.map(encodeEntry),
    ]
    const sent = { generation: head.feed, sequence: head.sequence, refused, ...leftOf(left) }
    if (texts.length === 0) return sent
    const sequence = await this.#options.feed.append(head.feed, texts)
    if (sequence !== null) return { ...sent, sequence }
    // Somebody began another generation: what was told is told again under it.
    return { ...sent, left: batch, problem: 'the live views begin anew' }
  }

  /** The generation that holds, or the one that begins now because the table lost what it had. */
  async #currentHead(known: number): Promise<FeedPosition> {
    const { feed, newGeneration } = this.#options
    const present = await feed.head()
    const head =
      present === null || present.sequence < known
        ? await feed.begin(newGeneration(), { before: present, known })
        : present
    if (head.feed !== this.#generation) this.#named.clear()
    this.#generation = head.feed
    return head
  }

  async #put(batch: PublishedBatch) {
    const { items } = this.#options
    const entries = batch.entries.filter(isSmallEnough)
    const alerts = newestRevisions(batch.alerts).filter(isSmallAlert)
    await this.#nameViews(entries)
    const outcomes = await items.putIfNewer([
      ...alerts.map((alert) => this.#alertItem(alert)),
      ...entries.map((entry) => this.#entryItem(entry)),
    ])
    const leftAlerts = new Set(
      alerts.filter((_, at) => outcomes[at] === 'left').map(({ id }) => id),
    )
    const of = (outcome: string): readonly ViewEntry[] =>
      entries.filter((_, at) => outcomes[alerts.length + at] === outcome)
    const small = batch.alerts.filter(isSmallAlert)
    return {
      taken: { alerts: small.filter(({ id }) => !leftAlerts.has(id)), entries: of('put') },
      left: {
        alerts: small.filter(({ id }) => leftAlerts.has(id)),
        handled: [],
        entries: of('left'),
      },
      refused: batch.entries.length - entries.length + of('refused').length,
    }
  }

  /** Readers find the views of a store by these names. */
  async #nameViews(entries: readonly ViewEntry[]): Promise<void> {
    const { client, table, names } = this.#options
    if (this.#named.size > MAX_NAMED_VIEWS) this.#named.clear()
    for (const { tenantId, view } of entries) {
      const name = JSON.stringify([tenantId, view])
      if (this.#named.has(name)) continue
      const item = { pk: { S: names.views }, sk: { S: name } }
      await client.send(new PutItemCommand({ TableName: table, Item: item }))
      this.#named.add(name)
    }
  }

  #entryItem(entry: ViewEntry): VersionedItem {
    const { names, clock } = this.#options
    const { tenantId, view, key, version, json } = entry
    return {
      pk: names.entry(tenantId, view, key),
      sk: sortKey(key),
      version: [version.offset, version.clockMs],
      document: encodeEntry(entry),
      expiry: json === null ? expiryAt(clock.nowMs() + OVER_KEPT_MS) : NEVER,
    }
  }

  #alertItem(alert: Alert): VersionedItem {
    const { names, clock } = this.#options
    const isOver = alert.status === 'resolved'
    return {
      pk: names.alert(alert.id),
      sk: sortKey(alert.id),
      version: [alert.revision, 0],
      document: isOver ? '' : encodeAlert(alert),
      expiry: isOver ? expiryAt(clock.nowMs() + OVER_KEPT_MS) : NEVER,
    }
  }
}

function leftOf(left: PublishedBatch): Pick<Sent, 'left' | 'problem'> {
  const count = left.alerts.length + left.entries.length
  if (count === 0) return {}
  return { left, problem: `DynamoDB is asked for more than it gives: ${count} puts wait` }
}

/** Never empty, as DynamoDB wants it. */
function sortKey(key: string): string {
  return `=${key}`
}

function isSmallEnough(entry: ViewEntry): boolean {
  const names = JSON.stringify(entry.tenantId + entry.view)
  return (
    Buffer.byteLength(sortKey(entry.key)) <= MAX_KEY_BYTES &&
    Buffer.byteLength(names) <= MAX_KEY_BYTES / 2 &&
    Buffer.byteLength(entry.json ?? '') <= MAX_ITEM_BYTES
  )
}

function isSmallAlert(alert: Alert): boolean {
  return Buffer.byteLength(encodeAlert(alert)) <= MAX_ITEM_BYTES
}

/** The last told of each alert. */
function newestRevisions(alerts: readonly Alert[]): readonly Alert[] {
  const newest = new Map<string, Alert>()
  for (const alert of alerts) {
    const present = newest.get(alert.id)
    if (present === undefined || alert.revision > present.revision) newest.set(alert.id, alert)
  }
  return [...newest.values()]
}
