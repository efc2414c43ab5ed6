// How a vehicle is driven, from one reading to the next: distance, time on the move, harsh manoeuvres, speeding,
// fuel. What lies between two readings belongs to the ten minutes in which the later one falls, so sums over any
// whole periods fit together whatever range somebody asks about.

import { distanceM } from '../kernel/geo.ts'
import { type DurationMs, type EpochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../kernel/time.ts'
import type { PutRow } from '../streams/pipeline.ts'
import {
  copyFuelBalance,
  type FuelBalanceState,
  fuelChange,
  newFuelBalance,
} from './fuel-balance.ts'
import { type DrivingPeriod, drivingPeriods } from './period.ts'

export const PERIOD_MS: DurationMs = 10 * MINUTE_MS
/** From here on a vehicle moves. */
export const MOVING_KMH = 3
/** Harsh are changes of speed and direction beyond these, between fixes at most so far apart. */
export const HARSH_MS2 = 4.4
export const HARSH_CORNER_MS2 = 5.5
const HARSH_FIXES_MS: DurationMs = 3 * SECOND_MS
/** A longer silence is a gap: what happened in it is not known, only how far it led. */
const GAP_MS: DurationMs = 5 * MINUTE_MS
/** A way between two fixes that nothing drives this fast is a fault of the receiver. */
const FASTEST_KMH = 250
/** Where no limit of the road is known. */
export const SPEEDING_KMH = 90
/** What speedometers and receivers may err by. */
const SPEEDING_TOLERANCE_KMH = 5
const KMH_PER_MS = 3.6
const DEGREES = 180 / Math.PI

export interface DrivingSample {
  readonly atMs: EpochMs
  readonly speedKmh: number | null
  readonly lat: number | null
  readonly lon: number | null
  readonly headingDeg: number | null
  readonly odometerKm: number | null
  readonly fuelPercent: number | null
  readonly fuelLitres: number | null
  readonly fuelLph: number | null
  readonly limitKmh: number | null
  /** Null where nobody knows whether the engine runs. */
  readonly engineOn: boolean | null
}

/** Plain data. */
export interface DrivingState {
  last: DrivingSample | null
  fuel: FuelBalanceState
  /** Litres in a full tank, as readings with both litres and percent tell; null where none did. */
  tankLitres: number | null
  period: DrivingPeriod | null
}

export interface Driven {
  readonly entityType: string
  readonly entityId: string
}

export function newDriving(): DrivingState {
  return { last: null, fuel: newFuelBalance(), tankLitres: null, period: null }
}

export function copyDriving(state: DrivingState): DrivingState {
  return {
    last: state.last,
    fuel: copyFuelBalance(state.fuel),
    tankLitres: state.tankLitres,
    period: state.period === null ? null : { ...state.period },
  }
}

/** Takes a reading in; a period that is over by it is put. */
export function drive(
  state: DrivingState,
  driven: Driven,
  sample: DrivingSample,
  to: { readonly put: PutRow },
): void {
  const startsAtMs = Math.floor(sample.atMs / PERIOD_MS) * PERIOD_MS
  let { period } = state
  if (period === null || period.startsAtMs !== startsAtMs) {
    if (period !== null) to.put(drivingPeriods, period)
    period = newPeriod(driven, startsAtMs)
    state.period = period
  }
  addSample(period, sample)
  if (state.last !== null) addStep(period, state.last, sample)
  addFuel(period, state, sample)
  state.last = sample
}

/** The period that goes on. */
export function putOpenPeriod({ period }: Readonly<DrivingState>, put: PutRow): void {
  if (period !== null) put(drivingPeriods, period)
}

function newPeriod({ entityType, entityId }: Driven, startsAtMs: EpochMs): DrivingPeriod {
  return {
    entityType,
    entityId,
    startsAtMs,
    lastAtMs: startsAtMs,
    readings: 0,
    speedReadings: 0,
    speedSumKmh: 0,
    maxSpeedKmh: null,
    distanceKm: 0,
    movingMs: 0,
    idleMs: 0,
    speedingMs: 0,
    harshBraking: 0,
    harshAcceleration: 0,
    harshCornering: 0,
    fuelPercent: null,
    usedPercent: null,
    refuelledPercent: 0,
    stolenPercent: 0,
    usedLitres: null,
    refuelledLitres: null,
    stolenLitres: null,
    consumedLitres: null,
  }
}

function addSample(period: DrivingPeriod, { atMs, speedKmh }: DrivingSample): void {
  period.readings++
  period.lastAtMs = Math.max(period.lastAtMs, atMs)
  if (speedKmh === null) return
  period.speedReadings++
  period.speedSumKmh += speedKmh
  period.maxSpeedKmh = Math.max(period.maxSpeedKmh ?? 0, speedKmh)
}

function addStep(period: DrivingPeriod, from: DrivingSample, to: DrivingSample): void {
  const stepMs = to.atMs - from.atMs
  if (stepMs <= 0) return
  period.distanceKm += wayKm(from, to, stepMs)
  if (stepMs > GAP_MS || to.speedKmh === null) return
  if (to.speedKmh >= MOVING_KMH) period.movingMs += stepMs
  else if (to.engineOn === true) period.idleMs += stepMs
  const limitKmh = (to.limitKmh ?? SPEEDING_KMH) + SPEEDING_TOLERANCE_KMH
  if (to.speedKmh > limitKmh) period.speedingMs += stepMs
  if (to.fuelLph !== null) {
    period.consumedLitres = (period.consumedLitres ?? 0) + (to.fuelLph * stepMs) / HOUR_MS
  }
  if (stepMs <= HARSH_FIXES_MS) addManoeuvre(period, from, to)
}

/** By the odometer, else from fix to fix, else by the speed. */
function wayKm(from: DrivingSample, to: DrivingSample, stepMs: DurationMs): number {
  const mostKm = (FASTEST_KMH * stepMs) / HOUR_MS
  const plausible = (km: number): number | null => (km >= 0 && km <= mostKm ? km : null)
  if (from.odometerKm !== null && to.odometerKm !== null) {
    const km = plausible(to.odometerKm - from.odometerKm)
    if (km !== null) return km
  }
  if (from.lat !== null && from.lon !== null && to.lat !== null && to.lon !== null) {
    // Fixes wander while it stands.
    if (to.speedKmh !== null && to.speedKmh < MOVING_KMH && stepMs <= GAP_MS) return 0
    const metres = distanceM({ lat: from.lat, lon: from.lon }, { lat: to.lat, lon: to.lon })
    return plausible(metres / 1_000) ?? 0
  }
  if (stepMs > GAP_MS || from.speedKmh === null || to.speedKmh === null) return 0
  return (((from.speedKmh + to.speedKmh) / 2) * stepMs) / HOUR_MS
}

function addManoeuvre(period: DrivingPeriod, from: DrivingSample, to: DrivingSample): void {
  if (from.speedKmh === null || to.speedKmh === null) return
  const seconds = (to.atMs - from.atMs) / SECOND_MS
  const change = (to.speedKmh - from.speedKmh) / KMH_PER_MS / seconds
  if (change <= -HARSH_MS2) period.harshBraking++
  if (change >= HARSH_MS2) period.harshAcceleration++
  if (from.headingDeg === null || to.headingDeg === null) return
  const turned = Math.abs(((to.headingDeg - from.headingDeg + 540) % 360) - 180) / DEGREES
  const across = ((from.speedKmh + to.speedKmh) / 2 / KMH_PER_MS) * (turned / seconds)
  if (across >= HARSH_CORNER_MS2) period.harshCornering++
}

function addFuel(period: DrivingPeriod, state: DrivingState, sample: DrivingSample): void {
  const { fuelPercent, fuelLitres } = sample
  if (fuelPercent !== null && fuelLitres !== null && fuelPercent >= 5) {
    state.tankLitres = (100 * fuelLitres) / fuelPercent
  }
  const percent = fuelPercent ?? percentOf(state, fuelLitres)
  if (percent === null) return
  const { atMs, speedKmh } = sample
  const { used, refuelled, stolen } = fuelChange(state.fuel, { atMs, percent, speedKmh })
  period.fuelPercent = state.fuel.level
  period.usedPercent = (period.usedPercent ?? 0) + used
  period.refuelledPercent += refuelled
  period.stolenPercent += stolen
  if (state.tankLitres === null) return
  const litres = state.tankLitres / 100
  period.usedLitres = (period.usedLitres ?? 0) + used * litres
  period.refuelledLitres = (period.refuelledLitres ?? 0) + refuelled * litres
  period.stolenLitres = (period.stolenLitres ?? 0) + stolen * litres
}

/** Where only litres are sent, the most that was seen is a full tank. */
function percentOf(state: DrivingState, litres: number | null): number | null {
  if (litres === null) return null
  state.tankLitres = Math.max(state.tankLitres ?? 0, litres)
  return state.tankLitres === 0 ? null : (100 * litres) / state.tankLitres
}
