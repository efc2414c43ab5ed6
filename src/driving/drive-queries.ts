// What the API asks of Postgres about drives, and the stops after them.

import type { EpochMs } from '../kernel/time.ts'
import type { Database, SqlRow } from '../ports/database.ts'

export interface DriveScope {
  readonly tenantId: string
  readonly entityType?: string | undefined
  readonly entityId?: string | undefined
  /** Drives that touch `[fromMs, toMs)`. */
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
  readonly limit: number
}

export interface DrivePlace {
  readonly lat: number
  readonly lon: number
}

export interface StoredDrive {
  readonly entityType: string
  readonly entityId: string
  readonly startsAtMs: EpochMs
  readonly endsAtMs: EpochMs
  readonly underWay: boolean
  readonly distanceKm: number
  readonly maxSpeedKmh: number
  readonly from: DrivePlace | null
  readonly to: DrivePlace | null
  /** When it drove on; null where it goes on, or stands until now. */
  readonly nextStartsAtMs: EpochMs | null
}

/** The newest first. */
export async function drivesIn(
  database: Database,
  scope: DriveScope,
): Promise<readonly StoredDrive[]> {
  const { tenantId, fromMs, toMs, entityType = null, entityId = null, limit } = scope
  const rows = await database.query(
    `SELECT *, (SELECT min(starts_at) FROM drive AS next WHERE next.tenant_id = each.tenant_id
         AND next.entity_type = each.entity_type AND next.entity_id = each.entity_id
         AND next.starts_at > each.starts_at) AS next_at
     FROM drive AS each
     WHERE tenant_id = $1 AND starts_at < $3 AND ends_at >= $2
       AND ($4::text IS NULL OR entity_type = $4) AND ($5::text IS NULL OR entity_id = $5)
     ORDER BY starts_at DESC, entity_id LIMIT $6`,
    [tenantId, new Date(fromMs), new Date(toMs), entityType, entityId, limit],
  )
  return rows.map(driveOf)
}

function driveOf(row: SqlRow): StoredDrive {
  return {
    entityType: String(row.entity_type),
    entityId: String(row.entity_id),
    startsAtMs: epochMsOf(row.starts_at),
    endsAtMs: epochMsOf(row.ends_at),
    underWay: row.under_way === true,
    distanceKm: Math.round(Number(row.distance_km) * 1_000) / 1_000,
    maxSpeedKmh: Number(row.max_speed_kmh),
    from: placeOf(row.start_lat, row.start_lon),
    to: placeOf(row.end_lat, row.end_lon),
    nextStartsAtMs: row.next_at === null ? null : epochMsOf(row.next_at),
  }
}

function placeOf(lat: unknown, lon: unknown): DrivePlace | null {
  return lat === null || lon === null ? null : { lat: Number(lat), lon: Number(lon) }
}

function epochMsOf(value: unknown): EpochMs {
  return value instanceof Date ? value.getTime() : Date.parse(String(value))
}
