// Commits what a task decided, in order, while the task goes on. What waits is merged into one
// transaction, so batches grow by themselves when Postgres is busy. A commit that found no database is
// tried again with the same content; a fenced one ends the task.

import { isRetryable } from '../kernel/errors.ts'
import type { DurationMs } from '../kernel/time.ts'
import type { Checkpoint, CheckpointStore, Snapshot, TaskId } from '../ports/checkpoint-store.ts'
import type { Clock } from '../ports/clock.ts'
import type { BatchOutput } from './batch.ts'

/** Outputs that wait for the database; beyond it the task stops reading. */
export const MAX_QUEUED_BYTES = 256 * 1024 * 1024
/** One transaction takes no more than this, so that a backlog commits in steps. */
export const MAX_CHECKPOINT_ROWS = 50_000
export const MAX_CHECKPOINT_BYTES = 32 * 1024 * 1024
export const FIRST_RETRY_MS: DurationMs = 50
export const LONGEST_RETRY_MS: DurationMs = 2_000
/** What an output costs in memory beside its archive rows, a rough figure for the limit. */
const BYTES_PER_OUTPUT = 512

export interface CommitObserver {
  committed(checkpoint: Checkpoint, elapsedMs: DurationMs): void
  snapshotSaved(snapshot: Snapshot, elapsedMs: DurationMs): void
  /** The database does not answer; the commit will be tried again. */
  commitRetried(task: TaskId, error: unknown): void
}

interface QueuedBatch {
  readonly output: BatchOutput
  readonly bytes: number
  /** Called once the batch is committed, or as soon as the database does not answer. */
  readonly release: (() => void) | null
}

type QueuedItem = QueuedBatch | Snapshot

export interface CommitQueueOptions {
  readonly task: TaskId
  readonly epoch: number
  /** Where the task stood when it claimed the partition. */
  readonly nextOffset: number
  readonly store: CheckpointStore
  readonly clock: Clock
  readonly observer: CommitObserver
  /** Alerts that were handed over, and that nobody confirmed to have been told. */
  readonly untold: () => readonly string[]
}

export class CommitQueue {
  readonly #options: CommitQueueOptions
  #items: QueuedItem[] = []
  #bytes = 0
  #running: Promise<void> | null = null
  #fenced = false
  #failure: unknown = null
  #databaseAway = false
  #snapshotWaits = false
  #wakeWaiters: (() => void)[] = []
  readonly #aborted = new AbortController()

  #committedOffset: number

  constructor(options: CommitQueueOptions) {
    this.#options = options
    this.#committedOffset = options.nextOffset
  }

  /** Everything below is in the database. */
  get committedOffset(): number {
    return this.#committedOffset
  }

  get epoch(): number {
    return this.#options.epoch
  }

  get fenced(): boolean {
    return this.#fenced
  }

  /** Throws what made further commits impossible, other than a fence. */
  check(): void {
    if (this.#failure !== null) throw this.#failure
  }

  get bytes(): number {
    return this.#bytes
  }

  /** A snapshot is on its way; one at a time, or they would pile up while the database is away. */
  get snapshotWaits(): boolean {
    return this.#snapshotWaits
  }

  /** `release` is called when the output may be told to the world, if it had to wait for its record. */
  add(output: BatchOutput, release: (() => void) | null): void {
    const bytes = bytesOf(output)
    this.#bytes += bytes
    const batch = { output, bytes, release: release === null ? null : once(release) }
    if (this.#databaseAway) batch.release?.()
    this.#push(batch)
  }

  addSnapshot(snapshot: Snapshot): void {
    this.#snapshotWaits = true
    this.#push(snapshot)
  }

  /** Resolves once there is room for more, the queue has come to an end, or on abort. */
  async room(signal: AbortSignal): Promise<void> {
    if (this.#bytes < MAX_QUEUED_BYTES) return
    const wake = (): void => this.#notify()
    signal.addEventListener('abort', wake)
    while (this.#bytes >= MAX_QUEUED_BYTES && !this.#ended() && !signal.aborted) {
      await this.#change()
    }
    signal.removeEventListener('abort', wake)
  }

  /** Resolves once all is committed, or the queue has come to an end. */
  drained(): Promise<void> {
    return this.#commitNow(() => false)
  }

  /** As `drained`, but gives up where the database does not answer; true where all is committed. */
  async settled(): Promise<boolean> {
    await this.#commitNow(() => this.#databaseAway)
    return this.#running === null && !this.#ended()
  }

  /** Gives up what is not committed. */
  async stop(): Promise<void> {
    this.#aborted.abort()
    await this.#running
  }

  /** Lets nothing wait for more to be committed with it. */
  async #commitNow(givesUp: () => boolean): Promise<void> {
    while (this.#running !== null && !this.#ended() && !givesUp()) {
      this.#options.store.hurry()
      await this.#change()
    }
  }

  #push(item: QueuedItem): void {
    if (this.#ended()) return
    this.#items.push(item)
    this.#running ??= this.#run()
  }

  #ended(): boolean {
    return this.#fenced || this.#failure !== null || this.#aborted.signal.aborted
  }

  async #run(): Promise<void> {
    try {
      while (this.#items.length > 0 && !this.#ended()) {
        const first = this.#items[0]
        if (first !== undefined && !('output' in first)) await this.#saveSnapshot(first)
        else await this.#commitBatches(this.#takeBatches())
        this.#notify()
      }
    } catch (error) {
      this.#failure = error
    } finally {
      this.#running = null
      this.#notify()
    }
  }

