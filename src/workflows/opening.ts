// The opening of a workflow: what it does before it first has to wait for an answer or a time. It is carried out
// straight from the outbox, many side by side, so that their steps are kept by few statements; most workflows end in
// it, or wait at its end for long. Whatever follows is the engine's. Steps are kept as the engine keeps them: before
// the next one begins, and given back to whoever goes on after a crash.

import type { DurationMs } from '../kernel/time.ts'
import { withTries } from '../kernel/tries.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import { NOW_STEP, openingSteps, resultOf } from '../ports/opening-steps.ts'
import type { OpeningNote, Outbox, TakenEffect } from '../ports/outbox.ts'
import {
  endOf,
  FIRST_STEP_PAUSE_MS,
  failureOf,
  type OpeningStep,
  STEP_TRIES,
  type WorkflowContext,
  type WorkflowDefinition,
  type WorkflowEnd,
} from '../ports/workflow-engine.ts'

export interface OpeningOptions {
  readonly executorId: string
  readonly outbox: Pick<Outbox, 'close' | 'giveBack' | 'note' | 'wait'>
  readonly clock: Clock
  readonly logger: Logger
  /** Nothing new is begun from then on. */
  readonly stopping: AbortSignal
}

/** Resolves once its end or its waiting is kept, or it is left to whoever takes it next. Rejections may pass. */
export async function openWorkflow(
  { name, run }: WorkflowDefinition,
  effect: TakenEffect,
  options: OpeningOptions,
): Promise<void> {
  const { executorId, outbox, logger } = options
  const opening = new Opening(effect, options)
  const kept = await goAsFarAsItGoes(run, opening, effect, options).then(
    (end) => outbox.close(executorId, opening.note(), end),
    async (stop: unknown) => {
      if (stop instanceof Waits) return outbox.wait(executorId, opening.note(), stop.untilMs)
      if (stop instanceof Left) return false
      throw stop
    },
  )
  if (kept) return
  // Another's by now, or left behind: whoever takes it next finds what is kept.
  logger.debug('opening-left', { id: effect.id, workflow: name })
  await outbox.giveBack(executorId, [effect.id])
}

/** Resolves with the end; rejects with `Waits`, with `Left`, or where the store could not be reached. */
async function goAsFarAsItGoes(
  run: WorkflowDefinition['run'],
  opening: Opening,
  { id, kind, payload }: TakenEffect,
  { logger }: OpeningOptions,
): Promise<WorkflowEnd> {
  try {
    return endOf(await run(opening, payload))
  } catch (error) {
    const stop = opening.stop ?? error
    if (stop instanceof Waits || stop instanceof Left || stop instanceof NotKept) throw stop
    logger.error('workflow-failed', error, { id, workflow: kind })
    return failureOf(error)
  }
}

/** It has to wait. */
class Waits {
  readonly untilMs: number
  constructor(untilMs: number) {
    this.untilMs = untilMs
  }
}

/** It is not ours to go on with. */
class Left {}

/** A step could not be kept; what was done is done again. */
class NotKept extends Error {}

class Opening implements WorkflowContext {
  readonly id: string
  readonly tenantId: string
  /** Why it went no further, also where the workflow caught what it was told by. */
  stop: Waits | Left | NotKept | null = null
  readonly #done
  readonly #options: OpeningOptions
  #kept: number
  /** Done, and not kept yet. */
  #fresh: OpeningStep[] = []

  constructor({ id, tenantId, steps }: TakenEffect, options: OpeningOptions) {
    this.id = id
    this.tenantId = tenantId
    this.#done = openingSteps(id, steps)
    this.#kept = steps.length
    this.#options = options
  }

  /** What is still to be kept. */
  note(): OpeningNote {
    return { id: this.id, kept: this.#kept, steps: this.#fresh }
  }

  async step<T>(name: string, work: () => Promise<T>): Promise<T> {
    const done = this.#done.next(name)
    if (done !== undefined) return resultOf(done)
    const { clock, stopping } = this.#options
    await this.#keep()
    const startedAtMs = clock.nowMs()
    const ended = (result: unknown, error: string | null): string => {
      const step = { name, result: JSON.stringify(result ?? null), error, startedAtMs }
      this.#fresh.push({ ...step, endedAtMs: clock.nowMs() })
      return step.result
    }
    const tries = {
      tries: STEP_TRIES,
      firstPauseMs: FIRST_STEP_PAUSE_MS,
      sleep: (spanMs: DurationMs) => clock.sleep(spanMs, stopping),
    }
    try {
      return JSON.parse(ended(await withTries(work, tries, () => this.#unlessStopping()), null))
    } catch (error) {
      // What fails while the process ends may have failed because of that.
      await this.#unlessStopping()
      if (this.stop === null) ended(null, error instanceof Error ? error.message : String(error))
      throw error
    }
  }

  async nowMs(): Promise<number> {
    return this.step(NOW_STEP, async () => this.#options.clock.nowMs())
  }

  async sleepUntil(atMs: number): Promise<never> {
    return this.#stopWith(new Waits(atMs))
  }

  async receive(_topic: string, untilMs: number): Promise<never> {
    return this.#stopWith(new Waits(untilMs))
  }

  /** What is done is kept before anything new is begun. */
  async #keep(): Promise<void> {
    await this.#unlessStopping()
    if (this.#fresh.length === 0) return
    const { outbox, executorId } = this.#options
    const isOurs = await outbox.note(executorId, this.note()).catch((cause: unknown) => {
      return this.#stopWith(new NotKept('A step could not be kept.', { cause }))
    })
    if (!isOurs) this.#stopWith(new Left())
    this.#kept += this.#fresh.length
    this.#fresh = []
  }

  async #unlessStopping(): Promise<void> {
    if (this.#options.stopping.aborted) this.#stopWith(new Left())
  }

  #stopWith(stop: Waits | Left | NotKept): never {
    this.stop = stop
    throw stop
  }
}
