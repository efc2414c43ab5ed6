// What the API asks of Postgres about vehicles: their telemetry in order, and windows put together.

import { type EpochMs, SECOND_MS, toIso } from '../../kernel/time.ts'
import type { Database, SqlRow } from '../../ports/database.ts'

/** Rows of one batch: few enough that taking them never holds up the live feed. */
const BATCH_ROWS = 1_000

export interface TelemetryScope {
  readonly tenantId: string
  readonly vehicleId: string
  /** `[fromMs, toMs)`. */
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
}

export interface StoredTelemetry {
  readonly recordedAtMs: EpochMs
  readonly speedKmh: number | null
  readonly rpm: number | null
  readonly gear: number | null
  readonly postedLimitKmh: number | null
}

/** Readings in order of their time, batch by batch; those whose clock ran ahead, and repeats, left out. */
export async function* telemetryInOrder(
  database: Database,
  { tenantId, vehicleId, fromMs, toMs }: TelemetryScope,
): AsyncIterable<readonly StoredTelemetry[]> {
  const batches = database.stream(
    `select recorded_at, speed_kmh, rpm, gear, posted_limit_kmh from vehicle_telemetry
     where tenant_id = $1 and vehicle_id = $2 and recorded_at >= $3 and recorded_at < $4
       and coalesce('duplicate' <> all (flags) and 'future' <> all (flags), true)
     order by recorded_at, log_partition, log_offset`,
    [tenantId, vehicleId, new Date(fromMs), new Date(toMs)],
    { batchRows: BATCH_ROWS },
  )
  for await (const rows of batches) yield rows.map(telemetryOf)
}

function telemetryOf(row: SqlRow): StoredTelemetry {
  return {
    recordedAtMs: epochMsOf(row.recorded_at),
    speedKmh: numberOf(row.speed_kmh),
    rpm: numberOf(row.rpm),
    gear: numberOf(row.gear),
    postedLimitKmh: numberOf(row.posted_limit_kmh),
  }
}

export interface WindowScope {
  readonly tenantId: string
  /** Name of the windows as the pipeline declares them. */
  readonly window: string
}

/** Names of the windows of which any is recorded, under the settings of now or before. */
export async function recordedWindows(
  database: Database,
  tenantId: string,
): Promise<readonly string[]> {
  const rows = await database.query(
    'select distinct window_name from window_change where tenant_id = $1 order by window_name',
    [tenantId],
  )
  return rows.map((row) => String(row.window_name))
}

/** One partition's and era's part of a window of one group. */
export interface WindowPart {
  readonly partition: number
  readonly era: number
  readonly startMs: EpochMs
  readonly endMs: EpochMs
  readonly group: string
  readonly values: Readonly<Record<string, unknown>>
  readonly keysHash: number | null
  readonly revision: number
  readonly final: boolean
}

/** Parts of the windows that begin at these instants, in no order. */
export async function windowParts(
  database: Database,
  { tenantId, window }: WindowScope,
  startsMs: readonly EpochMs[],
): Promise<readonly WindowPart[]> {
  const rows = await database.query(
    `select log_partition, era, extract(epoch from window_start)::float8 as start_s,
       extract(epoch from window_end)::float8 as end_s, group_key, values, keys_hash::float8, revision, final
     from unnest($3::timestamptz[]) as at cross join lateral (
       select * from window_kpi where window_name = $1 and tenant_id = $2 and window_start = at offset 0
     ) as part`,
    [window, tenantId, startsMs.map(toIso)],
  )
  return rows.map(partOf)
}

/** How often windows that begin in each hour were recorded or amended, by the hour; without those of which none is. */
export async function windowChanges(
  database: Database,
  { tenantId, window }: WindowScope,
  range: { readonly fromMs: EpochMs; readonly toMs: EpochMs },
): Promise<ReadonlyMap<EpochMs, number>> {
  const rows = await database.query(
    `select extract(epoch from span_start)::float8 as span_s, sum(changes)::float8 as changes
     from window_change
     where window_name = $1 and tenant_id = $2 and span_start > $3::timestamptz - interval '1 hour'
       and span_start < $4
     group by span_start`,
    [window, tenantId, new Date(range.fromMs), new Date(range.toMs)],
  )
  return new Map(rows.map((row) => [Number(row.span_s) * SECOND_MS, Number(row.changes)]))
}

function partOf(row: SqlRow): WindowPart {
  const values = row.values
  return {
    partition: Number(row.log_partition),
    era: Number(row.era),
    startMs: Math.round(Number(row.start_s) * SECOND_MS),
    endMs: Math.round(Number(row.end_s) * SECOND_MS),
    group: String(row.group_key),
    values: isValues(values) ? values : {},
    keysHash: numberOf(row.keys_hash),
    revision: Number(row.revision),
    final: row.final === true,
  }
}

function isValues(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function epochMsOf(value: unknown): EpochMs {
  return value instanceof Date ? value.getTime() : Date.parse(String(value))
}

function numberOf(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value)
}
