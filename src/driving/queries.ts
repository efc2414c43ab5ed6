// What the API asks of Postgres about how vehicles are driven. All of it is sums over whole periods of ten
// minutes, so that two ranges that meet add up to the range that they make.

import type { EpochMs } from '../kernel/time.ts'
import type { Database, SqlRow } from '../ports/database.ts'
import { PERIOD_MS } from './driving.ts'

/** Vehicles in one answer. */
export const MAX_FLEET_ROWS = 1_000
/** Points off 100 for each harsh event on 100 km, and for a whole way of speeding or time of idling. */
const HARSH_POINTS = 4
const SPEEDING_POINTS = 60
const IDLE_POINTS = 20
/** A shorter way says nothing about its driver. */
export const JUDGED_KM = 20
/** A shorter way says nothing about consumption; less still where a float in a tank is all that tells of it. */
export const SCORED_KM = 5
export const SCORED_BY_LEVEL_KM = 50

export interface FleetScope {
  readonly tenantId: string
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
  readonly entityType?: string | undefined
}

/** The whole periods that a range touches. */
export function wholePeriods(range: { readonly fromMs: EpochMs; readonly toMs: EpochMs }): {
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
} {
  return {
    fromMs: Math.floor(range.fromMs / PERIOD_MS) * PERIOD_MS,
    toMs: Math.ceil(range.toMs / PERIOD_MS) * PERIOD_MS,
  }
}

export interface FleetEfficiency {
  readonly entityType: string
  readonly entityId: string
  readonly distanceKm: number
  /** From consumption where the vehicle sends it, else from the level; null where neither is known. */
  readonly fuelUsedLitres: number | null
  readonly fuelUsedPercent: number | null
  readonly litresPer100Km: number | null
  readonly source: 'consumption' | 'level' | null
  readonly refuelledLitres: number | null
  readonly stolenLitres: number | null
  readonly refuelledPercent: number
  readonly stolenPercent: number
}

export async function fleetEfficiency(
  database: Database,
  scope: FleetScope,
): Promise<readonly FleetEfficiency[]> {
  const rows = await sums(database, scope)
  return rows.map((row) => {
    const distanceKm = rounded(Number(row.distance_km), 3)
    const consumed = numberOf(row.consumed_litres)
    const used = consumed ?? numberOf(row.used_litres)
    return {
      entityType: String(row.entity_type),
      entityId: String(row.entity_id),
      distanceKm,
      fuelUsedLitres: used === null ? null : rounded(used, 2),
      fuelUsedPercent: numberOf(row.used_percent),
      litresPer100Km:
        used === null || distanceKm < (consumed === null ? SCORED_BY_LEVEL_KM : SCORED_KM)
          ? null
          : rounded((100 * used) / distanceKm, 2),
      source: consumed !== null ? 'consumption' : used !== null ? 'level' : null,
      refuelledLitres: numberOf(row.refuelled_litres),
      stolenLitres: numberOf(row.stolen_litres),
      refuelledPercent: rounded(Number(row.refuelled_percent), 2),
      stolenPercent: rounded(Number(row.stolen_percent), 2),
    }
  })
}

export interface DriverBehaviour {
  readonly entityType: string
  readonly entityId: string
  readonly distanceKm: number
  readonly drivenS: number
  readonly idleS: number
  readonly speedingS: number
  readonly maxSpeedKmh: number | null
  readonly harshBraking: number
  readonly harshAcceleration: number
  readonly harshCornering: number
  readonly harshPer100Km: number | null
  /** Longest of the drives that began in the range; 0 where none did. */
  readonly longestDriveS: number
  /** 100 is best, 0 worst; null where the way is too short to say. */
  readonly score: number | null
}

export async function driverBehaviour(
  database: Database,
  scope: FleetScope,
): Promise<readonly DriverBehaviour[]> {
  const rows = await sums(database, scope)
  return rows.map((row) => {
    const distanceKm = rounded(Number(row.distance_km), 3)
    const harsh = [row.harsh_braking, row.harsh_acceleration, row.harsh_cornering].map(Number)
    const [harshBraking = 0, harshAcceleration = 0, harshCornering = 0] = harsh
    const events = harshBraking + harshAcceleration + harshCornering
    const harshPer100Km = distanceKm < JUDGED_KM ? null : rounded((100 * events) / distanceKm, 2)
    const [drivenS, idleS, speedingS] = [row.moving_s, row.idle_s, row.speeding_s].map(Number)
    const times = { drivenS: drivenS ?? 0, idleS: idleS ?? 0, speedingS: speedingS ?? 0 }
    return {
      entityType: String(row.entity_type),
      entityId: String(row.entity_id),
      distanceKm,
      ...times,
      maxSpeedKmh: numberOf(row.max_speed_kmh),
      harshBraking,
      harshAcceleration,
      harshCornering,
      harshPer100Km,
      longestDriveS: Number(row.longest_s ?? 0),
      score: harshPer100Km === null ? null : scoreOf({ harshPer100Km, ...times }),
    }
  })
}

export function scoreOf(behaviour: {
  readonly harshPer100Km: number
  readonly drivenS: number
  readonly idleS: number
  readonly speedingS: number
}): number {
  const { harshPer100Km, drivenS, idleS, speedingS } = behaviour
  const speeding = drivenS === 0 ? 0 : speedingS / drivenS
  const idle = drivenS + idleS === 0 ? 0 : idleS / (drivenS + idleS)
  const points = HARSH_POINTS * harshPer100Km + SPEEDING_POINTS * speeding + IDLE_POINTS * idle
  return rounded(Math.max(0, 100 - points), 1)
}

function sums(database: Database, scope: FleetScope): Promise<readonly SqlRow[]> {
  const { fromMs, toMs } = wholePeriods(scope)
  return database.query(
    `WITH part AS (
       SELECT * FROM driving_period
       WHERE tenant_id = $1 AND starts_at >= $2 AND starts_at < $3
         AND ($4::text IS NULL OR entity_type = $4)
     ), longest AS (
       SELECT entity_type, entity_id, max(extract(epoch FROM ends_at - starts_at))::float8 AS longest_s
       FROM drive
       WHERE tenant_id = $1 AND starts_at >= $2 AND starts_at < $3
       GROUP BY entity_type, entity_id
     )
     SELECT entity_type, entity_id, max(longest_s) AS longest_s,
       sum(distance_km) AS distance_km, sum(moving_s) AS moving_s, sum(idle_s) AS idle_s,
       sum(speeding_s) AS speeding_s, max(max_speed_kmh) AS max_speed_kmh,
       sum(harsh_braking) AS harsh_braking, sum(harsh_acceleration) AS harsh_acceleration,
       sum(harsh_cornering) AS harsh_cornering, sum(used_percent) AS used_percent,
       sum(refuelled_percent) AS refuelled_percent, sum(stolen_percent) AS stolen_percent,
       sum(used_litres) AS used_litres, sum(refuelled_litres) AS refuelled_litres,
       sum(stolen_litres) AS stolen_litres, sum(consumed_litres) AS consumed_litres
     FROM part LEFT JOIN longest USING (entity_type, entity_id)
     GROUP BY entity_type, entity_id ORDER BY sum(distance_km) DESC, entity_id LIMIT ${MAX_FLEET_ROWS}`,
    [scope.tenantId, new Date(fromMs), new Date(toMs), scope.entityType ?? null],
  )
}

function numberOf(value: unknown): number | null {
  return value === null || value === undefined ? null : rounded(Number(value), 2)
}

function rounded(value: number, digits: number): number {
  const scale = 10 ** digits
  return Math.round(value * scale) / scale
}
