// What the API asks of Postgres about appointments, journeys and how their travellers get on.

import type { Coordinates } from '../../kernel/geo.ts'
import type { EpochMs } from '../../kernel/time.ts'
import type { Database, SqlRow } from '../../ports/database.ts'
import { Conditions } from '../../ports/sql-conditions.ts'

export const ARRIVAL_STATUSES = [
  'waiting',
  'on-time',
  'late',
  'arrived',
  'joined-online',
  'rescheduled',
  'canceled',
] as const
export type ArrivalStatus = (typeof ARRIVAL_STATUSES)[number]

/** From here on a journey counts as late while nothing else is known: being late is more likely than not. */
export const LATE_PROBABILITY = 0.5

/** Rescheduled stays until the traveller is under way to the new start; then on time and late count again. */
const STATUS = `CASE
  WHEN joined_online_at IS NOT NULL THEN 'joined-online'
  WHEN arrived_at IS NOT NULL THEN 'arrived'
  WHEN appointment.status = 'canceled' THEN 'canceled'
  WHEN rescheduled_at IS NOT NULL AND coalesce(late_probability, 0) < ${LATE_PROBABILITY} THEN 'rescheduled'
  WHEN estimated_at IS NULL THEN 'waiting'
  WHEN late_probability >= ${LATE_PROBABILITY} THEN 'late'
  ELSE 'on-time' END`

const ARRIVALS = `SELECT journey.tenant_id, journey.journey_id, journey.appointment_id, title, place,
    appointment.starts_at, first_starts_at, appointment.lat AS destination_lat,
    appointment.lon AS destination_lon, organizer_email, online_url, traveler_email, traveler_name, mode,
    decision, decided_at, rescheduled_at, joined_online_at, estimated_at, eta_p50, eta_p90,
    late_probability, remaining_m, free_flow_s, expected_s, pace, position_at, arrival.lat, arrival.lon,
    speed_kmh, traffic_at, source, arrived_at, first_late_at, route, ${STATUS} AS status
  FROM journey JOIN appointment USING (tenant_id, appointment_id)
    LEFT JOIN arrival USING (tenant_id, journey_id)`

export interface ArrivalScope {
  readonly tenantId: string
  readonly status?: readonly string[] | undefined
  readonly appointmentId?: string | undefined
  /** `[fromMs, toMs)` of the start. */
  readonly fromMs?: EpochMs | undefined
  readonly toMs?: EpochMs | undefined
  readonly after?: { readonly startsAtMs: EpochMs; readonly journeyId: string } | undefined
  readonly limit: number
}

/** Earliest start first. */
export async function arrivalsOf(
  database: Database,
  scope: ArrivalScope,
): Promise<readonly SqlRow[]> {
  const conditions = new Conditions().add('tenant_id = $', scope.tenantId)
  if (scope.status !== undefined) conditions.add('status = ANY($::text[])', scope.status)
  if (scope.appointmentId !== undefined) conditions.add('appointment_id = $', scope.appointmentId)
  if (scope.fromMs !== undefined) conditions.add('starts_at >= $', new Date(scope.fromMs))
  if (scope.toMs !== undefined) conditions.add('starts_at < $', new Date(scope.toMs))
  if (scope.after !== undefined) {
    const at = conditions.parameter(new Date(scope.after.startsAtMs))
    const id = conditions.parameter(scope.after.journeyId)
    conditions.addText(`(starts_at, journey_id) > (${at}, ${id})`)
  }
  return database.query(
    `SELECT * FROM (${ARRIVALS}) AS each ${conditions.where}
     ORDER BY starts_at, journey_id LIMIT ${Math.trunc(scope.limit)}`,
    conditions.parameters,
  )
}

export interface JourneyScope {
  readonly tenantId: string
  readonly journeyId: string
}

