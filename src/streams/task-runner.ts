// The loop around a task: read what is there, process it, tell the speed layer at once, commit right
// behind. It claims its partition, restores it, and goes on until it is stopped or fenced.

import { type DurationMs, type EpochMs, MINUTE_MS, SECOND_MS } from '../kernel/time.ts'
import type { CheckpointStore, TaskId } from '../ports/checkpoint-store.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { ViewPublisher } from '../ports/views.ts'
import type { BatchInputs, BatchOutput, BroadcastProgress } from './batch.ts'
import { type CommitObserver, CommitQueue } from './commit-queue.ts'
import type { AnyPipeline } from './pipeline.ts'
import { FETCH_BYTES, FETCH_RECORDS, restoreTask } from './restore.ts'
import { type ReferenceTables, readBroadcast } from './shared-feeds.ts'
import { type AnyTask, Task } from './task.ts'

/** How long a task waits for records before it looks at the time. */
export const TICK_INTERVAL_MS: DurationMs = SECOND_MS
/** Wall time counts as passed only after this, so that records on their way are read before it. */
export const TICK_GRACE_MS: DurationMs = 2 * SECOND_MS
/** Views of a task are put at most this often, and at most so many keys a time. */
export const VIEW_INTERVAL_MS: DurationMs = 50
export const VIEW_BATCH_KEYS = 100
/** A snapshot is due after so many records or so long, if it then costs at most a tenth of the time. */
export const SNAPSHOT_RECORDS = 100_000
export const SNAPSHOT_INTERVAL_MS: DurationMs = MINUTE_MS
export const SNAPSHOT_TIME_SHARE = 0.1

export interface TaskObserver extends CommitObserver {
  taskStarted(
    task: TaskId,
    facts: {
      epoch: number
      nextOffset: number
      rerun: number
      keys: number
      elapsedMs: DurationMs
    },
  ): void
  taskFenced(task: TaskId): void
  batchProcessed(task: TaskId, output: BatchOutput, elapsedMs: DurationMs): void
  /** The speed layer did not take what it was told. */
  publishFailed(task: TaskId, error: unknown): void
}

export interface TaskRunnerOptions {
  readonly pipeline: AnyPipeline
  /** Topic as the log calls it. */
  readonly topic: string
  readonly partition: number
  readonly log: Log
  readonly store: CheckpointStore
  readonly speedLayer: ViewPublisher
  readonly references: ReferenceTables
  readonly clock: Clock
  readonly observer: TaskObserver
}

export type TaskEnd = 'stopped' | 'fenced'

export interface TaskStatus {
  readonly id: TaskId
  readonly topic: string
  readonly ready: boolean
  readonly nextOffset: number
  readonly watermarkMs: EpochMs
  readonly keys: number
  readonly queuedBytes: number
}

export class TaskRunner {
  readonly id: TaskId
  readonly #options: TaskRunnerOptions
  readonly #task: AnyTask
  #queue: CommitQueue | null = null
  #viewsPutMs: DurationMs = 0
  #snapshotAtMs: DurationMs = 0
  #snapshotCostMs: DurationMs = 0
  #recordsSinceSnapshot = 0

