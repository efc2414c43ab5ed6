// Carries out the openings of workflows from the outbox, hands what has waited to the engine, says that this process
// lives, and takes over what a dead one left. Whatever fails here, the effect stays in the outbox or claimed under this
// process's name.

import { DAY_MS, type DurationMs, MINUTE_MS, SECOND_MS } from '../kernel/time.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import { type Outbox, RETRY_EFFECT, SIGNAL_EFFECT, type TakenEffect } from '../ports/outbox.ts'
import type { Kept, WorkflowDefinition, WorkflowEngine } from '../ports/workflow-engine.ts'
import { openWorkflow } from './opening.ts'

/** Workflows under way in one process, but for those that only wait at the end of their opening; beyond it effects wait in the outbox. */
export const MAX_RUNNING = 10_000
const TAKE_AT_ONCE = 200
/** Between two looks, so that many effects are taken together. */
const LOOK_MS: DurationMs = 40
/** Without news, looks are so far apart: what others gave back or left behind, nobody is told of. */
const IDLE_LOOK_MS: DurationMs = SECOND_MS
/** A process that was not seen for so long is taken for dead. */
export const LEASE_MS: DurationMs = 5 * SECOND_MS
const BEAT_MS: DurationMs = SECOND_MS
const RETRY_MS: DurationMs = SECOND_MS
/** A workflow that was woken is with the engine after about so long. */
const SOON_MS: DurationMs = 2 * LOOK_MS
/** Openings that are under way when the process ends may come to the end of their step. */
const STOP_MS: DurationMs = 3 * SECOND_MS
/** Effects that were handed over are kept for as long as their cause may be written again. */
const KEPT_MS: DurationMs = 7 * DAY_MS
const PURGE_EVERY_MS: DurationMs = MINUTE_MS
const PURGE_AT_ONCE = 5_000

export interface WorkOptions {
  readonly executorId: string
  readonly outbox: Outbox
  readonly engine: WorkflowEngine
  readonly workflows: readonly WorkflowDefinition[]
  readonly clock: Clock
  readonly logger: Logger
}

export interface Work {
  /** Resolves once nothing is being handed over; workflows under way are left to the engine. */
  stop(): Promise<void>
}

export function startWork(options: WorkOptions): Work {
  const stop = new AbortController()
  // Nothing is taken before this process is known to live: `take` gives none.
  const ended = Promise.all([handOver(options, stop.signal), keepAlive(options, stop.signal)])
  return {
    async stop() {
      stop.abort()
      await ended
      await options.outbox
        .leave(options.executorId)
        .catch((error: unknown) => options.logger.debug('work-not-left', { error: String(error) }))
    },
  }
}

async function handOver(options: WorkOptions, stop: AbortSignal): Promise<void> {
  const { executorId, outbox, engine, clock, logger } = options
  const underWay = new Set<Promise<void>>()
  let isAway = false
  while (!stop.aborted) {
    try {
      const room = Math.min(TAKE_AT_ONCE, MAX_RUNNING - underWay.size - engine.running())
      const effects = room > 0 ? await outbox.take(executorId, room) : []
      for (const effect of effects) {
        const work = handUntilHanded(effect, options, stop)
        underWay.add(work)
        void work.finally(() => underWay.delete(work))
      }
      if (isAway) logger.info('work-back')
      isAway = false
      if (effects.length === TAKE_AT_ONCE) continue
      await clock.sleep(LOOK_MS, stop)
      if (room > 0 && effects.length === 0) await outbox.waitForEffects(IDLE_LOOK_MS, stop)
    } catch (error) {
      if (!isAway) logger.error('work-failed', error)
      isAway = true
      await clock.sleep(RETRY_MS, stop)
    }
  }
  const ended = new AbortController()
  await Promise.race([Promise.all(underWay), clock.sleep(STOP_MS, ended.signal)])
  ended.abort()
}

/** Claimed effects are ours until they are done or given back: one that can't be handed over is tried until it can. */
async function handUntilHanded(
  effect: TakenEffect,
  options: WorkOptions,
  stop: AbortSignal,
): Promise<void> {
  const { clock, logger } = options
  for (;;) {
    try {
      const pauseMs = await hand(effect, options, stop)
      if (pauseMs === null) return
      await clock.sleep(pauseMs, stop)
    } catch (error) {
      if (stop.aborted) return
      logger.error('effect-not-handed-over', error, { id: effect.id, kind: effect.kind })
      await clock.sleep(RETRY_MS, stop)
    }
    if (stop.aborted) return
  }
}

/** Null once it is handed over; else how long to wait before the next try. */
async function hand(
  effect: TakenEffect,
  options: WorkOptions,
  stop: AbortSignal,
): Promise<DurationMs | null> {
  const { executorId, outbox, engine, clock, logger, workflows } = options
  const { id, kind, tenantId, payload, steps, hasWaited } = effect
  if (kind === SIGNAL_EFFECT) {
    const { workflowId, topic, value } = payload
    const state = await outbox.wake(String(workflowId))
    // It waits in the outbox, and goes to the engine at the next look.
    if (state === 'coming') return SOON_MS
    if (state === 'started') {
      const signal = { workflowId: String(workflowId), topic: String(topic), key: id }
      await engine.signal({ ...signal, value: keptOf(value) })
    }
  } else if (kind === RETRY_EFFECT) {
    const workflowId = String(payload.workflowId)
    if (!(await outbox.reopen(workflowId))) await engine.retry(workflowId)
  } else {
    const definition = workflows.find(({ name }) => name === kind)
    if (definition === undefined) {
      logger.error('effect-unknown', null, { id, kind })
      const detail = `There is no workflow "${kind}".`
      await outbox.close(
        executorId,
        { id, kept: steps.length, steps: [] },
        { status: 'failed', outcome: 'unknown', detail },
      )
      return null
    }
    if (!hasWaited) {
      const opening = { executorId, outbox, clock, logger, stopping: stop }
      await openWorkflow(definition, effect, opening).catch(async (error: unknown) => {
        if (!stop.aborted) logger.error('opening-interrupted', error, { id, kind })
        await clock.sleep(RETRY_MS, stop)
        await untilDone(() => outbox.giveBack(executorId, [id]), options, stop)
      })
      return null
    }
    await engine.start({ id, name: kind, tenantId, input: payload, opening: steps })
  }
  await outbox.done([id])
  return null
}

async function untilDone(
  work: () => Promise<void>,
  { clock, logger }: WorkOptions,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    try {
      return await work()
    } catch (error) {
      logger.warn('work-not-noted', { error: String(error) })
      await clock.sleep(RETRY_MS, stop)
    }
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
