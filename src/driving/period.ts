// Ten minutes of one vehicle, as a durable row: all that fleet reports add up.

import type { DurationMs, EpochMs } from '../kernel/time.ts'
import type { RowTable } from '../ports/row-table.ts'

/** Plain data, changed in place by whoever owns the state. */
export interface DrivingPeriod {
  readonly entityType: string
  readonly entityId: string
  readonly startsAtMs: EpochMs
  lastAtMs: EpochMs
  readings: number
  speedReadings: number
  speedSumKmh: number
  maxSpeedKmh: number | null
  distanceKm: number
  movingMs: DurationMs
  /** At rest with the engine on, as far as that is known. */
  idleMs: DurationMs
  speedingMs: DurationMs
  harshBraking: number
  harshAcceleration: number
  harshCornering: number
  /** Level at the end; null where none is sent, as are all sums of it. */
  fuelPercent: number | null
  usedPercent: number | null
  refuelledPercent: number
  stolenPercent: number
  /** Null where the size of the tank is not known. */
  usedLitres: number | null
  refuelledLitres: number | null
  stolenLitres: number | null
  /** From consumption, where the vehicle sends it. */
  consumedLitres: number | null
  /** As the reference table of fleets had it when the period began; null where it had nothing. */
  readonly fleet: string | null
  readonly driver: string | null
  readonly model: string | null
  readonly loadCapacityKg: number | null
  readonly nominalLitresPer100Km: number | null
  /** The last that is known, from before this period where it brought none. */
  lat: number | null
  lon: number | null
  loadKg: number | null
  loadReadings: number
  loadSumKg: number
  /** Readings that say whether it is broken down, and those that say it is. */
  stateReadings: number
  brokenReadings: number
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
    row.float8(period.speedReadings === 0 ? null : period.speedSumKmh / period.speedReadings)
    row.float8(period.maxSpeedKmh)
    row.float8(period.distanceKm)
    row.float8(period.movingMs / 1_000)
    row.float8(period.idleMs / 1_000)
    row.float8(period.speedingMs / 1_000)
    row.int4(period.harshBraking)
    row.int4(period.harshAcceleration)
    row.int4(period.harshCornering)
    row.float8(period.fuelPercent)
    row.float8(period.usedPercent)
    row.float8(period.refuelledPercent)
    row.float8(period.stolenPercent)
    row.float8(period.usedLitres)
    row.float8(period.refuelledLitres)
    row.float8(period.stolenLitres)
    row.float8(period.consumedLitres)
    row.text(period.fleet)
    row.text(period.driver)
    row.text(period.model)
    row.float8(period.lat)
    row.float8(period.lon)
    row.float8(period.loadKg)
    row.float8(loadShare(period, period.loadKg))
    row.float8(loadShare(period, shareOf(period.loadSumKg, period.loadReadings)))
    row.float8(shareOf(period.brokenReadings, period.stateReadings))
    row.float8(period.nominalLitresPer100Km)
  },
}

/** Of the load capacity; null where either is not known. */
function loadShare({ loadCapacityKg }: DrivingPeriod, loadKg: number | null): number | null {
  return loadKg === null || loadCapacityKg === null ? null : loadKg / loadCapacityKg
}

function shareOf(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole
}
