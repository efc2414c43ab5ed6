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
import type { EventTail, TailEvent } from './event-tail.ts'
import type { RecentIds } from './recent-ids.ts'
import type { StreamEvent } from './topic.ts'

/** Events of one key may come this far out of order without any effect on the result. */
export const DISORDER_ALLOWANCE_MS: DurationMs = 30_000
/** A tail never grows longer; beyond it the base moves on early. */
export const MAX_TAIL_EVENTS = 64
/** Events between base and mid, and between mid and head, after which the base moves on early. */
const SEGMENT_EVENTS = MAX_TAIL_EVENTS / 2

export interface EventTimer {
  readonly name: string
  readonly atMs: EpochMs
}

/** State at one moment of the key's event time. */
export interface Frame<S> {
  state: S
  timers: readonly EventTimer[]
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
  /** Null while it is what a new key begins with: many keys never get beyond that. */
  base: Frame<S> | null
  /** Events older than this are late: archived, but without effect on the key's state. */
  baseTimeMs: EpochMs
  mid: Mid<S> | null
  head: Frame<S>
  /** Newest event time of the key. */
  headTimeMs: EpochMs
  readonly tail: EventTail<E>
  /** Episodes open at the base or opened since, as last published. */
  published: readonly PublishedEpisode[]
  /** Ids kept by episodes that a late event gave another opener: offset of the opener and rule to id. */
  aliases: Map<string, string> | null
  /** Effects asked for by events of the tail: id to offset. None is asked for twice. */
  effects: Map<string, number> | null
  /** Durable rows put by events of the tail: id to the offset at which each was put last. */
  rows: Map<string, number> | null
  recentIds: RecentIds | null
  /** Ids of events that were late when they came. */
  lateIds: RecentIds | null
  lastReceivedAtMs: EpochMs
  lastOffset: number
  /** Arrival time of the last event that came in time; silences count from it. NaN: none count. */
  silentSinceMs: EpochMs
  /** Silences of the pipeline that have passed since, in order of their length. */
  silencesPassed: number
  silenceEpisodes: readonly Episode[]
  /** Where the key's entry stands in the task's silence queue; an entry at another time is out of date. */
  queuedAtMs: EpochMs | null
  /** Belongs to a snapshot that is being taken, and is not written to it yet. */
  toSave: boolean
  /** Changed since the last snapshot, since the last view. */
  unsaved: boolean
  unseen: boolean
}

/** What a key begins with: one for all, since most of a million keys never have any. */
export const NO_PUBLISHED: readonly PublishedEpisode[] = []
export const NO_EPISODES: readonly Episode[] = []
export const NO_TIMERS: readonly EventTimer[] = []

/** Stands for a head or mid that is still to be computed from base and tail. */
export const UNCOMPUTED: Frame<never> = { state: undefined as never, timers: NO_TIMERS }

/** What the key begins with. */
export function firstFrame<E extends StreamEvent, S>(
  { key }: Pick<KeySlot<E, S>, 'key'>,
  pipeline: { newState(key: string): S },
): Frame<S> {
  return { state: pipeline.newState(key), timers: NO_TIMERS }
}

/** Wall time at which the key is to be looked at again; infinite where it is not. */
export function deadlineMs<E extends StreamEvent, S>(
  { head }: Pick<KeySlot<E, S>, 'head'>,
  { deadline }: { readonly deadline?: { atMs(state: Readonly<S>): EpochMs | null } },
): EpochMs {
  return deadline?.atMs(head.state) ?? Number.POSITIVE_INFINITY
}

/**
 * Moves the base to the mid, and the mid to the head, where enough time or events have passed since the
 * mid: so the base trails by one to two allowances, or by half a tail where events come thick and fast.
 */
export function advanceBase<E extends StreamEvent, S>(
  slot: KeySlot<E, S>,
  copy: (frame: Frame<S>, spare?: Frame<S>) => Frame<S>,
): void {
  const { mid, tail, headTimeMs } = slot
  if (tail.length === 0) return
  const sinceMs = mid === null ? (tail.timeAt(0) ?? headTimeMs) : mid.timeMs
  const events = tail.length - (mid?.index ?? 0)
  if (events < SEGMENT_EVENTS && headTimeMs - sinceMs < DISORDER_ALLOWANCE_MS) return
  let spare: Frame<S> | undefined
  if (mid !== null) {
    if (slot.base !== null && slot.base !== slot.head && slot.base !== mid.frame) spare = slot.base
    slot.base = mid.frame
    slot.baseTimeMs = mid.timeMs
    tail.drop(mid.index)
    forgetSettled(slot)
  }
  slot.mid = { frame: copy(slot.head, spare), index: tail.length, timeMs: headTimeMs }
}

/** Makes the present the base: what comes out of order from before is late. */
export function settle<E extends StreamEvent, S>(
  slot: KeySlot<E, S>,
  copy: (frame: Frame<S>) => Frame<S>,
): void {
  slot.base = copy(slot.head)
  slot.baseTimeMs = slot.headTimeMs
  slot.mid = null
  slot.tail.clear()
  forgetSettled(slot)
}

/** The same with one frame for base and head: for keys whose events are never put in between. */
export function settleInPlace<E extends StreamEvent, S>(slot: KeySlot<E, S>): void {
  slot.base = slot.head
  slot.baseTimeMs = slot.headTimeMs
  slot.mid = null
  slot.tail.clear()
  forgetSettled(slot)
}

/**
 * Makes room in a full tail by moving the base over its older half; `apply` runs an event on it.
 * What comes ahead of its time, such as one event from a clock that runs fast, stays in the tail.
 */
export function shortenTail<E extends StreamEvent, S>(
  slot: KeySlot<E, S>,
  base: Frame<S>,
  apply: (frame: Frame<S>, entry: TailEvent<E>, index: number) => void,
): void {
  const { mid, tail } = slot
  const settled = Math.min(SEGMENT_EVENTS, tail.length)
  for (let index = 0; index < settled; index++) apply(base, tail.at(index), index)
  slot.baseTimeMs = tail.timeAt(settled - 1) ?? slot.baseTimeMs
  tail.drop(settled)
  slot.mid = mid === null || mid.index <= settled ? null : { ...mid, index: mid.index - settled }
  forgetSettled(slot)
}

/** Drops what no event can change any more: what lies wholly below the base. */
function forgetSettled<E extends StreamEvent, S>(slot: KeySlot<E, S>): void {
  const inTail = (offset: number | null): boolean => slot.tail.hasOffset(offset)
  if (slot.published.length > 0) {
    slot.published = slot.published.filter(({ episode, withdrawn }) => {
      if (withdrawn) return episode.updatedAtMs >= slot.baseTimeMs && slot.tail.length > 0
      return episode.endsAtMs === null || inTail(episode.closedBy)
    })
  }
  if (slot.aliases !== null) {
    const known = new Set(slot.published.map(({ episode }) => episode.id))
    for (const [opener, id] of slot.aliases) if (!known.has(id)) slot.aliases.delete(opener)
  }
  for (const noted of [slot.effects, slot.rows]) {
    if (noted === null) continue
    for (const [id, offset] of noted) if (!inTail(offset)) noted.delete(id)
  }
}
