// Ten minutes of one vehicle, as a durable row: all that fleet reports add up.

import { carriedInto, known } from '../kernel/plain-data.ts'
import type { DurationMs, EpochMs } from '../kernel/time.ts'
import type { RowTable } from '../ports/row-table.ts'

/** Plain data, changed in place by whoever owns the state; a number that is not known is NaN. */
export interface DrivingPeriod {
  readonly entityType: string
  readonly entityId: string
  readonly startsAtMs: EpochMs
  lastAtMs: EpochMs
  readings: number
  speedReadings: number
  speedSumKmh: number
  maxSpeedKmh: number
  distanceKm: number
  movingMs: DurationMs
  /** At rest with the engine on, as far as that is known. */
  idleMs: DurationMs
  speedingMs: DurationMs
  harshBraking: number
  harshAcceleration: number
  harshCornering: number
  /** Level at the end; NaN where none is sent, as are all sums of it. */
  fuelPercent: number
  usedPercent: number
  refuelledPercent: number
  stolenPercent: number
  /** NaN where the size of the tank is not known. */
  usedLitres: number
  refuelledLitres: number
  stolenLitres: number
  /** From consumption, where the vehicle sends it. */
  consumedLitres: number
  /** As the reference table of fleets had it when the period began; null or NaN where it had nothing. */
  readonly fleet: string | null
  readonly driver: string | null
  readonly model: string | null
  readonly loadCapacityKg: number
  readonly nominalLitresPer100Km: number
  /** The last that is known, from before this period where it brought none. */
  lat: number
  lon: number
  loadKg: number
  loadReadings: number
  loadSumKg: number
  /** Readings that say whether it is broken down, and those that say it is. */
  stateReadings: number
  brokenReadings: number
}

/** What is known of a period when it begins. */
export type PeriodBeginning = Pick<
  DrivingPeriod,
  | 'entityType'
  | 'entityId'
  | 'startsAtMs'
  | 'fleet'
  | 'driver'
  | 'model'
  | 'loadCapacityKg'
  | 'nominalLitresPer100Km'
  | 'lat'
  | 'lon'
  | 'loadKg'
>

export function newDrivingPeriod(beginning: PeriodBeginning): DrivingPeriod {
  return {
    entityType: beginning.entityType,
    entityId: beginning.entityId,
    startsAtMs: beginning.startsAtMs,
    lastAtMs: beginning.startsAtMs,
    readings: 0,
    speedReadings: 0,
    speedSumKmh: 0,
    maxSpeedKmh: Number.NaN,
    distanceKm: 0,
    movingMs: 0,
    idleMs: 0,
    speedingMs: 0,
    harshBraking: 0,
    harshAcceleration: 0,
    harshCornering: 0,
    fuelPercent: Number.NaN,
    usedPercent: Number.NaN,
    refuelledPercent: 0,
    stolenPercent: 0,
    usedLitres: Number.NaN,
    refuelledLitres: Number.NaN,
    stolenLitres: Number.NaN,
    consumedLitres: Number.NaN,
    fleet: beginning.fleet,
    driver: beginning.driver,
    model: beginning.model,
    loadCapacityKg: beginning.loadCapacityKg,
    nominalLitresPer100Km: beginning.nominalLitresPer100Km,
    lat: beginning.lat,
    lon: beginning.lon,
    loadKg: beginning.loadKg,
    loadReadings: 0,
    loadSumKg: 0,
    stateReadings: 0,
    brokenReadings: 0,
  }
}

/** As it was, from what JSON made of it. */
export function restoreDrivingPeriod(carried: DrivingPeriod): DrivingPeriod {
  const begun = newDrivingPeriod({
    ...carried,
    loadCapacityKg: Number.NaN,
    nominalLitresPer100Km: Number.NaN,
    lat: Number.NaN,
    lon: Number.NaN,
    loadKg: Number.NaN,
  })
  return carriedInto(begun, carried)
}

export const drivingPeriods: RowTable<DrivingPeriod> = {
  name: 'driving_period',
  columns: [
    { name: 'entity_type', type: 'text' },
    { name: 'entity_id', type: 'text' },
    { name: 'starts_at', type: 'timestamptz' },
    { name: 'last_at', type: 'timestamptz' },
    { name: 'readings', type: 'int4' },
    { name: 'average_speed_kmh', type: 'float8' },
    { name: 'max_speed_kmh', type: 'float8' },
    { name: 'distance_km', type: 'float8' },
    { name: 'moving_s', type: 'float8' },
    { name: 'idle_s', type: 'float8' },
    { name: 'speeding_s', type: 'float8' },
    { name: 'harsh_braking', type: 'int4' },
    { name: 'harsh_acceleration', type: 'int4' },
    { name: 'harsh_cornering', type: 'int4' },
    { name: 'fuel_percent', type: 'float8' },
    { name: 'used_percent', type: 'float8' },
    { name: 'refuelled_percent', type: 'float8' },
    { name: 'stolen_percent', type: 'float8' },
    { name: 'used_litres', type: 'float8' },
    { name: 'refuelled_litres', type: 'float8' },
    { name: 'stolen_litres', type: 'float8' },
    { name: 'consumed_litres', type: 'float8' },
    { name: 'fleet', type: 'text' },
    { name: 'driver', type: 'text' },
    { name: 'model', type: 'text' },
    { name: 'lat', type: 'float8' },
    { name: 'lon', type: 'float8' },
    { name: 'load_kg', type: 'float8' },
    { name: 'load_share', type: 'float8' },
    { name: 'average_load_share', type: 'float8' },
    { name: 'broken_share', type: 'float8' },
    { name: 'nominal_litres_per_100km', type: 'float8' },
  ],
  keyColumns: 3,
  write(row, period) {
    row.text(period.entityType)
    row.text(period.entityId)
    row.timestamp(period.startsAtMs)
    row.timestamp(period.lastAtMs)
    row.int4(period.readings)
    row.float8(known(period.speedSumKmh / period.speedReadings))
    row.float8(known(period.maxSpeedKmh))
    row.float8(period.distanceKm)
    row.float8(period.movingMs / 1_000)
    row.float8(period.idleMs / 1_000)
    row.float8(period.speedingMs / 1_000)
    row.int4(period.harshBraking)
    row.int4(period.harshAcceleration)
    row.int4(period.harshCornering)
    row.float8(known(period.fuelPercent))
    row.float8(known(period.usedPercent))
    row.float8(period.refuelledPercent)
    row.float8(period.stolenPercent)
    row.float8(known(period.usedLitres))
    row.float8(known(period.refuelledLitres))
    row.float8(known(period.stolenLitres))
    row.float8(known(period.consumedLitres))
    row.text(period.fleet)
    row.text(period.driver)
    row.text(period.model)
    row.float8(known(period.lat))
    row.float8(known(period.lon))
    row.float8(known(period.loadKg))
    row.float8(known(period.loadKg / period.loadCapacityKg))
    row.float8(known(period.loadSumKg / period.loadReadings / period.loadCapacityKg))
    row.float8(known(period.brokenReadings / period.stateReadings))
    row.float8(known(period.nominalLitresPer100Km))
  },
}
