// The loop around a task: read what is there, process it, tell the speed layer at once, commit right
// behind. It claims its partition, restores it, and goes on until it is stopped or fenced.

import { type DurationMs, type EpochMs, MINUTE_MS, SECOND_MS } from '../kernel/time.ts'
import type { Alert } from '../ports/alert.ts'
import type { CheckpointStore, TaskId } from '../ports/checkpoint-store.ts'
import type { Clock } from '../ports/clock.ts'
import { type Log, type LogBatch, ReadMemory } from '../ports/log.ts'
import type { ViewPublisher } from '../ports/views.ts'
import { type BatchInputs, type BatchOutput, type BroadcastProgress, NO_INPUTS } from './batch.ts'
import { type CommitObserver, CommitQueue } from './commit-queue.ts'
import { type AnyPipeline, RULE_TABLE_PREFIX } from './pipeline.ts'
import { FETCH_BYTES, FETCH_RECORDS, restoreTask } from './restore.ts'
import { MAX_BROADCAST_RECORDS, type ReferenceTables, readBroadcast } from './shared-feeds.ts'
import { OUTAGE_SILENCES } from './silence-watch.ts'
import type { SnapshotBudget } from './snapshot-budget.ts'
import { type AnyTask, Task } from './task.ts'

/** How long a task waits for records before it looks at the time. */
export const TICK_INTERVAL_MS: DurationMs = SECOND_MS
/** Wall time counts as passed only after this, so that records on their way are read before it. */
export const TICK_GRACE_MS: DurationMs = 2 * SECOND_MS
/** Broadcast topics are looked at this often. */
export const BROADCAST_INTERVAL_MS: DurationMs = SECOND_MS
/** On a stop, what is processed but not committed is given so long; it stays in the log if that is not enough. */
export const STOP_PATIENCE_MS: DurationMs = 5 * SECOND_MS
/** Views of a task are put at most this often, and at most so many keys a time. */
export const VIEW_INTERVAL_MS: DurationMs = 50
export const VIEW_BATCH_KEYS = 100
/** With so many records since they were put last, the task is busy: views wait longer, so that events need not. */
export const BUSY_RECORDS = 25
export const BUSY_VIEW_INTERVAL_MS: DurationMs = 250
/** A task whose records came so long ago works off a backlog: until all of it is archived, views wait longest. */
export const BACKLOG_AGE_MS: DurationMs = 5 * SECOND_MS
export const BACKLOG_VIEW_INTERVAL_MS: DurationMs = SECOND_MS
/** Open windows are shown this often while something changes in them. */
export const OPEN_WINDOWS_INTERVAL_MS: DurationMs = SECOND_MS
/** With so many records since they were shown last, the task works off a backlog: putting them together costs it a thousand. */
export const BACKLOG_RECORDS = 5_000
export const BACKLOG_WINDOWS_INTERVAL_MS: DurationMs = 5 * SECOND_MS
/** What the speed layer did not take waits so long. */
export const SPEED_RETRY_MS: DurationMs = SECOND_MS
/** Alerts of which nobody has confirmed that they were told; beyond it the oldest are only in the database. */
export const MAX_UNTOLD_ALERTS = 10_000
/** A snapshot is due after so many records or so long, if the thread has time for it. */
export const SNAPSHOT_RECORDS = 100_000
export const SNAPSHOT_INTERVAL_MS: DurationMs = MINUTE_MS
/** A snapshot is taken so many keys at a time, some two milliseconds, so that no event waits for all of it. */
export const SNAPSHOT_STEP_KEYS = 40
/** Tasks that begin together take their first snapshots in so many turns, not all at the same moment. */
export const SNAPSHOT_TURNS = 8

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
  /** Of all tasks of the thread. */
  readonly snapshots: SnapshotBudget
  readonly clock: Clock
  readonly observer: TaskObserver
}

export type TaskEnd = 'stopped' | 'fenced'

export interface TaskStatus {
  readonly id: TaskId
  readonly topic: string
  readonly ready: boolean
  readonly nextOffset: number
  /** Everything below is archived. */
  readonly committedOffset: number
  readonly watermarkMs: EpochMs
  readonly keys: number
  readonly queuedBytes: number
}

