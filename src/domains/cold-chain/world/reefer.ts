// The refrigerated box: air that answers within minutes, cargo that answers within hours, and a unit
// that switches, defrosts and sometimes fails.
//
//   outside ──walls, door──► air ◄──surface of the goods──► cargo
//                             ▲
//                     unit (cools, heats, or neither)      sensor follows the air with a lag

import { type EpochMs, HOUR_MS, MINUTE_MS } from '../../../kernel/time.ts'
import type { Dice } from '../../dice.ts'
import type { Cargo } from './cargo.ts'

export type ReeferFailure = 'none' | 'compressor' | 'low-gas' | 'stuck-sensor'

export interface Reefer {
  setPointC: number
  airC: number
  cargoC: number
  sensorC: number
  unit: 'cooling' | 'heating' | 'idle'
  /** Rates per second and kelvin of difference, or kelvin per second. */
  wallRate: number
  doorRate: number
  fullCoolingCps: number
  lowCoolingCps: number
  defrostAtMs: EpochMs
  defrostUntilMs: EpochMs
  failure: ReeferFailure
  failsAtMs: EpochMs
  failureUntilMs: EpochMs
  /** The failure that comes next; drawn beforehand so that a running step draws nothing. */
  nextFailure: ReeferFailure
  nextFailureMs: number
}

export interface BoxConditions {
  readonly nowMs: EpochMs
  readonly stepS: number
  readonly outsideC: number
  readonly doorOpen: boolean
  /** At a loading dock the seal keeps most of the outside air out. */
  readonly docked: boolean
}

/** How fast the air follows the goods' surface, and the goods' surface the air (1/s). */
const AIR_TO_CARGO_RATE = 2e-3
const CARGO_TO_AIR_RATE = 1.4e-4
/** Thermostat: starts at the first difference from the set point, stops at the second. */
const START_C = 1.1
const STOP_C = -0.7
/** Beyond this difference the unit runs at full power. */
const FULL_POWER_C = 2
const SENSOR_LAG_S = 12
const DOCK_SEAL = 0.06
const DEFROST_EVERY_MS = 6 * HOUR_MS
const LOW_GAS_CAPACITY = 0.28
const MEAN_TIME_BETWEEN_FAILURES_MS = 170 * HOUR_MS

export interface ReeferStart {
  readonly cargo: Cargo
  readonly nowMs: EpochMs
  readonly failures: boolean
}

/** A box in the middle of its day: somewhere in its cycle, cargo close to the set point. */
export function startReefer(dice: Dice, { cargo, nowMs, failures }: ReeferStart): Reefer {
  const airC = cargo.setPointC + dice.between(STOP_C + 0.1, START_C - 0.1)
  const frozen = cargo.profile === 'frozen'
  const reefer: Reefer = {
    setPointC: cargo.setPointC,
    airC,
    cargoC: cargo.setPointC + dice.between(-0.2, 0.5),
    sensorC: airC,
    unit: dice.chance(0.35) ? 'cooling' : 'idle',
    wallRate: frozen ? 3e-4 : 4e-4,
    // Strip curtains are usual, and nearly always there on frozen and vaccine boxes.
    doorRate: dice.chance(cargo.profile === 'default' ? 0.87 : 0.96) ? 1.3e-3 : 6e-3,
    fullCoolingCps: frozen ? 0.06 : 0.085,
    lowCoolingCps: frozen ? 0.032 : 0.03,
    defrostAtMs: nowMs + dice.between(0, DEFROST_EVERY_MS),
    defrostUntilMs: 0,
    failure: 'none',
    failsAtMs: Number.POSITIVE_INFINITY,
    failureUntilMs: 0,
    nextFailure: 'none',
    nextFailureMs: 0,
  }
  if (failures) planFailure(reefer, dice, nowMs)
  return reefer
}

