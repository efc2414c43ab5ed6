// What the API asks of Postgres about trucks. Readings whose device clock ran ahead, and repeats, prove
// nothing: reports and curves leave them out, and count them.

import type { EpochMs } from '../../kernel/time.ts'
import type { Database, SqlParameter, SqlRow } from '../../ports/database.ts'

/** Rows of one batch: few enough that taking them never holds up the live feed. */
const BATCH_ROWS = 1_000

export interface ReadingScope {
  readonly tenantId: string
  /** Exactly one of the two. */
  readonly truckId?: string | undefined
  readonly shipmentId?: string | undefined
  readonly zone?: string | undefined
  /** `[fromMs, toMs)`. */
  readonly fromMs?: EpochMs | undefined
  readonly toMs?: EpochMs | undefined
}

export interface ReadingsOverview {
  readonly readings: number
  readonly firstMs: EpochMs | undefined
  readonly lastMs: EpochMs | undefined
  /** Profile that most readings name. */
  readonly profile: string | undefined
  /** Truck that sent most of them. */
  readonly truckId: string | undefined
  readonly excludedDuplicates: number
  readonly excludedFuture: number
}

const COUNTED = `coalesce('duplicate' <> all (flags) and 'future' <> all (flags), true)`

export async function readingsOverview(
  database: Database,
  scope: ReadingScope,
): Promise<ReadingsOverview> {
  const { where, parameters } = conditionOf(scope)
  const [row] = await database.query(
    `select count(*) filter (where ${COUNTED}) as readings,
       min(recorded_at) filter (where ${COUNTED}) as first,
       max(recorded_at) filter (where ${COUNTED}) as last,
       mode() within group (order by profile) filter (where ${COUNTED}) as profile,
       mode() within group (order by truck_id) filter (where ${COUNTED}) as truck_id,
       count(*) filter (where 'duplicate' = any (flags)) as duplicates,
       count(*) filter (where 'future' = any (flags)) as future
     from truck_reading where ${where}`,
    parameters,
  )
  return {
    readings: Number(row?.readings ?? 0),
    firstMs: epochMs(row?.first),
    lastMs: epochMs(row?.last),
    profile: textOf(row?.profile),
    truckId: textOf(row?.truck_id),
    excludedDuplicates: Number(row?.duplicates ?? 0),
    excludedFuture: Number(row?.future ?? 0),
  }
}

/** The lower median of the intervals between the readings of each zone; undefined below two readings. */
export async function medianReadingIntervalMs(
  database: Database,
  scope: ReadingScope,
): Promise<number | undefined> {
  const { where, parameters } = conditionOf(scope)
  const [row] = await database.query(
    `select percentile_disc(0.5) within group (order by interval_ms) as median from (
       select extract(epoch from recorded_at - lag(recorded_at) over (
         partition by zone order by recorded_at))::float8 * 1000 as interval_ms
       from truck_reading where ${where} and ${COUNTED}
     ) intervals where interval_ms is not null`,
    parameters,
  )
  const median = row?.median
  return median === null || median === undefined ? undefined : Math.round(Number(median))
}

export interface StoredReading {
  readonly recordedAtMs: EpochMs
  readonly temperatureC: number
  readonly zone: string | null
  readonly fuelPercent: number | null
  readonly speedKmh: number | null
  readonly doorOpen: boolean | null
}

/** Readings in order of their time, batch by batch. */
export async function* readingsInOrder(
  database: Database,
  scope: ReadingScope,
): AsyncIterable<readonly StoredReading[]> {
  const { where, parameters } = conditionOf(scope)
  const batches = database.stream(
    `select recorded_at, temperature_c, zone, fuel_percent, speed_kmh, door_open
     from truck_reading where ${where} and ${COUNTED}
     order by recorded_at, log_partition, log_offset`,
    parameters,
    { batchRows: BATCH_ROWS },
  )
  for await (const rows of batches) yield rows.map(readingOf)
}

function conditionOf(scope: ReadingScope): {
  readonly where: string
  readonly parameters: readonly SqlParameter[]
} {
  const conditions = ['tenant_id = $1']
  const parameters: SqlParameter[] = [scope.tenantId]
  const add = (text: string, value: SqlParameter): void => {
    parameters.push(value)
    conditions.push(`${text} $${parameters.length}`)
  }
  if (scope.truckId !== undefined) add('truck_id =', scope.truckId)
  if (scope.shipmentId !== undefined) add('shipment_id =', scope.shipmentId)
  if (scope.zone !== undefined) add('zone =', scope.zone)
  if (scope.fromMs !== undefined) add('recorded_at >=', new Date(scope.fromMs))
  if (scope.toMs !== undefined) add('recorded_at <', new Date(scope.toMs))
  return { where: conditions.join(' and '), parameters }
}

function readingOf(row: SqlRow): StoredReading {
  return {
    recordedAtMs: epochMs(row.recorded_at) ?? 0,
    temperatureC: Number(row.temperature_c),
    zone: textOf(row.zone) ?? null,
    fuelPercent: numberOf(row.fuel_percent),
    speedKmh: numberOf(row.speed_kmh),
    doorOpen: typeof row.door_open === 'boolean' ? row.door_open : null,
  }
}

function epochMs(value: unknown): EpochMs | undefined {
  if (value === null || value === undefined) return undefined
  return value instanceof Date ? value.getTime() : Date.parse(String(value))
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function numberOf(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value)
}