export async function arrivalById(
  database: Database,
  { tenantId, journeyId }: JourneyScope,
): Promise<SqlRow | undefined> {
  const [row] = await database.query(
    `SELECT * FROM (${ARRIVALS}) AS each WHERE tenant_id = $1 AND journey_id = $2`,
    [tenantId, journeyId],
  )
  return row
}

/** Newest first, at most `limit`. */
export async function estimatesOf(
  database: Database,
  { tenantId, journeyId, limit }: JourneyScope & { readonly limit: number },
): Promise<readonly SqlRow[]> {
  return database.query(
    `SELECT estimated_at, cause, starts_at, eta_p50, eta_p90, late_probability, remaining_m,
       position_at, source
     FROM eta_estimate WHERE tenant_id = $1 AND journey_id = $2
     ORDER BY estimated_at DESC LIMIT ${Math.trunc(limit)}`,
    [tenantId, journeyId],
  )
}

export async function decisionsOf(
  database: Database,
  { tenantId, journeyId }: JourneyScope,
): Promise<readonly SqlRow[]> {
  return database.query(
    `SELECT decision, decided_at, alert_id, workflow_id, detail FROM journey_decision
     WHERE tenant_id = $1 AND journey_id = $2 ORDER BY decided_at, decision_id LIMIT 200`,
    [tenantId, journeyId],
  )
}

export async function appointmentById(
  database: Database,
  { tenantId, appointmentId }: { readonly tenantId: string; readonly appointmentId: string },
): Promise<SqlRow | undefined> {
  const [row] = await database.query(
    'SELECT * FROM appointment WHERE tenant_id = $1 AND appointment_id = $2',
    [tenantId, appointmentId],
  )
  return row
}

/**
 * Outcomes settled in `[fromMs, toMs)`, counted: at the start, or before it where the traveller is there, joined online
 * or has another start.
 */
export async function outcomesOf(
  database: Database,
  {
    tenantId,
    fromMs,
    toMs,
  }: { readonly tenantId: string; readonly fromMs: EpochMs; readonly toMs: EpochMs },
): Promise<readonly SqlRow[]> {
  return database.query(
    `SELECT outcome, count(*)::int AS journeys FROM arrival_outcome
     WHERE tenant_id = $1 AND starts_at >= $2 AND settled_at >= $2 AND settled_at < $3 AND outcome IS NOT NULL
     GROUP BY outcome ORDER BY outcome`,
    [tenantId, new Date(fromMs), new Date(toMs)],
  )
}

export interface JourneyUnderWay {
  readonly tenantId: string
  readonly journeyId: string
  readonly from: Coordinates
  readonly to: Coordinates
}

/** By car, seen in the last minutes, not there yet: of all tenants, those that start next first. */
export async function underWay(
  database: Database,
  { nowMs, limit }: { readonly nowMs: EpochMs; readonly limit: number },
): Promise<readonly JourneyUnderWay[]> {
  const rows = await database.query(
    `SELECT journey.tenant_id, journey.journey_id, arrival.lat AS from_lat, arrival.lon AS from_lon,
       appointment.lat AS to_lat, appointment.lon AS to_lon
     FROM journey JOIN appointment USING (tenant_id, appointment_id)
       JOIN arrival USING (tenant_id, journey_id)
     WHERE arrived_at IS NULL AND joined_online_at IS NULL AND status = 'planned' AND mode = 'car'
       AND position_at > $1::timestamptz - interval '10 minutes'
       AND appointment.starts_at > $1::timestamptz - interval '1 hour'
     ORDER BY appointment.starts_at, journey.journey_id LIMIT ${Math.trunc(limit)}`,
    [new Date(nowMs)],
  )
  return rows.map((row) => ({
    tenantId: String(row.tenant_id),
    journeyId: String(row.journey_id),
    from: { lat: Number(row.from_lat), lon: Number(row.from_lon) },
    to: { lat: Number(row.to_lat), lon: Number(row.to_lon) },
  }))
}
