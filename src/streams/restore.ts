// Bringing a task back: snapshot, then the log from there to where the last commit ended, with outputs
// thrown away because they are committed. Exact, because processing is pure and the journal says what
// each batch saw besides its events.

import type { CheckpointStore, Claim, JournalEntry, TaskId } from '../ports/checkpoint-store.ts'
import type { Log } from '../ports/log.ts'
import type { BatchInputs } from './batch.ts'
import { NO_INPUTS } from './batch.ts'
import { type ReferenceTables, readBroadcast } from './shared-feeds.ts'
import type { Task } from './task.ts'
import type { StreamEvent } from './topic.ts'

export const FETCH_RECORDS = 5_000
export const FETCH_BYTES = 1024 * 1024

export interface RestoreOptions<E extends StreamEvent, S> {
  readonly task: Task<E, S>
  readonly id: TaskId
  readonly claim: Claim
  readonly log: Log
  readonly store: CheckpointStore
  readonly references: ReferenceTables
  /** Called between batches, so that a long restore holds nothing else up; throws to give up. */
  pause(): Promise<void>
}

/** Leaves the task at the claim's `nextOffset`; returns how many records were run again. */
export async function restoreTask<E extends StreamEvent, S>(
  options: RestoreOptions<E, S>,
): Promise<number> {
  const { task, id, claim, store, references } = options
  for await (const entries of store.snapshotEntries(id)) {
    task.loadSnapshotEntries(entries)
    await options.pause()
  }
  const before = claim.journal.findLast((entry) => entry.offset < claim.snapshotOffset)
  const atSnapshot = claim.journal.filter((entry) => entry.offset >= claim.snapshotOffset)
  task.beginAt(claim.snapshotOffset, await references.at(before?.references ?? {}))
  let rerun = 0
  for (const entry of atSnapshot) {
    if (entry.offset > claim.nextOffset) break
    rerun += await runTo(options, entry.offset)
    await applyEntry(options, entry)
  }
  rerun += await runTo(options, claim.nextOffset)
  return rerun
}

async function runTo<E extends StreamEvent, S>(
  options: RestoreOptions<E, S>,
  toOffset: number,
): Promise<number> {
  const { task, log } = options
  let count = 0
  while (task.nextOffset < toOffset) {
    const batch = await log.read(task.topic, task.partition, task.nextOffset, {
      records: Math.min(FETCH_RECORDS, toOffset - task.nextOffset),
      bytes: FETCH_BYTES,
    })
    const records = batch.records.filter((record) => record.offset < toOffset)
    const nextOffset = Math.min(toOffset, batch.nextOffset)
    task.rerun(records, nextOffset, NO_INPUTS)
    count += records.length
    await options.pause()
  }
  return count
}

async function applyEntry<E extends StreamEvent, S>(
  { task, log, references }: RestoreOptions<E, S>,
  entry: JournalEntry,
): Promise<void> {
  for (const [topic, position] of Object.entries(entry.broadcasts)) {
    while (task.broadcastOffset(topic) < position) {
      const reached = task.broadcastOffset(topic)
      const progress = await readBroadcast(log, topic, reached, position)
      task.rerun([], task.nextOffset, { ...NO_INPUTS, broadcasts: [progress] })
      if (task.broadcastOffset(topic) === reached) break
    }
  }
  const inputs: BatchInputs = {
    tickMs: entry.tickMs,
    references: await references.at(entry.references),
    broadcasts: [],
  }
  task.rerun([], task.nextOffset, inputs)
}
