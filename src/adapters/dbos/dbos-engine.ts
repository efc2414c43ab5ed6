// Durable workflows by DBOS on the program's own PostgreSQL, in a schema of theirs. DBOS lives once in a thread:
// one engine at a time. Source: docs/decisions/0030-durable-workflows.md

import { DBOS } from '@dbos-inc/dbos-sdk'
import { DBOSExecutor } from '@dbos-inc/dbos-sdk/internal/dbos-executor'
import type pg from 'pg'
import { PlatformError } from '../../kernel/errors.ts'
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../../kernel/time.ts'
import { withTries } from '../../kernel/tries.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Logger } from '../../ports/logger.ts'
import { NOW_STEP, openingSteps, resultOf } from '../../ports/opening-steps.ts'
import {
  endOf,
  FIRST_STEP_PAUSE_MS,
  failureOf,
  type Kept,
  type OnWorkflowEnd,
  type OpeningStep,
  STEP_TRIES,
  type WorkflowContext,
  type WorkflowDefinition,
  type WorkflowEngine,
  type WorkflowOutcome,
  type WorkflowStart,
  type WorkflowStep,
} from '../../ports/workflow-engine.ts'

export const WORKFLOW_SCHEMA = 'dbos'
/** Workflows of another version are left alone: raise it when runs under way could not go on with new code. */
const WORKFLOW_VERSION = '1'
/** DBOS wants an address also where it is given a pool, and then does not use it. */
const UNUSED_URL = 'postgresql://unused@localhost/unused'
/** Signals arrive by notification; this is for one that got lost. */
const SIGNAL_LOOK_MS: DurationMs = MINUTE_MS
const END_RETRY_MS: DurationMs = SECOND_MS

export interface DbosEngineOptions {
  readonly pool: pg.Pool
  readonly executorId: string
  readonly workflows: readonly WorkflowDefinition[]
  readonly onEnd: OnWorkflowEnd
  readonly clock: Clock
  readonly logger: Logger
}

/** The opening is absent where an older build started it. */
type Registered = (
  tenantId: string,
  input: unknown,
  opening?: readonly OpeningStep[],
) => Promise<WorkflowOutcome>

/** Brings DBOS's tables up to date, and goes on with what this executor left. */
export async function startDbosEngine(options: DbosEngineOptions): Promise<WorkflowEngine> {
  const { logger } = options
  const stopping = new AbortController()
  let running = 0
  const counted = async (work: () => Promise<WorkflowOutcome>): Promise<WorkflowOutcome> => {
    running += 1
    try {
      return await work()
    } finally {
      running -= 1
    }
  }
  DBOS.setConfig({
    name: 'outrider',
    systemDatabaseUrl: UNUSED_URL,
    systemDatabasePool: options.pool,
    systemDatabaseSchemaName: WORKFLOW_SCHEMA,
    applicationVersion: WORKFLOW_VERSION,
    executorID: options.executorId,
    logger: quiet(logger),
    // Of the pool, what waits for signals may take half.
    useListenNotify: true,
  })
  const registered = new Map<string, Registered>(
    options.workflows.map((definition) => {
      const run: Registered = (tenantId, input, opening = []) =>
        counted(() => runToEnd(definition, { tenantId, input, opening }, options, stopping.signal))
      return [definition.name, DBOS.registerWorkflow(run, { name: definition.name })]
    }),
  )
  await DBOS.launch()
  return {
    async start({ id, name, tenantId, input, opening }: WorkflowStart) {
      const workflow = registered.get(name)
      if (workflow === undefined) {
        throw new PlatformError('not-found', `There is no workflow "${name}" to start.`, {
          retry: 'never',
        })
      }
      await DBOS.startWorkflow(workflow, { workflowID: id })(tenantId, input, opening)
    },
    async signal({ workflowId, topic, value, key }) {
      await DBOS.send(workflowId, value, topic, key)
    },
    async retry(workflowId) {
      const status = await DBOS.getWorkflowStatus(workflowId)
      if (status === null || !ENDED.has(status.status)) return false
      const last = (await DBOS.listWorkflowSteps(workflowId))?.at(-1)
      // What was heard before a step that failed stays heard; from the start everything is forgotten.
      await DBOS.rewindWorkflow(workflowId, { startStep: last?.error ? last.functionID : 0 })
      return true
    },
    async takeOver(executorId) {
      await DBOSExecutor.globalInstance?.recoverPendingWorkflows([executorId])
    },
    async busyExecutors() {
      const { rows } = await options.pool.query<{ executor_id: string }>(
        `SELECT DISTINCT executor_id FROM ${WORKFLOW_SCHEMA}.workflow_status
         WHERE status = 'PENDING' AND executor_id IS NOT NULL`,
      )
      return rows.map((row) => row.executor_id)
    },
    steps: readSteps,
    running: () => running,
    async stop() {
      stopping.abort()
      await DBOS.shutdown({ deregister: true })
    },
  }
}

