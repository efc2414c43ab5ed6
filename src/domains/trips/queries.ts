// What the API asks of Postgres about trips. Sums come from the table that is kept with each trip; only the
// trips of a broken minute at either end of a range are looked at themselves.

import type { EpochMs } from '../../kernel/time.ts'
import type { Database, SqlParameter, SqlRow } from '../../ports/database.ts'
import { Conditions } from '../../ports/sql-conditions.ts'

/** Spans that sums are kept for, in seconds; each divides the next. */
export const TOTAL_SPANS_S = [60, 3_600, 86_400, 2_764_800] as const

export interface TripScope {
  readonly tenantId: string
  /** `[fromMs, toMs)` of the pickup. */
  readonly fromMs?: EpochMs | undefined
  readonly toMs?: EpochMs | undefined
}

/** Sums over trips; revenue as exact decimals. */
export interface TripTotals {
  readonly trips: number
  /** Of the currency that most of the trips with one were paid in. */
  readonly revenue: string
  readonly currency: string | null
  readonly revenueByCurrency: readonly CurrencyRevenue[]
  /** Over the trips whose distance is known; null where there is none. */
  readonly averageDistanceKm: number | null
  readonly byStatus: Readonly<Record<string, number>>
  readonly byPaymentMethod: Readonly<Record<string, number>>
}

export interface CurrencyRevenue {
  /** Null: the sender gave none. */
  readonly currency: string | null
  readonly revenue: string
  readonly trips: number
  /** Revenue by payment method. */
  readonly byPaymentMethod: Readonly<Record<string, string>>
}

/** A stretch of a range: whole spans, or trips themselves where `spanS` is null. */
export interface Stretch {
  readonly spanS: number | null
  /** Infinite where the range is open. */
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
}

/** Covers a range with the fewest sums: the largest spans inside, smaller ones towards its ends. */
export function stretchesOf(
  {
    fromMs = Number.NEGATIVE_INFINITY,
    toMs = Number.POSITIVE_INFINITY,
  }: Omit<TripScope, 'tenantId'>,
  level = TOTAL_SPANS_S.length - 1,
): readonly Stretch[] {
  if (fromMs >= toMs) return []
  const spanS = TOTAL_SPANS_S[level]
  if (spanS === undefined) return [{ spanS: null, fromMs, toMs }]
  const spanMs = spanS * 1_000
  const firstMs = Math.ceil(fromMs / spanMs) * spanMs
  const lastMs = Math.floor(toMs / spanMs) * spanMs
  if (firstMs >= lastMs) return stretchesOf({ fromMs, toMs }, level - 1)
  return [
    ...stretchesOf({ fromMs, toMs: firstMs }, level - 1),
    { spanS, fromMs: firstMs, toMs: lastMs },
    ...stretchesOf({ fromMs: lastMs, toMs }, level - 1),
  ]
}

export async function tripTotals(database: Database, scope: TripScope): Promise<TripTotals> {
  const parameters: SqlParameter[] = [scope.tenantId]
  const parts = stretchesOf(scope).map((stretch) => partOf(stretch, parameters))
  const rows = await database.query(
    `SELECT currency, status, payment_method, sum(trips) AS trips, sum(revenue) AS revenue,
       sum(measured) AS measured, sum(distance_km) AS distance_km
     FROM (${parts.join(' UNION ALL ')}) AS part
     GROUP BY GROUPING SETS ((), (currency), (status), (payment_method),
       (currency, payment_method))
     HAVING sum(trips) > 0 ORDER BY sum(trips) DESC, currency, status, payment_method`,
    parameters,
  )
  return totalsOf(rows)
}

export interface TripSeriesPoint extends TripTotals {
  readonly startMs: EpochMs
  readonly endMs: EpochMs
}

/** Sums for each bucket with trips, in order; `bucketMs` is whole minutes. The range is whole buckets. */
export async function tripSeries(
  database: Database,
  scope: Required<TripScope> & { readonly fromMs: EpochMs; readonly toMs: EpochMs },
  bucketMs: number,
): Promise<readonly TripSeriesPoint[]> {
  const bucketS = bucketMs / 1_000
  const spanS = TOTAL_SPANS_S.findLast((span) => bucketS % span === 0) ?? TOTAL_SPANS_S[0]
  const rows = await database.query(
    `SELECT bucket, currency, status, payment_method, sum(trips) AS trips, sum(revenue) AS revenue,
       sum(measured) AS measured, sum(distance_km) AS distance_km
     FROM (SELECT *, floor(extract(epoch FROM starts_at) / $4)::float8 * $4 AS bucket FROM trip_total
       WHERE tenant_id = $1 AND span_s = ${spanS} AND starts_at >= $2 AND starts_at < $3) AS part
     GROUP BY GROUPING SETS ((bucket), (bucket, currency), (bucket, status), (bucket, payment_method),
       (bucket, currency, payment_method))
     HAVING sum(trips) > 0 ORDER BY bucket, sum(trips) DESC, currency, status, payment_method`,
    [scope.tenantId, new Date(scope.fromMs), new Date(scope.toMs), bucketS],
  )
  const buckets = Map.groupBy(rows, (row) => Number(row.bucket) * 1_000)
  return [...buckets].map(([startMs, own]) => ({
    startMs,
    endMs: startMs + bucketMs,
    ...totalsOf(own),
  }))
}

