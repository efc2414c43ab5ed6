// What a task gathers while it works through a batch, and that leaves it in one piece: archived rows, alerts,
// dead letters, effects, durable rows, counts. What a key published is noted with the key.

import { assert } from '../kernel/errors.ts'
import { DEFAULT_TENANT } from '../kernel/tenants.ts'
import type { EpochMs } from '../kernel/time.ts'
import type { Alert } from '../ports/alert.ts'
import type { ArchiveEncoder, EventFlag } from '../ports/archive.ts'
import type { DeadLetter, OutboxEntry } from '../ports/checkpoint-store.ts'
import type { LogRecord } from '../ports/log.ts'
import { type RowChange, rowId } from '../ports/row-table.ts'
import { type BatchOutput, noCounts } from './batch.ts'
import { openRows, type RowsById } from './durable-rows.ts'
import {
  type Cause,
  type Episode,
  type PartitionPlace,
  type PublishedEpisode,
  toAlert,
} from './episode.ts'
import type { KeySlot } from './key-slot.ts'
import type { Pipeline } from './pipeline.ts'
import type { ContextSink } from './task-context.ts'
import type { StreamEvent } from './topic.ts'

const NO_ROWS: readonly RowChange[] = []

export interface TaskOutputOptions<E extends StreamEvent, S> {
  readonly place: PartitionPlace
  readonly pipeline: Pipeline<E, S>
  readonly encoder: ArchiveEncoder<E>
}

export class TaskOutput<E extends StreamEvent, S> implements ContextSink {
  readonly #place: PartitionPlace
  readonly #pipeline: Pipeline<E, S>
  readonly #encoder: ArchiveEncoder<E>
  #slot: KeySlot<E, S> | null = null
  #cause: Cause = { offset: 0, receivedAtMs: 0, tenantId: DEFAULT_TENANT }
  #alerts: Alert[] = []
  #deadLetters: DeadLetter[] = []
  #outbox: OutboxEntry[] = []
  #rows: RowsById = new Map()
  #counts = noCounts()

  constructor({ place, pipeline, encoder }: TaskOutputOptions<E, S>) {
    this.#place = place
    this.#pipeline = pipeline
    this.#encoder = encoder
  }

  /** Of the batch so far; to be counted up. */
  get counts(): ReturnType<typeof noCounts> {
    return this.#counts
  }

  /** Alerts so far. */
  get alertCount(): number {
    return this.#alerts.length
  }

  /** Effects asked for so far. */
  get effectCount(): number {
    return this.#outbox.length
  }

  /** What comes from here on concerns this key. */
  begin(slot: KeySlot<E, S>, cause: Cause): void {
    this.#slot = slot
    this.#cause = cause
  }

  /** The same where no event of the key is the cause: a record of a broadcast topic, or the passing of time. */
  beginAfterLast(slot: KeySlot<E, S>, receivedAtMs: EpochMs): void {
    this.begin(slot, { offset: slot.lastOffset, receivedAtMs, tenantId: slot.tenantId })
  }

  archive(
    { offset, receivedAtMs, tenantId }: Pick<LogRecord, 'offset' | 'receivedAtMs' | 'tenantId'>,
    event: E,
    flags: readonly EventFlag[] | null,
  ): void {
    this.#encoder.add(
      {
        partition: this.#place.partition,
        offset,
        receivedAtMs,
        tenantId,
        eventId: event.eventId,
        flags,
      },
      event,
      this.#pipeline.topic.keyOf(event),
    )
  }

  deadLetter(letter: DeadLetter): void {
    this.#deadLetters.push(letter)
  }

  publish(episode: Episode): void {
    const slot = this.#slot
    assert(slot !== null, 'An episode was published outside of an event.')
    const index = slot.published.findIndex((known) => known.episode.id === episode.id)
    const revision = (slot.published[index]?.revision ?? 0) + 1
    const published = { episode: { ...episode }, revision, withdrawn: false }
    slot.published =
      index === -1 ? [...slot.published, published] : slot.published.with(index, published)
    this.#emit(published)
  }

  /** Takes back what a late event undid. */
  withdraw(known: PublishedEpisode): void {
    const slot = this.#slot
    assert(slot !== null, 'An episode was withdrawn outside of an event.')
    const episode: Episode = {
      ...known.episode,
      status: 'resolved',
      endsAtMs: known.episode.startsAtMs,
      updatedAtMs: slot.headTimeMs,
      closedBy: this.#cause.offset,
    }
    const withdrawn = { episode, revision: known.revision + 1, withdrawn: true }
    slot.published = slot.published.map((each) => (each === known ? withdrawn : each))
    this.#emit(withdrawn)
  }

  effect(entry: OutboxEntry, offset: number): void {
    const slot = this.#slot
    assert(slot !== null, 'An effect was asked for outside of an event.')
    slot.effects ??= new Map()
    if (slot.effects.has(entry.id)) return
    slot.effects.set(entry.id, offset)
    this.#outbox.push(entry)
  }

  row(change: RowChange): void {
    const slot = this.#slot
    // Where nothing is computed again, no row is found to have been put in error.
    if (slot !== null && this.#pipeline.takesLateEvents !== true) {
      slot.rows ??= new Map()
      slot.rows.set(rowId(change), change.offset)
    }
    this.amendRow(change)
  }

  /** A row whose offset is noted with the key already. */
  amendRow(change: RowChange): void {
    this.#rows.set(rowId(change), change)
  }

  /** Nobody knows when the key speaks again: what it had begun is written as far as it got. */
  putOpenRows(slot: KeySlot<E, S>): void {
    if (this.#pipeline.rows === undefined) return
    const { key, tenantId, lastOffset: offset } = slot
    const open = openRows(this.#pipeline, { key, tenantId, state: slot.head.state, offset })
    const { newestOffset } = slot.tail
    for (const [id, change] of open) {
      if (newestOffset !== undefined) {
        slot.rows ??= new Map()
        slot.rows.set(id, newestOffset)
      }
      this.#rows.set(id, change)
    }
  }

  /** All of it, and begins the next. */
  take(
    about: Omit<BatchOutput, 'archive' | 'alerts' | 'deadLetters' | 'outbox' | 'rows' | 'counts'>,
  ): BatchOutput {
    const output: BatchOutput = {
      archive: this.#encoder.pendingBytes > 0 ? [this.#encoder.take()] : [],
      alerts: this.#alerts,
      deadLetters: this.#deadLetters,
      outbox: this.#outbox,
      rows: this.#rows.size === 0 ? NO_ROWS : [...this.#rows.values()],
      counts: this.#counts,
      ...about,
    }
    this.#alerts = []
    this.#deadLetters = []
    this.#outbox = []
    if (this.#rows.size > 0) this.#rows = new Map()
    this.#counts = noCounts()
    return output
  }

  #emit(published: PublishedEpisode): void {
    this.#alerts.push(toAlert(this.#place, published, this.#cause))
  }
}
