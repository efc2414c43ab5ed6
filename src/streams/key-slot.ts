// All that a task keeps of one key: its state now, and enough of the recent past to put an event that
// comes out of order where it belongs.
//
//   base ── tail[0] … tail[n-1] ──> head        head = base with the tail applied
//            ▲ mid (frame and index)             mid becomes the next base
//
// An event in order is applied to the head. One that is older than the head but not older than the base
// is put into the tail, and the head is computed again from there. The base trails by one to two
// allowances, so disorder within the allowance never shows in the result.

import type { DurationMs, EpochMs } from '../kernel/time.ts'
import type { Episode, PublishedEpisode } from './episode.ts'
import type { RecentIds } from './recent-ids.ts'
import type { StreamEvent } from './topic.ts'

/** Events of one key may come this far out of order without any effect on the result. */
export const DISORDER_ALLOWANCE_MS: DurationMs = 30_000
/** A tail never grows longer; beyond it the base moves on early. */
export const MAX_TAIL_EVENTS = 64

export interface EventTimer {
  readonly name: string
  readonly atMs: EpochMs
}

/** State at one moment of the key's event time. */
export interface Frame<S> {
  state: S
  timers: readonly EventTimer[]
}

export interface TailEvent<E> {
  readonly event: E
  /** Event time, clamped to the arrival where the device's clock runs ahead. */
  readonly eventTimeMs: EpochMs
  readonly offset: number
  readonly receivedAtMs: EpochMs
}

export interface Mid<S> {
  readonly frame: Frame<S>
  /** Tail events that are contained in the frame. */
  readonly index: number
  readonly timeMs: EpochMs
}

export interface KeySlot<E extends StreamEvent, S> {
  readonly key: string
  readonly tenantId: string
  base: Frame<S>
  /** Events older than this are late: archived, but without effect on the key's state. */
  baseTimeMs: EpochMs
  mid: Mid<S> | null
  head: Frame<S>
  /** Newest event time of the key. */
  headTimeMs: EpochMs
  tail: TailEvent<E>[]
  /** Episodes open at the base or opened since, as last published. */
  published: PublishedEpisode[]
  /** Ids kept by episodes that a late event gave another opener: offset of the opener and rule to id. */
  aliases: Map<string, string>
  recentIds: RecentIds | null
  lastReceivedAtMs: EpochMs
  lastOffset: number
  /** Arrival time of the last event that came in time; silences count from it. Null: none count. */
  silentSinceMs: EpochMs | null
  /** Silences of the pipeline that have passed since, in order of their length. */
  silencesPassed: number
  silenceEpisodes: Episode[]
  /** The key has an entry in the task's silence queue. */
  queued: boolean
  /** Changed since the last snapshot, since the last view. */
  unsaved: boolean
  unseen: boolean
}

/** Index at which an event of this time belongs; events of one time keep the order of their arrival. */
export function tailIndex<E>(tail: readonly TailEvent<E>[], eventTimeMs: EpochMs): number {
  let index = tail.length
  while (index > 0 && (tail[index - 1]?.eventTimeMs ?? 0) > eventTimeMs) index--
  return index
}

/** Moves the base to the mid, and the mid to the head, where enough time or events have passed. */
export function advanceBase<E extends StreamEvent, S>(
  slot: KeySlot<E, S>,
  copy: (frame: Frame<S>) => Frame<S>,
): void {
  const full = slot.tail.length >= MAX_TAIL_EVENTS
  const since = slot.mid === null ? (slot.tail[0]?.eventTimeMs ?? 0) : slot.mid.timeMs
  if (!full && slot.headTimeMs - since < DISORDER_ALLOWANCE_MS) return
  if (slot.mid !== null) {
    slot.base = slot.mid.frame
    slot.baseTimeMs = slot.mid.timeMs
    slot.tail.splice(0, slot.mid.index)
    forgetSettled(slot)
  }
  slot.mid = { frame: copy(slot.head), index: slot.tail.length, timeMs: slot.headTimeMs }
}

/** Makes the present the base: what comes out of order from before is late. */
export function settle<E extends StreamEvent, S>(
  slot: KeySlot<E, S>,
  copy: (frame: Frame<S>) => Frame<S>,
): void {
  slot.base = copy(slot.head)
  slot.baseTimeMs = slot.headTimeMs
  slot.mid = null
  slot.tail = []
  forgetSettled(slot)
}

function forgetSettled<E extends StreamEvent, S>(slot: KeySlot<E, S>): void {
  if (slot.published.length > 0) {
    slot.published = slot.published.filter(
      ({ episode }) => episode.endsAtMs === null || episode.updatedAtMs > slot.baseTimeMs,
    )
  }
  if (slot.aliases.size > 0) {
    const known = new Set(slot.published.map(({ episode }) => episode.id))
    for (const [opener, id] of slot.aliases) if (!known.has(id)) slot.aliases.delete(opener)
  }
}
