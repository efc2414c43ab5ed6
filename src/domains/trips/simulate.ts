// The synthetic world of trips: drivers of Nairobi who wait, take a passenger, report on the way as their meter
// runs, and are paid. Now and then something is odd, as the rules expect.

import {
  type DurationMs,
  type EpochMs,
  HOUR_MS,
  MINUTE_MS,
  SECOND_MS,
  toIso,
} from '../../kernel/time.ts'
import { type Actor, type ActorLine, ActorSimulation } from '../actor-simulation.ts'
import { type Dice, diceFrom } from '../dice.ts'
import { GENERAL_BREAKAGES, replaced, type Spoil } from '../faults.ts'
import type { SimulatedFleet, Simulation, SimulationOptions } from '../simulation.ts'
import { builtInTariffs } from './anomaly.ts'
import { type PaymentMethod, trips } from './events.ts'

/** Mean time between two passengers of a driver, and mean length of a ride. */
const WAIT_MS: DurationMs = 90 * SECOND_MS
const RIDE_MS: DurationMs = 9 * MINUTE_MS
/** Of one driver, from passenger to passenger: so many drivers make a trip a second. */
export const MEAN_CYCLE_MS: DurationMs = WAIT_MS + RIDE_MS
const SHORTEST_RIDE_MS: DurationMs = 2 * MINUTE_MS
const LONGEST_RIDE_MS: DurationMs = HOUR_MS
export const USUAL_VARIABILITY = 0.5
const MAX_DRIVERS = 100_000

const FARE = /"fare":"[^"]*"/
const spoils: readonly Spoil[] = Object.values({
  'fare that is no number': replaced(FARE, '"fare":"twelve"'),
  'missing key': replaced(/"tripId":"[^"]*",/, ''),
  'unknown status': replaced(/"status":"[^"]*"/, '"status":"lost"'),
  'pickup that is no time': replaced(/"pickupAt":"[^"]*"/, '"pickupAt":"yesterday"'),
  'negative distance': replaced(/"distanceKm":[^,}]*/, '"distanceKm":-4'),
  ...GENERAL_BREAKAGES,
})

interface Place {
  readonly name: string
  readonly lat: number
  readonly lon: number
  readonly weight: number
}

const places: readonly [Place, ...Place[]] = [
  { name: 'Westlands', lat: -1.2676, lon: 36.8108, weight: 5 },
  { name: 'Kilimani', lat: -1.2907, lon: 36.7841, weight: 4 },
  { name: 'CBD', lat: -1.2841, lon: 36.8233, weight: 7 },
  { name: 'JKIA', lat: -1.3302, lon: 36.926, weight: 3 },
  { name: 'Karen', lat: -1.3197, lon: 36.7073, weight: 2 },
  { name: 'Eastleigh', lat: -1.2727, lon: 36.8503, weight: 3 },
  { name: 'Ruaka', lat: -1.2062, lon: 36.7775, weight: 2 },
  { name: 'Roysambu', lat: -1.2184, lon: 36.8873, weight: 3 },
  { name: 'Lang’ata', lat: -1.3656, lon: 36.7391, weight: 2 },
  { name: 'South B', lat: -1.3103, lon: 36.8381, weight: 3 },
]

interface Payment {
  readonly method: PaymentMethod | null
  readonly weight: number
}

const payments: readonly [Payment, ...Payment[]] = [
  { method: 'wallet', weight: 62 },
  { method: 'cash', weight: 22 },
  { method: 'card', weight: 13 },
  { method: 'no-charge', weight: 1 },
  { method: null, weight: 2 },
]

/** What becomes odd about a ride; `none` is left over by the others. */
type Oddity = 'none' | 'backwards' | 'teleport' | 'overcharged'

interface Ride {
  readonly tripId: string
  readonly from: Place
  readonly to: Place
  readonly pickupMs: EpochMs
  readonly lengthMs: DurationMs
  readonly speedKmh: number
  /** Multiplies the tariff: rush hour, or what the driver agreed on. */
  readonly surge: number
  readonly method: PaymentMethod | null
  readonly canceled: boolean
  readonly oddity: Oddity
}

interface Driver {
  readonly dice: Dice
  readonly number: number
  readonly variability: number
  rides: number
  ride: Ride | null
  waitsUntilMs: EpochMs
}

export function simulateTrips(options: SimulationOptions): Simulation {
  const { vehicles, random, startMs, failures = true } = options
  const variability = options.variability ?? USUAL_VARIABILITY
  const actors = Array.from({ length: vehicles }, (_, number): Actor => {
    const dice = diceFrom(random)
    const driver: Driver = {
      dice,
      number,
      variability,
      rides: 0,
      ride: null,
      waitsUntilMs: startMs,
    }
    // Most are under way already when the simulation begins.
    if (dice.chance(RIDE_MS / MEAN_CYCLE_MS)) {
      const ride = newRide(driver, startMs, failures)
      driver.ride = { ...ride, pickupMs: startMs - Math.floor(dice.next() * ride.lengthMs) }
    } else driver.waitsUntilMs = startMs + dice.wait(WAIT_MS)
    return {
      report: (atMs, eventId) => report(driver, { atMs, eventId, failures }),
      finish(atMs, eventId) {
        const { ride } = driver
        if (ride === null) return null
        return { key: ride.tripId, line: lineOf(driver, ride, { atMs, eventId, over: true }) }
      },
    }
  })
  return new ActorSimulation(actors, spoils, options)
}

