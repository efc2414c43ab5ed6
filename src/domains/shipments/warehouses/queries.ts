// What the API asks of Postgres about warehouses.

import type { EpochMs } from '../../../kernel/time.ts'
import type { Database, SqlParameter, SqlRow } from '../../../ports/database.ts'

export interface WarehouseScope {
  readonly tenantId: string
  readonly merchantId?: string | undefined
  readonly region?: string | undefined
}

/** One row a warehouse, with what it holds and what it moved since `sinceMs`. */
export async function warehousesOf(
  database: Database,
  { tenantId, merchantId, region, sinceMs }: WarehouseScope & { readonly sinceMs: EpochMs },
): Promise<readonly SqlRow[]> {
  return database.query(
    `SELECT held.*, coalesce(moved.movements, 0) AS movements,
       coalesce(moved.received, 0) AS received, coalesce(moved.picked, 0) AS picked,
       coalesce(moved.packed, 0) AS packed, coalesce(moved.dispatched, 0) AS dispatched
     FROM (
       SELECT warehouse_id, max(region) AS region, count(*) AS lines,
         count(DISTINCT merchant_id) AS merchants, sum(on_hand) AS on_hand,
         count(*) FILTER (WHERE low) AS low, count(*) FILTER (WHERE negative) AS negative,
         sum(dwell_unit_s) / nullif(sum(dwell_units), 0) AS dwell_s,
         min(oldest_at) FILTER (WHERE on_hand > 0) AS oldest_at, max(recorded_at) AS recorded_at
       FROM stock WHERE tenant_id = $1 AND ($2::text IS NULL OR merchant_id = $2)
         AND ($3::text IS NULL OR region = $3)
       GROUP BY warehouse_id
     ) AS held LEFT JOIN (
       SELECT warehouse_id, sum(movements) AS movements, sum(received) AS received,
         sum(picked) AS picked, sum(packed) AS packed, sum(dispatched) AS dispatched
       FROM warehouse_hour WHERE tenant_id = $1 AND starts_at > $4
         AND ($2::text IS NULL OR merchant_id = $2)
       GROUP BY warehouse_id
     ) AS moved USING (warehouse_id)
     ORDER BY warehouse_id`,
    [tenantId, merchantId ?? null, region ?? null, new Date(sinceMs)],
  )
}

export interface StockListScope extends WarehouseScope {
  readonly warehouseId: string
  readonly sku?: string | undefined
  /** Only lines that are low, or negative. */
  readonly attention?: boolean | undefined
  /** Where the page before ended. */
  readonly after?: { readonly merchantId: string; readonly sku: string } | undefined
  readonly limit: number
}

/** By merchant and sku. */
export async function stockOf(
  database: Database,
  { tenantId, warehouseId, merchantId, sku, attention, after, limit }: StockListScope,
): Promise<readonly SqlRow[]> {
  const parameters: SqlParameter[] = [tenantId, warehouseId]
  const conditions = ['tenant_id = $1', 'warehouse_id = $2']
  const place = (value: SqlParameter): string => {
    parameters.push(value)
    return `$${parameters.length}`
  }
  if (merchantId !== undefined) conditions.push(`merchant_id = ${place(merchantId)}`)
  if (sku !== undefined) conditions.push(`sku = ${place(sku)}`)
  if (attention === true) conditions.push('(low OR negative)')
  if (after !== undefined) {
    conditions.push(`(merchant_id, sku) > (${place(after.merchantId)}, ${place(after.sku)})`)
  }
  return database.query(
    `SELECT * FROM stock WHERE ${conditions.join(' AND ')}
     ORDER BY merchant_id, sku LIMIT ${Math.trunc(limit)}`,
    parameters,
  )
}

export async function hasWarehouse(
  database: Database,
  { tenantId, merchantId, warehouseId }: WarehouseScope & { readonly warehouseId: string },
): Promise<boolean> {
  const rows = await database.query(
    `SELECT FROM stock WHERE tenant_id = $1 AND warehouse_id = $2
       AND ($3::text IS NULL OR merchant_id = $3) LIMIT 1`,
    [tenantId, warehouseId, merchantId ?? null],
  )
  return rows.length > 0
}

/** What a warehouse moved in each hour of `[fromMs, toMs)`, in order. */
export async function throughputOf(
  database: Database,
  scope: WarehouseScope & {
    readonly warehouseId: string
    readonly fromMs: EpochMs
    readonly toMs: EpochMs
  },
): Promise<readonly SqlRow[]> {
  return database.query(
    `SELECT starts_at, sum(movements) AS movements, sum(received) AS received, sum(stored) AS stored,
       sum(picked) AS picked, sum(packed) AS packed, sum(dispatched) AS dispatched
     FROM warehouse_hour WHERE tenant_id = $1 AND warehouse_id = $2
       AND starts_at >= $3 AND starts_at < $4 AND ($5::text IS NULL OR merchant_id = $5)
     GROUP BY starts_at ORDER BY starts_at`,
    [
      scope.tenantId,
      scope.warehouseId,
      new Date(scope.fromMs),
      new Date(scope.toMs),
      scope.merchantId ?? null,
    ],
  )
}
