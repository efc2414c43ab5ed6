// State as snapshots hold it: JSON for each key and one document for the partition. What can be computed
// from base and tail is not stored.

import { PlatformError } from '../kernel/errors.ts'
import type { EpochMs } from '../kernel/time.ts'
import type { Episode, PublishedEpisode } from './episode.ts'
import type { Frame, KeySlot, TailEvent } from './key-slot.ts'
import type { Pipeline } from './pipeline.ts'
import { RecentIds } from './recent-ids.ts'
import type { StreamEvent } from './topic.ts'
import type { WindowsState } from './windows.ts'

/** Snapshot key of what belongs to the partition and to no key. */
export const PARTITION_KEY = '\u001f'

export interface PartitionState {
  readonly stateFormat: number
  readonly arrivalClockMs: EpochMs
  readonly lastArrivalMs: EpochMs
  readonly tickMs: EpochMs
  readonly newestEventMs: EpochMs
  readonly windows: readonly (readonly [string, readonly (readonly [string, WindowsState])[]])[]
  readonly broadcasts: readonly (readonly [string, unknown, number])[]
}

interface SlotState<E, S> {
  readonly f: number
  readonly k: string
  readonly t: string
  readonly b: Frame<S>
  readonly bt: EpochMs | null
  readonly m: readonly [number, EpochMs] | null
  readonly ht: EpochMs
  readonly e: readonly (readonly [E, EpochMs, number, EpochMs])[]
  readonly p: readonly PublishedEpisode[]
  readonly a: readonly (readonly [string, string])[]
  readonly o: readonly (readonly [string, number])[]
  readonly r: readonly [string, number] | null
  /** Ids of late events; absent where none came. */
  readonly n?: readonly [string, number]
  readonly l: readonly [EpochMs, number]
  readonly s: readonly [EpochMs | null, number, readonly Episode[]]
  /** Head and mid, only where they can't be computed again from base and tail. */
  readonly w?: readonly [Frame<S>, Frame<S> | null]
}

/** `whole` stores head and mid too: for pipelines whose events saw tables that have changed since. */
export function encodeSlot<E extends StreamEvent, S>(
  slot: KeySlot<E, S>,
  options: { readonly stateFormat: number; readonly whole: boolean },
): string {
  const state: SlotState<E, S> = {
    f: options.stateFormat,
    k: slot.key,
    t: slot.tenantId,
    b: slot.base,
    bt: Number.isFinite(slot.baseTimeMs) ? slot.baseTimeMs : null,
    m: slot.mid === null ? null : [slot.mid.index, slot.mid.timeMs],
    ht: slot.headTimeMs,
    e: slot.tail.map((each) => [each.event, each.eventTimeMs, each.offset, each.receivedAtMs]),
    p: slot.published,
    a: [...slot.aliases],
    o: [...slot.effects],
    r: slot.recentIds?.encode() ?? null,
    ...(slot.lateIds === null ? {} : { n: slot.lateIds.encode() }),
    l: [slot.lastReceivedAtMs, slot.lastOffset],
    s: [slot.silentSinceMs, slot.silencesPassed, slot.silenceEpisodes],
    ...(options.whole ? { w: [slot.head, slot.mid?.frame ?? null] as const } : {}),
  }
  return JSON.stringify(state)
}

/** The head is the base until the task computes it. */
export function decodeSlot<E extends StreamEvent, S>(
  text: string,
  pipeline: Pipeline<E, S>,
): KeySlot<E, S> {
  const state = JSON.parse(text) as SlotState<E, S>
  checkFormat(state.f, pipeline)
  return {
    key: state.k,
    tenantId: state.t,
    base: state.b,
    baseTimeMs: state.bt ?? Number.NEGATIVE_INFINITY,
    mid:
      state.m === null
        ? null
        : { frame: state.w?.[1] ?? state.b, index: state.m[0], timeMs: state.m[1] },
    head: state.w?.[0] ?? state.b,
    headTimeMs: state.ht,
    tail: state.e.map(tailEvent),
    published: [...state.p],
    aliases: new Map(state.a),
    effects: new Map(state.o),
    recentIds: state.r === null ? null : RecentIds.decode(state.r),
    lateIds: state.n === undefined ? null : RecentIds.decode(state.n),
    lastReceivedAtMs: state.l[0],
    lastOffset: state.l[1],
    silentSinceMs: state.s[0],
    silencesPassed: state.s[1],
    silenceEpisodes: [...state.s[2]],
    queuedAtMs: null,
    unsaved: false,
    unseen: false,
  }
}

function tailEvent<E>([event, eventTimeMs, offset, receivedAtMs]: readonly [
  E,
  EpochMs,
  number,
  EpochMs,
]): TailEvent<E> {
  return { event, eventTimeMs, offset, receivedAtMs }
}

/** Infinities, which JSON does not have, mean "no time yet". */
export function encodePartition(state: PartitionState): string {
  return JSON.stringify(state)
}

export function decodePartition<E extends StreamEvent, S>(
  text: string,
  pipeline: Pipeline<E, S>,
): PartitionState {
  const state = JSON.parse(text) as PartitionState
  checkFormat(state.stateFormat, pipeline)
  return {
    ...state,
    arrivalClockMs: state.arrivalClockMs ?? Number.NEGATIVE_INFINITY,
    lastArrivalMs: state.lastArrivalMs ?? Number.NEGATIVE_INFINITY,
    newestEventMs: state.newestEventMs ?? Number.NEGATIVE_INFINITY,
  }
}

function checkFormat<E extends StreamEvent, S>(found: number, pipeline: Pipeline<E, S>): void {
  if (found === pipeline.stateFormat) return
  throw new PlatformError(
    'state-format',
    `Cannot restore "${pipeline.name}": its snapshot has state format ${found}, this build reads ` +
      `${pipeline.stateFormat}. Deploy the build that wrote it, or rebuild the state from the log.`,
    { retry: 'never' },
  )
}
