// Runs workflows that survive the process: each step's result is kept before the next begins, and whoever
// goes on after a crash is given it back instead of doing the step again.

import type { DurationMs, EpochMs } from '../kernel/time.ts'

/** What steps, signals and inputs carry: JSON keeps it without loss. */
export type Kept =
  | string
  | number
  | boolean
  | null
  | readonly Kept[]
  | { readonly [name: string]: Kept }

export interface WorkflowContext {
  /** Derived from what caused the workflow. */
  readonly id: string
  readonly tenantId: string
  /**
   * Does the work and keeps its result. Killed in between, the work is done again: it must bear that. Rejections
   * that say `retry: 'later'` are tried again for some minutes; any other ends the workflow as failed.
   */
  step<T extends Kept>(name: string, work: () => Promise<T>): Promise<T>
  /** The wall clock, kept as a step. */
  nowMs(): Promise<EpochMs>
  /** Sleeps through restarts. */
  sleepUntil(atMs: EpochMs): Promise<void>
  /** The next signal of that topic; null once it is `untilMs`. Signals wait for whoever asks later. */
  receive(topic: string, untilMs: EpochMs): Promise<Kept>
}

export interface WorkflowOutcome {
  /** A word or two for lists, such as `sent`. */
  readonly outcome: string
  readonly detail?: Kept
  /** It ended without having done what it was for; somebody may run it again. */
  readonly failed?: boolean
}

export interface WorkflowDefinition {
  readonly name: string
  /**
   * Everything that is not a step must be the same each time it runs: it runs again from the start, past the
   * steps that are kept. `input` is as whoever asked wrote it: check it.
   */
  run(context: WorkflowContext, input: unknown): Promise<WorkflowOutcome>
}

/** A step that was done in the opening of a workflow, as it is kept. */
export interface OpeningStep {
  readonly name: string
  /** JSON; of a step that failed it is null. */
  readonly result: string
  /** Why it failed. */
  readonly error: string | null
  readonly startedAtMs: EpochMs
  readonly endedAtMs: EpochMs
}

export interface WorkflowStart {
  readonly id: string
  readonly name: string
  readonly tenantId: string
  readonly input: unknown
  /** What is done already, in the order of the steps: it is given back and not done again. */
  readonly opening: readonly OpeningStep[]
}

export interface WorkflowStep {
  readonly name: string
  readonly result: unknown
  readonly error: string | null
  readonly startedAtMs: EpochMs | null
  readonly endedAtMs: EpochMs | null
}

export interface WorkflowEnd {
  readonly status: 'done' | 'failed'
  readonly outcome: string
  readonly detail: Kept
}

/** How a workflow ended, told before it counts as ended; rejecting keeps it open. */
export type OnWorkflowEnd = (id: string, end: WorkflowEnd) => Promise<void>

/** A step whose work may succeed later is tried so often, so far apart at first and twice as long each time. */
export const STEP_TRIES = 10
export const FIRST_STEP_PAUSE_MS: DurationMs = 500

export function endOf({ outcome, detail, failed }: WorkflowOutcome): WorkflowEnd {
  return { status: failed === true ? 'failed' : 'done', outcome, detail: detail ?? null }
}

export function failureOf(error: unknown): WorkflowEnd {
  return { status: 'failed', outcome: 'failed', detail: messageOf(error) }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export interface WorkflowEngine {
  /** Resolves once the start is kept. An id that was started before starts nothing. */
  start(start: WorkflowStart): Promise<void>
  /** Kept until the workflow asks; the same key twice is one signal. Rejects where it was never started. */
  signal(signal: {
    readonly workflowId: string
    readonly topic: string
    readonly value: Kept
    readonly key: string
  }): Promise<void>
  /**
   * Runs a workflow again that failed: from the step that failed, or from its start, after its opening, where it ended
   * without having done what it was for. False where it has not ended.
   */
  retry(workflowId: string): Promise<boolean>
  /** Takes over whatever that executor had under way. */
  takeOver(executorId: string): Promise<void>
  /** Executors that have something under way. */
  busyExecutors(): Promise<readonly string[]>
  /** Steps so far, oldest first. */
  steps(workflowId: string): Promise<readonly WorkflowStep[]>
  /** Workflows in this process that have not ended. */
  running(): number
  /** Leaves what is under way for others to go on with. */
  stop(): Promise<void>
}
