// What became of the fuel in a tank: used, filled in, or stolen. From one reading to the next the level changes by
// exactly these three, so that sums over any periods fit together:
//
//   used = level before − level now + filled in − stolen
//
// The level is a running median. A rise is noise until it is large, and only then known to be a refuel: what was
// counted as used before is put right in the period in which that is known.

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

/** Plain data. */
export interface FuelBalanceState {
  recent: number[]
  /** Smoothed level; null before the first reading. */
  level: number | null
  /** Lowest level since the last refuel was over. */
  low: number
  /** A refuel or theft that goes on: what it was at last, and when it last grew. */
  running: 'refuel' | 'theft' | null
  runningAtMs: EpochMs
  /** Highest level since it came to rest, and when; null while it moves. */
  restLevel: number | null
  restAtMs: EpochMs
}

/** In percent of the tank. */
export interface FuelChange {
  readonly used: number
  readonly refuelled: number
  readonly stolen: number
}

export const NO_CHANGE: FuelChange = { used: 0, refuelled: 0, stolen: 0 }

export function newFuelBalance(): FuelBalanceState {
  return {
    recent: [],
    level: null,
    low: 0,
    running: null,
    runningAtMs: 0,
    restLevel: null,
    restAtMs: 0,
  }
}

export function copyFuelBalance(state: FuelBalanceState): FuelBalanceState {
  return { ...state, recent: state.recent.slice() }
}

export function fuelChange(
  state: FuelBalanceState,
  reading: { readonly atMs: EpochMs; readonly percent: number; readonly speedKmh: number | null },
): FuelChange {
  const now = runningMedian(state.recent, reading.percent)
  const before = state.level
  state.level = now
  if (before === null) {
    state.low = now
    return NO_CHANGE
  }
  const refuelled = refuelOf(state, now, reading.atMs)
  const stolen = refuelled > 0 ? 0 : theftOf(state, now, reading)
  return { used: before - now + refuelled - stolen, refuelled, stolen }
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
  state.restLevel = null
  return risen
}

function theftOf(
  state: FuelBalanceState,
  now: number,
  { atMs, speedKmh }: { readonly atMs: EpochMs; readonly speedKmh: number | null },
): number {
  if (speedKmh === null || speedKmh >= REST_SPEED_KMH) {
    state.restLevel = null
    return 0
  }
  const { restLevel } = state
  const goesOn = state.running === 'theft' && atMs - state.runningAtMs < SETTLED_MS
  if (restLevel === null || now > restLevel || (!goesOn && atMs - state.restAtMs > REST_MS)) {
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
