// What the first trucks of a fleet do in its first minutes, whatever the seed, so that a watcher soon
// sees an alarm open and resolve, a unit fail, fuel go missing, a door left open, a truck fall silent.

import { type EpochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../kernel/time.ts'
import type { Dice } from '../../dice.ts'
import { type Cargo, cargoes } from './cargo.ts'
import { type Corridor, corridors } from './corridors.ts'
import { planCompressorFailure } from './reefer.ts'
import type { Tracker } from './tracker.ts'
import { beginStop, planDoor, type Truck } from './truck.ts'

export interface Actor {
  readonly truck: Truck
  readonly tracker: Tracker
}

interface Part {
  /** Smallest fleet that has it. */
  readonly fleet: number
  /** Needs failures to be switched on. */
  readonly failure: boolean
  readonly cargo: Cargo
  /** Kilometres from Naivasha, on the way to Mombasa. */
  readonly atKm: readonly [number, number]
  play(actor: Actor, nowMs: EpochMs): void
}

const parts: readonly Part[] = [
  {
    // A delivery in the warm lowlands: the box warms within seconds and is cold again within a minute.
    fleet: 1,
    failure: false,
    cargo: cargoes.flowers,
    atKm: [480, 530],
    play({ truck }, nowMs) {
      beginStop(truck, 'delivery', nowMs)
      truck.openingsLeft = 1
      truck.reefer.doorRate = 0.012
      truck.reefer.fullCoolingCps = 0.12
      truck.reefer.airC = truck.reefer.sensorC = truck.reefer.setPointC + 1.4
      truck.reefer.cargoC = truck.reefer.setPointC
      planDoor(truck, nowMs + truck.dice.between(4, 7) * SECOND_MS, truck.dice.between(24, 29))
    },
  },
  {
    // A unit that stops on the road and runs again after the driver has restarted it.
    fleet: 2,
    failure: true,
    cargo: cargoes.dairy,
    atKm: [330, 470],
    play({ truck }, nowMs) {
      truck.reefer.cargoC = truck.reefer.setPointC + 1.6
      truck.reefer.airC = truck.reefer.sensorC = truck.reefer.setPointC + 1.2
      planCompressorFailure(truck.reefer, {
        failsAtMs: nowMs + truck.dice.between(60, 120) * SECOND_MS,
        lengthMs: truck.dice.between(16, 28) * MINUTE_MS,
      })
    },
  },
  {
    fleet: 8,
    failure: true,
    cargo: cargoes.avocados,
    atKm: [250, 320],
    play({ truck }, nowMs) {
      beginStop(truck, 'rest', nowMs)
      truck.tank.levelL = truck.tank.capacityL * truck.dice.between(0.6, 0.85)
      truck.theftAtMs = nowMs + truck.dice.between(150, 300) * SECOND_MS
    },
  },
  {
    fleet: 8,
    failure: true,
    cargo: cargoes.vaccines,
    atKm: [120, 240],
    play({ truck, tracker }, nowMs) {
      tracker.lostAtMs = nowMs + truck.dice.between(100, 240) * SECOND_MS
      tracker.backAtMs = tracker.lostAtMs + truck.dice.between(14, 25) * MINUTE_MS
      tracker.keeps = false
    },
  },
  {
    fleet: 8,
    failure: true,
    cargo: cargoes.flowers,
    atKm: [140, 300],
    play({ truck }, nowMs) {
      planDoor(truck, nowMs + truck.dice.between(80, 200) * SECOND_MS, truck.dice.between(45, 90))
    },
  },
]

export interface Stage {
  readonly vehicles: number
  readonly failures: boolean
}

/** Where the `index`-th truck starts and what it carries, if it has a part to play. */
export function castOf(
  index: number,
  { vehicles, failures }: Stage,
  dice: Dice,
): { readonly corridor: Corridor; readonly cargo: Cargo; readonly alongM: number } | undefined {
  const part = parts[index]
  if (part === undefined || vehicles < part.fleet || (part.failure && !failures)) return undefined
  return {
    corridor: corridors()[0],
    cargo: part.cargo,
    alongM: dice.between(...part.atKm) * 1_000,
  }
}

/** Sets the scene for a truck that `castOf` has placed; nothing else befalls it meanwhile. */
export function play(index: number, actor: Actor, nowMs: EpochMs): void {
  const { truck, tracker } = actor
  const quietUntilMs = nowMs + HOUR_MS / 2
  truck.reefer.failsAtMs = Math.max(truck.reefer.failsAtMs, quietUntilMs)
  truck.reefer.defrostAtMs = Math.max(truck.reefer.defrostAtMs, quietUntilMs)
  const lossLaterMs = Math.max(0, quietUntilMs - tracker.lostAtMs)
  tracker.lostAtMs += lossLaterMs
  tracker.backAtMs += lossLaterMs
  parts[index]?.play(actor, nowMs)
}
