// One simulated car: where it is, how it drives, and what its driver does with the gears.

import { bearingDeg, distanceM } from '../../../kernel/geo.ts'
import {
  type DurationMs,
  type EpochMs,
  HOUR_MS,
  MINUTE_MS,
  SECOND_MS,
} from '../../../kernel/time.ts'
import type { Dice } from '../../dice.ts'
import { DEFAULT_GEARS, expectedGear } from '../gears.ts'
import type { ModelTraits } from './fleet.ts'
import type { Road } from './roads.ts'

const BRAKING_MS2 = 2.4
/** Of a driver who sees a lower limit ahead. */
const GENTLE_MS2 = 1.2
const REACTION_S = 1.5
const TURNING_KMH = 4
/** Across, in a bend taken at the limit. */
const BEND_MS2 = 2
/** Of the shorter road that meets there, a bend takes no more on either side. */
const MOST_OF_PIECE = 0.45
/** Somebody steps out: as hard as tyres allow, for a moment. */
const EMERGENCY_MS2 = 6.5
const EMERGENCY_MS: DurationMs = 2 * SECOND_MS
const BETWEEN_EMERGENCIES_MS = 3 * HOUR_MS
const KMH = 3.6
/** Longest step of the physics; longer intervals are walked in several. */
const LONGEST_STEP_MS = SECOND_MS
/** Engine revolutions for each km/h, by gear, of a car with six. */
const RPM_PER_KMH = [0, 145, 82, 56, 42, 34, 28]
const IDLE_RPM = 780
/** Mean time between two such things in the life of one car. */
const BETWEEN_STOPS_MS = 4 * MINUTE_MS
const BETWEEN_RACES_MS = 3 * HOUR_MS
const BETWEEN_LAZY_GEARS_MS = HOUR_MS
/** A gear is forgotten on the move, until the engine would stall in it. */
const LOWEST_LAZY_GEAR = 2
const STALLS_BELOW_KMH = 8
const BETWEEN_OVERREVS_MS = 4 * HOUR_MS

/** Where two pieces of a road meet. */
interface Bend {
  readonly atM: number
  /** As long before it as after it. */
  readonly reachM: number
  readonly fromDeg: number
  readonly turnDeg: number
}

export interface Car {
  readonly dice: Dice
  readonly model: ModelTraits
  readonly road: Road
  /** Lengths of the road's pieces, and the way so far to each point. */
  readonly atPointM: readonly number[]
  /** Between the pieces, seen from the road's start. */
  readonly bends: readonly Bend[]
  /** Driver's usual speed, relative to the limit. */
  readonly haste: number
  nowMs: EpochMs
  /** From the road's start. */
  alongM: number
  /** 1 or −1: to the road's end, or back. */
  direction: number
  speedKmh: number
  odometerKm: number
  gear: number
  chargePercent: number
  stoppedUntilMs: EpochMs
  nextStopMs: EpochMs
  /** Driving far too fast until then. */
  racingUntilMs: EpochMs
  nextRaceMs: EpochMs
  /** Leaving the gear as it is until then. */
  lazyUntilMs: EpochMs
  nextLazyMs: EpochMs
  /** Turning the engine as far as it goes until then. */
  overrevUntilMs: EpochMs
  nextOverrevMs: EpochMs
  /** Braking with all there is until then. */
  emergencyUntilMs: EpochMs
  nextEmergencyMs: EpochMs
}

export interface CarSetting {
  readonly dice: Dice
  readonly model: ModelTraits
  readonly road: Road
  readonly startMs: EpochMs
  /** False: nobody speeds, forgets a gear or overrevs. */
  readonly failures: boolean
}

export function newCar({ dice, model, road, startMs, failures }: CarSetting): Car {
  const atPointM = waysTo(road)
  const never = failures ? 0 : Number.POSITIVE_INFINITY
  const car: Car = {
    dice,
    model,
    road,
    atPointM,
    bends: bendsOf(road, atPointM),
    haste: dice.between(0.8, 0.985),
    nowMs: startMs,
    alongM: dice.between(0, atPointM.at(-1) ?? 0),
    direction: dice.chance(0.5) ? 1 : -1,
    speedKmh: dice.between(20, 60),
    odometerKm: Math.round(dice.between(2_000, 240_000)),
    gear: 3,
    chargePercent: dice.between(35, 95),
    stoppedUntilMs: startMs,
    nextStopMs: startMs + dice.wait(BETWEEN_STOPS_MS),
    racingUntilMs: startMs,
    nextRaceMs: never + startMs + dice.wait(BETWEEN_RACES_MS),
    lazyUntilMs: startMs,
    nextLazyMs: never + startMs + dice.wait(BETWEEN_LAZY_GEARS_MS),
    overrevUntilMs: startMs,
    nextOverrevMs: never + startMs + dice.wait(BETWEEN_OVERREVS_MS),
    emergencyUntilMs: startMs,
    nextEmergencyMs: never + startMs + dice.wait(BETWEEN_EMERGENCIES_MS),
  }
  car.speedKmh = Math.min(car.speedKmh, wantedKmh(car))
  return car
}

