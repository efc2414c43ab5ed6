// Puts each event where it belongs among those of its key: in order at the head, out of order into the tail, from
// which the head is then computed again and what was published of it amended.

import type { EpochMs } from '../kernel/time.ts'
import { amendRows, type RowsById } from './durable-rows.ts'
import {
  type Episode,
  episodeId,
  type PartitionPlace,
  reconcile,
  splitEpisodeId,
} from './episode.ts'
import type { TailEvent } from './event-tail.ts'
import {
  advanceBase,
  DISORDER_ALLOWANCE_MS,
  type Frame,
  firstFrame,
  type KeySlot,
  MAX_TAIL_EVENTS,
  settle,
  settleInPlace,
  shortenTail,
} from './key-slot.ts'
import type { Pipeline } from './pipeline.ts'
import { openerOf, type Rebuilt, type TaskContext } from './task-context.ts'
import type { TaskOutput } from './task-output.ts'
import type { StreamEvent } from './topic.ts'

export interface KeyTimelineOptions<E extends StreamEvent, S> {
  readonly place: PartitionPlace
  readonly pipeline: Pipeline<E, S>
  readonly context: TaskContext<E, S>
  readonly output: TaskOutput<E, S>
}

export class KeyTimeline<E extends StreamEvent, S> {
  readonly #place: PartitionPlace
  readonly #pipeline: Pipeline<E, S>
  readonly #context: TaskContext<E, S>
  readonly #output: TaskOutput<E, S>
  readonly #copy: (frame: Frame<S>, spare?: Frame<S>) => Frame<S>

