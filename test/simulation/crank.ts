// Turns a task by hand, batch by batch, with a simulated log and database behind it: no runner and no time,
// so that a test decides where batches, snapshots and restarts fall.

import type { Alert } from '../../src/ports/alert.ts'
import type { WindowResult } from '../../src/ports/checkpoint-store.ts'
import type { NewRecord } from '../../src/ports/log.ts'
import { type BatchInputs, type BatchOutput, NO_INPUTS } from '../../src/streams/batch.ts'
import { runHistory } from '../../src/streams/history.ts'
import type { AnyPipeline } from '../../src/streams/pipeline.ts'
import { restoreTask } from '../../src/streams/restore.ts'
import { ReferenceTables, readBroadcast } from '../../src/streams/shared-feeds.ts'
import { type AnyTask, Task } from '../../src/streams/task.ts'
import { type MemoryRow, memoryEncoder, rowsOf } from './memory-encoder.ts'
import { memoryReferences } from './memory-references.ts'
import { SimulatedDatabase, simulatedStore, windowName } from './simulated-database.ts'
import { SimulatedLogDisk, simulatedLog } from './simulated-log.ts'
import { VirtualClock } from './virtual-clock.ts'

/** Everything that a run left behind, in a form that two runs can be compared by. */
export interface CrankResult {
  readonly archive: readonly MemoryRow[]
  readonly alerts: readonly Alert[]
  readonly windows: readonly WindowResult[]
  readonly outbox: readonly unknown[]
  /** Durable rows by name, their values in the end. */
  readonly rows: readonly (readonly [string, string])[]
  readonly deadLetters: readonly unknown[]
  /** The whole state as a snapshot holds it, by key. */
  readonly state: ReadonlyMap<string, string>
}

export class Crank {
  readonly #pipeline: AnyPipeline
  readonly #clock = new VirtualClock()
  readonly #disk = new SimulatedLogDisk()
  readonly #log = simulatedLog(this.#disk, this.#clock)
  readonly database = new SimulatedDatabase()
  readonly #store = simulatedStore(this.database)
  readonly #referenceStore = memoryReferences()
  readonly #id: { readonly pipeline: string; readonly partition: number }
  readonly #alerts: Alert[] = []
  readonly outputs: BatchOutput[] = []
  #task: AnyTask
  #epoch: number
  /** What the snapshot stands for that is under way. */
  #snapshotOffset: number | null = null

  constructor(pipeline: AnyPipeline) {
    this.#pipeline = pipeline
    this.#id = { pipeline: pipeline.name, partition: 0 }
    this.#task = this.#newTask()
    this.#epoch = this.database.claim(this.#id).epoch
    for (const topic of [pipeline.topic.name, ...pipeline.broadcasts.map((each) => each.topic)]) {
      this.#disk.topics.set(topic, [{ startOffset: 0, records: [], waiters: [] }])
    }
  }

  get task(): AnyTask {
    return this.#task
  }

  /** Into the log; processed by the next `turn`. */
  append(record: NewRecord): void {
    this.#disk.append(this.#pipeline.topic.name, [record])
  }

