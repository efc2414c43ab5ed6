// Puts views and alerts into Redis. Nobody waits for it: what is put lies here, newest state of each key,
// until Redis took it. Where Redis lost what it had, whoever can fill it again is told.
//
//   put, publishAlerts ──► waiting (merged, bounded) ──► one call at a time ──► Redis
//                               ▲ back again where the call failed

import { PlatformError } from '../../kernel/errors.ts'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Alert } from '../../ports/alert.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Logger } from '../../ports/logger.ts'
import {
  type HandledAlert,
  isNewer,
  type ViewEntry,
  type ViewPublisher,
} from '../../ports/views.ts'
import { encodeAlert, encodeEntry, encodeHandled } from './feed-record.ts'
import type { RedisConnection } from './redis-connection.ts'
import { type Applied, MAX_OPERATIONS, type RedisKeys, viewKey } from './redis-script.ts'
import { MAX_OPEN_ALERTS } from './view-state.ts'

/** Keys that wait for Redis. Above it further ones are dropped, and everything is put again later. */
export const MAX_WAITING_ENTRIES = 200_000
/** Alerts that wait for Redis, and words about them; above it likewise. */
export const MAX_WAITING_ALERTS = MAX_OPEN_ALERTS
/** Redis is asked this often whether it still has what it had. */
const LOOK_INTERVAL_MS: DurationMs = SECOND_MS
const FIRST_RETRY_MS: DurationMs = 50
const LONGEST_RETRY_MS: DurationMs = SECOND_MS
/** At the end what waits has so long to get there. */
const CLOSE_PATIENCE_MS: DurationMs = 2 * SECOND_MS
/** One call carries no more than about this. */
const MAX_CALL_CHARACTERS = 1024 * 1024

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

export interface RedisPublisher extends ViewPublisher {
  publishHandling(alert: HandledAlert): Promise<void>
  /** Number of the newest message that Redis took from here; 0 before the first. */
  readonly sequence: number
  /** Entries that found no room, here or in a view of Redis. */
  readonly dropped: number
  /** Why Redis does not take anything at this moment. */
  problem(): string | null
  /** Resolves once everything that waits is in Redis. */
  flush(): Promise<void>
  close(): Promise<void>
}

interface Batch {
  readonly alerts: readonly Alert[]
  readonly handled: readonly HandledAlert[]
  readonly entries: readonly ViewEntry[]
}

