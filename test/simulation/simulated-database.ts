// A checkpoint store in memory with the rules of the real one: one transaction a commit, fenced by epoch
// and offset, and nothing written where the fence says no.

import { PlatformError } from '../../src/kernel/errors.ts'
import type { Alert } from '../../src/ports/alert.ts'
import type { ArchivedEvent, ArchiveTable } from '../../src/ports/archive.ts'
import type {
  ArchiveRange,
  Checkpoint,
  CheckpointStore,
  Claim,
  CommitOutcome,
  DeadLetter,
  JournalEntry,
  OutboxEntry,
  Snapshot,
  SnapshotEntry,
  TaskId,
  WindowResult,
} from '../../src/ports/checkpoint-store.ts'
import { type RowChange, rowId } from '../../src/ports/row-table.ts'
import { columnValues, fromColumnValues } from '../../src/streams/event-values.ts'
import { columnsOf, type MemoryRow, memoryEncoder, rowsOf } from './memory-encoder.ts'

/** Snapshot entries that one read brings. */
const SNAPSHOT_PAGE = 3
/** Archived events that one read brings. */
const ARCHIVE_PAGE = 1_000

export interface TaskRow {
  epoch: number
  nextOffset: number
  watermarkMs: number
  snapshotOffset: number
  untold: readonly string[]
  readonly snapshot: Map<string, string>
  readonly journal: Map<string, JournalEntry>
}

export const nameOf = ({ pipeline, partition }: TaskId): string => `${pipeline}/${partition}`

/** Sees every transaction in the moment in which it becomes durable. */
export interface Witness {
  afterClaim(task: TaskId, claim: Claim): void
  afterCommit(checkpoint: Checkpoint, outcome: CommitOutcome): void
  afterSnapshot(snapshot: Snapshot, outcome: CommitOutcome): void
}

/** What survives every crash. */
export class SimulatedDatabase {
  witness: Witness | null = null
  readonly tasks = new Map<string, TaskRow>()
  /** Rows by table, partition and offset. */
  readonly archive = new Map<string, MemoryRow>()
  readonly alerts = new Map<string, Alert>()
  /** By id and revision. */
  readonly transitions = new Map<string, Alert>()
  readonly deadLetters = new Map<string, DeadLetter>()
  readonly outbox = new Map<string, OutboxEntry>()
  /** By window, tenant, start, group and partition. */
  readonly windows = new Map<string, WindowResult>()
  /** Durable rows by table, tenant and key. */
  readonly rows = new Map<string, RowChange>()

  taskOf(id: TaskId): TaskRow {
    let row = this.tasks.get(nameOf(id))
    if (row === undefined) {
      row = {
        epoch: 0,
        nextOffset: 0,
        watermarkMs: 0,
        snapshotOffset: 0,
        untold: [],
        snapshot: new Map(),
        journal: new Map(),
      }
      this.tasks.set(nameOf(id), row)
    }
    return row
  }

  claim(id: TaskId): Claim {
    const row = this.taskOf(id)
    row.epoch++
    const { epoch, nextOffset, watermarkMs, snapshotOffset } = row
    const journal = this.journal(id)
    const first = journal.findLastIndex((entry) => entry.offset < snapshotOffset)
    const claim: Claim = {
      epoch,
      nextOffset,
      watermarkMs,
      snapshotOffset,
      journal: journal.slice(Math.max(0, first)),
      untold: row.untold.flatMap((alertId) => this.alerts.get(alertId) ?? []),
    }
    this.witness?.afterClaim(id, claim)
    return claim
  }

  journal(id: TaskId): readonly JournalEntry[] {
    return [...this.taskOf(id).journal.values()].sort(
      (a, b) => a.offset - b.offset || a.step - b.step,
    )
  }

  commit(checkpoint: Checkpoint): CommitOutcome {
    const outcome = this.#commit(checkpoint)
    this.witness?.afterCommit(checkpoint, outcome)
    return outcome
  }

