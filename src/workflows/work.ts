// Hands effects from the outbox to the workflows, says that this process lives, and takes over what a dead one
// left. Whatever fails here, the effect stays in the outbox or claimed under this process's name.

import { DAY_MS, type DurationMs, MINUTE_MS, SECOND_MS } from '../kernel/time.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import { type Outbox, RETRY_EFFECT, SIGNAL_EFFECT, type WorkflowEffect } from '../ports/outbox.ts'
import type { Kept, WorkflowEngine } from '../ports/workflow-engine.ts'

/** Workflows under way in one process; beyond it effects wait in the outbox. */
export const MAX_RUNNING = 10_000
const TAKE_AT_ONCE = 200
const LOOK_MS: DurationMs = 40
/** A process that was not seen for so long is taken for dead. */
export const LEASE_MS: DurationMs = 5 * SECOND_MS
const BEAT_MS: DurationMs = SECOND_MS
const RETRY_MS: DurationMs = SECOND_MS
/** Effects that were handed over are kept for as long as their cause may be written again. */
const KEPT_MS: DurationMs = 7 * DAY_MS
const PURGE_EVERY_MS: DurationMs = MINUTE_MS
const PURGE_AT_ONCE = 5_000

export interface WorkOptions {
  readonly executorId: string
  readonly outbox: Outbox
  readonly engine: WorkflowEngine
  readonly clock: Clock
  readonly logger: Logger
}

export interface Work {
  /** There may be something in the outbox: look at once. */
  nudge(): void
  /** Resolves once nothing is being handed over; workflows under way are left to the engine. */
  stop(): Promise<void>
}

export function startWork(options: WorkOptions): Work {
  const stop = new AbortController()
  const wake = { controller: new AbortController() }
  // Nothing is taken before this process is known to live: `take` gives none.
  const ended = Promise.all([handOver(options, stop.signal, wake), keepAlive(options, stop.signal)])
  return {
    nudge: () => wake.controller.abort(),
    async stop() {
      stop.abort()
      await ended
      await options.outbox
        .leave(options.executorId)
        .catch((error: unknown) => options.logger.debug('work-not-left', { error: String(error) }))
    },
  }
}

async function handOver(
  { executorId, outbox, engine, clock, logger }: WorkOptions,
  stop: AbortSignal,
  wake: { controller: AbortController },
): Promise<void> {
  let isAway = false
  while (!stop.aborted) {
    try {
      const room = Math.min(TAKE_AT_ONCE, MAX_RUNNING - engine.running())
      const effects = room > 0 ? await outbox.take(executorId, room) : []
      if (effects.length > 0) await handAll(effects)
      if (isAway) logger.info('work-back')
      isAway = false
      if (effects.length < TAKE_AT_ONCE) await rest(LOOK_MS)
    } catch (error) {
      if (!isAway) logger.error('work-failed', error)
      isAway = true
      await rest(RETRY_MS)
    }
  }

  async function rest(spanMs: DurationMs): Promise<void> {
    await clock.sleep(spanMs, AbortSignal.any([stop, wake.controller.signal]))
    wake.controller = new AbortController()
  }

  /** Claimed effects are ours until they are done: one that can't be handed over now is tried until it can. */
  async function handAll(effects: readonly WorkflowEffect[]): Promise<void> {
    let left = effects
    while (left.length > 0 && !stop.aborted) {
      const tried = await Promise.all(
        left.map(async (effect) => [effect, await hand(effect)] as const),
      )
      const handed = tried.flatMap(([{ id }, isHanded]) => (isHanded ? [id] : []))
      if (handed.length > 0) await persist(() => outbox.done(handed))
      left = tried.flatMap(([effect, isHanded]) => (isHanded ? [] : [effect]))
      if (left.length > 0) await clock.sleep(RETRY_MS, stop)
    }
  }

  async function persist(work: () => Promise<void>): Promise<void> {
    while (!stop.aborted) {
      try {
        return await work()
      } catch (error) {
        logger.error('work-not-noted', error)
        await clock.sleep(RETRY_MS, stop)
      }
    }
  }

  async function hand(effect: WorkflowEffect): Promise<boolean> {
    try {
      await handToEngine(effect, engine)
      return true
    } catch (error) {
      if (isUnknown(error)) {
        logger.error('effect-unknown', error, { id: effect.id, kind: effect.kind })
        await outbox.ended(effect.id, {
          status: 'failed',
          outcome: 'unknown',
          detail: `There is no workflow "${effect.kind}".`,
        })
        return true
      }
      logger.error('effect-not-handed-over', error, { id: effect.id, kind: effect.kind })
      return false
    }
  }
}

async function handToEngine(effect: WorkflowEffect, engine: WorkflowEngine): Promise<void> {
  const { id, kind, tenantId, payload } = effect
  if (kind === SIGNAL_EFFECT) {
    const { workflowId, topic, value } = payload
    await engine.signal({
      workflowId: String(workflowId),
      topic: String(topic),
      value: keptOf(value),
      key: id,
    })
  } else if (kind === RETRY_EFFECT) {
    await engine.retry(String(payload.workflowId))
  } else {
    await engine.start({ id, name: kind, tenantId, input: payload })
  }
}

/** What a JSON column holds is what steps can keep. */
function keptOf(value: unknown): Kept {
  if (value === null || value === undefined) return null
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return value
  if (Array.isArray(value)) return value.map(keptOf)
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, keptOf(each)]))
}

function isUnknown(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'not-found'
}

async function keepAlive(
  { executorId, outbox, engine, clock, logger }: WorkOptions,
  stop: AbortSignal,
): Promise<void> {
  let isFirst = true
  let purgeAtMs = clock.monotonicMs()
  while (!stop.aborted) {
    try {
      const wasKnown = await outbox.beat(executorId)
      if (!wasKnown && !isFirst) logger.warn('work-was-taken-over', { executorId })
      isFirst = false
      await outbox.bury({ leaseMs: LEASE_MS, busy: await engine.busyExecutors() }, async (dead) => {
        await engine.takeOver(dead)
        logger.info('work-taken-over', { from: dead })
      })
      if (clock.monotonicMs() >= purgeAtMs) {
        await outbox.purge(clock.nowMs() - KEPT_MS, PURGE_AT_ONCE)
        purgeAtMs = clock.monotonicMs() + PURGE_EVERY_MS
      }
    } catch (error) {
      logger.warn('work-not-seen', { error: String(error) })
    }
    await clock.sleep(BEAT_MS, stop)
  }
}
