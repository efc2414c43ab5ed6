// How a vehicle is driven, from one reading to the next: distance, time on the move, harsh manoeuvres, speeding,
// fuel. What lies between two readings belongs to the ten minutes in which the later one falls, so sums over any
// whole periods fit together whatever range somebody asks about.

import { distanceM } from '../kernel/geo.ts'
import { carriedInto, copyOver } from '../kernel/plain-data.ts'
import { type DurationMs, type EpochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../kernel/time.ts'
import type { KeyContext, PutRow } from '../streams/pipeline.ts'
import {
  type Drive,
  type Movement as DriveMovement,
  driveAfter,
  drives,
  isOver,
  leadsSomewhere,
  restoreDrive,
  STOP_MS,
} from './drives.ts'
import { FLEET_TABLE, fleetRowOf } from './fleet-table.ts'
import {
  copyFuelBalance,
  type FuelBalanceState,
  fuelChange,
  newFuelBalance,
} from './fuel-balance.ts'
import {
  type DrivingPeriod,
  drivingPeriods,
  newDrivingPeriod,
  restoreDrivingPeriod,
} from './period.ts'

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

/** Where and how fast a vehicle was at a reading. Plain data; NaN: not known. */
interface Fix {
  speedKmh: number
  lat: number
  lon: number
  headingDeg: number
  odometerKm: number
}

/** Plain data, changed in place: it is there for every vehicle and changes with every reading. */
export interface DrivingState {
  /** Null before the first level of the fuel. */
  fuel: FuelBalanceState | null
  /** Litres in a full tank, as readings with both litres and percent tell; NaN where none did. */
  tankLitres: number
  /** Null before the first reading. */
  period: DrivingPeriod | null
  /** Null while it stands. */
  drive: Drive | null
  /** Event time at which what goes on was put last. */
  putAtMs: EpochMs
  /** Of the last reading. */
  readonly fix: Fix
}

export function newDriving(): DrivingState {
  return {
    fuel: null,
    tankLitres: Number.NaN,
    period: null,
    drive: null,
    putAtMs: 0,
    fix: newFix(),
  }
}

function newFix(): Fix {
  return {
    speedKmh: Number.NaN,
    lat: Number.NaN,
    lon: Number.NaN,
    headingDeg: Number.NaN,
    odometerKm: Number.NaN,
  }
}

/** `spare`, which nobody needs any more, becomes the copy. */
export function copyDriving(state: DrivingState, spare = newDriving()): DrivingState {
  spare.fuel = state.fuel === null ? null : copyFuelBalance(state.fuel, spare.fuel)
  spare.tankLitres = state.tankLitres
  spare.period = state.period === null ? null : copyOver(state.period, spare.period)
  spare.drive = state.drive === null ? null : copyOver(state.drive, spare.drive)
  spare.putAtMs = state.putAtMs
  copyOver(state.fix, spare.fix)
  return spare
}

/** A number of each part that the next reading changes, as a pipeline's `prefetch` gives it. */
export function prefetchDriving({ fuel, period, drive, fix }: Readonly<DrivingState>): number {
  let sum = fix.lat + fix.odometerKm
  if (fuel !== null) sum += fuel.level + (fuel.recent[0] ?? 0)
  if (drive !== null) sum += drive.startsAtMs
  if (period === null) return sum
  const { readings, lastAtMs, distanceKm, speedSumKmh, loadSumKg, usedLitres, stolenLitres } =
    period
  return (
    sum + readings + lastAtMs + distanceKm + speedSumKmh + loadSumKg + usedLitres + stolenLitres
  )
}

/** As it was, from what JSON made of it. */
export function restoreDriving(carried: DrivingState): DrivingState {
  const { fuel, period, drive: underWay } = carried
  return {
    ...carriedInto(newDriving(), carried),
    fuel: fuel === null ? null : carriedInto(newFuelBalance(), fuel),
    period: period === null ? null : restoreDrivingPeriod(period),
    drive: underWay === null ? null : restoreDrive(underWay),
    fix: carriedInto(newFix(), carried.fix),
  }
}

/** A reading of a vehicle, after those before it. */
export interface DrivingStep {
  readonly entityType: string
  readonly now: DrivingSample
  /** Where the table of fleets names none. */
  readonly model?: string | null
}

interface Movement extends DriveMovement {
  readonly last: Fix
  readonly now: Fix
}
type FilledAnew<T> = { -readonly [K in keyof T]: T[K] }

/** Filled anew for every reading, and looked at during it only: most events of a fleet come through here. */
const fixNow = newFix()
const movement: FilledAnew<Movement> = {
  ...{ entityType: '', entityId: '', last: newFix(), now: fixNow, moves: false },
  ...{ atMs: Number.NaN, stepMs: Number.NaN, wayKm: Number.NaN, speedKmh: Number.NaN },
}

type DrivingContext = Pick<KeyContext, 'key' | 'eventTimeMs' | 'put' | 'reference'>

/** Takes a reading in; what is over by it is put, and now and then what goes on. */
export function drive(state: DrivingState, step: DrivingStep, context: DrivingContext): void {
  const { now } = step
  takeFix(fixNow, now)
  const atMs = context.eventTimeMs
  const before = state.period
  const period = isWithin(before, atMs) ? before : newPeriod(state, step, context)
  if (period !== before) {
    if (before !== null) context.put(drivingPeriods, before)
    state.period = period
  }
  if (before !== null) {
    movement.last = state.fix
    movement.entityType = step.entityType
    movement.entityId = context.key
    movement.atMs = atMs
    movement.stepMs = atMs - before.lastAtMs
    addMovement(period, movement, now)
    moveOn(state, context)
  }
  addSample(period, now, atMs)
  addFuel(period, state, now, atMs)
  takeFix(state.fix, now)
  if (atMs - state.putAtMs < PUT_EVERY_MS) return
  context.put(drivingPeriods, period)
  const { drive: underWay, putAtMs } = state
  state.putAtMs = atMs
  if (underWay === null || !isDue(underWay, { putAtMs, atMs })) return
  if (leadsSomewhere(underWay)) context.put(drives, underWay)
}

function takeFix(fix: Fix, { speedKmh, lat, lon, headingDeg, odometerKm }: DrivingSample): void {
  fix.speedKmh = speedKmh ?? Number.NaN
  fix.lat = lat ?? Number.NaN
  fix.lon = lon ?? Number.NaN
  fix.headingDeg = headingDeg ?? Number.NaN
  fix.odometerKm = odometerKm ?? Number.NaN
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
  const row = fleetRowOf(context.reference(FLEET_TABLE), context.key)
  if (Number.isNaN(state.tankLitres)) state.tankLitres = row?.fuelCapacityLitres ?? Number.NaN
  const { period: before } = state
  return newDrivingPeriod({
    entityType,
    entityId: context.key,
    startsAtMs: Math.floor(context.eventTimeMs / PERIOD_MS) * PERIOD_MS,
    fleet: row?.fleet ?? null,
    driver: row?.driver ?? null,
    model: row?.model ?? model,
    loadCapacityKg: row?.loadCapacityKg ?? Number.NaN,
    nominalLitresPer100Km: row?.nominalLitresPer100Km ?? Number.NaN,
    lat: before?.lat ?? Number.NaN,
    lon: before?.lon ?? Number.NaN,
    loadKg: before?.loadKg ?? Number.NaN,
  })
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
  if (!(speedKmh <= period.maxSpeedKmh)) period.maxSpeedKmh = speedKmh
}

/** Takes the way to `now` into the period, and says in the movement how far it led and how fast. */
function addMovement(
  period: DrivingPeriod,
  way: FilledAnew<Movement>,
  { fuelLph, rpm, postedLimitKmh }: DrivingSample,
): void {
  const { stepMs } = way
  const { speedKmh } = way.now
  const km = stepMs > 0 ? wayKm(way) : 0
  way.wayKm = km
  if (!Number.isNaN(speedKmh)) way.speedKmh = speedKmh
  else way.speedKmh = stepMs > 0 ? (km * HOUR_MS) / stepMs : 0
  way.moves = way.speedKmh >= MOVING_KMH
  if (stepMs <= 0) return
  period.distanceKm += km
  if (stepMs > GAP_MS || Number.isNaN(speedKmh)) return
  if (way.moves) period.movingMs += stepMs
  else if (rpm != null && rpm > 0) period.idleMs += stepMs
  if (speedKmh > (postedLimitKmh ?? SPEEDING_KMH) + SPEEDING_TOLERANCE_KMH) {
    period.speedingMs += stepMs
  }
  if (fuelLph != null) {
    period.consumedLitres = plus(period.consumedLitres, (fuelLph * stepMs) / HOUR_MS)
  }
  if (stepMs <= HARSH_FIXES_MS) addManoeuvre(period, way)
}

/** What is not known yet begins with the first that is added. */
function plus(sum: number, more: number): number {
  return Number.isNaN(sum) ? more : sum + more
}

/** By the odometer, else from fix to fix, else by the speed. */
function wayKm({ last, now, stepMs }: Movement): number {
  const mostKm = (FASTEST_KMH * stepMs) / HOUR_MS
  const km = now.odometerKm - last.odometerKm
  if (km >= 0 && km <= mostKm) return km
  if (isPlace(last) && isPlace(now)) {
    // Fixes wander while it stands.
    if (now.speedKmh < MOVING_KMH && stepMs <= GAP_MS) return 0
    const metres = distanceM(last, now)
    return metres <= mostKm * 1_000 ? metres / 1_000 : 0
  }
  const speedKmh = (last.speedKmh + now.speedKmh) / 2
  return stepMs > GAP_MS || Number.isNaN(speedKmh) ? 0 : (speedKmh * stepMs) / HOUR_MS
}

function isPlace({ lat, lon }: Fix): boolean {
  return !Number.isNaN(lat) && !Number.isNaN(lon)
}

/** What is not known is not harsh: nothing is at least as large as NaN, nor as small. */
function addManoeuvre(period: DrivingPeriod, { last, now, stepMs }: Movement): void {
  const seconds = stepMs / SECOND_MS
  const change = (now.speedKmh - last.speedKmh) / KMH_PER_MS / seconds
  if (change <= -HARSH_MS2) period.harshBraking++
  if (change >= HARSH_MS2) period.harshAcceleration++
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
  if (Number.isNaN(percent)) return
  state.fuel ??= newFuelBalance()
  const reading = { atMs, percent, speedKmh: speedKmh ?? Number.NaN }
  const { used, refuelled, stolen } = fuelChange(state.fuel, reading)
  period.fuelPercent = state.fuel.level
  period.usedPercent = plus(period.usedPercent, used)
  period.refuelledPercent += refuelled
  period.stolenPercent += stolen
  const litres = state.tankLitres / 100
  if (Number.isNaN(litres)) return
  period.usedLitres = plus(period.usedLitres, used * litres)
  period.refuelledLitres = plus(period.refuelledLitres, refuelled * litres)
  period.stolenLitres = plus(period.stolenLitres, stolen * litres)
}

/** Where only litres are sent, the most that was seen is a full tank; NaN where none are. */
function percentOf(state: DrivingState, litres: number | null): number {
  if (litres === null) return Number.NaN
  if (!(litres <= state.tankLitres)) state.tankLitres = litres
  return state.tankLitres === 0 ? Number.NaN : (100 * litres) / state.tankLitres
}