  constructor({ place, pipeline, context, output }: KeyTimelineOptions<E, S>) {
    this.#place = place
    this.#pipeline = pipeline
    this.#context = context
    this.#output = output
    this.#copy = ({ state, timers }, spare) => {
      if (spare === undefined) return { state: pipeline.copyState(state), timers }
      spare.state = pipeline.copyState(state, spare.state)
      spare.timers = timers
      return spare
    }
  }

  /** Gives the event to its key's state. True where it came too late. */
  add(slot: KeySlot<E, S>, entry: TailEvent<E>): boolean {
    return this.#pipeline.takesLateEvents === true
      ? this.#applyAtHead(slot, entry)
      : !this.#insert(slot, entry)
  }

  /** Makes the present what nothing goes back behind: what comes out of order from before is late. */
  settle(slot: KeySlot<E, S>): void {
    settle(slot, this.#copy)
  }

  /** Computes head and mid from base and tail, where a snapshot did not hold them. */
  restore(slot: KeySlot<E, S>): void {
    this.#rebuild(slot, nothingAsked())
  }

  /** Applies the event in order, or where it belongs; false where it is too old for that. */
  #insert(slot: KeySlot<E, S>, entry: TailEvent<E>): boolean {
    if (entry.eventTimeMs >= slot.headTimeMs) {
      advanceBase(slot, this.#copy)
      this.#makeRoom(slot)
      slot.tail.push(entry)
      slot.headTimeMs = entry.eventTimeMs
      this.#context.enter(slot, slot.head)
      this.#apply(slot.head, entry, slot.tail.length - 1)
      return true
    }
    this.#makeRoom(slot)
    if (entry.eventTimeMs < slot.baseTimeMs) return false
    this.#output.counts.reordered++
    const index = slot.tail.indexFor(entry.eventTimeMs)
    slot.tail.insert(index, entry)
    if (slot.mid !== null && index < slot.mid.index) {
      slot.mid = { ...slot.mid, index: slot.mid.index + 1 }
    }
    const closed: Episode[] = []
    const rows: RowsById = new Map()
    this.#rebuild(slot, { closed, rows })
    for (const change of amendRows(slot, this.#pipeline, rows)) this.#output.amendRow(change)
    const recomputed = [...closed, ...this.#pipeline.openEpisodes(slot.head.state)]
    this.#amend(slot, recomputed, entry.offset)
    return true
  }

  /** For states that order their events themselves: nothing is kept to go back to. True where it came too late. */
  #applyAtHead(slot: KeySlot<E, S>, entry: TailEvent<E>): boolean {
    const late = entry.eventTimeMs < slot.headTimeMs - DISORDER_ALLOWANCE_MS
    const eventTimeMs: EpochMs = Math.max(entry.eventTimeMs, slot.headTimeMs)
    this.#context.enter(slot, slot.head)
    this.#apply(slot.head, { ...entry, eventTimeMs }, 0)
    slot.headTimeMs = eventTimeMs
    settleInPlace(slot)
    return late
  }

  #makeRoom(slot: KeySlot<E, S>): void {
    if (slot.tail.length < MAX_TAIL_EVENTS) return
    slot.base ??= firstFrame(slot, this.#pipeline)
    const { base } = slot
    this.#context.enterRebuild(slot, base, nothingAsked())
    shortenTail(slot, base, (frame, entry, index) => this.#apply(frame, entry, index))
  }

  #apply(frame: Frame<S>, entry: TailEvent<E>, tailIndex: number): void {
    if (frame.timers.length > 0) this.#fireTimers(frame, entry)
    this.#context.eventTimeMs = entry.eventTimeMs
    this.#context.offset = entry.offset
    this.#context.tailIndex = tailIndex
    this.#pipeline.onEvent(frame.state, entry.event, this.#context)
  }

  /** Timers due at or before the event, in order of time, then name. */
  #fireTimers(frame: Frame<S>, entry: TailEvent<E>): void {
    this.#context.offset = entry.offset
    for (;;) {
      const due = frame.timers
        .filter((timer) => timer.atMs <= entry.eventTimeMs)
        .sort((a, b) => a.atMs - b.atMs || (a.name < b.name ? -1 : 1))[0]
      if (due === undefined) return
      frame.timers = frame.timers.filter((timer) => timer !== due)
      this.#context.eventTimeMs = due.atMs
      this.#pipeline.onTimer(frame.state, due.name, this.#context)
    }
  }

  /** Computes head and mid from base and tail; what comes out on the way is put into `rebuilt`. */
  #rebuild(slot: KeySlot<E, S>, rebuilt: Rebuilt): void {
    slot.head = slot.base === null ? firstFrame(slot, this.#pipeline) : this.#copy(slot.base)
    this.#context.enterRebuild(slot, slot.head, rebuilt)
    for (let index = 0; index <= slot.tail.length; index++) {
      if (slot.mid?.index === index) slot.mid = { ...slot.mid, frame: this.#copy(slot.head) }
      if (index < slot.tail.length) this.#apply(slot.head, slot.tail.at(index), index)
    }
    slot.headTimeMs = slot.tail.timeAt(slot.tail.length - 1) ?? slot.headTimeMs
  }

  /** Publishes how the episodes of a rewritten stretch of history differ from what was told of it. */
  #amend(slot: KeySlot<E, S>, recomputed: readonly Episode[], causedBy: number): void {
    const { amended, opened, withdrawn, renamed } = reconcile(
      slot.published,
      recomputed,
      (episode) => splitEpisodeId(this.#place, episode, causedBy),
    )
    const changes = [...amended, ...opened]
    for (const episode of changes.sort((a, b) => a.startsAtMs - b.startsAtMs)) {
      this.#output.publish(episode)
    }
    for (const known of withdrawn) this.#output.withdraw(known)
    if (!renamed) return
    for (const episode of recomputed) {
      if (episode.id === episodeId(this.#place, episode)) slot.aliases?.delete(openerOf(episode))
      else {
        slot.aliases ??= new Map()
        slot.aliases.set(openerOf(episode), episode.id)
      }
    }
    // Once more, so that the mid holds the ids that were published too.
    this.#rebuild(slot, nothingAsked())
  }
}

function nothingAsked(): Rebuilt {
  return { closed: [], rows: null }
}
