// Durable workflows by DBOS on the program's own PostgreSQL, in a schema of theirs. DBOS lives once in a thread:
// one engine at a time. Source: docs/decisions/0030-durable-workflows.md

import { DBOS } from '@dbos-inc/dbos-sdk'
import { DBOSExecutor } from '@dbos-inc/dbos-sdk/internal/dbos-executor'
import type pg from 'pg'
import { isRetryable, PlatformError } from '../../kernel/errors.ts'
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Logger } from '../../ports/logger.ts'
import type {
  Kept,
  OnWorkflowEnd,
  WorkflowContext,
  WorkflowDefinition,
  WorkflowEngine,
  WorkflowOutcome,
  WorkflowStart,
  WorkflowStep,
} from '../../ports/workflow-engine.ts'

export const WORKFLOW_SCHEMA = 'dbos'
/** Workflows of another version are left alone: raise it when runs under way could not go on with new code. */
const WORKFLOW_VERSION = '1'
/** DBOS wants an address also where it is given a pool, and then does not use it. */
const UNUSED_URL = 'postgresql://unused@localhost/unused'
/** A step whose work may succeed later is tried so often, so far apart at first and twice as long each time. */
const STEP_TRIES = 10
const FIRST_STEP_PAUSE_MS: DurationMs = 500
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

type Registered = (tenantId: string, input: unknown) => Promise<WorkflowOutcome>

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
      const run: Registered = (tenantId, input) =>
        counted(() => runToEnd(definition, { tenantId, input }, options, stopping.signal))
      return [definition.name, DBOS.registerWorkflow(run, { name: definition.name })]
    }),
  )
  await DBOS.launch()
  return {
    async start({ id, name, tenantId, input }: WorkflowStart) {
      const workflow = registered.get(name)
      if (workflow === undefined) {
        throw new PlatformError('not-found', `There is no workflow "${name}" to start.`, {
          retry: 'never',
        })
      }
      await DBOS.startWorkflow(workflow, { workflowID: id })(tenantId, input)
    },
    async signal({ workflowId, topic, value, key }) {
      await DBOS.send(workflowId, value, topic, key)
    },
    async retry(workflowId) {
      const status = await DBOS.getWorkflowStatus(workflowId)
      if (status === null || !ENDED.has(status.status)) return false
      await DBOS.rewindWorkflow(workflowId)
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
  { tenantId, input }: { readonly tenantId: string; readonly input: unknown },
  { clock, logger, onEnd }: DbosEngineOptions,
  stopping: AbortSignal,
): Promise<WorkflowOutcome> {
  const id = DBOS.workflowID ?? ''
  let failure: unknown
  let outcome: WorkflowOutcome | null = null
  try {
    outcome = await run(contextOf(id, tenantId, clock, stopping), input)
  } catch (error) {
    // DBOS's own errors say that somebody else goes on with it, or that the process ends.
    if (stopping.aborted) return forever()
    if (isTakenAway(error)) throw error
    failure = error
    logger.error('workflow-failed', error, { id, workflow: name })
  }
  const end =
    outcome === null
      ? { status: 'failed' as const, outcome: 'failed', detail: messageOf(failure) }
      : {
          status: outcome.failed === true ? ('failed' as const) : ('done' as const),
          outcome: outcome.outcome,
          detail: outcome.detail ?? null,
        }
  await untilTold(() => onEnd(id, end), { id, clock, logger, stopping })
  if (outcome === null) throw failure
  return outcome
}

function contextOf(
  id: string,
  tenantId: string,
  clock: Clock,
  stopping: AbortSignal,
): WorkflowContext {
  return {
    id,
    tenantId,
    step: (name, work) => DBOS.runStep(() => withTries(work, clock, stopping), { name }),
    nowMs: () => DBOS.now(),
    sleepUntil: (atMs) => DBOS.sleepms(Math.max(0, atMs - clock.nowMs())),
    async receive(topic, untilMs) {
      return DBOS.recv<Kept>(topic, {
        deadlineEpochMS: untilMs,
        pollingIntervalMs: SIGNAL_LOOK_MS,
      })
    },
  }
}

/** DBOS repeats a step as well, at the price of one more question to the database for every step. */
async function withTries<T>(
  work: () => Promise<T>,
  clock: Clock,
  stopping: AbortSignal,
): Promise<T> {
  for (let tried = 1; ; tried++) {
    if (stopping.aborted) return forever()
    try {
      return await work()
    } catch (error) {
      if (!isRetryable(error) || tried === STEP_TRIES) throw error
      await clock.sleep(FIRST_STEP_PAUSE_MS * 2 ** (tried - 1), stopping)
    }
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
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