/** What rows are grouped by is what is not null in them; all together where all is. */
function totalsOf(rows: readonly SqlRow[]): TripTotals {
  const whole = rows.find(({ currency, status, payment_method }) => {
    return currency === null && status === null && payment_method === null
  })
  const measured = Number(whole?.measured ?? 0)
  const revenueByCurrency = rows
    .filter(({ currency, payment_method }) => currency !== null && payment_method === null)
    .map((row) => ({
      currency: row.currency === '' ? null : String(row.currency),
      revenue: String(row.revenue),
      trips: Number(row.trips),
      byPaymentMethod: revenueByMethod(rows, row.currency),
    }))
  const main = revenueByCurrency.find(({ currency }) => currency !== null) ?? revenueByCurrency[0]
  return {
    trips: Number(whole?.trips ?? 0),
    revenue: main?.revenue ?? '0',
    currency: main?.currency ?? null,
    revenueByCurrency,
    averageDistanceKm:
      measured === 0 ? null : Math.round((Number(whole?.distance_km) / measured) * 1e6) / 1e6,
    byStatus: countsBy(rows, 'status'),
    byPaymentMethod: countsBy(rows, 'payment_method'),
  }
}

function revenueByMethod(
  rows: readonly SqlRow[],
  currency: unknown,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    rows
      .filter((row) => row.currency === currency && row.payment_method !== null)
      .map((row) => [String(row.payment_method), String(row.revenue)]),
  )
}

function countsBy(rows: readonly SqlRow[], column: string): Readonly<Record<string, number>> {
  return Object.fromEntries(
    rows
      .filter((row) => row[column] !== null && row.currency === null)
      .map((row) => [String(row[column]), Number(row.trips)]),
  )
}

function partOf(stretch: Stretch, parameters: SqlParameter[]): string {
  const { spanS, fromMs, toMs } = stretch
  const time = spanS === null ? 'pickup_time' : 'starts_at'
  const conditions = ['tenant_id = $1', ...(spanS === null ? [] : [`span_s = ${spanS}`])]
  const bound = (operator: string, atMs: EpochMs): void => {
    if (!Number.isFinite(atMs)) return
    parameters.push(new Date(atMs))
    conditions.push(`${time} ${operator} $${parameters.length}`)
  }
  bound('>=', fromMs)
  bound('<', toMs)
  const where = conditions.join(' AND ')
  return spanS === null
    ? `SELECT (amount).currency, (amount).status, (amount).payment_method, (amount).trips,
         (amount).revenue, (amount).measured, (amount).distance_km
       FROM (SELECT trip_amount_of(trip, 1) AS amount FROM trip WHERE ${where}) AS each`
    : `SELECT currency, status, payment_method, trips, revenue, measured, distance_km
       FROM trip_total WHERE ${where}`
}

export interface TripListScope extends TripScope {
  readonly status?: readonly string[] | undefined
  readonly paymentMethod?: readonly string[] | undefined
  readonly anomaly?: readonly string[] | undefined
  readonly vehicleId?: string | undefined
  /** Where the page before ended. */
  readonly after?: { readonly pickupMs: EpochMs; readonly tripId: string } | undefined
  readonly limit: number
}

/** Newest pickup first. */
export async function tripsOf(
  database: Database,
  scope: TripListScope,
): Promise<readonly SqlRow[]> {
  const conditions = new Conditions().add('tenant_id = $', scope.tenantId)
  if (scope.fromMs !== undefined) conditions.add('pickup_time >= $', new Date(scope.fromMs))
  if (scope.toMs !== undefined) conditions.add('pickup_time < $', new Date(scope.toMs))
  if (scope.status !== undefined) conditions.add('status = ANY($::text[])', scope.status)
  if (scope.paymentMethod !== undefined) {
    conditions.add("coalesce(payment_method, 'not-recorded') = ANY($::text[])", scope.paymentMethod)
  }
  if (scope.anomaly !== undefined) {
    conditions.add('anomalies IS NOT NULL AND anomalies ?| $::text[]', scope.anomaly)
  }
  if (scope.vehicleId !== undefined) conditions.add('vehicle_id = $', scope.vehicleId)
  if (scope.after !== undefined) {
    const at = conditions.parameter(new Date(scope.after.pickupMs))
    const id = conditions.parameter(scope.after.tripId)
    conditions.addText(`pickup_time <= ${at} AND (pickup_time < ${at} OR trip_id > ${id})`)
  }
  return database.query(
    `SELECT * FROM trip ${conditions.where}
     ORDER BY pickup_time DESC, trip_id LIMIT ${Math.trunc(scope.limit)}`,
    conditions.parameters,
  )
}

export async function tripById(
  database: Database,
  { tenantId, tripId }: { readonly tenantId: string; readonly tripId: string },
): Promise<SqlRow | undefined> {
  const [row] = await database.query('SELECT * FROM trip WHERE tenant_id = $1 AND trip_id = $2', [
    tenantId,
    tripId,
  ])
  return row
}
