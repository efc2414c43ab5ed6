// Where a task's progress becomes permanent: offset, archive rows and alerts in one fenced transaction,
// snapshots of state apart from it.

import type { Position } from '../kernel/ids.ts'
import type { EpochMs } from '../kernel/time.ts'
import type { Alert } from './alert.ts'
import type {
  ArchiveChunk,
  ArchivedEvent,
  ArchiveEncoder,
  ArchiveLayout,
  ArchiveTable,
} from './archive.ts'
import type { RowChange } from './row-table.ts'

export interface TaskId {
  readonly pipeline: string
  readonly partition: number
}

/**
 * What a batch saw besides its own events. It holds from `offset` on, before the event there is
 * processed, until the next entry.
 */
export interface JournalEntry {
  readonly offset: number
  /** Counts the versions of tables that came one after the other at one offset, from 0. */
  readonly step: number
  /** Position in the broadcast topic, the next offset to apply, by topic. */
  readonly broadcasts: Readonly<Record<string, number>>
  /** Version by reference table. */
  readonly references: Readonly<Record<string, number>>
  /** The arrival clock that ticks had reached. */
  readonly tickMs: EpochMs
}

export interface Claim {
  readonly epoch: number
  readonly nextOffset: number
  readonly watermarkMs: EpochMs
  /** Offset that the stored snapshot stands for; 0 where there is none. */
  readonly snapshotOffset: number
  /** Entries that hold at or after `snapshotOffset`, ordered by offset and step. */
  readonly journal: readonly JournalEntry[]
  /** Alerts that were recorded, and that nobody confirmed to have been told; newest revision of each. */
  readonly untold: readonly Alert[]
}

export interface DeadLetter {
  readonly id: string
  readonly topic: string
  readonly receivedAtMs: EpochMs
  readonly tenantId: string
  readonly door: string
  readonly code: string
  readonly message: string
  /** JSON pointer to the offending value; empty for the whole event. */
  readonly path: string
  /** The bytes as they came: text, or base64 where they are not text. */
  readonly raw: string
  readonly rawEncoding: 'text' | 'base64'
  /** Where the log holds it, if it got that far. */
  readonly position: Position | null
}

export interface OutboxEntry {
  /** Derived from position: the same effect has the same id in every attempt. */
  readonly id: string
  readonly kind: string
  readonly tenantId: string
  readonly payload: Readonly<Record<string, unknown>>
}

/** One sliding window of one partition; partitions merge on read. */
export interface WindowResult {
  readonly window: string
  /** Stretch of event time with a watermark of its own; results of one window are merged over eras. */
  readonly era: number
  readonly group: string
  readonly tenantId: string
  /** `[startMs, endMs)` in event time. */
  readonly startMs: EpochMs
  readonly endMs: EpochMs
  readonly values: Readonly<Record<string, unknown>>
  /** The same for the same keys: tells history that came twice from two fleets. Null where keys don't count. */
  readonly keysHash: number | null
  readonly revision: number
  readonly final: boolean
}

export interface Checkpoint {
  readonly task: TaskId
  readonly epoch: number
  /** `[fromOffset, toOffset)` of the partition. */
  readonly fromOffset: number
  readonly toOffset: number
  readonly watermarkMs: EpochMs
  readonly archive: readonly ArchiveChunk[]
  readonly alerts: readonly Alert[]
  /**
   * Ids of alerts, of this checkpoint or before, of which nobody has confirmed yet that they were told:
   * whoever claims the task next tells them again. Replaces what the checkpoint before said.
   */
  readonly untold: readonly string[]
  readonly deadLetters: readonly DeadLetter[]
  readonly outbox: readonly OutboxEntry[]
  readonly windows: readonly WindowResult[]
  /** In the order in which they came to be; of one row the last counts. */
  readonly rows: readonly RowChange[]
  /** Only where something changed since the entry before. */
  readonly journal: readonly JournalEntry[]
  /** Memory that it holds until it is committed. */
  readonly bytes: number
}

export interface SnapshotEntry {
  readonly key: string
  /** JSON; null where the key was forgotten. */
  readonly state: string | null
}

export interface Snapshot {
  readonly task: TaskId
  readonly epoch: number
  /** State after every event below this offset. */
  readonly offset: number
  /** Keys changed since the snapshot before. */
  readonly entries: readonly SnapshotEntry[]
}

export type CommitOutcome = 'committed' | 'fenced'

/** Events of one partition, `[fromOffset, toOffset)`. */
export interface ArchiveRange {
  readonly partition: number
  readonly fromOffset: number
  readonly toOffset: number
  /** The topic's own columns that are wanted, the others being null; absent: all. Names that there are not change nothing. */
  readonly columns?: readonly string[]
  /** Events of this entity alone; absent: all. */
  readonly entity?: string
}

export interface CheckpointStore {
  /** Creates or extends the archive table of a topic, and its time partitions ahead of time. */
  ensureArchive(layout: ArchiveLayout): Promise<void>
  archiveEncoder<E>(table: ArchiveTable<E>): ArchiveEncoder<E>
  /** Takes the partition over: from now on whoever held it before is fenced. */
  claim(task: TaskId): Promise<Claim>
  /** The stored snapshot, key by key; later entries of a key replace earlier ones. */
  snapshotEntries(task: TaskId): AsyncIterable<readonly SnapshotEntry[]>
  /**
   * One transaction. `fenced` where epoch or offset are no longer ours: nothing was written.
   * An unclear end (connection lost) is resolved by reading epoch and offset back.
   * Rejects with `database-unavailable` (retry later): the same content may be committed again.
   */
  commit(checkpoint: Checkpoint): Promise<CommitOutcome>
  /** A commit may wait a moment for others to share its transaction; after this call those under way don't. */
  hurry(): void
  /** Fenced alike; never ahead of `next_offset`. */
  saveSnapshot(snapshot: Snapshot): Promise<CommitOutcome>
  /** Lowest offset that a restart could still need from the log, by partition. */
  keepFromOffset(task: TaskId): Promise<number>
  /** Archived events of one partition in offset order. */
  readArchive<E>(
    table: ArchiveTable<E>,
    range: ArchiveRange,
  ): AsyncIterable<readonly ArchivedEvent<E>[]>
  /** Everything the journal of a task still holds, ordered. */
  journal(task: TaskId): Promise<readonly JournalEntry[]>
  close(): Promise<void>
}
