// Watches the simulated world while it runs, not only at its end: what a zombie spoils may be mended by the
// time all is quiet. Looks at what is durable, and believes nothing that the engine says of it.

import { derivedId } from '../../src/kernel/ids.ts'
import type { Alert } from '../../src/ports/alert.ts'
import type {
  Checkpoint,
  Claim,
  CommitOutcome,
  Snapshot,
  TaskId,
} from '../../src/ports/checkpoint-store.ts'
import type { LogRecord } from '../../src/ports/log.ts'
import { decodeRecord } from '../../src/streams/decode.ts'
import type { AnyPipeline } from '../../src/streams/pipeline.ts'
import { rowsOf } from './memory-encoder.ts'
import {
  nameOf,
  rowName,
  type SimulatedDatabase,
  type Witness,
  windowName,
} from './simulated-database.ts'

/** A few are enough to see what is wrong. */
const MAX_VIOLATIONS = 10

export class Auditor implements Witness {
  readonly violations: string[] = []
  readonly #pipeline: AnyPipeline
  readonly #database: SimulatedDatabase
  /** Every record that was ever in the log, by partition, whatever was dropped since. */
  readonly log: LogRecord[][]
  readonly #offsets = new Map<string, number>()
  readonly #epochs = new Map<string, number>()
  readonly #published = new Map<string, string>()
  readonly #revisions = new Map<string, number>()
  readonly #windows = new Map<string, number>()
  #commits = 0

  constructor(pipeline: AnyPipeline, database: SimulatedDatabase, partitions: number) {
    this.#pipeline = pipeline
    this.#database = database
    this.log = Array.from({ length: partitions }, () => [])
  }

  get commits(): number {
    return this.#commits
  }

  get told(): number {
    return this.#published.size
  }

  report(violation: string): void {
    if (this.violations.length < MAX_VIOLATIONS) this.violations.push(violation)
  }

