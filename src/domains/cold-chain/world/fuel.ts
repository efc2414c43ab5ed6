// Fuel: what the engine and the reefer burn, and what a float in a moving tank makes of the level.

import type { Dice } from '../../dice.ts'

export interface FuelTank {
  readonly capacityL: number
  levelL: number
  /** Error of the level sensor in percent of the tank: the fuel sloshes. */
  sloshPercent: number
}

/** Litres an hour that the engine burns at rest or rolling downhill. */
const IDLE_LPH = 1.6
const REEFER_RUNNING_LPH = 2.4
const REEFER_IDLE_LPH = 0.7
const PUMP_LPS = 0.8
const SIPHON_LPS = 0.55
const FULL = 0.96
/** Thieves leave enough to drive on. */
const SIPHON_LEAVES = 0.3

export function startTank(dice: Dice, grossMassT: number): FuelTank {
  const capacityL = grossMassT > 20 ? dice.pick([400, 500, 600]) : dice.pick([200, 300])
  return { capacityL, levelL: capacityL * dice.between(0.4, 0.95), sloshPercent: 0 }
}

export interface Driving {
  readonly speedMps: number
  readonly gradient: number
  readonly grossMassT: number
}

/** Litres a second. About 25 to 40 L/100 km over a whole trip, by load and hills. */
export function burnRate({ speedMps, gradient, grossMassT }: Driving): number {
  const speedKmh = speedMps * 3.6
  const perKm =
    0.09 + 0.0042 * grossMassT + 0.0000105 * speedKmh * speedKmh + 0.6 * grossMassT * gradient
  return Math.max(IDLE_LPH / 3_600, (perKm * speedMps) / 1_000)
}

export function reeferRate(running: boolean): number {
  return (running ? REEFER_RUNNING_LPH : REEFER_IDLE_LPH) / 3_600
}

export function burn(tank: FuelTank, litres: number): void {
  tank.levelL = Math.max(0, tank.levelL - litres)
}

export function fill(tank: FuelTank, stepS: number): void {
  tank.levelL = Math.max(
    tank.levelL,
    Math.min(tank.capacityL * FULL, tank.levelL + PUMP_LPS * stepS),
  )
}

export function siphon(tank: FuelTank, stepS: number): void {
  const leftL = tank.capacityL * SIPHON_LEAVES
  tank.levelL = Math.min(tank.levelL, Math.max(leftL, tank.levelL - SIPHON_LPS * stepS))
}

/** `chance` is uniform in [0, 1). The float settles within seconds of standing still. */
export function slosh(tank: FuelTank, moving: boolean, stepS: number, chance: number): void {
  const keep = Math.exp(-stepS / 15)
  const widthPercent = moving ? 2.2 : 0.15
  tank.sloshPercent = tank.sloshPercent * keep + (chance - 0.5) * widthPercent * (1 - keep)
}
