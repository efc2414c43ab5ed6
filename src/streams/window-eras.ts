// The windows of one partition, kept in eras: stretches of event time that each have a watermark of their
// own. As a rule there is one. Where an event comes from quite another time than what there is (a file of
// last year, an hour of readings uploaded at once, a clock that is wrong) it begins an era beside it, and
// neither moves the other's watermark:
//
//   event time ──────────────────────────────────────────────────────────────►
//     era 4711: ▓▓▓▓▓▓▓▓░ watermark          era 0: ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░ watermark
//                          ◄── reach ──►                              ◄── reach ──►
//
// An event belongs to the latest era that can take it: not older than what may still be amended, and not
// further ahead than the reach. An era that heard nothing for a minute is over. Results say which era they
// are of, and those of one window are merged when they are read.

import type { DurationMs, EpochMs } from '../kernel/time.ts'
import type { WindowResult } from '../ports/checkpoint-store.ts'
import type { StreamEvent } from './topic.ts'
import {
  PanedWindow,
  type ReferenceReader,
  type WindowDefinition,
  type WindowsState,
} from './windows.ts'

/** An era without events for so long no longer waits for any. */
export const IDLE_TIMEOUT_MS: DurationMs = 60_000
/** Eras at once; the one that was heard of least recently is over when there would be more. */
export const MAX_ERAS = 8
/** An event further ahead of an era than this, and than any of its windows is long, begins another. */
export const LEAST_REACH_MS: DurationMs = 3_600_000
/** Eras that are not over are looked at this often while time passes without events of theirs. */
const IDLE_CHECK_MS: DurationMs = 1_000

const NO_TIME = Number.NEGATIVE_INFINITY

export interface EraState {
  readonly id: number
  readonly eventMs: EpochMs
  readonly newestMs: EpochMs
  readonly heardAtMs: EpochMs
  readonly lastOffset: number
  readonly tenants: readonly (readonly [string, readonly (readonly [string, WindowsState])[]])[]
}

export interface ErasState {
  readonly eras: readonly EraState[]
  readonly idleCheckMs: EpochMs | null
}

/** An event as windows take it. */
export interface WindowedEvent<E> {
  readonly event: E
  readonly eventTimeMs: EpochMs
  readonly receivedAtMs: EpochMs
  readonly offset: number
}

interface Era<E extends StreamEvent> {
  /** Offset of the event that began it. */
  readonly id: number
  readonly tenants: Map<string, readonly PanedWindow<E>[]>
  /** Event time of its newest event. */
  eventMs: EpochMs
  /** Event time that it has reached, by events or by the passing of time. */
  newestMs: EpochMs
  /** Older events are too late for an amendment. */
  oldestMs: EpochMs
  /** Below this nothing becomes final. */
  nextCheckMs: EpochMs
  /** Arrival of its last event, and the offset of that. */
  heardAtMs: EpochMs
  lastOffset: number
}

export class WindowEras<E extends StreamEvent> {
  readonly #definitions: readonly WindowDefinition<E>[]
  readonly #tables: ReferenceReader
  readonly #reachMs: DurationMs
  readonly #widestAllowanceMs: DurationMs
  /** The latest in event time first. */
  #eras: Era<E>[] = []
  #idleCheckMs: EpochMs = NO_TIME
  #finished: WindowResult[] = []
  /** Where there are no windows time passes all the same. */
  #newestMs: EpochMs = NO_TIME

  constructor(definitions: readonly WindowDefinition<E>[], tables: ReferenceReader) {
    this.#definitions = definitions
    this.#tables = tables
    this.#reachMs = Math.max(LEAST_REACH_MS, ...definitions.map(({ sizeMs }) => sizeMs))
    this.#widestAllowanceMs = Math.max(0, ...definitions.map(({ allowanceMs }) => allowanceMs))
  }