  /** Processes and commits what the log holds. */
  turn(): BatchOutput | undefined {
    const { records } = this.#disk.partition(this.#pipeline.topic.name, 0)
    if (records.length <= this.#task.nextOffset) return undefined
    return this.#process(records.slice(this.#task.nextOffset), records.length, NO_INPUTS)
  }

  tick(tickMs: number): void {
    this.#process([], this.#task.nextOffset, { ...NO_INPUTS, tickMs })
  }

  async reference(name: string, content: unknown): Promise<void> {
    const version = await this.#referenceStore.register({
      name,
      content,
      tag: JSON.stringify(content),
    })
    const references = [{ name, version, content }]
    this.#process([], this.#task.nextOffset, { ...NO_INPUTS, references })
  }

  async broadcast(topic: string, record: NewRecord): Promise<void> {
    this.#disk.append(topic, [record])
    const progress = await readBroadcast(this.#log, topic, this.#task.broadcastOffset(topic))
    this.#process([], this.#task.nextOffset, { ...NO_INPUTS, broadcasts: [progress] })
  }

  snapshot(): void {
    this.beginSnapshot()
    this.#goOnWithSnapshot(Number.POSITIVE_INFINITY)
  }

  /** Begins one that is taken a key at a time while the task goes on; ends one that is under way. */
  beginSnapshot(): void {
    this.#goOnWithSnapshot(Number.POSITIVE_INFINITY)
    this.#task.beginSnapshot()
    this.#snapshotOffset = this.#task.nextOffset
  }

  #goOnWithSnapshot(keys: number): void {
    if (this.#snapshotOffset === null) return
    const entries = this.#task.snapshotSome(keys)
    if (entries === null) return
    const outcome = this.database.saveSnapshot({
      task: this.#id,
      epoch: this.#epoch,
      offset: this.#snapshotOffset,
      entries,
    })
    this.#snapshotOffset = null
    if (outcome === 'fenced') throw new Error('A snapshot was fenced.')
  }

  /** Forgets everything in memory and comes back from the log and the database. */
  async restart(): Promise<void> {
    this.#task = this.#newTask()
    this.#snapshotOffset = null
    const claim = this.database.claim(this.#id)
    this.#epoch = claim.epoch
    await restoreTask({
      task: this.#task,
      id: this.#id,
      claim,
      log: this.#log,
      store: this.#store,
      references: new ReferenceTables(this.#referenceStore),
      signal: new AbortController().signal,
      pause: async () => {},
    })
  }

  /** What history gives when it is run again from the archive and the journal alone. */
  async history(): Promise<Pick<CrankResult, 'alerts' | 'windows'>> {
    const alerts: Alert[] = []
    const windows = new Map<string, WindowResult>()
    const steps = runHistory({
      pipeline: this.#pipeline,
      topic: this.#pipeline.topic.name,
      partition: 0,
      toOffset: this.#task.nextOffset,
      store: this.#store,
      log: this.#log,
      references: this.#referenceStore,
    })
    for await (const step of steps) {
      alerts.push(...step.alerts)
      for (const result of step.windows) windows.set(windowName(result, 0), result)
    }
    return { alerts, windows: [...windows].sort(byName).map(([, result]) => result) }
  }

  result(): CrankResult {
    this.snapshot()
    const { archive, windows, outbox, deadLetters, rows } = this.database
    return {
      archive: [...archive.values()],
      alerts: this.#alerts,
      windows: [...windows].sort(byName).map(([, result]) => result),
      outbox: [...outbox].sort(byName).map(([, entry]) => entry),
      rows: [...rows].sort(byName).map(([name, { values }]) => [name, JSON.stringify(values)]),
      deadLetters: [...deadLetters].sort(byName).map(([, letter]) => letter),
      state: new Map([...this.database.taskOf(this.#id).snapshot].sort(byName)),
    }
  }

  #process(
    records: Parameters<AnyTask['process']>[0],
    nextOffset: number,
    inputs: BatchInputs,
  ): BatchOutput {
    const output = this.#task.process(records, nextOffset, inputs)
    this.outputs.push(output)
    this.#alerts.push(...output.alerts)
    const outcome = this.database.commit({
      ...output,
      task: this.#id,
      epoch: this.#epoch,
      untold: [],
      bytes: 0,
    })
    if (outcome === 'fenced') throw new Error('A commit was fenced.')
    this.#goOnWithSnapshot(1)
    return output
  }

  #newTask(): AnyTask {
    const { topic } = this.#pipeline
    return new Task({
      pipeline: this.#pipeline,
      topic: topic.name,
      partition: 0,
      encoder: memoryEncoder(topic.archive),
    })
  }
}

export function flagsOf(output: BatchOutput): readonly (readonly string[] | null)[] {
  return rowsOf(output.archive).map(({ flags }) => flags)
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}
