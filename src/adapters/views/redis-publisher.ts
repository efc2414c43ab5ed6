// Views and alerts into Redis: a batch is one call of the script.

import type { Alert } from '../../ports/alert.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Logger } from '../../ports/logger.ts'
import type { ViewEntry } from '../../ports/views.ts'
import { encodeAlert, encodeEntry, encodeHandled } from './feed-record.ts'
import { createQueuedPublisher, type QueuedPublisher } from './queued-publisher.ts'
import type { RedisConnection } from './redis-connection.ts'
import { MAX_OPERATIONS, type RedisKeys, viewKey } from './redis-script.ts'

export interface RedisPublisherOptions {
  readonly connection: RedisConnection
  readonly keys: RedisKeys
  readonly clock: Clock
  readonly logger: Logger
  /** A name for the generation that begins where the store is empty; different each time. */
  readonly newGeneration: () => string
  /** The store lost what it had, or something did not get there: all of it must be put again. */
  readonly onLost: () => void
}

export function createRedisPublisher(options: RedisPublisherOptions): QueuedPublisher {
  const { connection, keys } = options
  return createQueuedPublisher({
    ...options,
    store: {
      name: 'Redis',
      batchSize: MAX_OPERATIONS,
      send: (batch, known) =>
        connection.apply(keys, [
          options.newGeneration(),
          String(known),
          ...batch.alerts.flatMap(alertOperation),
          ...batch.handled.flatMap((alert) => ['H', encodeHandled(alert)]),
          ...batch.entries.flatMap((entry) => entryOperation(keys, entry)),
        ]),
      close: () => connection.destroy(),
    },
  })
}

function entryOperation(keys: RedisKeys, entry: ViewEntry): readonly string[] {
  const { view, key, tenantId, version } = entry
  const hash = viewKey(keys, tenantId, view)
  return ['E', hash, key, String(version.offset), String(version.clockMs), encodeEntry(entry)]
}

function alertOperation(alert: Alert): readonly string[] {
  const isOpen = alert.status === 'resolved' ? '0' : '1'
  return ['A', alert.id, String(alert.revision), isOpen, encodeAlert(alert)]
}
