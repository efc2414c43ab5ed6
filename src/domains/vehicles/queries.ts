// What the API asks of Postgres about vehicles: their telemetry in order, and windows put together.

import type { EpochMs } from '../../kernel/time.ts'
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
  /** Windows that begin in `[fromMs, toMs)`. */
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
  /** Only those that begin at whole multiples of this. */
  readonly everyMs: number
  /** After this window and group, in the order asked for. */
  readonly after: { readonly startMs: EpochMs; readonly group: string } | undefined
  readonly order: 'asc' | 'desc'
  /** Windows of one group each. */
  readonly limit: number
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

/**
 * Parts of the first `limit` windows. Only the beginnings that are asked for are looked up, so that a coarse
 * slide over a long range reads little.
 */
export async function windowParts(
  database: Database,
  scope: WindowScope,
): Promise<readonly WindowPart[]> {
  const { tenantId, window, fromMs, toMs, everyMs, after, order, limit } = scope
  const comparison = order === 'asc' ? '>' : '<'
  const rows = await database.query(
    `with starts as (
       select at from generate_series($3::timestamptz, $4::timestamptz, $5 * interval '1 ms') as at
     ), groups as (
       select window_start, group_key
       from starts join window_kpi on window_start = at
       where window_name = $1 and tenant_id = $2
         and ($6::timestamptz is null or (window_start, group_key) ${comparison} ($6, $7))
       group by window_start, group_key
       order by window_start ${order}, group_key ${order}
       limit $8
     )
     select log_partition, era, window_start, window_end, group_key, values, keys_hash, revision, final
     from groups join window_kpi using (window_start, group_key)
     where window_name = $1 and tenant_id = $2
     order by window_start ${order}, group_key ${order}, log_partition, era`,
    [
      window,
      tenantId,
      new Date(Math.ceil(fromMs / everyMs) * everyMs),
      new Date(toMs - 1),
      everyMs,
      after === undefined ? null : new Date(after.startMs),
      after?.group ?? null,
      limit,
    ],
  )
  return rows.map(partOf)
}

function partOf(row: SqlRow): WindowPart {
  const values = row.values
  return {
    partition: Number(row.log_partition),
    era: Number(row.era),
    startMs: epochMsOf(row.window_start),
    endMs: epochMsOf(row.window_end),
    group: String(row.group_key),
    values:
      typeof values === 'object' && values !== null
        ? Object.fromEntries(Object.entries(values))
        : {},
    keysHash: numberOf(row.keys_hash),
    revision: Number(row.revision),
    final: row.final === true,
  }
}

function epochMsOf(value: unknown): EpochMs {
  return value instanceof Date ? value.getTime() : Date.parse(String(value))
}

function numberOf(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value)
}
