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

export interface Car {
  readonly dice: Dice
  readonly model: ModelTraits
  readonly road: Road
  /** Lengths of the road's pieces, and the way so far to each point. */
  readonly atPointM: readonly number[]
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
  const piece = pieceOf(car)
  const [from, to] = [car.road.points[piece], car.road.points[piece + 1]]
  const startM = car.atPointM[piece] ?? 0
  const lengthM = (car.atPointM[piece + 1] ?? startM) - startM
  const share = lengthM > 0 ? (car.alongM - startM) / lengthM : 0
  const between = (a = 0, b = 0): number => a + (b - a) * share
  return { lat: between(from?.lat, to?.lat), lon: between(from?.lon, to?.lon) }
}

export function headingDegOf(car: Car): number {
  const piece = pieceOf(car)
  const [from, to] = [car.road.points[piece], car.road.points[piece + 1]]
  if (from === undefined || to === undefined) return 0
  return car.direction > 0 ? bearingDeg(from, to) : bearingDeg(to, from)
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
  const last = car.atPointM.length - 2
  for (let piece = last; piece > 0; piece--) {
    if (car.alongM >= (car.atPointM[piece] ?? 0)) return piece
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
  const loss = BRAKING_MS2 * KMH * stepS
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
  if (car.nowMs < car.stoppedUntilMs) return 0
  if (car.nowMs < car.racingUntilMs) return Math.min(car.model.topSpeedKmh, 138)
  return Math.min(car.model.topSpeedKmh, limitKmh(car) * car.haste, speedForWhatComesKmh(car))
}

/** So fast that it is down to the limit of the road's next piece, by gentle braking, where that begins. */
function speedForWhatComesKmh(car: Car): number {
  const piece = pieceOf(car)
  const next = piece + car.direction
  const { limitKmh: nextLimitKmh } = car.road.points[next] ?? {}
  if (nextLimitKmh === undefined || next >= car.atPointM.length - 1) return Number.POSITIVE_INFINITY
  const boundaryM = car.atPointM[car.direction > 0 ? next : piece] ?? 0
  const reactionM = (car.speedKmh / KMH) * REACTION_S
  const leftM = Math.max(0, Math.abs(boundaryM - car.alongM) - reactionM)
  const nextMs = (nextLimitKmh * car.haste) / KMH
  return Math.sqrt(nextMs ** 2 + 2 * GENTLE_MS2 * leftM) * KMH
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