interface Moment {
  readonly atMs: EpochMs
  readonly eventId: string | null
  readonly failures: boolean
}

function report(driver: Driver, { atMs, eventId, failures }: Moment): ActorLine | null {
  if (driver.ride === null) {
    if (atMs < driver.waitsUntilMs) return null
    driver.ride = newRide(driver, atMs, failures)
  }
  const { ride } = driver
  const over = atMs >= ride.pickupMs + ride.lengthMs
  const line = lineOf(driver, ride, { atMs, eventId, over })
  if (over) {
    driver.ride = null
    driver.waitsUntilMs = atMs + driver.dice.wait(WAIT_MS)
  }
  return { key: ride.tripId, line }
}

function newRide(driver: Driver, atMs: EpochMs, failures: boolean): Ride {
  const { dice, number, variability } = driver
  driver.rides += 1
  const from = dice.weighted(places)
  const canceled = dice.chance(0.06)
  // Without variability every ride has the mean length; with all of it lengths are exponential.
  const drawnMs = RIDE_MS * (1 - variability) + dice.wait(RIDE_MS) * variability
  const lengthMs = Math.min(LONGEST_RIDE_MS, Math.max(SHORTEST_RIDE_MS, drawnMs))
  return {
    tripId: `N${number.toString(36)}-${atMs.toString(36)}-${driver.rides}`,
    from,
    to: dice.weighted(places),
    pickupMs: atMs,
    lengthMs: canceled ? lengthMs / 4 : lengthMs,
    speedKmh: 24 + dice.between(-14, 22) * variability,
    surge: 1 + dice.between(-0.2, 0.8) * variability,
    method: dice.weighted(payments).method,
    canceled,
    oddity: failures ? oddityOf(dice, variability) : 'none',
  }
}

function oddityOf(dice: Dice, variability: number): Oddity {
  const share = 0.004 * variability
  if (dice.chance(share)) return 'backwards'
  if (dice.chance(share)) return 'teleport'
  return dice.chance(share) ? 'overcharged' : 'none'
}

function lineOf(
  driver: Driver,
  ride: Ride,
  { atMs, eventId, over }: { atMs: EpochMs; eventId: string | null; over: boolean },
): string {
  const spentMs = Math.min(Math.max(0, atMs - ride.pickupMs), ride.lengthMs)
  const strange = over ? ride.oddity : 'none'
  const km = (ride.speedKmh * spentMs) / HOUR_MS + (strange === 'teleport' ? 900 : 0)
  const tariff = builtInTariffs.KES
  const price =
    ((tariff?.base ?? 0) +
      (tariff?.perKm ?? 0) * km +
      (tariff?.perMinute ?? 0) * (spentMs / MINUTE_MS)) *
    ride.surge *
    (strange === 'overcharged' ? 12 : 1)
  const droppedMs = strange === 'backwards' ? ride.pickupMs - 5 * MINUTE_MS : atMs
  return JSON.stringify({
    tripId: ride.tripId,
    recordedAt: toIso(atMs),
    ...(eventId === null ? {} : { eventId }),
    status: over ? (ride.canceled ? 'canceled' : 'completed') : 'in-progress',
    pickupAt: toIso(ride.pickupMs),
    ...(over ? { dropoffAt: toIso(droppedMs) } : {}),
    pickupLocation: ride.from.name,
    ...(over ? { dropoffLocation: ride.to.name } : {}),
    pickupLat: ride.from.lat,
    pickupLon: ride.from.lon,
    ...(over ? { dropoffLat: ride.to.lat, dropoffLon: ride.to.lon } : {}),
    distanceKm: Math.round(km * 1_000) / 1_000,
    fare: (ride.method === 'no-charge' ? 0 : price).toFixed(2),
    currency: 'KES',
    ...(ride.method !== null ? { paymentMethod: ride.method } : {}),
    vehicleId: `KDT ${String(driver.number).padStart(3, '0')}`,
    driverId: `driver-${driver.number}`,
  })
}

export const tripFleet: SimulatedFleet = {
  topic: trips.name,
  members: 'drivers',
  defaultVehicles: 120,
  maxVehicles: MAX_DRIVERS,
  defaultIntervalMs: 10 * SECOND_MS,
  meanTripMs: MEAN_CYCLE_MS,
  create: simulateTrips,
}
