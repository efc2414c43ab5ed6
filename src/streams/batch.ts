// What a task makes of a batch, before anything leaves the process.

import type { EpochMs } from '../kernel/time.ts'
import type { Alert } from '../ports/alert.ts'
import type { ArchiveChunk } from '../ports/archive.ts'
import type {
  DeadLetter,
  JournalEntry,
  OutboxEntry,
  WindowResult,
} from '../ports/checkpoint-store.ts'
import type { RowChange } from '../ports/row-table.ts'

/** What a batch may see besides its own events. */
export interface BatchInputs {
  /** Wall time that has surely passed, or null while the task lags: then only events move time. */
  readonly tickMs: EpochMs | null
  readonly references: readonly ReferenceVersion[]
  readonly broadcasts: readonly BroadcastProgress[]
}

export interface ReferenceVersion {
  readonly name: string
  readonly version: number
  readonly content: unknown
}

export interface BroadcastProgress {
  readonly topic: string
  /** Records from the position that the task has reached, in order. */
  readonly records: readonly {
    readonly offset: number
    readonly key: string
    readonly tenantId: string
    readonly receivedAtMs: EpochMs
    readonly value: unknown
  }[]
  readonly nextOffset: number
}

export const NO_INPUTS: BatchInputs = { tickMs: null, references: [], broadcasts: [] }

export interface BatchCounts {
  events: number
  duplicates: number
  late: number
  future: number
  rejected: number
  /** Events too late even to amend a window. */
  unwindowed: number
  /** Late events that were put where they belong. */
  reordered: number
}

export interface BatchOutput {
  readonly fromOffset: number
  readonly toOffset: number
  readonly watermarkMs: EpochMs
  readonly archive: readonly ArchiveChunk[]
  readonly alerts: readonly Alert[]
  readonly deadLetters: readonly DeadLetter[]
  readonly outbox: readonly OutboxEntry[]
  readonly windows: readonly WindowResult[]
  /** One a row at most: what a batch made of it in the end. */
  readonly rows: readonly RowChange[]
  readonly journal: readonly JournalEntry[]
  readonly counts: Readonly<BatchCounts>
  /** The passing of wall time, and no event, is why something was decided. */
  readonly causedByTick: boolean
}

export function noCounts(): BatchCounts {
  return { events: 0, duplicates: 0, late: 0, future: 0, rejected: 0, unwindowed: 0, reordered: 0 }
}
