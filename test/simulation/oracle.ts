// What must be in the database: the log and the journal run once through a fresh task that nothing ever
// happens to.

import type { Alert } from '../../src/ports/alert.ts'
import type { OutboxEntry, WindowResult } from '../../src/ports/checkpoint-store.ts'
import type { LogRecord } from '../../src/ports/log.ts'
import type { ReferenceStore } from '../../src/ports/reference-source.ts'
import type { RowChange } from '../../src/ports/row-table.ts'
import { type BatchInputs, NO_INPUTS } from '../../src/streams/batch.ts'
import type { AnyPipeline } from '../../src/streams/pipeline.ts'
import { type AnyTask, Task } from '../../src/streams/task.ts'
import { type MemoryRow, memoryEncoder } from './memory-encoder.ts'
import { SimulatedDatabase } from './simulated-database.ts'

/** What is durable at the end of a run, each part by name, as text that can be compared. */
export interface Outcome {
  readonly archive: ReadonlyMap<string, string>
  readonly transitions: ReadonlyMap<string, string>
  readonly alerts: ReadonlyMap<string, string>
  readonly windows: ReadonlyMap<string, string>
  readonly outbox: ReadonlyMap<string, string>
  readonly rows: ReadonlyMap<string, string>
  /** State of every key and partition. */
  readonly state: ReadonlyMap<string, string>
}

export interface OracleOptions {
  readonly pipeline: AnyPipeline
  readonly log: readonly (readonly LogRecord[])[]
  readonly broadcasts: ReadonlyMap<string, readonly LogRecord[]>
  readonly database: SimulatedDatabase
  readonly references: ReferenceStore
}

export async function expectedOutcome(options: OracleOptions): Promise<Outcome> {
  const expected = new SimulatedDatabase()
  const state = new Map<string, string>()
  for (const partition of options.log.keys()) {
    const task = await runPartition(options, partition, expected)
    for (const [key, text] of stateOf(task, new Map())) state.set(`${partition}/${key}`, text)
  }
  return outcomeOf(expected, state)
}

async function runPartition(
  options: OracleOptions,
  partition: number,
  expected: SimulatedDatabase,
): Promise<AnyTask> {
  const { pipeline, database } = options
  const id = { pipeline: pipeline.name, partition }
  const task = newTask(pipeline, partition)
  const { epoch } = expected.claim(id)
  const process = (records: readonly LogRecord[], to: number, inputs: BatchInputs): void => {
    expected.commit({ ...task.process(records, to, inputs), task: id, epoch, untold: [], bytes: 0 })
  }
  const records = options.log[partition] ?? []
  const runTo = (offset: number): void => {
    if (offset > task.nextOffset) process(records.slice(task.nextOffset, offset), offset, NO_INPUTS)
  }
  for (const entry of database.journal(id)) {
    runTo(entry.offset)
    const broadcasts = Object.entries(entry.broadcasts).map(([topic, nextOffset]) => ({
      topic,
      nextOffset,
      records: (options.broadcasts.get(topic) ?? []).map(
        ({ offset, key, tenantId, receivedAtMs, value }) => ({
          offset,
          key,
          tenantId,
          receivedAtMs,
          value: JSON.parse(Buffer.from(value).toString()) as unknown,
        }),
      ),
    }))
    const references = await Promise.all(
      Object.entries(entry.references).map(async ([name, version]) => ({
        name,
        version,
        content: await options.references.load(name, version),
      })),
    )
    process([], task.nextOffset, { tickMs: entry.tickMs, references, broadcasts })
  }
  runTo(records.length)
  return task
}

export function newTask(pipeline: AnyPipeline, partition: number): AnyTask {
  return new Task({
    pipeline,
    topic: pipeline.topic.name,
    partition,
    encoder: memoryEncoder(pipeline.topic.archive),
  })
}

/** All of a task's state: what was saved before, and what changed since. */
export function stateOf(
  task: AnyTask,
  saved: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const state = new Map(saved)
  task.beginSnapshot()
  for (const entry of task.snapshotSome(Number.POSITIVE_INFINITY) ?? []) {
    if (entry.state === null) state.delete(entry.key)
    else state.set(entry.key, entry.state)
  }
  return state
}

export function outcomeOf(
  database: SimulatedDatabase,
  state: ReadonlyMap<string, string>,
): Outcome {
  return {
    archive: textOf(database.archive),
    transitions: textOf(database.transitions),
    alerts: textOf(database.alerts),
    windows: textOf(database.windows),
    outbox: textOf(database.outbox),
    rows: textOf(database.rows),
    state,
  }
}

function textOf(
  found: ReadonlyMap<string, MemoryRow | Alert | WindowResult | OutboxEntry | RowChange>,
): ReadonlyMap<string, string> {
  return new Map([...found].map(([name, value]) => [name, JSON.stringify(value)]))
}

const PARTS = ['archive', 'transitions', 'alerts', 'windows', 'outbox', 'rows', 'state'] as const

/** Where two outcomes differ; empty where they are the same. */
export function differences(found: Outcome, expected: Outcome): readonly string[] {
  const differing: string[] = []
  for (const part of PARTS) {
    for (const [name, text] of expected[part]) {
      const other = found[part].get(name)
      if (other !== text) differing.push(`${part} ${name}: found ${other}, expected ${text}`)
    }
    for (const [name, text] of found[part]) {
      if (!expected[part].has(name)) differing.push(`${part} ${name}: not expected: ${text}`)
    }
  }
  return differing
}
