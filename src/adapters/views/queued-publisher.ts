// Puts views and alerts into a store that other processes read. Nobody waits for it: what is put lies here,
// newest state of each key, until the store took it. Where the store lost what it had, whoever can fill it
// again is told.
//
//   put, publishAlerts ──► waiting (merged, bounded) ──► one batch at a time ──► store
//                               ▲ back again where it was not taken

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
import { MAX_OPEN_ALERTS } from './view-state.ts'

/** Keys that wait for the store. Above it further ones are dropped, and everything is put again later. */
export const MAX_WAITING_ENTRIES = 200_000
/** Alerts that wait for the store, and words about them; above it likewise. */
export const MAX_WAITING_ALERTS = MAX_OPEN_ALERTS
/** The store is asked this often whether it still has what it had. */
const LOOK_INTERVAL_MS: DurationMs = SECOND_MS
const FIRST_RETRY_MS: DurationMs = 50
const LONGEST_RETRY_MS: DurationMs = SECOND_MS
/** At the end what waits has so long to get there. */
const CLOSE_PATIENCE_MS: DurationMs = 2 * SECOND_MS
/** One batch carries no more than about this. */
const MAX_BATCH_CHARACTERS = 1024 * 1024

/** Alerts in the order of their telling; or entries of different keys, where no alert waits. */
export interface PublishedBatch {
  readonly alerts: readonly Alert[]
  readonly handled: readonly HandledAlert[]
  readonly entries: readonly ViewEntry[]
}

export interface Sent {
  /** Names what was put since the store was last empty. Another one than before: it lost what it had. */
  readonly generation: string
  /** Of the newest message in the store. */
  readonly sequence: number
  /** Entries that the store had no room for. */
  readonly refused: number
  /** What the store did not take this time, such as for want of capacity; it is sent again after a while. */
  readonly left?: PublishedBatch
  /** Why it did not. */
  readonly problem?: string
}

/** Where batches go. */
export interface PublishingStore {
  /** As messages call it. */
  readonly name: string
  /** Alerts, or entries, of one batch, and as many handlings beside them. */
  readonly batchSize: number
  /**
   * An empty batch only looks. `known` is the newest number this publisher saw. Rejects where nothing of the
   * batch is certain to have been taken; taking it twice must do no harm.
   */
  send(batch: PublishedBatch, known: number): Promise<Sent>
  close(): void
}

export interface QueuedPublisherOptions {
  readonly store: PublishingStore
  readonly clock: Clock
  readonly logger: Logger
  /** The store lost what it had, or something did not get there: all of it must be put again. */
  readonly onLost: () => void
}

export interface QueuedPublisher extends ViewPublisher {
  publishHandling(alert: HandledAlert): Promise<void>
  /** Number of the newest message that the store took from here; 0 before the first. */
  readonly sequence: number
  /** Entries that found no room, here or in the store. */
  readonly dropped: number
  /** Why the store does not take everything at this moment. */
  problem(): string | null
  /** Resolves once everything that waits is in the store. */
  flush(): Promise<void>
  close(): Promise<void>
}

export function createQueuedPublisher(options: QueuedPublisherOptions): QueuedPublisher {
  const { store, clock, logger } = options
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

  const take = (): PublishedBatch => {
    const batch = {
      alerts: alerts.slice(0, store.batchSize),
      handled: handled.slice(0, store.batchSize),
      entries: [] as ViewEntry[],
    }
    alerts = alerts.slice(store.batchSize)
    handled = handled.slice(store.batchSize)
    // Alerts go alone: whoever follows has them before it reads what may wait.
    let room = batch.alerts.length > 0 ? 0 : store.batchSize
    let characters = MAX_BATCH_CHARACTERS
    for (const [name, entry] of entries) {
      if (room <= 0 || characters <= 0) break
      entries.delete(name)
      batch.entries.push(entry)
      room -= 1
      characters -= entry.json?.length ?? 0
    }
    return batch
  }

  const putBack = (batch: PublishedBatch): void => {
    for (const entry of batch.entries) keep(entry)
    const newer = alerts
    alerts = []
    keepAlerts([...batch.alerts, ...newer])
    handled = [...batch.handled, ...handled]
  }

  const note = (sent: Sent): void => {
    const isLost = generation !== null && sent.generation !== generation
    if (isLost) logger.warn('views-lost', { generation: sent.generation })
    if (sent.refused > 0) logger.warn('views-full', { refused: sent.refused })
    dropped += sent.refused
    generation = sent.generation
    sequence = sent.sequence
    const problem = sent.problem ?? null
    if (problem === null && away !== null) logger.info('views-back')
    if (problem !== null && away === null) logger.warn('views-slow', { problem })
    away = problem
    if (!isLost && !incomplete) return
    incomplete = false
    options.onLost()
  }

  /** False where the store is to be left in peace for a while. */
  const step = async (): Promise<boolean> => {
    const batch = take()
    sending = true
    try {
      const sent = await store.send(batch, sequence)
      note(sent)
      if (sent.left === undefined) return true
      putBack(sent.left)
      return false
    } catch (error) {
      putBack(batch)
      if (away === null && !closed.signal.aborted) logger.error('views-away', error)
      away = `${store.name} does not take views and alerts at this moment`
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
      store.close()
      await running
      for (const done of flushes) done()
      flushes = []
    },
  }
}
