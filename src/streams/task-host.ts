// Runs the tasks of a process: one runner a pipeline and partition assigned to it, started again when it
// fails, and the chores that all tasks share: reference tables, archive partitions, retention of the log.

import { isRetryable } from '../kernel/errors.ts'
import { DAY_MS, type DurationMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../kernel/time.ts'
import type { CheckpointStore } from '../ports/checkpoint-store.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Logger } from '../ports/logger.ts'
import type { ReferenceSource } from '../ports/reference-source.ts'
import type { ViewPublisher } from '../ports/views.ts'
import type { AnyPipeline } from './pipeline.ts'
import type { ReferenceTables } from './shared-feeds.ts'
import { type TaskObserver, TaskRunner, type TaskStatus } from './task-runner.ts'

const FIRST_RESTART_MS: DurationMs = 200
const LONGEST_RESTART_MS: DurationMs = 30 * SECOND_MS
const REFERENCE_INTERVAL_MS: DurationMs = 5 * SECOND_MS
const ARCHIVE_INTERVAL_MS: DurationMs = HOUR_MS
const RETENTION_INTERVAL_MS: DurationMs = MINUTE_MS
export const LOG_RETENTION_MS: DurationMs = 7 * DAY_MS
export const LOG_RETENTION_BYTES = 2 * 1024 * 1024 * 1024

export interface Assignment {
  readonly pipeline: AnyPipeline
  /** Topic as the log calls it. */
  readonly topic: string
  readonly partitions: readonly number[]
}

export interface TaskHostOptions {
  readonly assignments: readonly Assignment[]
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

export class TaskHost {
  readonly #options: TaskHostOptions
  readonly #runners = new Map<string, TaskRunner>()

  constructor(options: TaskHostOptions) {
    this.#options = options
  }

  status(): readonly TaskStatus[] {
    return [...this.#runners.values()].map((runner) => runner.status())
  }

  showAll(): void {
    for (const runner of this.#runners.values()) runner.showAll()
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
    await this.#retrying('references', signal, () => this.#refreshReferences())
    const tasks = this.#options.assignments.flatMap((assignment) =>
      assignment.partitions.map((partition) => this.#keepRunning(assignment, partition, signal)),
    )
    const chores = [
      this.#every(REFERENCE_INTERVAL_MS, 'references', signal, () => this.#refreshReferences()),
      this.#every(ARCHIVE_INTERVAL_MS, 'archive', signal, () => this.#ensureArchives()),
      this.#every(RETENTION_INTERVAL_MS, 'retention', signal, () => this.#retain()),
    ]
    await Promise.all([...tasks, ...chores])
  }

  async #keepRunning(
    assignment: Assignment,
    partition: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, logger } = this.#options
    const { pipeline, topic } = assignment
    const name = `${pipeline.name}/${partition}`
    let waitMs = FIRST_RESTART_MS
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs()
      try {
        const runner = new TaskRunner({ ...this.#options, pipeline, topic, partition })
        this.#runners.set(name, runner)
        const end = await runner.run(signal)
        if (end === 'stopped') return
        logger.warn('task-fenced', { task: name })
      } catch (error) {
        logger.error('task-failed', error, { task: name, restartInMs: waitMs })
      }
      if (clock.monotonicMs() - startedMs > LONGEST_RESTART_MS) waitMs = FIRST_RESTART_MS
      await clock.sleep(waitMs, signal)
      waitMs = Math.min(LONGEST_RESTART_MS, waitMs * 2)
    }
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
    for (const { pipeline } of this.#options.assignments) {
      if (pipeline.readDeadLetter === undefined) {
        await this.#options.store.ensureArchive(pipeline.topic.archive)
      }
    }
  }

  async #refreshReferences(): Promise<void> {
    const { references, referenceSource, checkReference, logger } = this.#options
    await references.refresh(referenceSource, checkReference, {
      referenceChanged: (name, version) => logger.info('reference-changed', { name, version }),
      referenceProblem: (name, message) => logger.warn('reference-problem', { name, message }),
    })
  }

  /** What every pipeline of a topic has behind it, and no restart needs, may leave the log. */
  async #retain(): Promise<void> {
    const { assignments, log, store, clock } = this.#options
    const olderThanMs = clock.nowMs() - LOG_RETENTION_MS
    const keepFrom = new Map<string, { topic: string; partition: number; offset: number }>()
    for (const { pipeline, topic, partitions } of assignments) {
      for (const partition of partitions) {
        const offset = await store.keepFromOffset({ pipeline: pipeline.name, partition })
        const name = `${topic}/${partition}`
        const known = keepFrom.get(name)?.offset ?? Number.POSITIVE_INFINITY
        keepFrom.set(name, { topic, partition, offset: Math.min(known, offset) })
      }
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
