// State as snapshots hold it: JSON for each key and one document for the partition. What can be computed
// from base and tail is not stored.

import { PlatformError } from '../kernel/errors.ts'
import type { EpochMs } from '../kernel/time.ts'
import type { Episode, PublishedEpisode } from './episode.ts'
import { EventTail, type PackedTail } from './event-tail.ts'
import {
  type EventTimer,
  type Frame,
  type KeySlot,
  NO_EPISODES,
  NO_PUBLISHED,
  NO_TIMERS,
  UNCOMPUTED,
} from './key-slot.ts'
import type { Pipeline } from './pipeline.ts'
import { RecentIds } from './recent-ids.ts'
import type { StreamEvent } from './topic.ts'
import type { ErasState } from './window-eras.ts'

/** Snapshot key of what belongs to the partition and to no key. */
export const PARTITION_KEY = '\u001f'

/** Grows with every change of how states are laid out here, as `stateFormat` does for a pipeline's own part. */
const LAYOUT = 6

export interface PartitionState {
  readonly arrivalClockMs: EpochMs
  readonly lastArrivalMs: EpochMs
  readonly tickMs: EpochMs
  readonly newestEventMs: EpochMs
  /** The last journal entry that the state has seen. */
  readonly entry?: { readonly offset: number; readonly step: number }
  readonly windows: ErasState
  readonly broadcasts: readonly (readonly [string, unknown, number])[]
}

/** What is empty is left out. */
interface SlotState {
  readonly f: string
  readonly k: string
  readonly t: string
  readonly b?: PackedFrame
  readonly bt: EpochMs | null
  readonly m: readonly [number, EpochMs] | null
  readonly ht: EpochMs
  readonly e: PackedTail
  readonly p?: readonly PublishedEpisode[]
  readonly a?: readonly (readonly [string, string])[]
  readonly o?: readonly (readonly [string, number])[]
  readonly d?: readonly (readonly [string, number])[]
  readonly r?: readonly [string, number]
  readonly n?: readonly [string, number]
  readonly l: readonly [EpochMs, number]
  readonly s: readonly [EpochMs | null, number, readonly Episode[]]
  /** Head and mid, only where they can't be computed again from base and tail. */
  readonly w?: readonly [PackedFrame, PackedFrame | null]
}

/** State and timers; without timers where none are set. */
type PackedFrame = readonly [unknown, (readonly EventTimer[])?]

/** `whole` stores head and mid too: for pipelines whose events saw tables that have changed since. */
export function encodeSlot<E extends StreamEvent, S>(
  slot: KeySlot<E, S>,
  pipeline: Pipeline<E, S>,
  options: { readonly whole: boolean },
): string {
  const pack = ({ state, timers }: Frame<S>): PackedFrame =>
    timers.length === 0 ? [state] : [state, timers]
  const state: SlotState = {
    f: formatOf(pipeline),
    k: slot.key,
    t: slot.tenantId,
    ...(slot.base === null ? {} : { b: pack(slot.base) }),
    bt: Number.isFinite(slot.baseTimeMs) ? slot.baseTimeMs : null,
    m: slot.mid === null ? null : [slot.mid.index, slot.mid.timeMs],
    ht: slot.headTimeMs,
    e: slot.tail.encode(),
    ...(slot.published.length === 0 ? {} : { p: slot.published }),
    ...(hasAny(slot.aliases) ? { a: [...slot.aliases] } : {}),
    ...(hasAny(slot.effects) ? { o: [...slot.effects] } : {}),
    ...(hasAny(slot.rows) ? { d: [...slot.rows] } : {}),
    ...(slot.recentIds === null ? {} : { r: slot.recentIds.encode() }),
    ...(slot.lateIds === null ? {} : { n: slot.lateIds.encode() }),
    l: [slot.lastReceivedAtMs, slot.lastOffset],
    s: [slot.silentSinceMs, slot.silencesPassed, slot.silenceEpisodes],
    ...(options.whole
      ? { w: [pack(slot.head), slot.mid === null ? null : pack(slot.mid.frame)] as const }
      : {}),
  }
  return JSON.stringify(state)
}

/** Head and mid are `UNCOMPUTED` where they can be computed from base and tail. */
export function decodeSlot<E extends StreamEvent, S>(
  text: string,
  pipeline: Pipeline<E, S>,
): KeySlot<E, S> {
  const state = JSON.parse(text) as SlotState
  checkFormat(state.f, pipeline)
  const unpack = ([carried, timers]: PackedFrame): Frame<S> => ({
    state: pipeline.restoreState?.(carried as S) ?? (carried as S),
    timers: timers ?? NO_TIMERS,
  })
  const base = state.b === undefined ? null : unpack(state.b)
  const [head, mid] = state.w ?? []
  return {
    key: state.k,
    tenantId: state.t,
    base,
    baseTimeMs: state.bt ?? Number.NEGATIVE_INFINITY,
    mid:
      state.m === null
        ? null
        : { frame: mid ? unpack(mid) : UNCOMPUTED, index: state.m[0], timeMs: state.m[1] },
    head: head === undefined ? UNCOMPUTED : unpack(head),
    headTimeMs: state.ht,
    tail: EventTail.decode(pipeline.topic.archive, state.e),
    published: state.p ?? NO_PUBLISHED,
    aliases: state.a === undefined ? null : new Map(state.a),
    effects: state.o === undefined ? null : new Map(state.o),
    rows: state.d === undefined ? null : new Map(state.d),
    recentIds: state.r === undefined ? null : RecentIds.decode(state.r),
    lateIds: state.n === undefined ? null : RecentIds.decode(state.n),
    lastReceivedAtMs: state.l[0],
    lastOffset: state.l[1],
    silentSinceMs: state.s[0] ?? Number.NaN,
    silencesPassed: state.s[1],
    silenceEpisodes: state.s[2].length === 0 ? NO_EPISODES : state.s[2],
    queuedAtMs: null,
    toSave: false,
    unsaved: false,
    unseen: false,
  }
}

function hasAny<T>(map: ReadonlyMap<string, T> | null): map is ReadonlyMap<string, T> {
  return map !== null && map.size > 0
}

/** Infinities, which JSON does not have, mean "no time yet". */
export function encodePartition<E extends StreamEvent, S>(
  state: PartitionState,
  pipeline: Pipeline<E, S>,
): string {
  return JSON.stringify({ format: formatOf(pipeline), ...state })
}

export function decodePartition<E extends StreamEvent, S>(
  text: string,
  pipeline: Pipeline<E, S>,
): PartitionState {
  const state = JSON.parse(text) as PartitionState & { readonly format: string }
  checkFormat(state.format, pipeline)
  return {
    ...state,
    arrivalClockMs: state.arrivalClockMs ?? Number.NEGATIVE_INFINITY,
    lastArrivalMs: state.lastArrivalMs ?? Number.NEGATIVE_INFINITY,
    newestEventMs: state.newestEventMs ?? Number.NEGATIVE_INFINITY,
  }
}

function formatOf<E extends StreamEvent, S>(pipeline: Pipeline<E, S>): string {
  return `${LAYOUT}.${pipeline.stateFormat}`
}

function checkFormat<E extends StreamEvent, S>(found: string, pipeline: Pipeline<E, S>): void {
  if (found === formatOf(pipeline)) return
  throw new PlatformError(
    'state-format',
    `Cannot restore "${pipeline.name}": its snapshot has state format ${found}, this build reads ` +
      `${formatOf(pipeline)}. Deploy the build that wrote it, or begin with an empty data directory.`,
    { retry: 'never' },
  )
}
