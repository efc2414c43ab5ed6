// The routing of alerts in this process: its store, its document in the data directory, and what it tells the
// live feed.

import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatabaseAddress } from '../adapters/postgres/address.ts'
import { createRoutingStore } from '../adapters/postgres/routing-store.ts'
import { randomRunId } from '../adapters/random/system-random.ts'
import { handledDocuments } from '../api/alert-queries.ts'
import type { Metrics } from '../api/metrics.ts'
import type { Clock } from '../ports/clock.ts'
import type { Database } from '../ports/database.ts'
import type { Logger } from '../ports/logger.ts'
import type { Views } from '../ports/views.ts'
import { MAX_ROUTING_CHARACTERS } from '../rules/routing/route-file.ts'
import type { RoutingDocuments } from '../workflows/routing/routing-document.ts'
import { type RoutingRunner, startRouting } from '../workflows/routing/routing-runner.ts'

export const ROUTING_FILE = 'routing.yaml'
/** Read from the database at once. */
const DOCUMENTS_AT_ONCE = 1_000

export interface AlertRoutingOptions {
  readonly address: DatabaseAddress
  readonly database: Database
  /** Null where this process has no feed to tell. */
  readonly views: Pick<Views, 'publishHandling'> | null
  readonly dataDir: string
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'countNotifications' | 'setRouting' | 'countRoutingFailure'>
}

export function startAlertRouting(options: AlertRoutingOptions): RoutingRunner {
  const { address, database, views, dataDir, clock, logger, metrics } = options
  const store = createRoutingStore({ address })
  const runner = startRouting({
    store,
    documents: routingFile(join(dataDir, ROUTING_FILE)),
    clock,
    logger,
    owner: randomRunId(),
    async onHandled(ids) {
      for (let start = 0; views !== null && start < ids.length; start += DOCUMENTS_AT_ONCE) {
        const handled = await handledDocuments(
          database,
          ids.slice(start, start + DOCUMENTS_AT_ONCE),
        )
        await Promise.all(handled.map((alert) => views.publishHandling(alert)))
      }
    },
    onState: (state) => metrics.setRouting(state),
    onFailure: () => metrics.countRoutingFailure(),
    onNotified(notifications) {
      for (const { id, kind, receiver, firing, resolved } of notifications) {
        const counts = { firing: firing.length, resolved: resolved.length }
        metrics.countNotifications({ kind, receiver }, 1)
        logger.debug('alerts-notified', { id, kind, receiver, ...counts })
      }
    },
  })
  return {
    nudge: runner.nudge,
    async stop() {
      await runner.stop()
      await store.close()
    },
  }
}

function routingFile(path: string): RoutingDocuments {
  return {
    async read() {
      try {
        const { size } = await stat(path)
        if (size > 4 * MAX_ROUTING_CHARACTERS) throw new Error(`it has ${size} bytes`)
        return { source: path, text: await readFile(path, 'utf8') }
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
        throw error
      }
    },
  }
}