/** Moves the car on to the moment. */
export function driveTo(car: Car, atMs: EpochMs): void {
  while (car.nowMs < atMs) {
    const stepMs = Math.min(LONGEST_STEP_MS, atMs - car.nowMs)
    car.nowMs += stepMs
    decide(car)
    step(car, stepMs)
  }
}

export function limitKmh(car: Car): number {
  const { points } = car.road
  return points[pieceOf(car)]?.limitKmh ?? 50
}

export function positionOf(car: Car): { readonly lat: number; readonly lon: number } {
  const bend = bendAt(car)
  if (bend === undefined) return pointAt(car, car.alongM)
  // From one leg to the other on a curve that touches both.
  const share = (car.alongM - bend.atM + bend.reachM) / (2 * bend.reachM)
  const [before, corner, after] = [-bend.reachM, 0, bend.reachM].map((m) =>
    pointAt(car, bend.atM + m),
  )
  const curve = (a = 0, b = 0, c = 0): number =>
    (1 - share) ** 2 * a + 2 * share * (1 - share) * b + share ** 2 * c
  return {
    lat: curve(before?.lat, corner?.lat, after?.lat),
    lon: curve(before?.lon, corner?.lon, after?.lon),
  }
}

/** On the straight legs. */
function pointAt(car: Car, alongM: number): { readonly lat: number; readonly lon: number } {
  const piece = pieceAt(car, alongM)
  const [from, to] = [car.road.points[piece], car.road.points[piece + 1]]
  const startM = car.atPointM[piece] ?? 0
  const lengthM = (car.atPointM[piece + 1] ?? startM) - startM
  const share = lengthM > 0 ? (alongM - startM) / lengthM : 0
  const between = (a = 0, b = 0): number => a + (b - a) * share
  return { lat: between(from?.lat, to?.lat), lon: between(from?.lon, to?.lon) }
}

export function headingDegOf(car: Car): number {
  const bend = bendAt(car)
  const piece = pieceOf(car)
  const outwardDeg =
    bend === undefined
      ? legDeg(car.road, piece)
      : bend.fromDeg + (bend.turnDeg * (car.alongM - bend.atM + bend.reachM)) / (2 * bend.reachM)
  return (outwardDeg + (car.direction > 0 ? 0 : 180) + 360) % 360
}

function legDeg({ points }: Road, piece: number): number {
  const [from, to] = [points[piece], points[piece + 1]]
  return from === undefined || to === undefined ? 0 : bearingDeg(from, to)
}

function bendAt({ bends, alongM }: Car): Bend | undefined {
  return bends.find(({ atM, reachM }) => Math.abs(alongM - atM) < reachM)
}

/** A bend is so wide that whoever keeps to the limit is not thrown about in it. */
function bendsOf(road: Road, atPointM: readonly number[]): readonly Bend[] {
  return road.points.slice(1, -1).map((point, index) => {
    const before = road.points[index]
    const [startM = 0, atM = 0, endM = 0] = atPointM.slice(index, index + 3)
    const fromDeg = legDeg(road, index)
    const turnDeg = ((legDeg(road, index + 1) - fromDeg + 540) % 360) - 180
    const fastestMs = Math.max(point.limitKmh, before?.limitKmh ?? 0) / KMH
    const lengthM = (fastestMs ** 2 * Math.abs(turnDeg) * Math.PI) / 180 / BEND_MS2
    const roomM = MOST_OF_PIECE * Math.min(atM - startM, endM - atM)
    return { atM, fromDeg, turnDeg, reachM: Math.min(lengthM / 2, roomM) }
  })
}

export function rpmOf(car: Car): number {
  if (car.model.electric) return Math.round(car.speedKmh * 40)
  if (car.nowMs < car.overrevUntilMs) return Math.round(6_100 + car.dice.between(0, 500))
  const perKmh = RPM_PER_KMH[car.gear] ?? 30
  return Math.round(Math.max(IDLE_RPM, Math.min(6_900, car.speedKmh * perKmh)))
}

/** Fuel flow by load: idling, rolling, and what speed and acceleration ask for. */
export function fuelLphOf(car: Car): number {
  const speed = car.speedKmh
  return 0.7 + speed * 0.035 + (speed / 100) ** 3 * 3.2
}

function waysTo(road: Road): readonly number[] {
  const ways = [0]
  for (let index = 1; index < road.points.length; index++) {
    const [from, to] = [road.points[index - 1], road.points[index]]
    if (from !== undefined && to !== undefined) ways.push((ways.at(-1) ?? 0) + distanceM(from, to))
  }
  return ways
}

function pieceOf(car: Car): number {
  return pieceAt(car, car.alongM)
}

function pieceAt({ atPointM }: Car, alongM: number): number {
  const last = atPointM.length - 2
  for (let piece = last; piece > 0; piece--) {
    if (alongM >= (atPointM[piece] ?? 0)) return piece
  }
  return 0
}