export function createRedisPublisher(options: RedisPublisherOptions): RedisPublisher {
  const { connection, keys, clock, logger } = options
  const entries = new Map<string, ViewEntry>()
  let alerts: Alert[] = []
  let handled: HandledAlert[] = []
  let generation: string | null = null
  let sequence = 0
  let dropped = 0
  let incomplete = false
  let away: string | null = null
  let sending = false
  let wake = new AbortController()
  const closing = new AbortController()
  const closed = new AbortController()
  let flushes: (() => void)[] = []

  const isEmpty = (): boolean =>
    !sending && entries.size === 0 && alerts.length === 0 && handled.length === 0

  const keep = (entry: ViewEntry): void => {
    const name = `${entry.view}\n${entry.tenantId}\n${entry.key}`
    const present = entries.get(name)
    if (present === undefined && entries.size >= MAX_WAITING_ENTRIES) {
      dropped += 1
      incomplete = true
    } else if (present === undefined || isNewer(entry.version, present.version)) {
      entries.set(name, entry)
    }
  }

  const keepAlerts = (added: readonly Alert[]): void => {
    alerts = [...alerts, ...added]
    if (alerts.length <= MAX_WAITING_ALERTS) return
    alerts = alerts.slice(-MAX_WAITING_ALERTS)
    incomplete = true
  }

  const keepHandled = (added: readonly HandledAlert[]): void => {
    handled = [...handled, ...added].slice(-MAX_WAITING_ALERTS)
  }

  const take = (): Batch => {
    const batch = {
      alerts: alerts.slice(0, MAX_OPERATIONS),
      handled: handled.slice(0, MAX_OPERATIONS),
      entries: [] as ViewEntry[],
    }
    alerts = alerts.slice(MAX_OPERATIONS)
    handled = handled.slice(MAX_OPERATIONS)
    let room = MAX_OPERATIONS - batch.alerts.length
    let characters = MAX_CALL_CHARACTERS
    for (const [name, entry] of entries) {
      if (room <= 0 || characters <= 0) break
      entries.delete(name)
      batch.entries.push(entry)
      room -= 1
      characters -= entry.json?.length ?? 0
    }
    return batch
  }

  const putBack = (batch: Batch): void => {
    for (const entry of batch.entries) keep(entry)
    const newer = alerts
    alerts = []
    keepAlerts([...batch.alerts, ...newer])
    handled = [...batch.handled, ...handled]
  }

  const send = async (batch: Batch): Promise<void> => {
    const operations = [
      ...batch.alerts.flatMap(alertOperation),
      ...batch.handled.flatMap((alert) => ['H', encodeHandled(alert)]),
      ...batch.entries.flatMap((entry) => entryOperation(keys, entry)),
    ]
    const applied = await connection.apply(keys, [
      options.newGeneration(),
      String(sequence),
      ...operations,
    ])
    noteApplied(applied)
  }

  const noteApplied = (applied: Applied): void => {
    const isLost = generation !== null && applied.generation !== generation
    if (isLost) logger.warn('views-lost', { generation: applied.generation })
    if (applied.refused > 0) logger.warn('views-full', { refused: applied.refused })
    dropped += applied.refused
    generation = applied.generation
    sequence = applied.sequence
    if (away !== null) logger.info('views-back')
    away = null
    if (!isLost && !incomplete) return
    incomplete = false
    options.onLost()
  }

  const step = async (): Promise<boolean> => {
    const batch = take()
    sending = true
    try {
      await send(batch)
      return true
    } catch (error) {
      putBack(batch)
      if (away === null && !closed.signal.aborted) logger.error('views-away', error)
      away = 'Redis does not take views and alerts at this moment'
      return false
    } finally {
      sending = false
    }
  }

  const run = async (): Promise<void> => {
    let retryMs = FIRST_RETRY_MS
    while (!closed.signal.aborted) {
      if (await step()) {
        retryMs = FIRST_RETRY_MS
        if (!isEmpty()) continue
        for (const done of flushes.splice(0)) done()
        if (closing.signal.aborted) return
        await clock.sleep(LOOK_INTERVAL_MS, AbortSignal.any([wake.signal, closed.signal]))
        wake = new AbortController()
      } else {
        await clock.sleep(retryMs, closed.signal)
        retryMs = Math.min(LONGEST_RETRY_MS, retryMs * 2)
      }
    }
  }
  const running = run()

  const failIfClosed = (): void => {
    if (!closing.signal.aborted) return
    throw new PlatformError('views-unavailable', 'The live views are closed.', { retry: 'never' })
  }

  return {
    get sequence() {
      return sequence
    },
    get dropped() {
      return dropped
    },
    async put(added) {
      failIfClosed()
      for (const entry of added) keep(entry)
      wake.abort()
    },
    async publishAlerts(added) {
      failIfClosed()
      keepAlerts(added)
      wake.abort()
    },
    async publishHandling(alert) {
      failIfClosed()
      keepHandled([alert])
      wake.abort()
    },
    problem: () => away,
    flush() {
      if (isEmpty()) return Promise.resolve()
      return new Promise((done) => {
        flushes.push(done)
        wake.abort()
      })
    },
    async close() {
      closing.abort()
      wake.abort()
      const over = new AbortController()
      await Promise.race([running, clock.sleep(CLOSE_PATIENCE_MS, over.signal)])
      over.abort()
      closed.abort()
      connection.destroy()
      await running
      for (const done of flushes) done()
      flushes = []
    },
  }
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
