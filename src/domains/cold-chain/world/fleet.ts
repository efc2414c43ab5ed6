// A fleet in the middle of its day: spread along the corridors, most of it on the move.

import type { EpochMs } from '../../../kernel/time.ts'
import { HOUR_MS, MINUTE_MS } from '../../../kernel/time.ts'
import type { Random } from '../../../ports/random.ts'
import { type Dice, diceFrom } from '../../dice.ts'
import { plate } from '../../plates.ts'
import { type Cargo, payloadKg } from './cargo.ts'
import { type Corridor, corridors } from './corridors.ts'
import { startTank } from './fuel.ts'
import { type Actor, castOf, play } from './opening-scene.ts'
import { startReefer } from './reefer.ts'
import { startTracker } from './tracker.ts'
import { type Activity, beginStop, nextBreakdown, nextTheft, pieceOf, type Truck } from './truck.ts'

export interface FleetOptions {
  readonly vehicles: number
  readonly random: Random
  readonly startMs: EpochMs
  readonly failures: boolean
}

const STARTING: readonly [Start, ...Start[]] = [
  { activity: 'driving', weight: 78 },
  { activity: 'delivery', weight: 7 },
  { activity: 'rest', weight: 5 },
  { activity: 'night-rest', weight: 3 },
  { activity: 'weighbridge', weight: 2 },
  { activity: 'refuel', weight: 2 },
  { activity: 'depot', weight: 3 },
]

interface Start {
  readonly activity: Activity
  readonly weight: number
}

/** Odometers grow with the calendar, so that a later start of the same fleet has driven further. */
const FLEET_SINCE_MS = Date.UTC(2023, 0, 1)
const MEAN_SPEED_MPS = 11 / 3.6

export function assemble({ vehicles, random, startMs, failures }: FleetOptions): Actor[] {
  const plateOffset = Math.floor(random.next() * 0x7fff_ffff)
  return Array.from({ length: vehicles }, (_, index) => {
    const dice = diceFrom(random)
    const cast = castOf(index, { vehicles, failures }, dice)
    const place = cast ?? somewhere(dice)
    const truck = placeTruck(dice, plate(index, plateOffset), place, { startMs, failures })
    const actor = { truck, tracker: startTracker(dice, startMs, failures) }
    if (cast === undefined) beginDay(truck, startMs)
    else play(index, actor, startMs)
    return actor
  })
}

interface Placed {
  readonly corridor: Corridor
  readonly cargo: Cargo
  readonly alongM: number
}

function somewhere(dice: Dice): Placed {
  const corridor = dice.weighted(corridors())
  return {
    corridor,
    cargo: dice.pick(corridor.cargoes),
    alongM: corridor.lengthM * dice.between(0.01, 0.99),
  }
}

function placeTruck(
  dice: Dice,
  id: string,
  { corridor, cargo, alongM }: Placed,
  { startMs, failures }: { readonly startMs: EpochMs; readonly failures: boolean },
): Truck {
  const direction = dice.chance(0.5) ? 1 : -1
  const ahead = corridor.landmarks.findIndex((landmark) => landmark.atM > alongM)
  const drivenMs = dice.between(0, 4) * HOUR_MS
  const pace = dice.between(0.84, 1.04)
  const ageMs = Math.max(0, startMs - FLEET_SINCE_MS)
  const truck: Truck = {
    id,
    dice,
    corridor,
    cargo,
    reefer: startReefer(dice, { cargo, nowMs: startMs, failures }),
    tank: startTank(dice, cargo.grossMassT),
    pace,
    powerPerKg: dice.between(8.5, 12) * (18 / (9 + cargo.grossMassT / 2)),
    shipment: 1,
    direction,
    alongM,
    speedMps: 0,
    odometerM: dice.between(4e6, 3e8) + (ageMs / 1_000) * MEAN_SPEED_MPS,
    flow: dice.between(0.9, 1.05),
    landmarkAhead: direction === 1 ? ahead : ahead - 1,
    stopAtM: null,
    stopFor: 'rest',
    activity: 'driving',
    stopUntilMs: 0,
    doorOpensAtMs: Number.POSITIVE_INFINITY,
    doorClosesAtMs: 0,
    doorOpen: false,
    openingsLeft: 0,
    fillsUp: false,
    drivenMs,
    onDutyMs: drivenMs + dice.between(0, 6) * HOUR_MS,
    theftAtMs: nextTheft(dice, startMs),
    loadKg: payloadKg(cargo) * dice.between(0.45, 1),
    breaksAtMs: failures ? nextBreakdown(dice, startMs) : Number.POSITIVE_INFINITY,
    theftUntilMs: 0,
  }
  const limits = direction === 1 ? corridor.outboundLimitMps : corridor.inboundLimitMps
  truck.speedMps = (limits[pieceOf(truck)] ?? 0) * pace * 0.9
  return truck
}

function beginDay(truck: Truck, startMs: EpochMs): void {
  const { activity } = truck.dice.weighted(STARTING)
  if (activity === 'driving') return
  // Somewhere in the middle of the stop: part of its length has passed before the start.
  beginStop(truck, activity, startMs)
  const passed = truck.dice.next() * (truck.stopUntilMs - startMs - 4 * MINUTE_MS)
  if (activity !== 'delivery' && activity !== 'depot') truck.stopUntilMs -= Math.max(0, passed)
}