function decide(car: Car): void {
  const { dice, nowMs } = car
  if (nowMs >= car.nextStopMs) {
    car.stoppedUntilMs = nowMs + dice.between(8, 70) * SECOND_MS
    car.nextStopMs = car.stoppedUntilMs + dice.wait(BETWEEN_STOPS_MS)
  }
  if (nowMs >= car.nextRaceMs) {
    car.racingUntilMs = nowMs + dice.between(25, 90) * SECOND_MS
    car.nextRaceMs = car.racingUntilMs + dice.wait(BETWEEN_RACES_MS)
    // Nobody races from one set of lights to the next.
    car.nextStopMs = Math.max(car.nextStopMs, car.racingUntilMs)
  }
  if (nowMs >= car.nextLazyMs && car.gear >= LOWEST_LAZY_GEAR) {
    car.lazyUntilMs = nowMs + dice.between(6, 30) * SECOND_MS
    car.nextLazyMs = car.lazyUntilMs + dice.wait(BETWEEN_LAZY_GEARS_MS)
  }
  if (nowMs >= car.nextEmergencyMs) {
    car.emergencyUntilMs = nowMs + EMERGENCY_MS
    car.nextEmergencyMs = nowMs + dice.wait(BETWEEN_EMERGENCIES_MS)
  }
  if (nowMs >= car.nextOverrevMs) {
    car.overrevUntilMs = nowMs + dice.between(3, 12) * SECOND_MS
    car.nextOverrevMs = car.overrevUntilMs + dice.wait(BETWEEN_OVERREVS_MS)
  }
}

function step(car: Car, stepMs: DurationMs): void {
  const { model } = car
  const stepS = stepMs / SECOND_MS
  const wanted = wantedKmh(car)
  const gain = model.accelerationMs2 * (1 - car.speedKmh / (model.topSpeedKmh * 1.25)) * KMH * stepS
  const brakingMs2 = car.nowMs < car.emergencyUntilMs ? EMERGENCY_MS2 : BRAKING_MS2
  const loss = brakingMs2 * KMH * stepS
  if (wanted > car.speedKmh) car.speedKmh = Math.min(wanted, car.speedKmh + Math.max(0.2, gain))
  else car.speedKmh = Math.max(wanted, car.speedKmh - loss)
  const wayM = (car.speedKmh / KMH) * stepS
  car.odometerKm += wayM / 1_000
  if (model.electric) charge(car, wayM)
  car.alongM += car.direction * wayM
  const lengthM = car.atPointM.at(-1) ?? 0
  if (car.alongM < 0 || car.alongM > lengthM) {
    car.alongM = Math.max(0, Math.min(lengthM, car.alongM))
    car.direction = -car.direction
    car.stoppedUntilMs = Math.max(car.stoppedUntilMs, car.nowMs + 45 * SECOND_MS)
  }
  if (car.nowMs >= car.lazyUntilMs || car.speedKmh < STALLS_BELOW_KMH) car.gear = wantedGear(car)
}

function wantedKmh(car: Car): number {
  if (car.nowMs < car.stoppedUntilMs || car.nowMs < car.emergencyUntilMs) return 0
  const { topSpeedKmh } = car.model
  // Who races minds no limit, but the end of the road.
  if (car.nowMs < car.racingUntilMs) return Math.min(topSpeedKmh, 138, speedForTheEndKmh(car))
  return Math.min(
    topSpeedKmh,
    limitKmh(car) * car.haste,
    speedForWhatComesKmh(car),
    speedForTheEndKmh(car),
  )
}

/** It turns round where the road ends, at a walking pace. */
function speedForTheEndKmh(car: Car): number {
  const endM = car.direction > 0 ? (car.atPointM.at(-1) ?? 0) : 0
  return speedBeforeKmh(car, endM, TURNING_KMH)
}

/** So fast that it is down to the limit of the road's next piece, by gentle braking, where that begins. */
function speedForWhatComesKmh(car: Car): number {
  const piece = pieceOf(car)
  const next = piece + car.direction
  const { limitKmh: nextLimitKmh } = car.road.points[next] ?? {}
  if (nextLimitKmh === undefined || next >= car.atPointM.length - 1) return Number.POSITIVE_INFINITY
  const boundaryM = car.atPointM[car.direction > 0 ? next : piece] ?? 0
  return speedBeforeKmh(car, boundaryM, nextLimitKmh * car.haste)
}

/** From which gentle braking leads to a speed at a place ahead. */
function speedBeforeKmh(car: Car, placeM: number, thereKmh: number): number {
  const reactionM = (car.speedKmh / KMH) * REACTION_S
  const leftM = Math.max(0, Math.abs(placeM - car.alongM) - reactionM)
  return Math.sqrt((thereKmh / KMH) ** 2 + 2 * GENTLE_MS2 * leftM) * KMH
}

function wantedGear(car: Car): number {
  if (car.model.electric) return car.speedKmh < 1 ? 0 : 1
  return expectedGear(car.speedKmh, DEFAULT_GEARS) ?? 0
}

/** Some 15 kWh of 40 for each 100 km; plugged in where it runs low. */
function charge(car: Car, wayM: number): void {
  car.chargePercent -= (wayM / 100_000) * 37.5
  if (car.chargePercent < 12) car.chargePercent = 90
}