  #commit(checkpoint: Checkpoint): CommitOutcome {
    const row = this.taskOf(checkpoint.task)
    const { epoch, fromOffset, toOffset } = checkpoint
    if (row.epoch !== epoch || row.nextOffset !== fromOffset) {
      // Only the owner of an epoch moves its offset: this is a repeat of what it committed.
      return row.epoch === epoch && row.nextOffset === toOffset ? 'committed' : 'fenced'
    }
    this.#refuseRepeatedRows(checkpoint)
    row.nextOffset = toOffset
    row.watermarkMs = checkpoint.watermarkMs
    row.untold = checkpoint.untold
    this.#write(checkpoint)
    return 'committed'
  }

  #putRow(change: RowChange): void {
    const { table, values } = change
    const known = this.rows.get(rowId(change))?.values
    const columnAt = (name: string): number => table.columns.findIndex((each) => each.name === name)
    if (known != null && table.newestBy !== undefined) {
      const at = columnAt(table.newestBy)
      if (Number(values?.[at]) < Number(known[at])) return
    }
    const kept = (table.keptWhereNull ?? []).map(columnAt)
    const merged = values?.map((value, at) => (kept.includes(at) ? (value ?? known?.[at]) : value))
    this.rows.set(rowId(change), { ...change, values: merged ?? null })
  }

  saveSnapshot(snapshot: Snapshot): CommitOutcome {
    const outcome = this.#saveSnapshot(snapshot)
    this.witness?.afterSnapshot(snapshot, outcome)
    return outcome
  }

  #saveSnapshot(snapshot: Snapshot): CommitOutcome {
    const row = this.taskOf(snapshot.task)
    if (row.epoch !== snapshot.epoch || row.nextOffset < snapshot.offset) return 'fenced'
    row.snapshotOffset = snapshot.offset
    for (const { key, state } of snapshot.entries) {
      if (state === null) row.snapshot.delete(key)
      else row.snapshot.set(key, state)
    }
    return 'committed'
  }

  #refuseRepeatedRows({ archive }: Checkpoint): void {
    for (const chunk of archive) {
      for (const row of rowsOf([chunk])) {
        if (!this.archive.has(rowName(chunk.table, row))) continue
        throw new PlatformError('database-failed', `${rowName(chunk.table, row)} is there twice.`, {
          retry: 'never',
        })
      }
    }
  }

  #write(checkpoint: Checkpoint): void {
    const { partition } = checkpoint.task
    for (const chunk of checkpoint.archive) {
      for (const row of rowsOf([chunk])) this.archive.set(rowName(chunk.table, row), row)
    }
    for (const alert of checkpoint.alerts) {
      const transition = `${alert.id} ${alert.revision}`
      if (!this.transitions.has(transition)) this.transitions.set(transition, alert)
      if ((this.alerts.get(alert.id)?.revision ?? 0) < alert.revision) {
        this.alerts.set(alert.id, alert)
      }
    }
    for (const letter of checkpoint.deadLetters) {
      if (!this.deadLetters.has(letter.id)) this.deadLetters.set(letter.id, letter)
    }
    for (const entry of checkpoint.outbox) {
      if (!this.outbox.has(entry.id)) this.outbox.set(entry.id, entry)
    }
    for (const result of checkpoint.windows) {
      const name = windowName(result, partition)
      if ((this.windows.get(name)?.revision ?? 0) < result.revision) this.windows.set(name, result)
    }
    for (const change of checkpoint.rows) {
      if (change.values === null) this.rows.delete(rowId(change))
      else this.#putRow(change)
    }
    const row = this.taskOf(checkpoint.task)
    for (const entry of checkpoint.journal) {
      row.journal.set(`${entry.offset}/${entry.step}`, entry)
    }
  }
}

export function rowName(table: string, row: Pick<MemoryRow, 'partition' | 'offset'>): string {
  return `${table}/${row.partition}/${row.offset}`
}

export function windowName(result: WindowResult, partition: number): string {
  const { window, era, tenantId, startMs, group } = result
  return JSON.stringify([window, tenantId, startMs, group, era, partition])
}

/** A process's way to the database. */
export function simulatedStore(database: SimulatedDatabase): CheckpointStore {
  let closed = false
  const open = (): SimulatedDatabase => {
    if (!closed) return database
    throw new PlatformError('database-unavailable', 'The store is closed.', { retry: 'later' })
  }
  return {
    async ensureArchive() {
      open()
    },
    archiveEncoder: memoryEncoder,
    claim: async (task) => open().claim(task),
    async *snapshotEntries(task) {
      const entries = [...open().taskOf(task).snapshot].map(
        ([key, state]): SnapshotEntry => ({ key, state }),
      )
      for (let from = 0; from < entries.length; from += SNAPSHOT_PAGE) {
        yield entries.slice(from, from + SNAPSHOT_PAGE)
      }
    },
    commit: async (checkpoint) => open().commit(checkpoint),
    hurry: () => undefined,
    saveSnapshot: async (snapshot) => open().saveSnapshot(snapshot),
    async keepFromOffset(task) {
      const { nextOffset, snapshotOffset } = open().taskOf(task)
      return Math.min(nextOffset, snapshotOffset)
    },
    async *readArchive<E>(
      table: ArchiveTable<E>,
      range: ArchiveRange,
    ): AsyncIterable<readonly ArchivedEvent<E>[]> {
      const prefix = `${table.name}/${range.partition}/`
      const rows = [...open().archive]
        .filter(([name]) => name.startsWith(prefix))
        .map(([, row]) => readRow(table, row, range.columns))
        .filter(({ offset }) => offset >= range.fromOffset && offset < range.toOffset)
        .filter(({ event }) => isOf(table, event, range.entity))
        .sort((a, b) => a.offset - b.offset)
      for (let from = 0; from < rows.length; from += ARCHIVE_PAGE) {
        yield rows.slice(from, from + ARCHIVE_PAGE)
      }
    },
    journal: async (task) => open().journal(task),
    async close() {
      closed = true
    },
  }
}

function isOf<E>(table: ArchiveTable<E>, event: E, entity: string | undefined): boolean {
  if (entity === undefined) return true
  const at = table.columns.findIndex(({ name }) => name === table.entityColumn)
  return columnValues(table, event)[at] === entity
}

function readRow<E>(
  table: ArchiveTable<E>,
  row: MemoryRow,
  wanted: readonly string[] | undefined,
): ArchivedEvent<E> {
  const values = columnsOf(row).map((value, index) =>
    wanted === undefined || wanted.includes(table.columns[index]?.name ?? '') ? value : null,
  )
  const event = fromColumnValues(table, values)
  return { ...row, event: row.eventId === null ? event : { ...event, eventId: row.eventId } }
}
