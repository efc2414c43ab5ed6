// How a vehicle is driven, from one reading to the next: distance, time on the move, harsh manoeuvres, speeding,
// fuel. What lies between two readings belongs to the ten minutes in which the later one falls, so sums over any
// whole periods fit together whatever range somebody asks about.

import { distanceM } from '../kernel/geo.ts'
import { type DurationMs, type EpochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../kernel/time.ts'
import type { KeyContext, PutRow } from '../streams/pipeline.ts'
import {
  type Drive,
  type Movement as DriveMovement,
  driveAfter,
  drives,
  isOver,
  leadsSomewhere,
  STOP_MS,
} from './drives.ts'
import { FLEET_TABLE, fleetRowOf } from './fleet-table.ts'
import {
  copyFuelBalance,
  type FuelBalanceState,
  fuelChange,
  newFuelBalance,
} from './fuel-balance.ts'
import { type DrivingPeriod, drivingPeriods } from './period.ts'

export const PERIOD_MS: DurationMs = 10 * MINUTE_MS
/** Reports are behind by so much at most while a vehicle sends, and by as much of what it sent before it fell silent. */
const PUT_EVERY_MS: DurationMs = MINUTE_MS
/** A drive under way is told as often as its end: a stop is known to be one after so long. */
const PUT_DRIVE_EVERY_MS: DurationMs = STOP_MS
/** From here on a vehicle moves. */
export const MOVING_KMH = 3
/** Harsh are changes of speed and direction beyond these, between fixes at most so far apart. */
export const HARSH_MS2 = 4.4
export const HARSH_CORNER_MS2 = 5.5
export const HARSH_FIXES_MS: DurationMs = 3 * SECOND_MS
/** A longer silence is a gap: what happened in it is not known, only how far it led. */
const GAP_MS: DurationMs = 5 * MINUTE_MS
/** A way between two fixes that nothing drives this fast is a fault of the receiver. */
const FASTEST_KMH = 250
/** Where no limit of the road is known. */
export const SPEEDING_KMH = 90
/** What speedometers and receivers may err by. */
const SPEEDING_TOLERANCE_KMH = 5
export const KMH_PER_MS = 3.6
const DEGREES = 180 / Math.PI

/** What driving is told by, as readings of trucks and vehicles have it; what they never send is absent. */
export interface DrivingSample {
  readonly speedKmh: number | null
  readonly lat: number | null
  readonly lon: number | null
  readonly headingDeg: number | null
  readonly odometerKm: number | null
  readonly fuelPercent?: number | null
  readonly fuelLitres?: number | null
  readonly fuelLph?: number | null
  readonly postedLimitKmh?: number | null
  /** Whoever tells the revolutions tells whether the engine runs. */
  readonly rpm?: number | null
  readonly loadKg?: number | null
  readonly brokenDown?: boolean | null
}

/** Plain data. */
export interface DrivingState {
  /** Null before the first level of the fuel. */
  fuel: FuelBalanceState | null
  /** Litres in a full tank, as readings with both litres and percent tell; null where none did. */
  tankLitres: number | null
  period: DrivingPeriod | null
  /** Null while it stands. */
  drive: Drive | null
  /** Event time at which what goes on was put last. */
  putAtMs: EpochMs
}

export function newDriving(): DrivingState {
  return { fuel: null, tankLitres: null, period: null, drive: null, putAtMs: 0 }
}

export function copyDriving({ fuel, period, drive, ...rest }: DrivingState): DrivingState {
  return {
    ...rest,
    fuel: fuel === null ? null : copyFuelBalance(fuel),
    period: period === null ? null : { ...period },
    drive: drive === null ? null : { ...drive },
  }
}

/** Two readings of one vehicle, one after the other. */
export interface DrivingStep {
  readonly entityType: string
  /** Null: there is none before. */
  readonly last: DrivingSample | null
  readonly now: DrivingSample
  /** Where the table of fleets names none. */
  readonly model?: string | null
}

interface Movement extends DriveMovement {
  readonly last: DrivingSample
  readonly now: DrivingSample
}
type FilledAnew<T> = { -readonly [K in keyof T]: T[K] }

const NOWHERE: DrivingSample = {
  ...{ speedKmh: null, lat: null, lon: null, headingDeg: null, odometerKm: null },
}
/** Filled anew for every reading, and looked at during it only: most events of a fleet come through here. */
const movement: FilledAnew<Movement> = {
  ...{ entityType: '', entityId: '', last: NOWHERE, now: NOWHERE, moves: false },
  ...{ atMs: Number.NaN, stepMs: Number.NaN, wayKm: Number.NaN, speedKmh: Number.NaN },
}

type DrivingContext = Pick<KeyContext, 'key' | 'eventTimeMs' | 'put' | 'reference'>

/** Takes a reading in; what is over by it is put, and now and then what goes on. */
export function drive(state: DrivingState, step: DrivingStep, context: DrivingContext): void {
  const { last, now } = step
  const atMs = context.eventTimeMs
  const before = state.period
  const period = isWithin(before, atMs) ? before : newPeriod(state, step, context)
  if (period !== before) {
    if (before !== null) context.put(drivingPeriods, before)
    state.period = period
  }
  if (last !== null && before !== null) {
    movement.last = last
    movement.now = now
    movement.entityType = step.entityType
    movement.entityId = context.key
    movement.atMs = atMs
    movement.stepMs = atMs - before.lastAtMs
    addMovement(period, movement)
    moveOn(state, context)
  }
  addSample(period, now, atMs)
  addFuel(period, state, now, atMs)
  if (atMs - state.putAtMs < PUT_EVERY_MS) return
  context.put(drivingPeriods, period)
  const { drive: underWay, putAtMs } = state
  state.putAtMs = atMs
  if (underWay === null || !isDue(underWay, { putAtMs, atMs })) return
  if (leadsSomewhere(underWay)) context.put(drives, underWay)
}

/** The period and the drive that go on. */
export function putOpen({ period, drive }: Readonly<DrivingState>, put: PutRow): void {
  if (period !== null) put(drivingPeriods, period)
  if (drive !== null && leadsSomewhere(drive)) put(drives, drive)
}

/** Since something was put last, another such span of the drive is over. */
function isDue(
  { startsAtMs }: Drive,
  { putAtMs, atMs }: { readonly putAtMs: EpochMs; readonly atMs: EpochMs },
): boolean {
  const spans = Math.floor((atMs - startsAtMs) / PUT_DRIVE_EVERY_MS)
  return spans > Math.floor((putAtMs - startsAtMs) / PUT_DRIVE_EVERY_MS)
}

function isWithin(period: DrivingPeriod | null, atMs: EpochMs): period is DrivingPeriod {
  return period !== null && atMs >= period.startsAtMs && atMs < period.startsAtMs + PERIOD_MS
}

function moveOn(state: DrivingState, context: Pick<KeyContext, 'put'>): void {
  const { drive: known } = state
  const ended = known !== null && isOver(known, movement)
  if (ended) {
    known.underWay = false
    if (leadsSomewhere(known)) context.put(drives, known)
  }
  state.drive = driveAfter(ended ? null : known, movement)
}

/** What was known last goes on: a vehicle that sends its load now and then has one all the time. */
function newPeriod(
  state: DrivingState,
  { entityType, model = null }: DrivingStep,
  context: DrivingContext,
): DrivingPeriod {
  const startsAtMs = Math.floor(context.eventTimeMs / PERIOD_MS) * PERIOD_MS
  const row = fleetRowOf(context.reference(FLEET_TABLE), context.key)
  state.tankLitres ??= row?.fuelCapacityLitres ?? null
  const { period: before } = state
  return {
    fleet: row?.fleet ?? null,
    driver: row?.driver ?? null,
    model: row?.model ?? model,
    loadCapacityKg: row?.loadCapacityKg ?? null,
    nominalLitresPer100Km: row?.nominalLitresPer100Km ?? null,
    lat: before?.lat ?? null,
    lon: before?.lon ?? null,
    loadKg: before?.loadKg ?? null,
    loadReadings: 0,
    loadSumKg: 0,
    stateReadings: 0,
    brokenReadings: 0,
    entityType,
    entityId: context.key,
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

function addSample(period: DrivingPeriod, sample: DrivingSample, atMs: EpochMs): void {
  const { speedKmh, lat, lon, loadKg, brokenDown } = sample
  period.readings++
  if (atMs > period.lastAtMs) period.lastAtMs = atMs
  if (lat !== null && lon !== null) {
    period.lat = lat
    period.lon = lon
  }
  if (loadKg != null) {
    period.loadKg = loadKg
    period.loadReadings++
    period.loadSumKg += loadKg
  }
  if (brokenDown != null) {
    period.stateReadings++
    if (brokenDown) period.brokenReadings++
  }
  if (speedKmh === null) return
  period.speedReadings++
  period.speedSumKmh += speedKmh
  if (period.maxSpeedKmh === null || speedKmh > period.maxSpeedKmh) period.maxSpeedKmh = speedKmh
}

/** Takes the way to `now` into the period, and says in the movement how far it led and how fast. */
function addMovement(period: DrivingPeriod, way: FilledAnew<Movement>): void {
  const { now, stepMs } = way
  const km = stepMs > 0 ? wayKm(way) : 0
  way.wayKm = km
  way.speedKmh = now.speedKmh ?? (stepMs > 0 ? (km * HOUR_MS) / stepMs : 0)
  way.moves = way.speedKmh >= MOVING_KMH
  if (stepMs <= 0) return
  period.distanceKm += km
  const { speedKmh, fuelLph, rpm, postedLimitKmh } = now
  if (stepMs > GAP_MS || speedKmh === null) return
  if (way.moves) period.movingMs += stepMs
  else if (rpm != null && rpm > 0) period.idleMs += stepMs
  if (speedKmh > (postedLimitKmh ?? SPEEDING_KMH) + SPEEDING_TOLERANCE_KMH) {
    period.speedingMs += stepMs
  }
  if (fuelLph != null) {
    period.consumedLitres = (period.consumedLitres ?? 0) + (fuelLph * stepMs) / HOUR_MS
  }
  if (stepMs <= HARSH_FIXES_MS) addManoeuvre(period, way)
}

/** By the odometer, else from fix to fix, else by the speed. */
function wayKm({ last, now, stepMs }: Movement): number {
  const mostKm = (FASTEST_KMH * stepMs) / HOUR_MS
  if (last.odometerKm !== null && now.odometerKm !== null) {
    const km = now.odometerKm - last.odometerKm
    if (km >= 0 && km <= mostKm) return km
  }
  if (last.lat !== null && last.lon !== null && now.lat !== null && now.lon !== null) {
    // Fixes wander while it stands.
    if (now.speedKmh !== null && now.speedKmh < MOVING_KMH && stepMs <= GAP_MS) return 0
    const metres = distanceM({ lat: last.lat, lon: last.lon }, { lat: now.lat, lon: now.lon })
    return metres <= mostKm * 1_000 ? metres / 1_000 : 0
  }
  if (stepMs > GAP_MS || last.speedKmh === null || now.speedKmh === null) return 0
  return (((last.speedKmh + now.speedKmh) / 2) * stepMs) / HOUR_MS
}

function addManoeuvre(period: DrivingPeriod, { last, now, stepMs }: Movement): void {
  if (last.speedKmh === null || now.speedKmh === null) return
  const seconds = stepMs / SECOND_MS
  const change = (now.speedKmh - last.speedKmh) / KMH_PER_MS / seconds
  if (change <= -HARSH_MS2) period.harshBraking++
  if (change >= HARSH_MS2) period.harshAcceleration++
  if (last.headingDeg === null || now.headingDeg === null) return
  const turned = Math.abs(((now.headingDeg - last.headingDeg + 540) % 360) - 180) / DEGREES
  const across = ((last.speedKmh + now.speedKmh) / 2 / KMH_PER_MS) * (turned / seconds)
  if (across >= HARSH_CORNER_MS2) period.harshCornering++
}

function addFuel(
  period: DrivingPeriod,
  state: DrivingState,
  { fuelPercent = null, fuelLitres = null, speedKmh }: DrivingSample,
  atMs: EpochMs,
): void {
  if (fuelPercent !== null && fuelLitres !== null && fuelPercent >= 5) {
    state.tankLitres = (100 * fuelLitres) / fuelPercent
  }
  const percent = fuelPercent ?? percentOf(state, fuelLitres)
  if (percent === null) return
  state.fuel ??= newFuelBalance()
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