  #expect(holds: boolean, violation: () => string): void {
    if (!holds) this.report(violation())
  }

  afterClaim(task: TaskId, claim: Claim): void {
    const name = nameOf(task)
    this.#expect(
      claim.epoch > (this.#epochs.get(name) ?? 0),
      () => `${name}: epoch ${claim.epoch} was given twice`,
    )
    this.#epochs.set(name, claim.epoch)
    const before = this.#offsets.get(name) ?? 0
    this.#expect(claim.nextOffset >= before, () => `${name}: the offset fell from ${before}`)
    this.#expectArchived(task.partition, before, claim.nextOffset)
    this.#offsets.set(name, claim.nextOffset)
    this.#expect(
      claim.snapshotOffset <= claim.nextOffset,
      () => `${name}: the snapshot at ${claim.snapshotOffset} is ahead of ${claim.nextOffset}`,
    )
  }

  published(alerts: readonly Alert[]): void {
    for (const alert of alerts) {
      const name = `${alert.id} ${alert.revision}`
      const known = this.#published.get(name)
      const text = JSON.stringify(alert)
      this.#expect(
        known === undefined || known === text,
        () => `${name} was told in two versions: ${known} and ${text}`,
      )
      this.#published.set(name, text)
      this.#expect(
        alert.changedBy.offset < (this.log[alert.changedBy.partition]?.length ?? 0),
        () => `${name} was told of an event that the log does not hold`,
      )
    }
  }

  afterCommit(checkpoint: Checkpoint, outcome: CommitOutcome): void {
    this.#commits++
    const name = nameOf(checkpoint.task)
    const { nextOffset } = this.#database.taskOf(checkpoint.task)
    const before = this.#offsets.get(name) ?? 0
    this.#expect(
      nextOffset >= before,
      () => `${name}: the offset fell from ${before} to ${nextOffset}`,
    )
    if (outcome === 'fenced') {
      this.#expect(nextOffset === before, () => `${name}: a fenced commit moved the offset`)
      this.#expectNothingAhead(checkpoint, nextOffset)
      return
    }
    this.#offsets.set(name, Math.max(before, nextOffset))
    this.#expect(
      checkpoint.epoch === this.#database.taskOf(checkpoint.task).epoch,
      () => `${name}: an owner of old, of epoch ${checkpoint.epoch}, committed`,
    )
    this.#expectArchived(checkpoint.task.partition, before, nextOffset)
    this.#expectNothingAhead(checkpoint, nextOffset)
    for (const alert of checkpoint.alerts) this.#afterAlert(alert, nextOffset)
    for (const result of checkpoint.windows) {
      const window = windowName(result, checkpoint.task.partition)
      const revision = this.#database.windows.get(window)?.revision ?? 0
      this.#expect(
        revision >= (this.#windows.get(window) ?? 1),
        () => `${name}: window ${window} lost a revision`,
      )
      this.#windows.set(window, revision)
    }
    for (const { offset } of checkpoint.journal) {
      this.#expect(
        offset >= checkpoint.fromOffset && offset <= checkpoint.toOffset,
        () => `${name}: a journal entry at ${offset} lies outside of its commit`,
      )
    }
  }

  afterSnapshot(snapshot: Snapshot, outcome: CommitOutcome): void {
    if (outcome === 'fenced') return
    const name = nameOf(snapshot.task)
    const { nextOffset, epoch } = this.#database.taskOf(snapshot.task)
    this.#expect(
      snapshot.offset <= nextOffset,
      () => `${name}: a snapshot at ${snapshot.offset} is ahead of ${nextOffset}`,
    )
    this.#expect(snapshot.epoch === epoch, () => `${name}: an owner of old saved a snapshot`)
  }

  /**
   * Everything told to the world has been recorded by now, what was recorded has been told as it stands, and
   * all that the log holds is archived.
   */
  atTheEnd(): void {
    for (const { id, revision } of this.#database.alerts.values()) {
      const name = `${id} ${revision}`
      this.#expect(this.#published.has(name), () => `${name} was recorded and never told`)
    }
    for (const [name, text] of this.#published) {
      const recorded = this.#database.transitions.get(name)
      this.#expect(recorded !== undefined, () => `${name} was told and never recorded: ${text}`)
      this.#expect(
        recorded === undefined || JSON.stringify(recorded) === text,
        () => `${name} was recorded otherwise than it was told: ${text}`,
      )
    }
    for (const [partition, records] of this.log.entries()) {
      const { nextOffset } = this.#database.taskOf({ pipeline: this.#pipeline.name, partition })
      this.#expect(
        nextOffset === records.length,
        () => `partition ${partition} stands at ${nextOffset} of ${records.length}`,
      )
      this.#expectArchived(partition, 0, records.length)
    }
  }

  /** Each event of the range is archived as it was sent, or is a dead letter; nothing is missing. */
  #expectArchived(partition: number, fromOffset: number, toOffset: number): void {
    const { topic } = this.#pipeline
    for (let offset = fromOffset; offset < toOffset; offset++) {
      const record = this.log[partition]?.[offset]
      const row = this.#database.archive.get(rowName(topic.archive.name, { partition, offset }))
      const letter = this.#database.deadLetters.has(
        derivedId('dead-letter', topic.name, partition, offset),
      )
      if (record === undefined) {
        this.report(`${partition}/${offset} is committed, but the log does not hold it`)
        return
      }
      const decoded = decodeRecord(record, topic)
      this.#expect(
        letter !== decoded.ok,
        () => `${partition}/${offset} ${letter ? 'is' : 'is no'} dead letter`,
      )
      if (!decoded.ok) continue
      const same =
        row !== undefined &&
        row.receivedAtMs === record.receivedAtMs &&
        row.tenantId === record.tenantId &&
        JSON.stringify(row.event) === JSON.stringify(decoded.value)
      this.#expect(same, () => `${partition}/${offset} is not archived as it was sent`)
    }
  }

  #expectNothingAhead({ task, archive }: Checkpoint, nextOffset: number): void {
    for (const chunk of archive) {
      for (const row of rowsOf([chunk])) {
        const ahead =
          row.offset >= nextOffset && this.#database.archive.has(rowName(chunk.table, row))
        this.#expect(!ahead, () => `${nameOf(task)}: row ${row.offset} is ahead of ${nextOffset}`)
      }
    }
  }

  #afterAlert(alert: Alert, nextOffset: number): void {
    const name = `${alert.id} ${alert.revision}`
    const recorded = this.#database.transitions.get(name)
    this.#expect(recorded !== undefined, () => `${name} was committed and is not there`)
    this.#expect(
      JSON.stringify(recorded) === JSON.stringify(alert),
      () => `${name} was recorded in two versions`,
    )
    const newest = this.#revisions.get(alert.id) ?? 0
    this.#expect(
      alert.revision <= newest + 1,
      () => `${alert.id} skipped from revision ${newest} to ${alert.revision}`,
    )
    this.#revisions.set(alert.id, Math.max(newest, alert.revision))
    this.#expect(
      alert.position.offset < nextOffset && alert.changedBy.offset < nextOffset,
      () => `${name} is recorded, but its event is not archived`,
    )
  }
}
