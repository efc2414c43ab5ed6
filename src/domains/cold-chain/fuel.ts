// Tells a drop of the fuel level at rest, a theft or a leak, from consumption and from the slosh of a
// moving tank. The level is a running median of a few readings.

import { REST_SPEED_KMH } from '../../driving/fuel-balance.ts'
import { runningMedian } from '../../driving/median.ts'
import { copyNumbers, copyOver } from '../../kernel/plain-data.ts'
import { type DurationMs, type EpochMs, MINUTE_MS } from '../../kernel/time.ts'

/** A fall that takes longer than this is consumption of the reefer, not a drop. */
const BASELINE_LIFE_MS: DurationMs = 30 * MINUTE_MS

/** Plain data, changed in place. */
export interface FuelState {
  recentPercent: number[]
  /** Level when the truck came to rest; NaN while it moves. */
  baselinePercent: number
  baselineAtMs: EpochMs
  /** Largest amount seen, taken as the tank's size where only litres are sent. */
  fullLitres: number
}

export function newFuel(): FuelState {
  return { recentPercent: [], baselinePercent: Number.NaN, baselineAtMs: 0, fullLitres: 0 }
}

/** `spare`, which nobody needs any more, becomes the copy. */
export function copyFuel(state: FuelState, spare: FuelState): FuelState {
  const recentPercent = copyNumbers(state.recentPercent, spare.recentPercent)
  const copy = copyOver(state, spare)
  copy.recentPercent = recentPercent
  return copy
}

/** Percent of the tank that went since the truck came to rest; 0 while it moves or nothing is known. */
export function fuelDropPercent(
  state: FuelState,
  reading: {
    readonly atMs: EpochMs
    readonly fuelPercent: number | null
    readonly fuelLitres: number | null
    readonly speedKmh: number | null
  },
): number {
  const level = levelPercent(state, reading)
  if (level === null || reading.speedKmh === null) return 0
  const present = runningMedian(state.recentPercent, level)
  if (reading.speedKmh >= REST_SPEED_KMH) {
    state.baselinePercent = Number.NaN
    return 0
  }
  const { baselinePercent } = state
  const stale = reading.atMs - state.baselineAtMs > BASELINE_LIFE_MS
  if (!(present <= baselinePercent) || stale) {
    state.baselinePercent = present
    state.baselineAtMs = reading.atMs
    return 0
  }
  return baselinePercent - present
}

function levelPercent(
  state: FuelState,
  reading: { readonly fuelPercent: number | null; readonly fuelLitres: number | null },
): number | null {
  if (reading.fuelPercent !== null) return reading.fuelPercent
  if (reading.fuelLitres === null) return null
  state.fullLitres = Math.max(state.fullLitres, reading.fuelLitres)
  return state.fullLitres === 0 ? null : (100 * reading.fuelLitres) / state.fullLitres
}
