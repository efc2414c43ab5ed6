// Runs the tasks of a process: one runner a pipeline and partition while that is assigned to it, started again
// when it fails, and the chores that all tasks share: reference tables, archive partitions, retention of the log.

import { isRetryable } from '../kernel/errors.ts'
import { DAY_MS, type DurationMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../kernel/time.ts'
import type { CheckpointStore } from '../ports/checkpoint-store.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Logger } from '../ports/logger.ts'
import type {
  Assigned,
  PartitionAssignment,
  PartitionProgress,
} from '../ports/partition-assignment.ts'
import type { ReferenceSource } from '../ports/reference-source.ts'
import type { ViewPublisher } from '../ports/views.ts'
import type { AnyPipeline } from './pipeline.ts'
import type { ReferenceTables } from './shared-feeds.ts'
import { SnapshotBudget } from './snapshot-budget.ts'
import { type TaskObserver, TaskRunner, type TaskStatus } from './task-runner.ts'

/** Tasks begin with the tables that they had where the source does not answer for so long. */
export const REFERENCE_PATIENCE_MS: DurationMs = 30 * SECOND_MS
const FIRST_RESTART_MS: DurationMs = 200
const LONGEST_RESTART_MS: DurationMs = 30 * SECOND_MS
const REFERENCE_INTERVAL_MS: DurationMs = 5 * SECOND_MS
const ARCHIVE_INTERVAL_MS: DurationMs = HOUR_MS
const RETENTION_INTERVAL_MS: DurationMs = MINUTE_MS
/** What lag tools see is at most so old. */
const MIRROR_INTERVAL_MS: DurationMs = 5 * SECOND_MS
export const LOG_RETENTION_MS: DurationMs = 7 * DAY_MS
export const LOG_RETENTION_BYTES = 2 * 1024 * 1024 * 1024

export interface HostedPipeline {
  readonly pipeline: AnyPipeline
  /** Topic as the log calls it. */
  readonly topic: string
}

export interface TaskHostOptions {
  readonly pipelines: readonly HostedPipeline[]
  readonly assignment: PartitionAssignment
  readonly log: Log
  readonly store: CheckpointStore
  readonly speedLayer: ViewPublisher
  readonly references: ReferenceTables
  readonly referenceSource: ReferenceSource
  readonly checkReference: (name: string, content: unknown) => string | undefined
  readonly clock: Clock
  readonly observer: TaskObserver
  readonly logger: Logger
}

interface RunningTask {
  readonly hosted: HostedPipeline
  readonly partition: number
  readonly stop: AbortController
  readonly ended: Promise<void>
  /** The runner of the attempt under way. */
  runner: TaskRunner | null
}

export class TaskHost {
  readonly #options: TaskHostOptions
  readonly #running = new Map<string, RunningTask>()
  readonly #snapshots = new SnapshotBudget()

  #assigned = false

  constructor(options: TaskHostOptions) {
    this.#options = options
  }

  /** Somebody has said which partitions are ours, if it was none. */
  get assigned(): boolean {
    return this.#assigned
  }

  status(): readonly TaskStatus[] {
    return this.#runners().map((runner) => runner.status())
  }

  showAll(): void {
    for (const runner of this.#runners()) runner.showAll()
  }

  /** Takes over new reference tables now, not at the next look; a failure waits for that look. */
  refreshReferences(): void {
    this.#refreshReferences().catch((error: unknown) =>
      this.#options.logger.error('chore-failed', error, { chore: 'references' }),
    )
  }

  /** Runs until aborted; then every task commits what it processed. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#retrying('archive', signal, () => this.#ensureArchives())
    await this.#firstReferences(signal)
    const { assignment } = this.#options
    await Promise.all([
      assignment.run((assigned) => this.#take(assigned), signal),
      this.#every(REFERENCE_INTERVAL_MS, 'references', signal, () => this.#refreshReferences()),
      this.#every(ARCHIVE_INTERVAL_MS, 'archive', signal, () => this.#ensureArchives()),
      this.#every(RETENTION_INTERVAL_MS, 'retention', signal, () => this.#retain()),
      this.#every(MIRROR_INTERVAL_MS, 'mirror', signal, () => assignment.mirror(this.#progress())),
    ])
  }

  async #firstReferences(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const enough = new AbortController()
    const stop = AbortSignal.any([signal, enough.signal])
    const read = this.#retrying('references', stop, () => this.#refreshReferences())
    const done = new AbortController()
    await Promise.race([read, clock.sleep(REFERENCE_PATIENCE_MS, done.signal)])
    done.abort()
    enough.abort()
    await read
  }

  #runners(): readonly TaskRunner[] {
    return [...this.#running.values()].flatMap(({ runner }) => (runner === null ? [] : [runner]))
  }

  /** Starts what is new; resolves once what is lost has committed and ended. */
  async #take(assigned: Assigned): Promise<void> {
    this.#assigned = true
    const ours = new Set<string>()
    for (const hosted of this.#options.pipelines) {
      for (const partition of assigned.get(hosted.topic) ?? []) {
        const name = `${hosted.pipeline.name}/${partition}`
        ours.add(name)
        if (!this.#running.has(name)) this.#start(name, hosted, partition)
      }
    }
    const lost = [...this.#running].filter(([name]) => !ours.has(name))
    for (const [, task] of lost) task.stop.abort()
    await Promise.all(lost.map(([, task]) => task.ended))
  }

  #start(name: string, hosted: HostedPipeline, partition: number): void {
    const stop = new AbortController()
    let begin = (_task: RunningTask): void => undefined
    const ended = new Promise<RunningTask>((resolve) => {
      begin = resolve
    })
      .then((task) => this.#keepRunning(name, task))
      .finally(() => this.#running.delete(name))
    const task: RunningTask = { hosted, partition, stop, ended, runner: null }
    this.#running.set(name, task)
    begin(task)
  }

  async #keepRunning(name: string, task: RunningTask): Promise<void> {
    const { clock, logger, assignment } = this.#options
    const { signal } = task.stop
    let waitMs = FIRST_RESTART_MS
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs()
      try {
        task.runner = new TaskRunner({
          ...this.#options,
          ...task.hosted,
          partition: task.partition,
          snapshots: this.#snapshots,
        })
        const end = await task.runner.run(signal)
        if (end === 'stopped') return
        logger.warn('task-fenced', { task: name })
        await assignment.confirmed(signal)
      } catch (error) {
        logger.error('task-failed', error, { task: name, restartInMs: waitMs })
      }
      if (clock.monotonicMs() - startedMs > LONGEST_RESTART_MS) waitMs = FIRST_RESTART_MS
      await clock.sleep(waitMs, signal)
      waitMs = Math.min(LONGEST_RESTART_MS, waitMs * 2)
    }
  }

  #progress(): readonly PartitionProgress[] {
    return this.status()
      .filter(({ ready }) => ready)
      .map(({ id, topic, committedOffset }) => ({
        topic,
        partition: id.partition,
        offset: committedOffset,
      }))
  }

  async #every(
    intervalMs: DurationMs,
    name: string,
    signal: AbortSignal,
    work: () => Promise<void>,
  ): Promise<void> {
    const { clock, logger } = this.#options
    for (;;) {
      await clock.sleep(intervalMs, signal)
      if (signal.aborted) return
      try {
        await work()
      } catch (error) {
        logger.error('chore-failed', error, { chore: name })
      }
    }
  }

  async #retrying(name: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const { clock, logger } = this.#options
    let waitMs = FIRST_RESTART_MS
    while (!signal.aborted) {
      try {
        return await work()
      } catch (error) {
        if (!isRetryable(error)) throw error
        logger.error('chore-failed', error, { chore: name, retryInMs: waitMs })
        await clock.sleep(waitMs, signal)
        waitMs = Math.min(LONGEST_RESTART_MS, waitMs * 2)
      }
    }
  }

  async #ensureArchives(): Promise<void> {
    for (const { pipeline } of this.#options.pipelines) {
      if (pipeline.readDeadLetter === undefined) {
        await this.#options.store.ensureArchive(pipeline.topic.archive)
      }
    }
  }

  async #refreshReferences(): Promise<void> {
    const { references, referenceSource, checkReference, logger } = this.#options
    await references.refresh(referenceSource, checkReference, {
      referenceChanged: (name, version) =>
        logger.info('reference-changed', { table: name, version }),
      referenceProblem: (name, message) =>
        logger.warn('reference-problem', { table: name, message }),
    })
  }

  /** What every pipeline of a topic has behind it, and no restart needs, may leave the log. */
  async #retain(): Promise<void> {
    const { log, store, clock } = this.#options
    const olderThanMs = clock.nowMs() - LOG_RETENTION_MS
    const keepFrom = new Map<string, { topic: string; partition: number; offset: number }>()
    for (const { hosted, partition } of this.#running.values()) {
      const { pipeline, topic } = hosted
      const offset = await store.keepFromOffset({ pipeline: pipeline.name, partition })
      const name = `${topic}/${partition}`
      const known = keepFrom.get(name)?.offset ?? Number.POSITIVE_INFINITY
      keepFrom.set(name, { topic, partition, offset: Math.min(known, offset) })
    }
    for (const { topic, partition, offset } of keepFrom.values()) {
      await log.retain(topic, partition, {
        keepFromOffset: offset,
        olderThanMs,
        maxBytes: LOG_RETENTION_BYTES,
      })
    }
  }
}
