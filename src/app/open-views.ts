// The live views that the settings name, and how they are filled again after they lost what they had. A store's
// client is loaded where it is used.

import { databaseIdentity } from '../adapters/postgres/identity.ts'
import { openAlerts } from '../adapters/postgres/stored-alerts.ts'
import { randomRunId } from '../adapters/random/system-random.ts'
import type { DynamoDbAddress } from '../adapters/views/dynamodb-client.ts'
import { createMemoryViews } from '../adapters/views/memory-views.ts'
import { assert, isRetryable } from '../kernel/errors.ts'
import { type DurationMs, SECOND_MS } from '../kernel/time.ts'
import type { Clock } from '../ports/clock.ts'
import type { Database } from '../ports/database.ts'
import type { Logger } from '../ports/logger.ts'
import type { ViewPublisher, Views } from '../ports/views.ts'
import type { Settings } from './settings.ts'

const RETRY_MS: DurationMs = SECOND_MS

export interface OpenedViews {
  /** For a process that serves; null where it only puts. */
  readonly views: Views | null
  readonly publisher: ViewPublisher
  problem(): string | null
  close(): Promise<void>
}

export interface OpenViewsOptions {
  readonly settings: Settings
  readonly database: Database
  readonly clock: Clock
  readonly logger: Logger
  /** Everything must be put again. */
  readonly onLost: () => void
}

export async function openViews(options: OpenViewsOptions): Promise<OpenedViews> {
  const { settings, database } = options
  if (settings.views === 'memory') {
    const views = createMemoryViews(randomRunId())
    return { views, publisher: views, problem: views.problem, close: views.close }
  }
  const installation = await databaseIdentity(database)
  const store = await sharedStore(settings, {
    ...options,
    installation,
    newGeneration: randomRunId,
  })
  if (!settings.roles.has('serve')) {
    const publisher = await store.openPublisher()
    return { views: null, publisher, problem: publisher.problem, close: publisher.close }
  }
  const views = await store.openViews()
  return { views, publisher: views, problem: views.problem, close: views.close }
}

export function dynamoDbAddress(settings: Settings): DynamoDbAddress {
  const { dynamoDbEndpoint: endpoint, awsRegion: region, dynamoDbTable: table } = settings
  return { endpoint, region, table }
}

async function sharedStore(
  settings: Settings,
  common: OpenViewsOptions & {
    readonly installation: string
    readonly newGeneration: () => string
  },
) {
  if (settings.views === 'dynamodb') {
    const place = { ...common, address: dynamoDbAddress(settings) }
    const { openDynamoDbPublisher, openDynamoDbViews } = await import(
      '../adapters/views/dynamodb-views.ts'
    )
    return {
      openPublisher: () => openDynamoDbPublisher(place),
      openViews: () => openDynamoDbViews(place),
    }
  }
  assert(settings.redisUrl !== null, 'Settings name Redis for the views, and no address of it.')
  const place = { ...common, url: settings.redisUrl }
  const { openRedisPublisher, openRedisViews } = await import('../adapters/views/redis-views.ts')
  return { openPublisher: () => openRedisPublisher(place), openViews: () => openRedisViews(place) }
}

/** Tells the open alerts of the database to views that may not have them. Waits for the database. */
export async function refillAlerts(
  publisher: ViewPublisher,
  { database, clock, logger }: Pick<OpenViewsOptions, 'database' | 'clock' | 'logger'>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      let told = 0
      for await (const alerts of openAlerts(database)) {
        await publisher.publishAlerts(alerts)
        told += alerts.length
      }
      logger.info('alerts-refilled', { alerts: told })
      return
    } catch (error) {
      if (!isRetryable(error)) throw error
      await clock.sleep(RETRY_MS, signal)
    }
  }
}