  #takeBatches(): readonly QueuedBatch[] {
    const taken: QueuedBatch[] = []
    let rows = 0
    let bytes = 0
    for (const item of this.#items) {
      if (!('output' in item) || rows >= MAX_CHECKPOINT_ROWS || bytes >= MAX_CHECKPOINT_BYTES) break
      taken.push(item)
      bytes += item.bytes
      for (const chunk of item.output.archive) rows += chunk.rows
    }
    this.#items = this.#items.slice(taken.length)
    return taken
  }

  async #commitBatches(batches: readonly QueuedBatch[]): Promise<void> {
    const checkpoint = mergeBatches(this.#options, batches)
    await this.#untilAnswered(batches, async () => {
      const startedMs = this.#options.clock.monotonicMs()
      const outcome = await this.#options.store.commit(checkpoint)
      if (outcome === 'fenced') {
        this.#fenced = true
        return
      }
      this.#committedOffset = checkpoint.toOffset
      this.#options.observer.committed(checkpoint, this.#options.clock.monotonicMs() - startedMs)
      for (const batch of batches) batch.release?.()
      for (const chunk of checkpoint.archive) chunk.release?.()
    })
    this.#bytes -= checkpoint.bytes
  }

  async #saveSnapshot(snapshot: Snapshot): Promise<void> {
    this.#items.shift()
    await this.#untilAnswered([], async () => {
      const startedMs = this.#options.clock.monotonicMs()
      if ((await this.#options.store.saveSnapshot(snapshot)) === 'fenced') this.#fenced = true
      else {
        this.#options.observer.snapshotSaved(
          snapshot,
          this.#options.clock.monotonicMs() - startedMs,
        )
      }
    })
    this.#snapshotWaits = false
  }

  async #untilAnswered(batches: readonly QueuedBatch[], work: () => Promise<void>): Promise<void> {
    let waitMs = FIRST_RETRY_MS
    while (!this.#aborted.signal.aborted) {
      try {
        await work()
        this.#databaseAway = false
        return
      } catch (error) {
        if (!isRetryable(error)) throw error
        this.#options.observer.commitRetried(this.#options.task, error)
        this.#databaseAway = true
        for (const item of [...batches, ...this.#items]) if ('output' in item) item.release?.()
        this.#notify()
        await this.#options.clock.sleep(waitMs, this.#aborted.signal)
        waitMs = Math.min(LONGEST_RETRY_MS, waitMs * 2)
      }
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeWaiters.push(resolve)
      if (this.#running === null) this.#notify()
    })
  }

  #notify(): void {
    const waiters = this.#wakeWaiters
    this.#wakeWaiters = []
    for (const wake of waiters) wake()
  }
}

function once(call: () => void): () => void {
  let called = false
  return () => {
    if (!called) call()
    called = true
  }
}

function bytesOf(output: BatchOutput): number {
  const others =
    output.alerts.length +
    output.deadLetters.length +
    output.outbox.length +
    output.windows.length +
    output.rows.length +
    output.journal.length
  let bytes = (1 + others) * BYTES_PER_OUTPUT
  for (const chunk of output.archive) bytes += chunk.bytes
  for (const letter of output.deadLetters) bytes += letter.raw.length
  return bytes
}

function mergeBatches(options: CommitQueueOptions, batches: readonly QueuedBatch[]): Checkpoint {
  const outputs = batches.map((batch) => batch.output)
  return {
    task: options.task,
    epoch: options.epoch,
    fromOffset: outputs[0]?.fromOffset ?? 0,
    toOffset: outputs.at(-1)?.toOffset ?? 0,
    watermarkMs: outputs.at(-1)?.watermarkMs ?? 0,
    archive: outputs.flatMap((output) => output.archive),
    alerts: outputs.flatMap((output) => output.alerts),
    untold: options.untold(),
    deadLetters: outputs.flatMap((output) => output.deadLetters),
    outbox: outputs.flatMap((output) => output.outbox),
    windows: outputs.flatMap((output) => output.windows),
    rows: outputs.flatMap((output) => output.rows),
    journal: outputs.flatMap((output) => output.journal),
    bytes: batches.reduce((sum, batch) => sum + batch.bytes, 0),
  }
}