  constructor(options: TaskRunnerOptions) {
    this.#options = options
    this.id = { pipeline: options.pipeline.name, partition: options.partition }
    this.#task = new Task({
      pipeline: options.pipeline,
      topic: options.topic,
      partition: options.partition,
      encoder: options.store.archiveEncoder(options.pipeline.topic.archive),
    })
  }

  status(): TaskStatus {
    return {
      id: this.id,
      topic: this.#options.topic,
      ready: this.#queue !== null,
      nextOffset: this.#task.nextOffset,
      watermarkMs: this.#task.watermarkMs,
      keys: this.#task.keys,
      queuedBytes: this.#queue?.bytes ?? 0,
    }
  }

  /** Puts every key into the views again, for a store that lost them. */
  showAll(): void {
    this.#task.showAll()
  }

  /**
   * Runs until aborted or fenced. On abort what was processed is committed first; rejects where the log
   * or the database failed for good.
   */
  async run(signal: AbortSignal): Promise<TaskEnd> {
    const queue = await this.#start(signal)
    if (queue === null) return 'stopped'
    try {
      while (!signal.aborted && !queue.fenced) {
        queue.check()
        await this.#step(queue, signal)
        await queue.room()
      }
      if (!queue.fenced) await this.#finish(queue)
      queue.check()
    } finally {
      await queue.stop()
    }
    if (!queue.fenced) return 'stopped'
    this.#options.observer.taskFenced(this.id)
    return 'fenced'
  }

  async #start(signal: AbortSignal): Promise<CommitQueue | null> {
    const { store, log, references, clock, observer } = this.#options
    const startedMs = clock.monotonicMs()
    const claim = await store.claim(this.id)
    const rerun = await restoreTask({
      task: this.#task,
      id: this.id,
      claim,
      log,
      store,
      references,
      pause: () => clock.sleep(0),
    })
    if (signal.aborted) return null
    this.#task.showAll()
    const { epoch, nextOffset } = claim
    const elapsedMs = clock.monotonicMs() - startedMs
    observer.taskStarted(this.id, { epoch, nextOffset, rerun, keys: this.#task.keys, elapsedMs })
    this.#snapshotAtMs = clock.monotonicMs()
    this.#recordsSinceSnapshot = rerun
    this.#queue = new CommitQueue({ task: this.id, epoch, store, clock, observer })
    return this.#queue
  }

  async #step(queue: CommitQueue, signal: AbortSignal): Promise<void> {
    const { log, clock, topic, partition, references } = this.#options
    const beforeReadMs = clock.nowMs()
    const from = this.#task.nextOffset
    const limit = { records: FETCH_RECORDS, bytes: FETCH_BYTES }
    const batch = await log.read(topic, partition, from, limit)
    const idle = batch.records.length === 0 && batch.nextOffset <= from
    const inputs: BatchInputs = {
      tickMs: idle ? beforeReadMs - TICK_GRACE_MS : null,
      references: references.current(),
      broadcasts: await this.#readBroadcasts(),
    }
    const startedMs = clock.monotonicMs()
    const output = this.#task.process(batch.records, batch.nextOffset, inputs)
    if (!idle || output.journal.length > 0) this.#hand(queue, output, startedMs)
    this.#putViews()
    this.#snapshotWhenDue(queue)
    // Other tasks, the database and the doors get their turn between two batches.
    if (!idle) await clock.sleep(0)
    else await this.#waitForRecords(signal)
  }

  #hand(queue: CommitQueue, output: BatchOutput, startedMs: DurationMs): void {
    const { clock, observer } = this.#options
    // Time alone could still be overtaken by a record on its way: what it decides is recorded first.
    const tell = (): void => this.#publish(output)
    if (!output.causedByTick) tell()
    queue.add(output, output.causedByTick ? tell : null)
    this.#recordsSinceSnapshot += output.toOffset - output.fromOffset
    observer.batchProcessed(this.id, output, clock.monotonicMs() - startedMs)
  }

  #publish(output: BatchOutput): void {
    if (output.alerts.length === 0) return
    const { speedLayer, observer } = this.#options
    speedLayer
      .publishAlerts(output.alerts)
      .catch((error: unknown) => observer.publishFailed(this.id, error))
  }

  #putViews(): void {
    const { clock, speedLayer, observer } = this.#options
    const nowMs = clock.monotonicMs()
    if (nowMs - this.#viewsPutMs < VIEW_INTERVAL_MS) return
    const entries = this.#task.takeViews(VIEW_BATCH_KEYS)
    if (entries.length === 0) return
    this.#viewsPutMs = nowMs
    speedLayer.put(entries).catch((error: unknown) => observer.publishFailed(this.id, error))
  }

  #snapshotWhenDue(queue: CommitQueue): void {
    const { clock } = this.#options
    if (this.#recordsSinceSnapshot === 0) return
    const nowMs = clock.monotonicMs()
    const sinceMs = nowMs - this.#snapshotAtMs
    const due = this.#recordsSinceSnapshot >= SNAPSHOT_RECORDS || sinceMs >= SNAPSHOT_INTERVAL_MS
    if (!due || sinceMs < this.#snapshotCostMs / SNAPSHOT_TIME_SHARE) return
    this.#takeSnapshot(queue, nowMs)
  }

  #takeSnapshot(queue: CommitQueue, nowMs: DurationMs): void {
    const { clock } = this.#options
    const entries = this.#task.takeSnapshot()
    this.#snapshotAtMs = clock.monotonicMs()
    this.#snapshotCostMs = this.#snapshotAtMs - nowMs
    this.#recordsSinceSnapshot = 0
    queue.addSnapshot({
      task: this.id,
      epoch: queue.epoch,
      offset: this.#task.nextOffset,
      entries,
    })
  }

  async #waitForRecords(signal: AbortSignal): Promise<void> {
    const { log, topic, partition } = this.#options
    const maxWaitMs = this.#task.hasUnseen ? VIEW_INTERVAL_MS : TICK_INTERVAL_MS
    await log.waitForRecords(topic, partition, this.#task.nextOffset, { maxWaitMs, signal })
  }

  async #readBroadcasts(): Promise<readonly BroadcastProgress[]> {
    const { pipeline, log } = this.#options
    if (pipeline.broadcasts.length === 0) return []
    return Promise.all(
      pipeline.broadcasts.map(({ topic }) =>
        readBroadcast(log, topic, this.#task.broadcastOffset(topic)),
      ),
    )
  }

  /** A snapshot at the end makes the next start quick. */
  async #finish(queue: CommitQueue): Promise<void> {
    if (this.#recordsSinceSnapshot > 0) {
      this.#takeSnapshot(queue, this.#options.clock.monotonicMs())
    }
    await queue.drained()
  }
}
