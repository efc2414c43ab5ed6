// Effects on their way from whoever decided them to the workflows that carry them out. Whoever decides writes
// the effect in the transaction of its cause, under an id derived from that: asking twice is asking once.

import type { DurationMs, EpochMs } from '../kernel/time.ts'
import type { OpeningStep, WorkflowEnd } from './workflow-engine.ts'

/** A workflow to start, under the effect's id. */
export interface WorkflowEffect {
  readonly id: string
  /** Name of the workflow. */
  readonly kind: string
  readonly tenantId: string
  readonly payload: Readonly<Record<string, unknown>>
  readonly notBeforeMs?: EpochMs
}

/** An effect that this executor has claimed. */
export interface TakenEffect extends WorkflowEffect {
  /** What the opening of its workflow did already. */
  readonly steps: readonly OpeningStep[]
  /** The opening is over: what it waited for may have come, and the engine goes on from there. */
  readonly hasWaited: boolean
}

/** Where the opening of a workflow stands, for whoever has claimed its effect. */
export interface OpeningNote {
  readonly id: string
  /** Steps that are kept already. */
  readonly kept: number
  /** Those that follow. */
  readonly steps: readonly OpeningStep[]
}

/** Of a workflow that something is to be told to. */
export type WakeState =
  /** It has not come to the engine yet; it comes soon. */
  | 'coming'
  | 'started'
  /** There is none, or it ended before it came to the engine. */
  | 'over'

/** Kinds that start no workflow: `signal` tells one something, `retry` runs one again. */
export const SIGNAL_EFFECT = 'signal'
export const RETRY_EFFECT = 'retry'

export interface Outbox {
  /** Effects that are due, oldest first, claimed for this executor; none where it is not known to live. */
  take(executorId: string, limit: number): Promise<readonly TakenEffect[]>
  /**
   * Resolves once some may be due that were not when the last wait ended, whoever put them, after `maxWaitMs`, or on
   * abort. What a dead process had claimed and what was given back is not told of.
   */
  waitForEffects(maxWaitMs: DurationMs, signal: AbortSignal): Promise<void>
  /** They were handed over. */
  done(ids: readonly string[]): Promise<void>
  /**
   * Keeps steps of an opening. False where the claim is another's by now, or other steps are kept than were said: then
   * nothing is kept. It may be lost with the server's last moments, but not after anything that is kept later.
   */
  note(executorId: string, note: OpeningNote): Promise<boolean>
  /** As `note`; the effect is free again, and due once it is `untilMs` or the workflow is woken. Permanent at once. */
  wait(executorId: string, note: OpeningNote, untilMs: EpochMs): Promise<boolean>
  /** As `note`; the workflow has ended and the effect is done. Permanent at once. */
  close(executorId: string, note: OpeningNote, end: WorkflowEnd): Promise<boolean>
  /** Gives claims back, such as where the opening stands elsewhere than was thought. */
  giveBack(executorId: string, ids: readonly string[]): Promise<void>
  /** Has a workflow that waits go on now; says where it is. */
  wake(workflowId: string): Promise<WakeState>
  /** Has a workflow that ended in its opening begin anew. False where it did not end there. */
  reopen(workflowId: string): Promise<boolean>
  /** This executor lives. False where another had given it up for dead; it counts as alive again. */
  beat(executorId: string): Promise<boolean>
  /**
   * Executors that were not seen for `leaseMs`, and those with claims or among `busy` that are not known at all; each
   * is handed to `takeOver`, and then what it had claimed is free again. One that rejects is tried again at the next
   * call.
   */
  bury(
    dead: { readonly leaseMs: number; readonly busy: readonly string[] },
    takeOver: (executorId: string) => Promise<void>,
  ): Promise<void>
  /** This executor ends in order: others need not wait for its lease. */
  leave(executorId: string): Promise<void>
  /** Forgets effects that were handed over before the instant. */
  purge(beforeMs: EpochMs, limit: number): Promise<number>
  /** How a workflow ended that the engine carried out. */
  ended(workflowId: string, end: WorkflowEnd): Promise<void>
}
