// Runs archived history through a pipeline: the same task, fed from the archive and its journal, with
// nothing written and nobody told.

import type { Alert } from '../ports/alert.ts'
import type { ArchiveChunk, ArchivedEvent, ArchiveEncoder } from '../ports/archive.ts'
import type {
  CheckpointStore,
  JournalEntry,
  TaskId,
  WindowResult,
} from '../ports/checkpoint-store.ts'
import type { ReferenceStore } from '../ports/reference-source.ts'
import type { BatchInputs, ReferenceVersion } from './batch.ts'
import type { AnyPipeline } from './pipeline.ts'
import { type BroadcastLog, readBroadcastsTo } from './shared-feeds.ts'
import { type AnyTask, Task } from './task.ts'

export interface HistoryOptions {
  readonly pipeline: AnyPipeline
  /** Topic as the log calls it: part of every id. */
  readonly topic: string
  readonly partition: number
  /** Where history ends: the first offset that is not run. */
  readonly toOffset: number
  /** Events of this key alone; absent: of all. */
  readonly entity?: string
  readonly store: CheckpointStore
  /** For broadcast topics: records that it dropped since are missing. */
  readonly log: BroadcastLog
  readonly references: ReferenceStore
}

export interface HistoryStep {
  readonly events: number
  readonly alerts: readonly Alert[]
  readonly windows: readonly WindowResult[]
}

/** From the first event on, since every state has its beginning there; the caller picks what it shows. */
export async function* runHistory(options: HistoryOptions): AsyncIterable<HistoryStep> {
  const { pipeline, topic, partition, store, toOffset, entity } = options
  const task = new Task({
    pipeline,
    topic,
    partition,
    encoder: discardingEncoder(),
  })
  const id: TaskId = { pipeline: pipeline.name, partition }
  const journal = (await store.journal(id)).filter((entry) => entry.offset <= toOffset)
  let next = 0
  const { archiveColumns: columns } = pipeline
  const range = {
    ...{ partition, fromOffset: 0, toOffset },
    ...(columns === undefined ? {} : { columns }),
    ...(entity === undefined ? {} : { entity }),
  }
  for await (const events of store.readArchive(pipeline.topic.archive, range)) {
    let from = 0
    while (from < events.length) {
      const entry = journal[next]
      const to = entry === undefined ? events.length : firstAtOrAfter(events, from, entry.offset)
      if (to > from)
        yield stepOf(task, to - from === events.length ? events : events.slice(from, to))
      from = to
      if (entry !== undefined && to < events.length) {
        yield await applyEntry(options, task, entry)
        next++
      }
    }
  }
  for (const entry of journal.slice(next)) {
    yield await applyEntry(options, task, entry)
  }
}

function stepOf(task: AnyTask, events: readonly ArchivedEvent<unknown>[]): HistoryStep {
  const { alerts, windows } = task.processArchived(events)
  return { events: events.length, alerts, windows }
}

async function applyEntry(
  options: HistoryOptions,
  task: AnyTask,
  entry: JournalEntry,
): Promise<HistoryStep> {
  const inputs: BatchInputs = {
    tickMs: entry.tickMs,
    references: await versionsOf(options, entry),
    broadcasts: await readBroadcastsTo(options.log, task, entry),
  }
  const output = task.process([], entry.offset, inputs)
  return { events: 0, alerts: output.alerts, windows: output.windows }
}

async function versionsOf(
  { references }: HistoryOptions,
  entry: JournalEntry,
): Promise<readonly ReferenceVersion[]> {
  return Promise.all(
    Object.entries(entry.references).map(async ([name, version]) => ({
      name,
      version,
      content: await references.load(name, version),
    })),
  )
}

function firstAtOrAfter(
  events: readonly ArchivedEvent<unknown>[],
  from: number,
  offset: number,
): number {
  let low = from
  let high = events.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((events[middle]?.offset ?? 0) < offset) low = middle + 1
    else high = middle
  }
  return low
}

/** History is in the archive already. */
function discardingEncoder<E>(): ArchiveEncoder<E> {
  const nothing: ArchiveChunk = { table: '', rows: 0, bytes: 0, payload: [] }
  return { pendingBytes: 0, add() {}, take: () => nothing }
}
