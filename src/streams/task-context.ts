// What a pipeline's functions see and may do while the task calls them. One object a task, changed
// between calls, so that the hot path allocates nothing for it.

import { derivedId } from '../kernel/ids.ts'
import type { EpochMs } from '../kernel/time.ts'
import type { OutboxEntry } from '../ports/checkpoint-store.ts'
import { type RowChange, type RowTable, rowId } from '../ports/row-table.ts'
import { type RowsById, rowChange } from './durable-rows.ts'
import { type Episode, episodeId, type PartitionPlace } from './episode.ts'
import type { EventTimer, Frame, KeySlot } from './key-slot.ts'
import type { EventContext } from './pipeline.ts'
import type { StreamEvent } from './topic.ts'

/** Tables that tasks hold: reference data and broadcast topics. */
export interface SharedTables {
  readonly references: ReadonlyMap<string, unknown>
  readonly broadcasts: ReadonlyMap<string, unknown>
}

export interface ContextSink {
  publish(episode: Episode): void
  /** Asked for by the event at `offset`; the same effect may be asked for again when history is rewritten. */
  effect(entry: OutboxEntry, offset: number): void
  row(change: RowChange): void
}

/** What comes out when history is computed again. */
export interface Rebuilt {
  readonly closed: Episode[]
  readonly rows: RowsById | null
}

export class TaskContext<E extends StreamEvent, S> implements EventContext<E> {
  readonly #place: PartitionPlace
  readonly #tables: SharedTables
  readonly #sink: ContextSink
  #slot: KeySlot<E, S> | null = null
  #frame: Frame<S> | null = null
  /** Episodes closed while history is computed again; null while it is live. */
  #rebuilt: Episode[] | null = null
  /** Rows put while history is computed again, where somebody wants to know. */
  #rebuiltRows: RowsById | null = null
  eventTimeMs: EpochMs = 0
  offset = 0
  /** Where the event of the call stands in its key's tail. */
  tailIndex = 0
  /** What the call is about where it is no event of the key: tells apart what comes of one event's aftermath. */
  #occasion: string | null = null

  constructor(place: PartitionPlace, tables: SharedTables, sink: ContextSink) {
    this.#place = place
    this.#tables = tables
    this.#sink = sink
  }

  /** Live: what is published leaves the task. */
  enter(slot: KeySlot<E, S>, frame: Frame<S>): void {
    this.#slot = slot
    this.#frame = frame
    this.#rebuilt = null
    this.#rebuiltRows = null
    this.#occasion = null
  }

  /** Live, but for no event of the key: a record of a broadcast topic, or a deadline. */
  enterOccasion(slot: KeySlot<E, S>, occasion: string): void {
    this.enter(slot, slot.head)
    this.#occasion = occasion
  }

  /** Computing again: nothing leaves; closed episodes are gathered for comparison. */
  enterRebuild(slot: KeySlot<E, S>, frame: Frame<S>, rebuilt: Rebuilt): void {
    this.enter(slot, frame)
    this.#rebuilt = rebuilt.closed
    this.#rebuiltRows = rebuilt.rows
  }

  get key(): string {
    return this.#slot?.key ?? ''
  }

  get tenantId(): string {
    return this.#slot?.tenantId ?? ''
  }

  reference(table: string): unknown {
    return this.#tables.references.get(table)
  }

  broadcast(topic: string): unknown {
    return this.#tables.broadcasts.get(topic)
  }

  previous(): E | null {
    return this.#slot?.tail.before(this.tailIndex)?.event ?? null
  }

  setTimer(name: string, atMs: EpochMs): void {
    this.#setTimers([...this.#timers().filter((timer) => timer.name !== name), { name, atMs }])
  }

  clearTimer(name: string): void {
    const timers = this.#timers()
    if (timers.some((timer) => timer.name === name)) {
      this.#setTimers(timers.filter((timer) => timer.name !== name))
    }
  }

  openEpisode(episode: Episode): void {
    episode.openedBy = this.offset
    const kept = this.#slot?.aliases?.get(openerOf(episode))
    episode.id = kept ?? this.#idOf(episode)
    this.publishEpisode(episode)
  }

  publishEpisode(episode: Episode): void {
    episode.closedBy = episode.endsAtMs === null ? null : this.offset
    if (this.#rebuilt === null) this.#sink.publish(episode)
    else if (episode.endsAtMs !== null) this.#rebuilt.push(episode)
  }

  put<R>(table: RowTable<R>, row: R): void {
    if (this.#rebuilt === null) this.#sink.row(rowChange(this, table, row))
    else if (this.#rebuiltRows !== null) {
      const change = rowChange(this, table, row)
      this.#rebuiltRows.set(rowId(change), change)
    }
  }

  effect(name: string, payload: OutboxEntry['payload']): void {
    const { topic, partition } = this.#place
    const id =
      this.#occasion === null
        ? derivedId('effect', topic, partition, this.offset, this.key, name)
        : derivedId('effect', topic, partition, this.offset, this.key, name, this.#occasion)
    this.#sink.effect({ id, kind: name, tenantId: this.tenantId, payload }, this.offset)
  }

  #idOf(episode: Episode): string {
    const id = episodeId(this.#place, episode)
    return this.#occasion === null ? id : derivedId('alert-occasion', id, this.#occasion)
  }

  #timers(): readonly EventTimer[] {
    return this.#frame?.timers ?? []
  }

  #setTimers(timers: readonly EventTimer[]): void {
    if (this.#frame !== null) this.#frame.timers = timers
  }
}

/** Names the opener of an episode among all openers of a key. */
export function openerOf(episode: Pick<Episode, 'openedBy' | 'rule' | 'instance'>): string {
  return `${episode.openedBy}|${episode.rule}|${episode.instance}`
}
