// The questions that fleets ask beside the reports: who is where, low on fuel, loaded high, standing, driving
// without rest; how fuel, load and service compare between fleets and models. Answered from the same periods of
// ten minutes; the SQL views of the same names ask them without a range.

import { type EpochMs, HOUR_MS } from '../kernel/time.ts'
import type { Database, SqlRow } from '../ports/database.ts'
import { PERIOD_MS } from './driving.ts'
import { MAX_FLEET_ROWS, SCORED_BY_LEVEL_KM } from './queries.ts'

/** More driven periods than this in four hours leave no room for a rest of twenty minutes. */
export const LONG_PERIODS_OF_4H = 22
/** More than this in a day is over ten hours. */
export const LONG_PERIODS_OF_24H = 60

export interface QuestionScope {
  readonly tenantId: string
  /** Whole periods, `[fromMs, toMs)`. */
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
  readonly entityType?: string | undefined
  readonly fleet?: string | undefined
}

/** A row of an answer; its names are those of the API. */
export type Answer = Readonly<Record<string, unknown>>

/** The periods of the scope, as `part`; some look back over the periods before it, too. */
function periods(lookBack = "interval '0'"): string {
  return `part AS (
    SELECT * FROM driving_period
    WHERE tenant_id = $1 AND starts_at >= $2::timestamptz - ${lookBack} AND starts_at < $3
      AND ($4::text IS NULL OR entity_type = $4) AND ($5::text IS NULL OR fleet = $5)
  )`
}

async function ask(database: Database, scope: QuestionScope, sql: string): Promise<Answer[]> {
  const { tenantId, fromMs, toMs, entityType = null, fleet = null } = scope
  const rows = await database.query(`${sql} LIMIT ${MAX_FLEET_ROWS}`, [
    tenantId,
    new Date(fromMs),
    new Date(toMs),
    entityType,
    fleet,
  ])
  return rows.map(answerOf)
}

export interface LatestScope {
  readonly tenantId: string
  readonly entityType?: string | undefined
  readonly fleet?: string | undefined
  readonly entityIds?: readonly string[] | undefined
  /** Of the tank. */
  readonly fuelBelowPercent?: number | undefined
  /** Of the load capacity. */
  readonly loadAbovePercent?: number | undefined
}

/** Last position, fuel and load of each vehicle, by its id. */
export async function fleetLatest(database: Database, scope: LatestScope): Promise<Answer[]> {
  const { tenantId, entityType = null, fleet = null, entityIds = null } = scope
  const { fuelBelowPercent = null, loadAbovePercent = null } = scope
  const rows = await database.query(
    `SELECT entity_type AS "entityType", entity_id AS "entityId", fleet, driver, model, last_at AS "recordedAt",
       lat, lon, fuel_percent AS "fuelPercent", load_kg AS "loadKg", 100 * load_share AS "loadPercent",
       broken_share >= 0.5 AS "brokenDown"
     FROM fleet_latest
     WHERE tenant_id = $1 AND ($2::text IS NULL OR entity_type = $2) AND ($3::text IS NULL OR fleet = $3)
       AND ($4::text[] IS NULL OR entity_id = ANY ($4))
       AND ($5::float8 IS NULL OR fuel_percent < $5) AND ($6::float8 IS NULL OR 100 * load_share > $6)
     ORDER BY entity_id, entity_type LIMIT ${MAX_FLEET_ROWS}`,
    [tenantId, entityType, fleet, entityIds, fuelBelowPercent, loadAbovePercent],
  )
  return rows.map(answerOf)
}

/** Vehicles that stood for ten minutes or more, those that stood most first. */
export function fleetStationary(database: Database, scope: QuestionScope): Promise<Answer[]> {
  return ask(
    database,
    scope,
    `WITH ${periods()}
     SELECT entity_type AS "entityType", entity_id AS "entityId", max(fleet) AS fleet, max(driver) AS driver,
       count(*)::int AS periods, max(last_at) AS until
     FROM part WHERE average_speed_kmh < 1
     GROUP BY entity_type, entity_id ORDER BY periods DESC, "entityId", "entityType"`,
  )
}

/** Vehicles that were driven too long without a rest, or on one day, with the most there was and when last. */
export function fleetLongDriving(database: Database, scope: QuestionScope): Promise<Answer[]> {
  const reach = (span: number): string => `interval '${(span - PERIOD_MS) / 60_000} minutes'`
  const over = (span: number): string =>
    `count(*) FILTER (WHERE average_speed_kmh > 1) OVER (PARTITION BY entity_type, entity_id
       ORDER BY starts_at RANGE BETWEEN ${reach(span)} PRECEDING AND CURRENT ROW)`
  return ask(
    database,
    scope,
    `WITH ${periods("interval '24 hours'")}, driven AS (
       SELECT entity_type, entity_id, fleet, driver, starts_at, last_at,
         ${over(4 * HOUR_MS)} AS of_4h, ${over(24 * HOUR_MS)} AS of_24h
       FROM part
     )
     SELECT entity_type AS "entityType", entity_id AS "entityId", max(fleet) AS fleet, max(driver) AS driver,
       max(of_4h)::int AS "periodsOf4h", max(of_24h)::int AS "periodsOf24h",
       max(of_4h) > ${LONG_PERIODS_OF_4H} AS "withoutRest", max(of_24h) > ${LONG_PERIODS_OF_24H} AS "longDay",
       max(last_at) AS until
     FROM driven
     WHERE starts_at >= $2 AND (of_4h > ${LONG_PERIODS_OF_4H} OR of_24h > ${LONG_PERIODS_OF_24H})
     GROUP BY entity_type, entity_id ORDER BY until DESC, "entityId", "entityType"`,
  )
}