export class TaskRunner {
  readonly id: TaskId
  readonly #options: TaskRunnerOptions
  readonly #task: AnyTask
  #queue: CommitQueue | null = null
  /** What waiting for records came to. */
  #mayRead = true
  readonly #memory = new ReadMemory()
  #readMs: DurationMs = 0
  #viewsPutMs: DurationMs = 0
  #recordsSinceViews = 0
  /** Records below it came long before they were processed. */
  #backlogOffset = 0
  #windowsShownMs: DurationMs = 0
  /** Next offset at which open windows were shown. */
  #windowsShownAt = -1
  #snapshotAtMs: DurationMs = 0
  /** What the snapshot stands for that is being taken; null where none is. */
  #snapshotOffset: number | null = null
  #recordsSinceSnapshot = 0
  /** Keys written to snapshots that the budget knows of. */
  #paidKeys = 0
  /** What is left of records and time until the next one is due. */
  #snapshotShare = 1
  /** Records below were in the log when the task started: they see what was in force before. */
  #newsFromOffset = 0
  /** To be told again, oldest first. */
  #untold: readonly Alert[] = []
  /** Handed over, and not yet confirmed: recorded with each checkpoint, for whoever owns the task next. */
  readonly #unconfirmed = new Set<Alert>()
  #tellAgainMs: DurationMs = 0
  #broadcastsReadMs: DurationMs = Number.NEGATIVE_INFINITY
  /** Ticks that would end an outage of ours wait until then; null until the task caught up. */
  #ticksFromMs: EpochMs | null = null

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
      committedOffset: this.#queue?.committedOffset ?? 0,
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
        await queue.room(signal)
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
    const { endOffset } = await log.bounds(this.#options.topic, this.#options.partition)
    if (claim.journal.length > 0) this.#newsFromOffset = endOffset
    const rerun = await restoreTask({
      task: this.#task,
      id: this.id,
      claim,
      log,
      store,
      references,
      signal,
      pause: () => clock.sleep(0),
    })
    if (signal.aborted) return null
    this.#task.showAll()
    const { epoch, nextOffset } = claim
    const elapsedMs = clock.monotonicMs() - startedMs
    observer.taskStarted(this.id, { epoch, nextOffset, rerun, keys: this.#task.keys, elapsedMs })
    this.#snapshotAtMs = clock.monotonicMs()
    this.#recordsSinceSnapshot = rerun
    // After a restore they differ anyway.
    const turn = rerun === 0 ? this.id.partition % SNAPSHOT_TURNS : 0
    this.#snapshotShare = 1 - turn / SNAPSHOT_TURNS
    this.#queue = new CommitQueue({
      task: this.id,
      epoch,
      nextOffset,
      store,
      clock,
      observer,
      untold: () => [...new Set(Array.from(this.#unconfirmed, ({ id }) => id))],
    })
    this.#expect(claim.untold)
    this.#publish(claim.untold)
    return this.#queue
  }

  async #step(queue: CommitQueue, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    await this.#takeNews(queue)
    const beforeReadMs = clock.nowMs()
    const from = this.#task.nextOffset
    const batch = await this.#read(from)
    const idle = batch.records.length === 0 && batch.nextOffset <= from
    const tickMs = idle ? await this.#tickAt(beforeReadMs) : null
    if (!idle || tickMs !== null) {
      const startedMs = clock.monotonicMs()
      const inputs = { ...NO_INPUTS, tickMs }
      const output = this.#task.process(batch.records, batch.nextOffset, inputs)
      this.#hand(queue, output, startedMs)
    }
    this.#publishUntold()
    const newest = batch.records.at(-1)
    if (newest !== undefined && beforeReadMs - newest.receivedAtMs >= BACKLOG_AGE_MS) {
      this.#backlogOffset = this.#task.nextOffset
    }
    this.#recordsSinceViews += batch.records.length
    this.#putViews(queue)
    this.#showOpenWindows()
    this.#snapshotWhenDue(queue)
    this.#goOnWithSnapshot(queue, SNAPSHOT_STEP_KEYS)
    // Other tasks, the database and the doors get their turn between two batches.
    const goesOn = this.#snapshotOffset !== null
    if (!idle || goesOn) await clock.sleep(0)
    this.#mayRead = goesOn || (await this.#waitForRecords(signal))
  }

  /** Asks the log only where it may have something, and now and then, so that what is wrong with it is noticed. */
  async #read(fromOffset: number): Promise<LogBatch> {
    const { log, clock, topic, partition } = this.#options
    const nowMs = clock.monotonicMs()
    if (!this.#mayRead && nowMs - this.#readMs < TICK_INTERVAL_MS) {
      return { records: [], nextOffset: fromOffset }
    }
    this.#readMs = nowMs
    const limit = { records: FETCH_RECORDS, bytes: FETCH_BYTES, memory: this.#memory }
    return log.read(topic, partition, fromOffset, limit)
  }

  /**
   * Takes over new reference tables and broadcasts, in a batch of their own between committed ones: what
   * was told under the old ones is recorded under them, also where the process dies in between.
   * While the database is away everything stays as it is.
   */
  async #takeNews(queue: CommitQueue): Promise<void> {
    if (this.#task.nextOffset < this.#newsFromOffset) return
    const news: BatchInputs = {
      tickMs: null,
      references: this.#options.references
        .current()
        .filter(({ name }) => !isForeignRuleTable(name, this.#options.pipeline))
        .filter(({ name, version }) => this.#task.referenceVersion(name) !== version),
      broadcasts: await this.#readBroadcasts(),
    }
    if (news.references.length === 0 && news.broadcasts.length === 0) return
    if (!(await queue.settled())) return
    const startedMs = this.#options.clock.monotonicMs()
    const output = this.#task.process([], this.#task.nextOffset, news)
    this.#hand(queue, output, startedMs)
    await queue.settled()
  }

  /** The tick to apply, if it decides something and nothing that came before it is still to be read. */
  async #tickAt(nowMs: EpochMs): Promise<EpochMs | null> {
    const { log, topic, partition } = this.#options
    const tickMs = nowMs - TICK_GRACE_MS
    const { arrivalClockMs, nextOffset } = this.#task
    const { outageMs } = this.#task
    const quietMs = tickMs - arrivalClockMs
    if (this.#ticksFromMs === null) {
      const hadOutage = quietMs >= outageMs && Number.isFinite(quietMs)
      this.#ticksFromMs = hadOutage ? nowMs + outageMs / OUTAGE_SILENCES : nowMs
    }
    if (nowMs < this.#ticksFromMs && quietMs >= outageMs) return null
    if (!this.#task.tickMatters(tickMs)) return null
    const { endOffset } = await log.bounds(topic, partition)
    return endOffset > nextOffset ? null : tickMs
  }

  #hand(queue: CommitQueue, output: BatchOutput, startedMs: DurationMs): void {
    const { clock, observer } = this.#options
    // Time alone could still be overtaken by a record on its way: what it decides is recorded first.
    const tell = (): void => this.#publish(output.alerts)
    this.#expect(output.alerts)
    if (!output.causedByTick) tell()
    queue.add(output, output.causedByTick ? tell : null)
    this.#recordsSinceSnapshot += output.toOffset - output.fromOffset
    observer.batchProcessed(this.id, output, clock.monotonicMs() - startedMs)
  }

  /** Tells at once. What the speed layer did not take is told again, so that a short failure of it loses no warning. */
  #publish(alerts: readonly Alert[]): void {
    const telling = [...this.#untold, ...alerts]
    if (telling.length === 0) return
    const { speedLayer, observer, clock } = this.#options
    this.#untold = []
    speedLayer.publishAlerts(telling).then(
      () => {
        for (const alert of telling) this.#unconfirmed.delete(alert)
      },
      (error: unknown) => {
        observer.publishFailed(this.id, error)
        this.#untold = [...telling, ...this.#untold].slice(-MAX_UNTOLD_ALERTS)
        this.#tellAgainMs = clock.monotonicMs() + SPEED_RETRY_MS
      },
    )
  }

  #expect(alerts: readonly Alert[]): void {
    for (const alert of alerts) this.#unconfirmed.add(alert)
    if (this.#unconfirmed.size <= MAX_UNTOLD_ALERTS) return
    const surplus = [...this.#unconfirmed].slice(0, this.#unconfirmed.size - MAX_UNTOLD_ALERTS)
    for (const alert of surplus) this.#unconfirmed.delete(alert)
  }

  #publishUntold(): void {
    if (this.#untold.length === 0) return
    if (this.#options.clock.monotonicMs() >= this.#tellAgainMs) this.#publish([])
  }

  #putViews(queue: CommitQueue): void {
    const { clock, speedLayer, observer } = this.#options
    const nowMs = clock.monotonicMs()
    if (nowMs - this.#viewsPutMs < this.#viewIntervalMs(queue)) return
    const entries = this.#task.takeViews(VIEW_BATCH_KEYS)
    if (entries.length === 0) return
    this.#viewsPutMs = nowMs
    this.#recordsSinceViews = 0
    speedLayer.put(entries).catch((error: unknown) => {
      observer.publishFailed(this.id, error)
      this.#task.showAgain(entries)
      this.#viewsPutMs = clock.monotonicMs() + SPEED_RETRY_MS
    })
  }

  #viewIntervalMs(queue: CommitQueue): DurationMs {
    if (queue.committedOffset < this.#backlogOffset) return BACKLOG_VIEW_INTERVAL_MS
    return this.#recordsSinceViews < BUSY_RECORDS ? VIEW_INTERVAL_MS : BUSY_VIEW_INTERVAL_MS
  }

  #showOpenWindows(): void {
    const { clock, speedLayer, observer, pipeline } = this.#options
    const { nextOffset } = this.#task
    if (pipeline.windows.length === 0 || nextOffset === this.#windowsShownAt) return
    const nowMs = clock.monotonicMs()
    const behind = this.#windowsShownAt < 0 ? 0 : nextOffset - this.#windowsShownAt
    const intervalMs =
      behind >= BACKLOG_RECORDS ? BACKLOG_WINDOWS_INTERVAL_MS : OPEN_WINDOWS_INTERVAL_MS
    if (nowMs - this.#windowsShownMs < intervalMs) return
    this.#windowsShownMs = nowMs
    this.#windowsShownAt = nextOffset
    speedLayer.put(this.#task.openWindowEntries()).catch((error: unknown) => {
      observer.publishFailed(this.id, error)
      this.#windowsShownAt = -1
    })
  }

  #snapshotWhenDue(queue: CommitQueue): void {
    const { clock } = this.#options
    if (this.#snapshotOffset !== null) return
    if (this.#recordsSinceSnapshot === 0 || queue.snapshotWaits) return
    const nowMs = clock.monotonicMs()
    const sinceMs = nowMs - this.#snapshotAtMs
    const share = this.#snapshotShare
    const due =
      this.#recordsSinceSnapshot >= SNAPSHOT_RECORDS * share ||
      sinceMs >= SNAPSHOT_INTERVAL_MS * share
    if (due && this.#options.snapshots.allows(nowMs)) this.#beginSnapshot()
  }

  #beginSnapshot(): void {
    const startedMs = this.#options.clock.monotonicMs()
    this.#task.beginSnapshot()
    this.#snapshotOffset = this.#task.nextOffset
    this.#recordsSinceSnapshot = 0
    this.#snapshotShare = 1
    this.#payForSnapshot(startedMs, this.#task.savedKeys)
  }

  #goOnWithSnapshot(queue: CommitQueue, keys: number): void {
    if (this.#snapshotOffset === null) return
    const startedMs = this.#options.clock.monotonicMs()
    const savedBefore = this.#task.savedKeys
    const entries = this.#task.snapshotSome(keys)
    this.#snapshotAtMs = this.#payForSnapshot(startedMs, savedBefore)
    if (entries === null) return
    const offset = this.#snapshotOffset
    this.#snapshotOffset = null
    queue.addSnapshot({ task: this.id, epoch: queue.epoch, offset, entries })
  }

  /** For what was written since `startedMs`, and among events before. Returns the present. */
  #payForSnapshot(startedMs: DurationMs, savedBefore: number): DurationMs {
    const { clock, snapshots } = this.#options
    const nowMs = clock.monotonicMs()
    snapshots.spend(nowMs, {
      tookMs: nowMs - startedMs,
      keys: this.#task.savedKeys - savedBefore,
      ahead: savedBefore - this.#paidKeys,
    })
    this.#paidKeys = this.#task.savedKeys
    return nowMs
  }

  async #waitForRecords(signal: AbortSignal): Promise<boolean> {
    const { log, topic, partition } = this.#options
    const maxWaitMs = this.#task.hasUnseen ? VIEW_INTERVAL_MS : TICK_INTERVAL_MS
    return log.waitForRecords(topic, partition, this.#task.nextOffset, { maxWaitMs, signal })
  }

  /** Progress of those broadcast topics that have something new. */
  async #readBroadcasts(): Promise<readonly BroadcastProgress[]> {
    const { pipeline, log, clock } = this.#options
    if (pipeline.broadcasts.length === 0) return []
    const nowMs = clock.monotonicMs()
    if (nowMs - this.#broadcastsReadMs < BROADCAST_INTERVAL_MS) return []
    const read = await Promise.all(
      pipeline.broadcasts.map(({ topic }) =>
        readBroadcast(log, topic, this.#task.broadcastOffset(topic)),
      ),
    )
    const more = read.some(({ records }) => records.length >= MAX_BROADCAST_RECORDS)
    if (!more) this.#broadcastsReadMs = nowMs
    return read.filter(({ topic, nextOffset }) => nextOffset > this.#task.broadcastOffset(topic))
  }

  /** A snapshot at the end makes the next start quick. */
  async #finish(queue: CommitQueue): Promise<void> {
    this.#goOnWithSnapshot(queue, Number.POSITIVE_INFINITY)
    if (this.#recordsSinceSnapshot > 0 && !queue.snapshotWaits) {
      this.#beginSnapshot()
      this.#goOnWithSnapshot(queue, Number.POSITIVE_INFINITY)
    }
    const over = new AbortController()
    const patience = this.#options.clock.sleep(STOP_PATIENCE_MS, over.signal)
    await Promise.race([queue.drained(), patience])
    over.abort()
  }
}

/** Rules of another topic: taking them over would settle every key for nothing. */
function isForeignRuleTable(name: string, { rules }: AnyPipeline): boolean {
  return name.startsWith(RULE_TABLE_PREFIX) && name !== rules?.table
}
