// The vehicles' synthetic world: cars on the roads of Nairobi, some of them driven too fast, in a wrong gear
// or to the end of the rev counter.

import { toIso } from '../../kernel/time.ts'
import { type Actor, ActorSimulation } from '../actor-simulation.ts'
import { diceFrom } from '../dice.ts'
import { GENERAL_BREAKAGES, replaced, type Spoil } from '../faults.ts'
import type { SimulatedFleet, Simulation, SimulationOptions } from '../simulation.ts'
import { vehicleTelemetry } from './events.ts'
import {
  type Car,
  driveTo,
  fuelLphOf,
  headingDegOf,
  limitKmh,
  newCar,
  positionOf,
  rpmOf,
} from './world/car.ts'
import { modelOf, vehicleIdOf } from './world/fleet.ts'
import { roads } from './world/roads.ts'

/** Vehicles of the example reference set. */
export const EXAMPLE_VEHICLES = 1_000
const MAX_VEHICLES = 100_000

const SPEED = /"speedKmh":[^,}]*/

const spoils: readonly Spoil[] = Object.values({
  'wrong type': replaced(SPEED, '"speedKmh":"fast"'),
  'missing key': replaced(/"vehicleId":"[^"]*",/, ''),
  'not a number': replaced(SPEED, '"speedKmh":NaN'),
  'out of range': replaced(SPEED, '"speedKmh":900'),
  'half a gear': replaced(/"gear":[^,}]*/, '"gear":2.5'),
  ...GENERAL_BREAKAGES,
})

export function simulateVehicles(options: SimulationOptions): Simulation {
  const { vehicles, random, startMs, failures = true } = options
  const actors = Array.from({ length: vehicles }, (_, index): Actor => {
    const dice = diceFrom(random)
    const model = modelOf(index)
    return actorOf(
      vehicleIdOf(index),
      newCar({ dice, model, road: dice.pick(roads), startMs, failures }),
    )
  })
  return new ActorSimulation(actors, spoils, options)
}

function actorOf(vehicleId: string, car: Car): Actor {
  return {
    report(atMs, eventId) {
      driveTo(car, atMs)
      const { lat, lon } = positionOf(car)
      const line = JSON.stringify({
        vehicleId,
        recordedAt: toIso(atMs),
        ...(eventId === null ? {} : { eventId }),
        speedKmh: rounded(car.speedKmh, 1),
        rpm: rpmOf(car),
        gear: car.gear,
        lat: rounded(lat, 5),
        lon: rounded(lon, 5),
        headingDeg: Math.round(headingDegOf(car)) % 360,
        odometerKm: rounded(car.odometerKm, 2),
        postedLimitKmh: limitKmh(car),
        ...(car.model.electric
          ? { stateOfChargePercent: rounded(car.chargePercent, 1) }
          : { fuelLph: rounded(fuelLphOf(car), 2) }),
      })
      return { key: vehicleId, line }
    },
  }
}

function rounded(value: number, digits: number): number {
  const scale = 10 ** digits
  return Math.round(value * scale) / scale
}

export const vehicleFleet: SimulatedFleet = {
  topic: vehicleTelemetry.name,
  members: 'cars',
  defaultVehicles: 60,
  maxVehicles: MAX_VEHICLES,
  defaultIntervalMs: 1_000,
  create: simulateVehicles,
}