/** Fuel that each fleet used on the move, against what its vehicles nominally take for the same way. */
export function fleetConsumption(database: Database, scope: QuestionScope): Promise<Answer[]> {
  return ask(
    database,
    scope,
    `WITH ${periods()}, moved AS (
       SELECT fleet, distance_km, nominal_litres_per_100km AS nominal,
         coalesce(consumed_litres, used_litres) AS litres
       FROM part WHERE average_speed_kmh > 1
     )
     SELECT fleet, sum(distance_km) AS "distanceKm", sum(litres) AS "usedLitres",
       sum(distance_km * nominal) / 100 AS "nominalLitres",
       CASE WHEN sum(distance_km) >= ${SCORED_BY_LEVEL_KM}
         THEN 100 * sum(litres) / sum(distance_km) END AS "litresPer100Km",
       sum(distance_km * nominal) / nullif(sum(distance_km), 0) AS "nominalLitresPer100Km"
     FROM moved WHERE litres IS NOT NULL AND nominal IS NOT NULL
     GROUP BY fleet ORDER BY fleet`,
  )
}

/** How long each driver drives on a day, and in one session, over the days on which they drove. */
export function driverTimes(database: Database, scope: QuestionScope): Promise<Answer[]> {
  return ask(
    database,
    scope,
    `WITH ${periods()}, days AS (
       SELECT driver, date_trunc('day', starts_at, 'UTC') AS day, sum(moving_s) / 3600 AS hours
       FROM part WHERE driver IS NOT NULL GROUP BY 1, 2
     ), islands AS (
       SELECT driver, entity_type, entity_id, starts_at, starts_at - interval '10 minutes' * row_number() OVER (
         PARTITION BY entity_type, entity_id, driver ORDER BY starts_at) AS island
       FROM part WHERE average_speed_kmh > 5 AND driver IS NOT NULL
     ), sessions AS (
       SELECT driver, min(starts_at) AS starts_at, count(*) / 6.0 AS hours
       FROM islands GROUP BY driver, entity_type, entity_id, island
     ), session_days AS (
       SELECT driver, date_trunc('day', starts_at, 'UTC') AS day, avg(hours) AS hours, count(*) AS sessions
       FROM sessions GROUP BY 1, 2
     )
     SELECT driver, count(*)::int AS days, avg(days.hours) AS "hoursADay",
       coalesce(sum(sessions), 0)::int AS sessions, avg(session_days.hours)::float8 AS "hoursASession"
     FROM days LEFT JOIN session_days USING (driver, day)
     WHERE days.hours > 0 GROUP BY driver ORDER BY "hoursADay" DESC, driver`,
  )
}

/** How full the vehicles of each fleet and model are, each vehicle counting the same. */
export function fleetLoad(database: Database, scope: QuestionScope): Promise<Answer[]> {
  return ask(
    database,
    scope,
    `WITH ${periods()}, vehicle AS (
       SELECT fleet, model, entity_type, entity_id, avg(average_load_share) AS share
       FROM part WHERE average_load_share IS NOT NULL GROUP BY 1, 2, 3, 4
     )
     SELECT fleet, model, count(*)::int AS vehicles, 100 * avg(share) AS "averageLoadPercent"
     FROM vehicle GROUP BY fleet, model ORDER BY fleet, model`,
  )
}

/** Share of each day, as far as the range has it, in which vehicles reported and were not broken down. */
export function fleetActivity(database: Database, scope: QuestionScope): Promise<Answer[]> {
  return ask(
    database,
    scope,
    `WITH ${periods()}, daily AS (
       SELECT date_trunc('day', starts_at, 'UTC') AS day, fleet, model,
         count(DISTINCT (entity_type, entity_id)) AS vehicles,
         count(*) FILTER (WHERE coalesce(broken_share, 0) < 0.5) AS served,
         count(*) FILTER (WHERE average_speed_kmh > 1) AS driven
       FROM part GROUP BY 1, 2, 3
     ), lasting AS (
       SELECT *, vehicles * extract(epoch FROM least(day + interval '1 day', $3) - greatest(day, $2)) / 600 AS periods
       FROM daily
     )
     SELECT to_char(day AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, fleet, model, vehicles::int AS vehicles,
       (100 * served / periods)::float8 AS "inServicePercent", (100 * driven / periods)::float8 AS "drivenPercent"
     FROM lasting ORDER BY day DESC, fleet, model`,
  )
}

/** How often vehicles of each model went from working to broken down. */
export function fleetBreakdowns(database: Database, scope: QuestionScope): Promise<Answer[]> {
  return ask(
    database,
    scope,
    `WITH ${periods("interval '24 hours'")}, told AS (
       SELECT model, entity_type, entity_id, starts_at, broken_share, lag(broken_share) OVER (
         PARTITION BY entity_type, entity_id ORDER BY starts_at) AS before
       FROM part WHERE broken_share IS NOT NULL
     )
     SELECT model, count(DISTINCT (entity_type, entity_id))::int AS vehicles,
       (count(*) FILTER (WHERE broken_share >= 0.5 AND before < 0.5))::int AS breakdowns
     FROM told WHERE starts_at >= $2 GROUP BY model ORDER BY breakdowns DESC, model`,
  )
}

/** Instants as ISO, quantities without digits that nobody measured. */
function answerOf(row: SqlRow): Answer {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value instanceof Date
        ? value.toISOString()
        : typeof value === 'number' && !/^(lat|lon)$/.test(name)
          ? Math.round(value * 1_000) / 1_000
          : value,
    ]),
  )
}