export function stepReefer(reefer: Reefer, dice: Dice, box: BoxConditions): void {
  const { nowMs, stepS } = box
  if (nowMs >= reefer.failsAtMs) startFailure(reefer)
  if (reefer.failure !== 'none' && nowMs >= reefer.failureUntilMs) {
    reefer.failure = 'none'
    planFailure(reefer, dice, nowMs)
  }
  if (nowMs >= reefer.defrostAtMs) startDefrost(reefer, dice, nowMs)

  const difference = reefer.airC - reefer.setPointC
  switchUnit(reefer, difference)
  const powerCps = unitPower(reefer, difference, box)
  const doorRate = box.doorOpen ? reefer.doorRate * (box.docked ? DOCK_SEAL : 1) : 0
  const gain =
    (reefer.wallRate + doorRate) * (box.outsideC - reefer.airC) +
    AIR_TO_CARGO_RATE * (reefer.cargoC - reefer.airC)
  reefer.cargoC += CARGO_TO_AIR_RATE * (reefer.airC - reefer.cargoC) * stepS
  reefer.airC += (gain + powerCps) * stepS
  if (reefer.failure !== 'stuck-sensor') {
    reefer.sensorC += (reefer.airC - reefer.sensorC) * Math.min(1, stepS / SENSOR_LAG_S)
  }
}

/** What the unit reports: on, unless its own alarm has shut it down. */
export function reportsOn(reefer: Reefer): boolean {
  return reefer.failure !== 'compressor'
}

function switchUnit(reefer: Reefer, difference: number): void {
  if (reefer.unit === 'cooling' && difference < STOP_C) reefer.unit = 'idle'
  else if (reefer.unit === 'heating' && difference > -STOP_C) reefer.unit = 'idle'
  else if (reefer.unit === 'idle' && difference > START_C) reefer.unit = 'cooling'
  else if (reefer.unit === 'idle' && difference < -START_C) reefer.unit = 'heating'
}

/** Kelvin per second that the unit adds to the air. The fans stop while a door is open. */
function unitPower(reefer: Reefer, difference: number, box: BoxConditions): number {
  if (box.doorOpen || box.nowMs < reefer.defrostUntilMs) return 0
  if (reefer.unit === 'idle' || reefer.failure === 'compressor') return 0
  const capacity = reefer.failure === 'low-gas' ? LOW_GAS_CAPACITY : 1
  const strongCps =
    Math.abs(difference) > FULL_POWER_C ? reefer.fullCoolingCps : reefer.lowCoolingCps
  return (reefer.unit === 'cooling' ? -strongCps : strongCps) * capacity
}

function startDefrost(reefer: Reefer, dice: Dice, nowMs: EpochMs): void {
  // A coil near or above the freezing point needs no more than a short thaw.
  const lengthMs =
    reefer.setPointC < 0 ? dice.between(18, 28) * MINUTE_MS : dice.between(1, 2) * MINUTE_MS
  if (reefer.setPointC < 15) reefer.defrostUntilMs = nowMs + lengthMs
  reefer.defrostAtMs = nowMs + DEFROST_EVERY_MS
}

/** Makes the compressor fail at the given instant, in place of whatever was to fail next. */
export function planCompressorFailure(
  reefer: Reefer,
  { failsAtMs, lengthMs }: { readonly failsAtMs: EpochMs; readonly lengthMs: number },
): void {
  reefer.failsAtMs = failsAtMs
  reefer.nextFailure = 'compressor'
  reefer.nextFailureMs = lengthMs
}

function startFailure(reefer: Reefer): void {
  reefer.failure = reefer.nextFailure
  reefer.failureUntilMs = reefer.failsAtMs + reefer.nextFailureMs
  reefer.failsAtMs = Number.POSITIVE_INFINITY
}

function planFailure(reefer: Reefer, dice: Dice, nowMs: EpochMs): void {
  const kind = dice.next()
  reefer.failsAtMs = nowMs + dice.wait(MEAN_TIME_BETWEEN_FAILURES_MS)
  reefer.nextFailure = kind < 0.6 ? 'compressor' : kind < 0.85 ? 'low-gas' : 'stuck-sensor'
  reefer.nextFailureMs =
    reefer.nextFailure === 'compressor'
      ? dice.between(25, 110) * MINUTE_MS
      : dice.between(40, 240) * MINUTE_MS
}
