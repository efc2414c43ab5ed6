// Runs the routing of alerts around its store: one process owns it at a time, each step is permanent before the
// next begins, and whatever fails, the owner forgets what it held and reads it back.

import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Logger } from '../../ports/logger.ts'
import type { AlertNotification, RoutingStep, RoutingStore } from '../../ports/routing-store.ts'
import { AlertRouter } from '../../rules/routing/router.ts'
import { type RoutingDocuments, RoutingInForceFile } from './routing-document.ts'

/** Changes taken into one step. */
export const MAX_CHANGES_A_STEP = 2_000
/** An owner that is silent for so long has lost the routing to whoever asks first. */
export const LEASE_MS: DurationMs = 5 * SECOND_MS
/** How often the lease is renewed while nothing happens. */
const RENEW_MS: DurationMs = SECOND_MS
/** How often changes are looked for; a nudge brings the look forward. */
const LOOK_MS: DurationMs = 250
const CLAIM_RETRY_MS: DurationMs = SECOND_MS
const RELOAD_MS: DurationMs = 2 * SECOND_MS

export interface RoutingRunnerOptions {
  readonly store: RoutingStore
  readonly documents: RoutingDocuments
  readonly clock: Clock
  readonly logger: Logger
  /** Names this process in the claim. */
  readonly owner: string
  /** Hears of every committed step: alerts whose marks changed, or that were changed past the feed. */
  readonly onHandled: (alertIds: readonly string[]) => Promise<void>
  readonly onNotified: (notifications: readonly AlertNotification[]) => void
  /** Hears after every look how it stands. */
  readonly onState?: (state: {
    readonly isOwner: boolean
    readonly groups: number
    readonly isDocumentRefused: boolean
  }) => void
  /** Hears of every failure, also where the log has told of it already. */
  readonly onFailure?: () => void
}

export interface RoutingRunner {
  /** There may be something to do: look at once. */
  nudge(): void
  /** Resolves once the step under way is committed and the claim given back. */
  stop(): Promise<void>
}

interface Owned {
  readonly epoch: number
  readonly router: AlertRouter
  renewedMs: number
}

export function startRouting(options: RoutingRunnerOptions): RoutingRunner {
  const { store, clock, logger } = options
  const stop = new AbortController()
  const file = new RoutingInForceFile(options.documents, logger)
  let wake = new AbortController()
  let owned: Owned | null = null
  let isAway = false
  let reloadedMs = Number.NEGATIVE_INFINITY

  const rest = async (spanMs: DurationMs): Promise<void> => {
    await clock.sleep(spanMs, AbortSignal.any([stop.signal, wake.signal]))
    wake = new AbortController()
  }

  const reload = async (): Promise<void> => {
    if (clock.monotonicMs() - reloadedMs < RELOAD_MS) return
    reloadedMs = clock.monotonicMs()
    if (!(await file.reload()) || owned === null) return
    owned.router.configure(file.table, clock.nowMs())
    await store.report(owned.epoch, file.inForce)
  }

  const take = async (): Promise<void> => {
    const claim = await store.claim(options.owner, LEASE_MS)
    if (claim === null) return
    const router = new AlertRouter(file.table, claim, clock.nowMs())
    owned = { epoch: claim.epoch, router, renewedMs: clock.monotonicMs() }
    await store.report(claim.epoch, file.inForce)
    logger.info('routing-claimed', { epoch: claim.epoch, alerts: claim.alerts.length })
  }

  /** True where there was as much to do as a step takes: there may be more. */
  const step = async (mine: Owned): Promise<boolean> => {
    const changes = await store.changes(MAX_CHANGES_A_STEP)
    const nowMs = clock.nowMs()
    if (changes.silences !== null) mine.router.setSilences(changes.silences, nowMs)
    mine.router.change(changes.alerts, nowMs)
    mine.router.advance(nowMs)
    const decided = mine.router.take(changes.numbers)
    const renewalDue = clock.monotonicMs() - mine.renewedMs >= RENEW_MS
    if (!isEmpty(decided) || renewalDue) {
      const outcome = await store.commit({ epoch: mine.epoch, leaseMs: LEASE_MS }, decided)
      if (outcome === 'fenced') {
        logger.warn('routing-lost', { epoch: mine.epoch })
        owned = null
        return false
      }
      mine.renewedMs = clock.monotonicMs()
      if (decided.notifications.length > 0) options.onNotified(decided.notifications)
      const handled = new Set([...decided.marks.map(({ alertId }) => alertId), ...changes.untold])
      if (handled.size > 0) await options.onHandled([...handled])
    }
    return changes.numbers.length === MAX_CHANGES_A_STEP
  }

  const tellState = (): void =>
    options.onState?.({
      isOwner: owned !== null,
      groups: owned?.router.groups ?? 0,
      isDocumentRefused: file.inForce.problem !== null,
    })

  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        await reload()
        if (owned === null) await take()
        const isBusy = owned !== null && (await step(owned))
        tellState()
        if (isAway) logger.info('routing-back')
        isAway = false
        if (!isBusy) await rest(owned === null ? CLAIM_RETRY_MS : LOOK_MS)
      } catch (error) {
        // What the step decided may be permanent or not: it is read back with the next claim.
        if (!isAway) logger.error('routing-failed', error)
        isAway = true
        options.onFailure?.()
        await giveBack()
        tellState()
        await rest(CLAIM_RETRY_MS)
      }
    }
    await giveBack()
  }

  const giveBack = async (): Promise<void> => {
    if (owned === null) return
    const { epoch } = owned
    owned = null
    await store.release(epoch).catch((error: unknown) => {
      logger.debug('routing-not-released', { epoch, error: String(error) })
    })
  }

  const ended = run()
  return {
    nudge: () => wake.abort(),
    async stop() {
      stop.abort()
      await ended
    },
  }
}

function isEmpty({ nextGroup: _, ...lists }: RoutingStep): boolean {
  return Object.values(lists).every((list) => list.length === 0)
}