const ENDED = new Set(['SUCCESS', 'ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED'])

async function runToEnd(
  { name, run }: WorkflowDefinition,
  { tenantId, input, opening }: Omit<WorkflowStart, 'id' | 'name'>,
  { clock, logger, onEnd }: DbosEngineOptions,
  stopping: AbortSignal,
): Promise<WorkflowOutcome> {
  const id = DBOS.workflowID ?? ''
  let failure: unknown
  let outcome: WorkflowOutcome | null = null
  try {
    outcome = await run(contextOf({ id, tenantId, opening }, clock, stopping), input)
  } catch (error) {
    // DBOS's own errors say that somebody else goes on with it, or that the process ends.
    if (stopping.aborted) return forever()
    if (isTakenAway(error)) throw error
    failure = error
    logger.error('workflow-failed', error, { id, workflow: name })
  }
  const end = outcome === null ? failureOf(failure) : endOf(outcome)
  await untilTold(() => onEnd(id, end), { id, clock, logger, stopping })
  if (outcome === null) throw failure
  return outcome
}

function contextOf(
  { id, tenantId, opening }: Pick<WorkflowStart, 'id' | 'opening' | 'tenantId'>,
  clock: Clock,
  stopping: AbortSignal,
): WorkflowContext {
  const opened = openingSteps(id, opening)
  // DBOS repeats a step as well, at the price of one more question to the database for every step.
  const tries = {
    tries: STEP_TRIES,
    firstPauseMs: FIRST_STEP_PAUSE_MS,
    sleep: (spanMs: DurationMs) => clock.sleep(spanMs, stopping),
  }
  const unlessStopping = async (): Promise<void> => {
    if (stopping.aborted) await forever()
  }
  return {
    id,
    tenantId,
    async step(name, work) {
      const done = opened.next(name)
      if (done !== undefined) return resultOf(done)
      return DBOS.runStep(() => withTries(work, tries, unlessStopping), { name })
    },
    async nowMs() {
      const done = opened.next(NOW_STEP)
      return done === undefined ? DBOS.now() : resultOf(done)
    },
    sleepUntil: (atMs) => DBOS.sleepms(Math.max(0, atMs - clock.nowMs())),
    async receive(topic, untilMs) {
      return DBOS.recv<Kept>(topic, {
        deadlineEpochMS: untilMs,
        pollingIntervalMs: SIGNAL_LOOK_MS,
      })
    },
  }
}

/** The end is told again and again: a workflow whose end nobody knows would look as if it still ran. */
async function untilTold(
  tell: () => Promise<void>,
  {
    id,
    clock,
    logger,
    stopping,
  }: {
    readonly id: string
    readonly clock: Clock
    readonly logger: Logger
    readonly stopping: AbortSignal
  },
): Promise<void> {
  for (;;) {
    if (stopping.aborted) return forever()
    try {
      await tell()
      return
    } catch (error) {
      logger.error('workflow-end-not-told', error, { id })
      await clock.sleep(END_RETRY_MS, stopping)
    }
  }
}

/** For what must not go on in this process; another takes it up from its last kept step. */
function forever(): Promise<never> {
  return new Promise(() => undefined)
}

function isTakenAway(error: unknown): boolean {
  return error instanceof Error && error.constructor.name.startsWith('DBOS')
}

async function readSteps(workflowId: string): Promise<readonly WorkflowStep[]> {
  const steps = (await DBOS.listWorkflowSteps(workflowId)) ?? []
  return steps.map(({ name, output, error, startedAtEpochMs, completedAtEpochMs }) => ({
    name,
    result: output ?? null,
    error: error === null ? null : error.message,
    startedAtMs: startedAtEpochMs ?? null,
    endedAtMs: completedAtEpochMs ?? null,
  }))
}

/** DBOS tells much at level info that nobody needs. */
function quiet(logger: Logger) {
  return {
    info: (entry: unknown) => logger.debug('dbos', { message: String(entry) }),
    debug: (entry: unknown) => logger.debug('dbos', { message: String(entry) }),
    warn: (entry: unknown) => logger.warn('dbos', { message: String(entry) }),
    error: (entry: unknown) => logger.warn('dbos', { message: String(entry) }),
  }
}
