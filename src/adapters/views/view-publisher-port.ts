// Carries puts and alerts from a task's worker thread to the views of the main thread.

import type { MessagePort } from 'node:worker_threads'
import { PlatformError } from '../../kernel/errors.ts'
import type { Alert } from '../../ports/alert.ts'
import { isNewer, type ViewEntry, type ViewPublisher } from '../../ports/views.ts'

/** Messages under way, not yet applied by the other side. Above it entities wait and merge; alerts never wait. */
export const MAX_MESSAGES_UNDER_WAY = 4
/** Entities that wait on this side, one entry a key. Above it a put of a further key is dropped and counted. */
export const MAX_WAITING_ENTRIES = 200_000

/** What the worker sends. */
export interface ViewMessage {
  readonly sequence: number
  readonly entries: readonly ViewEntry[]
  readonly alerts: readonly Alert[]
}

/** What the main thread answers once a message is applied. */
export interface ViewReceipt {
  readonly applied: number
}

export interface ViewPublisherPort extends ViewPublisher {
  /** Entities that were not sent because too many waited. The next put of the key mends it. */
  readonly dropped: number
  /** Resolves once everything put so far has been applied by the main thread. */
  flush(): Promise<void>
  close(): void
}

interface Flush {
  /** Message that must be applied first; null while what waits has no message yet. */
  upTo: number | null
  readonly done: () => void
}

/**
 * The worker's end. `put` and `publishAlerts` resolve once the message is handed over or waits here: a task
 * is never held up by a slow main thread. While `MAX_MESSAGES_UNDER_WAY` messages are unanswered, entries of
 * one key merge into the newest.
 */
export function createViewPublisherPort(port: MessagePort): ViewPublisherPort {
  let waiting = new Map<string, ViewEntry>()
  let sent = 0
  let applied = 0
  let dropped = 0
  let closed = false
  let flushes: Flush[] = []

  const post = (entries: readonly ViewEntry[], alerts: readonly Alert[]): void => {
    sent += 1
    port.postMessage({ sequence: sent, entries, alerts } satisfies ViewMessage)
  }

  const sendWaiting = (): void => {
    if (waiting.size === 0 || sent - applied >= MAX_MESSAGES_UNDER_WAY) return
    const entries = [...waiting.values()]
    waiting = new Map()
    post(entries, [])
    for (const flush of flushes) flush.upTo ??= sent
  }

  const settleFlushes = (): void => {
    const due = flushes.filter(({ upTo }) => closed || (upTo !== null && applied >= upTo))
    flushes = flushes.filter((flush) => !due.includes(flush))
    for (const flush of due) flush.done()
  }

  const onReceipt = (receipt: ViewReceipt): void => {
    applied = Math.max(applied, receipt.applied)
    sendWaiting()
    settleFlushes()
  }
  port.on('message', onReceipt)

  const failIfClosed = (): void => {
    if (!closed) return
    throw new PlatformError('views-unavailable', 'The port to the live views is closed.', {
      retry: 'never',
    })
  }

  return {
    get dropped() {
      return dropped
    },
    async put(entries) {
      failIfClosed()
      for (const entry of entries) {
        const name = `${entry.view}\n${entry.tenantId}\n${entry.key}`
        const present = waiting.get(name)
        if (present === undefined && waiting.size >= MAX_WAITING_ENTRIES) dropped += 1
        else if (present === undefined || isNewer(entry.version, present.version)) {
          waiting.set(name, entry)
        }
      }
      sendWaiting()
    },
    async publishAlerts(alerts) {
      failIfClosed()
      if (alerts.length > 0) post([], alerts)
    },
    flush() {
      sendWaiting()
      if (waiting.size === 0 && applied >= sent) return Promise.resolve()
      const upTo = waiting.size === 0 ? sent : null
      return new Promise((done) => flushes.push({ upTo, done }))
    },
    close() {
      closed = true
      waiting = new Map()
      port.off('message', onReceipt)
      settleFlushes()
    },
  }
}

/**
 * The main thread's end: applies what arrives and answers. `onFailure` hears of a message that the views
 * refused; the feed goes on with the next one. Returns what ends it.
 */
export function receiveViewMessages(
  port: MessagePort,
  views: ViewPublisher,
  onFailure: (error: unknown) => void,
): () => void {
  const onMessage = (message: ViewMessage): void => {
    const work: Promise<void>[] = []
    if (message.alerts.length > 0) work.push(views.publishAlerts(message.alerts))
    if (message.entries.length > 0) work.push(views.put(message.entries))
    Promise.all(work)
      .catch(onFailure)
      .finally(() => port.postMessage({ applied: message.sequence } satisfies ViewReceipt))
  }
  port.on('message', onMessage)
  return () => {
    port.off('message', onMessage)
  }
}