  /** Everything before this event time is taken to have arrived, in the latest era; 0 before the first event. */
  get watermarkMs(): EpochMs {
    return Math.max(0, this.#newestMs - this.#widestAllowanceMs)
  }

  /** Event time that was reached; −∞ before the first event. */
  get newestMs(): EpochMs {
    return this.#newestMs
  }

  /** Returns how many windows did not take the event. Windows that it makes final are in the next `take`. */
  add(
    from: WindowedEvent<E>,
    { key, tenantId }: { readonly key: string; readonly tenantId: string },
  ): number {
    // A clock that runs ahead, though not so far that it is disbelieved, makes nobody else late.
    const reachedMs = Math.min(from.eventTimeMs, from.receivedAtMs)
    this.#newestMs = Math.max(this.#newestMs, reachedMs)
    if (this.#definitions.length === 0) return 0
    const era = this.#eraFor(from, reachedMs)
    era.heardAtMs = from.receivedAtMs
    era.lastOffset = from.offset
    era.eventMs = Math.max(era.eventMs, reachedMs)
    let refused = 0
    for (const window of this.#windowsOf(era, tenantId)) {
      if (!window.add(key, from.event, from.eventTimeMs)) refused++
    }
    this.#advance(era, reachedMs)
    return refused
  }

  /** Time passes by the arrival of an event: looked at now and then. */
  passTimeAtEvent(nowMs: EpochMs): void {
    if (nowMs >= this.#idleCheckMs) this.passTime(nowMs)
  }

  /**
   * Ends what heard nothing for long. One call does what several would that lead there: of the ticks between
   * two events only the last is kept.
   */
  passTime(nowMs: EpochMs): void {
    const idleMs = nowMs - IDLE_TIMEOUT_MS
    let nextMs = Number.POSITIVE_INFINITY
    for (const era of [...this.#eras]) {
      if (era.heardAtMs > idleMs) nextMs = Math.min(nextMs, era.heardAtMs + IDLE_TIMEOUT_MS)
      else if (this.#isOver(era, idleMs)) this.#finish(era)
      else {
        this.#advance(era, idleMs)
        nextMs = Math.min(nextMs, nowMs + IDLE_CHECK_MS)
      }
    }
    this.#idleCheckMs = nextMs
  }

  /** True where the passing of time to this moment would make a window final. */
  wouldFinish(nowMs: EpochMs): boolean {
    const idleMs = nowMs - IDLE_TIMEOUT_MS
    return this.#eras.some((era) => {
      if (era.heardAtMs > idleMs) return false
      const over = this.#isOver(era, idleMs)
      if (!over && idleMs <= era.newestMs) return false
      return [...era.tenants.values()].some((windows) =>
        windows.some((window) =>
          over ? window.hasOpen : window.wouldFinish(idleMs - window.definition.allowanceMs),
        ),
      )
    })
  }

  /** Results that became final or were amended since the last call, in order. */
  take(): readonly WindowResult[] {
    for (const era of this.#eras) this.#collect(era)
    const finished = this.#finished
    this.#finished = []
    return finished
  }

  /** Windows that are not final yet, and the newest that are, as far as they are known. */
  open(): readonly WindowResult[] {
    return this.#eras.flatMap((era) =>
      [...era.tenants].flatMap(([tenantId, windows]) =>
        windows.flatMap((window) => window.open(tenantId)),
      ),
    )
  }

  encode(): ErasState {
    return {
      idleCheckMs: Number.isFinite(this.#idleCheckMs) ? this.#idleCheckMs : null,
      eras: this.#eras.map(({ id, eventMs, newestMs, heardAtMs, lastOffset, tenants }) => ({
        id,
        eventMs,
        newestMs,
        heardAtMs,
        lastOffset,
        tenants: [...tenants].map(([tenantId, windows]) => [
          tenantId,
          windows.map((window) => [window.definition.name, window.encode()] as const),
        ]),
      })),
    }
  }

  /** `newestMs` is the event time reached by then. */
  restore(state: ErasState, newestMs: EpochMs): void {
    this.#newestMs = newestMs
    this.#idleCheckMs = state.idleCheckMs ?? NO_TIME
    this.#eras = state.eras.map((saved) => {
      const { id, eventMs, newestMs: reachedMs, heardAtMs, lastOffset } = saved
      const era: Era<E> = {
        id,
        eventMs,
        newestMs: reachedMs,
        heardAtMs,
        lastOffset,
        tenants: new Map(),
        oldestMs: NO_TIME,
        nextCheckMs: NO_TIME,
      }
      for (const [tenantId, windows] of saved.tenants) {
        era.tenants.set(tenantId, this.#restoredWindows(era, new Map(windows)))
      }
      this.#setBounds(era)
      return era
    })
  }

