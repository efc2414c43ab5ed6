// Bringing a task back: snapshot, then the log from there to where the last commit ended, with outputs
// thrown away because they are committed. Exact, because processing is pure and the journal says what
// each batch saw besides its events.

import { PlatformError } from '../kernel/errors.ts'
import type { DurationMs } from '../kernel/time.ts'
import type { CheckpointStore, Claim, JournalEntry, TaskId } from '../ports/checkpoint-store.ts'
import type { Log } from '../ports/log.ts'
import type { BatchInputs } from './batch.ts'
import { NO_INPUTS } from './batch.ts'
import { type ReferenceTables, readBroadcastsTo } from './shared-feeds.ts'
import type { Task } from './task.ts'
import type { StreamEvent } from './topic.ts'

export const FETCH_RECORDS = 5_000
export const FETCH_BYTES = 1024 * 1024
/** How long a restore waits for records that the log has but does not bring yet. */
const RECORDS_WAIT_MS: DurationMs = 1_000

export interface RestoreOptions<E extends StreamEvent, S> {
  readonly task: Task<E, S>
  readonly id: TaskId
  readonly claim: Claim
  readonly log: Log
  readonly store: CheckpointStore
  readonly references: ReferenceTables
  readonly signal: AbortSignal
  /** Called between batches, so that a long restore holds nothing else up. */
  pause(): Promise<void>
}

/**
 * Leaves the task at the claim's `nextOffset`; returns how many records were run again. Ends early on
 * abort. Rejects with `log-corrupt` where the log ends before what is committed: then new records would
 * get offsets that were used before, and be taken for repeats.
 */
export async function restoreTask<E extends StreamEvent, S>(
  options: RestoreOptions<E, S>,
): Promise<number> {
  const { task, id, claim, store, references } = options
  await checkLogReaches(options)
  for await (const entries of store.snapshotEntries(id)) {
    task.loadSnapshotEntries(entries)
    await options.pause()
  }
  const step = task.journalStepAt(claim.snapshotOffset)
  const isBefore = (entry: JournalEntry): boolean =>
    entry.offset < claim.snapshotOffset ||
    (entry.offset === claim.snapshotOffset && entry.step < step)
  // The snapshot holds what the last entry before it says; what its step goes on to say comes again.
  const seen = task.hasEntryAt(claim.snapshotOffset)
  const before = claim.journal.findLast(
    (entry) =>
      isBefore(entry) || (seen && entry.offset === claim.snapshotOffset && entry.step === step),
  )
  const atSnapshot = claim.journal.filter((entry) => !isBefore(entry))
  task.beginAt(claim.snapshotOffset, await references.at(before?.references ?? {}))
  let rerun = 0
  for (const entry of atSnapshot) {
    if (entry.offset > claim.nextOffset || options.signal.aborted) break
    rerun += await runTo(options, entry.offset)
    await applyEntry(options, entry)
  }
  rerun += await runTo(options, claim.nextOffset)
  return rerun
}

async function checkLogReaches<E extends StreamEvent, S>({
  task,
  log,
  claim,
}: RestoreOptions<E, S>): Promise<void> {
  const { topic, partition } = task
  const { endOffset } = await log.bounds(topic, partition)
  if (endOffset >= claim.nextOffset) return
  throw new PlatformError(
    'log-corrupt',
    `Cannot go on with "${task.pipeline.name}", partition ${partition}: the database holds its events up ` +
      `to offset ${claim.nextOffset}, but the log of ${topic} ends at ${endOffset}. Bring back the log that ` +
      'belongs to this database, or start with an empty one.',
    { retry: 'never', details: { topic, partition, endOffset, nextOffset: claim.nextOffset } },
  )
}

async function runTo<E extends StreamEvent, S>(
  options: RestoreOptions<E, S>,
  toOffset: number,
): Promise<number> {
  const { task, log, signal } = options
  let count = 0
  while (task.nextOffset < toOffset && !signal.aborted) {
    const from = task.nextOffset
    const batch = await log.read(task.topic, task.partition, task.nextOffset, {
      records: Math.min(FETCH_RECORDS, toOffset - task.nextOffset),
      bytes: FETCH_BYTES,
    })
    const records = batch.records.filter((record) => record.offset < toOffset)
    const nextOffset = Math.min(toOffset, batch.nextOffset)
    task.rerun(records, nextOffset, NO_INPUTS)
    count += records.length
    if (task.nextOffset > from) await options.pause()
    else {
      const wait = { maxWaitMs: RECORDS_WAIT_MS, signal }
      await log.waitForRecords(task.topic, task.partition, from, wait)
    }
  }
  return count
}

async function applyEntry<E extends StreamEvent, S>(
  { task, log, references }: RestoreOptions<E, S>,
  entry: JournalEntry,
): Promise<void> {
  const inputs: BatchInputs = {
    tickMs: entry.tickMs,
    references: await references.at(entry.references),
    broadcasts: await readBroadcastsTo(log, task, entry),
  }
  task.rerun([], task.nextOffset, inputs)
}
