// What became of the fuel in a tank: used, filled in, or stolen. From one reading to the next the level changes by
// exactly these three, so that sums over any periods fit together:
//
//   used = level before − level now + filled in − stolen
//
// The level is a running median. A rise is noise until it is large, and only then known to be a refuel: what was
// counted as used before is put right in the period in which that is known.

import { copyNumbers, copyOver } from '../kernel/plain-data.ts'
import { type DurationMs, type EpochMs, MINUTE_MS } from '../kernel/time.ts'
import { runningMedian } from './median.ts'

/** A change of the level by this much of the tank is no slosh. */
export const FUEL_EVENT_PERCENT = 5
/** A refuel or theft goes on until the level has not changed that way for so long. */
const SETTLED_MS: DurationMs = 10 * MINUTE_MS
/** A fall at rest that takes longer than this is the reefer's consumption. */
const REST_MS: DurationMs = 30 * MINUTE_MS
/** Slower than this is at rest. */
export const REST_SPEED_KMH = 3

/** Plain data; NaN: not known. */
export interface FuelBalanceState {
  recent: number[]
  /** Smoothed level; NaN before the first reading. */
  level: number
  /** Lowest level since the last refuel was over. */
  low: number
  /** A refuel or theft that goes on: what it was at last, and when it last grew. */
  running: 'refuel' | 'theft' | null
  runningAtMs: EpochMs
  /** Highest level since it came to rest, and when; NaN while it moves. */
  restLevel: number
  restAtMs: EpochMs
}

/** In percent of the tank. */
export interface FuelChange {
  readonly used: number
  readonly refuelled: number
  readonly stolen: number
}

/** Filled anew for every reading. */
const change = { used: Number.NaN, refuelled: Number.NaN, stolen: Number.NaN }

export function newFuelBalance(): FuelBalanceState {
  return {
    recent: [],
    level: Number.NaN,
    low: Number.NaN,
    running: null,
    runningAtMs: 0,
    restLevel: Number.NaN,
    restAtMs: 0,
  }
}

export function copyFuelBalance(
  state: FuelBalanceState,
  spare: FuelBalanceState | null,
): FuelBalanceState {
  const recent = copyNumbers(state.recent, spare?.recent ?? [])
  const copy = copyOver(state, spare)
  copy.recent = recent
  return copy
}

/** What a reading changed; to be looked at before the next call. */
export function fuelChange(
  state: FuelBalanceState,
  /** A speed of NaN is not known. */
  reading: { readonly atMs: EpochMs; readonly percent: number; readonly speedKmh: number },
): FuelChange {
  const now = runningMedian(state.recent, reading.percent)
  const before = state.level
  state.level = now
  const isFirst = Number.isNaN(before)
  if (isFirst) state.low = now
  const refuelled = isFirst ? 0 : refuelOf(state, now, reading.atMs)
  const stolen = isFirst || refuelled > 0 ? 0 : theftOf(state, now, reading)
  change.used = isFirst ? 0 : before - now + refuelled - stolen
  change.refuelled = refuelled
  change.stolen = stolen
  return change
}

function refuelOf(state: FuelBalanceState, now: number, atMs: EpochMs): number {
  const risen = now - state.low
  const goesOn = state.running === 'refuel' && atMs - state.runningAtMs < SETTLED_MS
  if (risen <= 0) {
    state.low = now
    return 0
  }
  if (!goesOn && risen < FUEL_EVENT_PERCENT) return 0
  state.running = 'refuel'
  state.runningAtMs = atMs
  state.low = now
  state.restLevel = Number.NaN
  return risen
}

function theftOf(
  state: FuelBalanceState,
  now: number,
  { atMs, speedKmh }: { readonly atMs: EpochMs; readonly speedKmh: number },
): number {
  if (!(speedKmh < REST_SPEED_KMH)) {
    state.restLevel = Number.NaN
    return 0
  }
  const { restLevel } = state
  const goesOn = state.running === 'theft' && atMs - state.runningAtMs < SETTLED_MS
  if (!(now <= restLevel) || (!goesOn && atMs - state.restAtMs > REST_MS)) {
    state.restLevel = now
    state.restAtMs = atMs
    return 0
  }
  const fallen = restLevel - now
  if (fallen <= 0 || (!goesOn && fallen < FUEL_EVENT_PERCENT)) return 0
  state.running = 'theft'
  state.runningAtMs = atMs
  state.restLevel = now
  state.restAtMs = atMs
  return fallen
}
