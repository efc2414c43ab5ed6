// One truck: it drives its corridor up and down, stops where trucks stop, and keeps its box cold.

import { type EpochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../kernel/time.ts'
import type { Dice } from '../../dice.ts'
import { type Cargo, payloadKg } from './cargo.ts'
import { type Corridor, type Landmark, PIECE_M } from './corridors.ts'
import { burn, burnRate, type FuelTank, fill, reeferRate, siphon, slosh } from './fuel.ts'
import { type Reefer, stepReefer } from './reefer.ts'
import { outsideC, type Sky } from './weather.ts'

export type Activity =
  | 'driving'
  | 'delivery'
  | 'rest'
  | 'night-rest'
  | 'weighbridge'
  | 'refuel'
  | 'depot'
  | 'breakdown'

/** Owned and changed in place by the simulation. Instants that never come are infinite. */
export interface Truck {
  readonly id: string
  readonly dice: Dice
  readonly corridor: Corridor
  readonly cargo: Cargo
  readonly reefer: Reefer
  readonly tank: FuelTank
  /** How this driver keeps to the limit: 0.84 to 1.04. */
  readonly pace: number
  readonly powerPerKg: number
  shipment: number
  direction: 1 | -1
  /** Distance from the corridor's start. */
  alongM: number
  speedMps: number
  odometerM: number
  /** How freely the traffic flows: 1 is usual. */
  flow: number
  landmarkAhead: number
  stopAtM: number | null
  stopFor: Exclude<Activity, 'driving'>
  activity: Activity
  stopUntilMs: EpochMs
  doorOpensAtMs: EpochMs
  doorClosesAtMs: EpochMs
  doorOpen: boolean
  openingsLeft: number
  fillsUp: boolean
  drivenMs: number
  onDutyMs: number
  /** Mass of the goods. */
  loadKg: number
  breaksAtMs: EpochMs
  theftAtMs: EpochMs
  theftUntilMs: EpochMs
}

/** The same for every truck at one instant. */
export interface Step {
  readonly stepS: number
  readonly sky: Sky
  readonly thefts: boolean
}

const NEVER = Number.POSITIVE_INFINITY
const GRAVITY_MPS2 = 9.81
const ROLLING_RESISTANCE = 0.008
const STRONGEST_ACCELERATION_MPS2 = 0.7
const STRONGEST_BRAKING_MPS2 = 1.6
const STOPPING_MPS2 = 0.6
const ARRIVED_WITHIN_M = 12
const CRAWL_MPS = 1.5
/** 94 km/h: no lorry is faster, whatever the road. */
const TOP_SPEED_MPS = 26
/** Whether to stop at a landmark is decided this far before it. */
const DECIDE_M = 2_500
const REST_AFTER_MS = 4.3 * HOUR_MS
const NIGHT_REST_AFTER_MS = 11 * HOUR_MS
const REFUEL_BELOW = 0.33
/** A yard has a pump of its own. */
const REFUEL_IN_YARD_BELOW = 0.45
const MEAN_TIME_BETWEEN_THEFTS_MS = 400 * HOUR_MS
const MEAN_TIME_BETWEEN_BREAKDOWNS_MS = 500 * HOUR_MS
const FORGOTTEN_DOOR = 0.01
/** Share of the load that stays aboard at a delivery. */
const LEFT_ABOARD = 0.75

/** Moves the truck by one step that ends at `nowMs`. Steps above 5 s make braking coarse. */
export function stepTruck(truck: Truck, nowMs: EpochMs, step: Step): void {
  moveDoor(truck, nowMs)
  const piece = pieceOf(truck)
  if (truck.activity === 'driving') drive(truck, piece, nowMs, step)
  else wait(truck, nowMs, step)
  stepReefer(truck.reefer, truck.dice, {
    nowMs,
    stepS: step.stepS,
    outsideC: outsideC(step.sky, truck.corridor.altitudeM[piece] ?? 0),
    doorOpen: truck.doorOpen,
    docked: truck.activity === 'depot',
  })
  burnFuel(truck, piece, step)
}

export function pieceOf(truck: Truck): number {
  return Math.min(truck.corridor.gradient.length - 1, Math.floor(truck.alongM / PIECE_M))
}

function drive(truck: Truck, piece: number, nowMs: EpochMs, { stepS, sky }: Step): void {
  const { corridor, direction } = truck
  truck.flow +=
    ((1 - truck.flow) * stepS) / 70 + (truck.dice.next() - 0.5) * 0.045 * Math.sqrt(stepS)
  truck.flow = Math.min(1.12, Math.max(0.35, truck.flow))
  if (truck.stopAtM === null && nowMs >= truck.breaksAtMs) breakDown(truck, nowMs)
  else if (truck.stopAtM === null) lookAhead(truck, sky)

  const limits = direction === 1 ? corridor.outboundLimitMps : corridor.inboundLimitMps
  const jam = 1 - (corridor.cityness[piece] ?? 0) * (1 - sky.cityFlow)
  let targetMps = Math.min(TOP_SPEED_MPS, (limits[piece] ?? 0) * truck.pace * truck.flow * jam)
  let gapM = NEVER
  if (truck.stopAtM !== null) {
    gapM = Math.max(0, (truck.stopAtM - truck.alongM) * direction)
    targetMps = Math.min(targetMps, stoppingMps(gapM - (truck.speedMps * stepS) / 2, stepS))
  }
  const uphill = (corridor.gradient[piece] ?? 0) * direction
  const pull = truck.powerPerKg / Math.max(3, truck.speedMps)
  const gain = pull - GRAVITY_MPS2 * (uphill + ROLLING_RESISTANCE)
  const before = truck.speedMps
  truck.speedMps =
    before < targetMps
      ? Math.max(
          CRAWL_MPS,
          Math.min(targetMps, before + Math.min(STRONGEST_ACCELERATION_MPS2, gain) * stepS),
        )
      : Math.max(targetMps, before - STRONGEST_BRAKING_MPS2 * stepS)
  const strideM = Math.min(((before + truck.speedMps) / 2) * stepS, gapM)
  truck.alongM += strideM * direction
  truck.odometerM += strideM
  truck.drivenMs += stepS * SECOND_MS
  truck.onDutyMs += stepS * SECOND_MS
  if (gapM - strideM < ARRIVED_WITHIN_M) beginStop(truck, truck.stopFor, nowMs)
}

/** Speed at the end of a step from which even braking still ends at the stop. */
function stoppingMps(roomM: number, stepS: number): number {
  const halfStep = (STOPPING_MPS2 * stepS) / 2
  const squared = halfStep * halfStep + 2 * STOPPING_MPS2 * Math.max(0, roomM)
  return Math.max(CRAWL_MPS, Math.sqrt(squared) - halfStep)
}

function wait(truck: Truck, nowMs: EpochMs, { stepS, thefts }: Step): void {
  truck.speedMps = 0
  if (truck.fillsUp) fill(truck.tank, stepS)
  if (thefts && isUnattended(truck) && nowMs >= truck.theftAtMs) {
    truck.theftAtMs = nowMs + truck.dice.wait(MEAN_TIME_BETWEEN_THEFTS_MS)
    truck.theftUntilMs = nowMs + truck.dice.between(2.2, 4.5) * MINUTE_MS
  }
  if (nowMs < truck.theftUntilMs) siphon(truck.tank, stepS)
  if (nowMs >= truck.stopUntilMs) depart(truck, nowMs)
}

export function isUnattended(truck: Truck): boolean {
  return truck.activity === 'rest' || truck.activity === 'night-rest'
}

export function nextTheft(dice: Dice, nowMs: EpochMs): EpochMs {
  return nowMs + dice.wait(MEAN_TIME_BETWEEN_THEFTS_MS)
}

function burnFuel(truck: Truck, piece: number, { stepS }: Step): void {
  const { cargo, tank, reefer, speedMps } = truck
  const gradient = (truck.corridor.gradient[piece] ?? 0) * truck.direction
  const engine =
    truck.activity === 'driving'
      ? burnRate({ speedMps, gradient, grossMassT: cargo.grossMassT })
      : 0
  burn(tank, (engine + reeferRate(reefer.unit !== 'idle')) * stepS)
  slosh(tank, speedMps > 0, stepS, truck.dice.next())
}

// Stops.

function lookAhead(truck: Truck, sky: Sky): void {
  const landmark = truck.corridor.landmarks[truck.landmarkAhead] ?? truck.corridor.landmarks[0]
  const gapM = (landmark.atM - truck.alongM) * truck.direction
  if (gapM > DECIDE_M) return
  const reason = reasonToStop(truck, landmark, sky)
  if (reason === undefined) {
    truck.landmarkAhead += truck.direction
    return
  }
  truck.stopFor = reason
  // Not all in one spot: shops, lay-bys and stations lie along the road through the town.
  const aside = reason === 'delivery' || reason === 'rest' ? truck.dice.between(-900, 900) : 0
  const stopM = landmark.atM + aside
  const aheadM = truck.alongM + truck.direction * brakingM(truck.speedMps)
  const reachable = truck.direction === 1 ? Math.max(stopM, aheadM) : Math.min(stopM, aheadM)
  truck.stopAtM = Math.min(truck.corridor.lengthM - 1, Math.max(1, reachable))
}

/** It rolls out to the side of the road. */
function breakDown(truck: Truck, nowMs: EpochMs): void {
  truck.breaksAtMs = nextBreakdown(truck.dice, nowMs)
  truck.stopFor = 'breakdown'
  const stopM = truck.alongM + truck.direction * brakingM(truck.speedMps)
  truck.stopAtM = Math.min(truck.corridor.lengthM - 1, Math.max(1, stopM))
}

export function nextBreakdown(dice: Dice, nowMs: EpochMs): EpochMs {
  return nowMs + dice.wait(MEAN_TIME_BETWEEN_BREAKDOWNS_MS)
}

function brakingM(speedMps: number): number {
  return (speedMps * speedMps) / (2 * STOPPING_MPS2) + 20
}

function isEnd(truck: Truck): boolean {
  return truck.direction === 1
    ? truck.landmarkAhead >= truck.corridor.landmarks.length - 1
    : truck.landmarkAhead <= 0
}

function reasonToStop(truck: Truck, { place }: Landmark, sky: Sky): Truck['stopFor'] | undefined {
  if (isEnd(truck)) return 'depot'
  const { dice, tank } = truck
  if (place.kind === 'weighbridge') return dice.chance(0.75) ? 'weighbridge' : undefined
  if (place.kind !== 'town' && place.kind !== 'city') return undefined
  if (tank.levelL < tank.capacityL * REFUEL_BELOW) return 'refuel'
  const late = sky.hour >= 21 || sky.hour < 3
  if (truck.onDutyMs > NIGHT_REST_AFTER_MS * (late ? 0.7 : 1)) return 'night-rest'
  if (truck.drivenMs > REST_AFTER_MS) return 'rest'
  const shopsOpen = sky.hour >= 6 && sky.hour < 20
  const delivers = truck.cargo.grossMassT < 25 && (shopsOpen || dice.chance(0.3))
  return delivers && dice.chance(place.kind === 'city' ? 0.55 : 0.22) ? 'delivery' : undefined
}

/** Puts the truck to rest where it is. Also how a fleet starts in the middle of its day. */
export function beginStop(truck: Truck, reason: Truck['stopFor'], nowMs: EpochMs): void {
  const { dice } = truck
  truck.activity = reason
  truck.stopAtM = null
  truck.speedMps = 0
  truck.stopUntilMs = nowMs + stopLengthMinutes(truck, reason) * MINUTE_MS
  truck.openingsLeft = 0
  truck.fillsUp =
    reason === 'refuel' ||
    (reason === 'depot' && truck.tank.levelL < truck.tank.capacityL * REFUEL_IN_YARD_BELOW)
  if (reason === 'delivery') {
    truck.openingsLeft = dice.chance(0.4) ? 2 : 1
    planDoor(truck, nowMs + dice.between(50, 200) * SECOND_MS, dice.between(25, 120))
  }
  if (reason === 'depot') {
    planDoor(truck, nowMs + dice.between(4, 9) * MINUTE_MS, dice.between(6, 14) * 60)
  }
}

function stopLengthMinutes({ dice, tank }: Truck, reason: Truck['stopFor']): number {
  switch (reason) {
    case 'delivery':
      return dice.between(9, 24)
    case 'rest':
      return dice.between(30, 48)
    case 'night-rest':
      return dice.between(400, 500)
    case 'weighbridge':
      return dice.between(2.5, 11)
    case 'refuel':
      return 4 + ((1 - tank.levelL / tank.capacityL) * tank.capacityL) / 48 + dice.between(1, 5)
    case 'depot':
      return dice.between(30, 75)
    case 'breakdown':
      return dice.between(35, 160)
  }
}

function depart(truck: Truck, nowMs: EpochMs): void {
  const { dice, activity } = truck
  if (activity === 'rest') truck.drivenMs = 0
  if (activity === 'night-rest') truck.drivenMs = truck.onDutyMs = 0
  if (activity === 'depot') reload(truck)
  if (activity === 'delivery') truck.loadKg *= LEFT_ABOARD
  if (activity === 'delivery' && dice.chance(FORGOTTEN_DOOR)) {
    planDoor(truck, nowMs, dice.between(40, 150))
  }
  truck.activity = 'driving'
  // Where it broke down there is no landmark to leave behind.
  truck.landmarkAhead += isEnd(truck) || activity === 'breakdown' ? 0 : truck.direction
}

/** At the end of the road: other goods in, and back again. */
function reload(truck: Truck): void {
  truck.shipment += 1
  truck.loadKg = payloadKg(truck.cargo) * truck.dice.between(0.6, 1)
  truck.direction = truck.direction === 1 ? -1 : 1
  truck.landmarkAhead = truck.direction === 1 ? 0 : truck.corridor.landmarks.length - 1
  truck.reefer.cargoC = truck.cargo.setPointC + truck.dice.between(-0.3, 0.6)
  truck.drivenMs *= 0.4
}

// The door.

export function planDoor(truck: Truck, opensAtMs: EpochMs, openForS: number): void {
  truck.doorOpensAtMs = opensAtMs
  truck.doorClosesAtMs = opensAtMs + openForS * SECOND_MS
}

function moveDoor(truck: Truck, nowMs: EpochMs): void {
  if (nowMs < truck.doorOpensAtMs) return
  truck.doorOpen = nowMs < truck.doorClosesAtMs
  if (truck.doorOpen) return
  truck.doorOpensAtMs = NEVER
  if (truck.openingsLeft > 1) {
    truck.openingsLeft -= 1
    planDoor(truck, nowMs + truck.dice.between(90, 240) * SECOND_MS, truck.dice.between(20, 80))
    truck.stopUntilMs = Math.max(truck.stopUntilMs, truck.doorClosesAtMs + MINUTE_MS)
  }
}
