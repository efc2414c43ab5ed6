// Effects on their way from whoever decided them to the workflows that carry them out. Whoever decides writes
// the effect in the transaction of its cause, under an id derived from that: asking twice is asking once.

import type { EpochMs } from '../kernel/time.ts'

/** A workflow to start, under the effect's id. */
export interface WorkflowEffect {
  readonly id: string
  /** Name of the workflow. */
  readonly kind: string
  readonly tenantId: string
  readonly payload: Readonly<Record<string, unknown>>
  readonly notBeforeMs?: EpochMs
}

/** Kinds that start no workflow: `signal` tells one something, `retry` runs one again. */
export const SIGNAL_EFFECT = 'signal'
export const RETRY_EFFECT = 'retry'

export interface Outbox {
  /** Effects that are due, oldest first, claimed for this executor; none where it is not known to live. */
  take(executorId: string, limit: number): Promise<readonly WorkflowEffect[]>
  /** They were handed over. */
  done(ids: readonly string[]): Promise<void>
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
  /** How a workflow ended. */
  ended(
    workflowId: string,
    end: { readonly status: 'done' | 'failed'; readonly outcome: string; readonly detail: unknown },
  ): Promise<void>
}