  #eraFor({ eventTimeMs, receivedAtMs, offset }: WindowedEvent<E>, reachedMs: EpochMs): Era<E> {
    for (const era of this.#eras) {
      if (eventTimeMs >= era.oldestMs && eventTimeMs <= era.newestMs + this.#reachMs) return era
    }
    if (this.#eras.length >= MAX_ERAS) this.#finish(leastRecent(this.#eras))
    const era: Era<E> = {
      id: offset,
      tenants: new Map(),
      eventMs: reachedMs,
      newestMs: NO_TIME,
      oldestMs: NO_TIME,
      nextCheckMs: NO_TIME,
      heardAtMs: receivedAtMs,
      lastOffset: offset,
    }
    this.#eras.push(era)
    // What ends before its first event is over, as it is for whoever comes later.
    this.#advance(era, reachedMs)
    this.#idleCheckMs = Math.min(this.#idleCheckMs, receivedAtMs + IDLE_TIMEOUT_MS)
    return era
  }

  #windowsOf(era: Era<E>, tenantId: string): readonly PanedWindow<E>[] {
    let windows = era.tenants.get(tenantId)
    if (windows === undefined) {
      windows = this.#definitions.map((definition) => this.#newWindow(era, definition))
      era.tenants.set(tenantId, windows)
    }
    return windows
  }

  /** Of a tenant that comes later than others: what is over for them is over for it. */
  #newWindow(era: Era<E>, definition: WindowDefinition<E>): PanedWindow<E> {
    const window = new PanedWindow(definition, this.#tables, era.id)
    window.beginAt(era.newestMs - definition.allowanceMs)
    return window
  }

  /** A window that was not kept before begins with the first that is whole; what is no longer declared is gone. */
  #restoredWindows(
    era: Era<E>,
    saved: ReadonlyMap<string, WindowsState>,
  ): readonly PanedWindow<E>[] {
    return this.#definitions.map((definition) => {
      const window = this.#newWindow(era, definition)
      const state = saved.get(definition.name)
      if (state === undefined) window.beginAfter(era.newestMs)
      else window.restore(state)
      return window
    })
  }

  /** Finishes windows at the very event that passes their end, so that batches don't matter. */
  #advance(era: Era<E>, newestMs: EpochMs): void {
    if (newestMs <= era.newestMs) return
    era.newestMs = newestMs
    if (this.#eras.length > 1) this.#eras.sort((a, b) => b.newestMs - a.newestMs || a.id - b.id)
    if (newestMs < era.nextCheckMs) return
    this.#setBounds(era)
    this.#collect(era)
  }

  #setBounds(era: Era<E>): void {
    let nextMs = Number.POSITIVE_INFINITY
    let oldestMs = NO_TIME
    for (const { slideMs, allowanceMs, amendableForMs } of this.#definitions) {
      const boundaryMs = Math.floor((era.newestMs - allowanceMs) / slideMs) * slideMs
      nextMs = Math.min(nextMs, boundaryMs + slideMs + allowanceMs)
      const amendableMs = Math.ceil((boundaryMs - amendableForMs) / slideMs) * slideMs
      oldestMs = Math.max(oldestMs, amendableMs)
    }
    era.nextCheckMs = nextMs
    era.oldestMs = oldestMs
  }

  #collect(era: Era<E>): void {
    for (const [tenantId, windows] of era.tenants) {
      for (const window of windows) {
        const watermarkMs = era.newestMs - window.definition.allowanceMs
        const results = window.advance(watermarkMs, tenantId)
        if (results.length > 0) this.#finished.push(...results)
      }
    }
  }

  /** A quiet one that time has left behind; the one that time is passing in goes on. */
  #isOver(era: Era<E>, idleMs: EpochMs): boolean {
    return idleMs > era.eventMs + this.#reachMs
  }

  #finish(era: Era<E>): void {
    this.#eras = this.#eras.filter((each) => each !== era)
    for (const [tenantId, windows] of era.tenants) {
      for (const window of windows) this.#finished.push(...window.finish(tenantId))
    }
  }
}

function leastRecent<E extends StreamEvent>(eras: readonly Era<E>[]): Era<E> {
  return eras.reduce((least, era) => (era.lastOffset < least.lastOffset ? era : least))
}
