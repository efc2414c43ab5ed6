// What the API asks of Postgres about shipments.

import type { EpochMs } from '../../kernel/time.ts'
import type { Database, SqlRow } from '../../ports/database.ts'
import { Conditions } from '../../ports/sql-conditions.ts'
import {
  itemsOf,
  MILESTONE_TYPES,
  type ShipmentEvent,
  shipmentEvents,
  TIMINGS,
  wordsOf,
} from './events.ts'

/** Events of one shipment that its page is made of; of more the newest count. */
export const MAX_PAGE_EVENTS = 1_000

export interface ShipmentScope {
  readonly tenantId: string
  readonly merchantId?: string | undefined
  readonly region?: string | undefined
}

export const SHIPMENT_ORDERS = ['recent', 'promise'] as const
/** `recent`: newest event first. `promise`: by the promise, the one that is due first first. */
export type ShipmentOrder = (typeof SHIPMENT_ORDERS)[number]

export interface ShipmentListScope extends ShipmentScope {
  readonly status?: readonly string[] | undefined
  readonly promise?: readonly string[] | undefined
  readonly carrier?: string | undefined
  readonly mode?: string | undefined
  readonly truckId?: string | undefined
  readonly warehouseId?: string | undefined
  readonly consignment?: string | undefined
  /** Beginning of the shipment's number. */
  readonly startsWith?: string | undefined
  readonly order: ShipmentOrder
  /** Where the page before ended. */
  readonly after?: { readonly atMs: EpochMs; readonly shipmentId: string } | undefined
  readonly limit: number
}

const EQUAL_COLUMNS = {
  merchantId: 'merchant_id',
  region: 'region',
  carrier: 'carrier',
  mode: 'mode',
  truckId: 'truck_id',
  warehouseId: 'warehouse_id',
  consignment: 'consignment',
} as const

export async function shipmentsOf(
  database: Database,
  scope: ShipmentListScope,
): Promise<readonly SqlRow[]> {
  const conditions = new Conditions().add('tenant_id = $', scope.tenantId)
  for (const name of [
    'merchantId',
    'region',
    'carrier',
    'mode',
    'truckId',
    'warehouseId',
    'consignment',
  ] as const) {
    const value = scope[name]
    if (value !== undefined) conditions.add(`${EQUAL_COLUMNS[name]} = $`, value)
  }
  const { status, promise, startsWith, order, after } = scope
  if (status !== undefined) conditions.add('status = ANY($::text[])', status)
  if (promise !== undefined) conditions.add('promise = ANY($::text[])', promise)
  if (startsWith !== undefined) conditions.add('starts_with(shipment_id, $)', startsWith)
  if (order === 'promise') conditions.addText('promised_at IS NOT NULL')
  if (after !== undefined) {
    const at = conditions.parameter(new Date(after.atMs))
    const id = conditions.parameter(after.shipmentId)
    conditions.addText(
      order === 'recent'
        ? `recorded_at <= ${at} AND (recorded_at < ${at} OR shipment_id > ${id})`
        : `(promised_at, shipment_id) > (${at}, ${id})`,
    )
  }
  const by = order === 'recent' ? 'recorded_at DESC, shipment_id' : 'promised_at, shipment_id'
  return database.query(
    `SELECT * FROM shipment ${conditions.where}
     ORDER BY ${by} LIMIT ${Math.trunc(scope.limit)}`,
    conditions.parameters,
  )
}

export async function shipmentById(
  database: Database,
  { tenantId, merchantId, shipmentId }: ShipmentScope & { readonly shipmentId: string },
): Promise<SqlRow | undefined> {
  const [row] = await database.query(
    `SELECT * FROM shipment WHERE tenant_id = $1 AND shipment_id = $2
       AND ($3::text IS NULL OR merchant_id = $3)`,
    [tenantId, shipmentId, merchantId ?? null],
  )
  return row
}

/** All that was said of a shipment by its merchant's events, repeats left out, in the order of recording. */
export async function eventsOfShipment(
  database: Database,
  scope: { readonly tenantId: string; readonly merchantId: string; readonly shipmentId: string },
): Promise<readonly ShipmentEvent[]> {
  const columns = shipmentEvents.archive.columns.map(({ name }) => name)
  const rows = await database.query(
    `SELECT ${columns.join(', ')} FROM shipment_event
     WHERE tenant_id = $1 AND shipment_id = $2 AND merchant_id = $3
       AND coalesce('duplicate' <> ALL (flags), true)
     ORDER BY recorded_at DESC, log_partition, log_offset DESC LIMIT ${MAX_PAGE_EVENTS}`,
    [scope.tenantId, scope.shipmentId, scope.merchantId],
  )
  return rows.map(eventOf).reverse()
}

export interface ShipmentTotals {
  readonly shipments: number
  readonly byStatus: Readonly<Record<string, number>>
  readonly byPromise: Readonly<Record<string, number>>
  readonly late: number
  /** `not-stated` where the mode is not known. */
  readonly lateByMode: Readonly<Record<string, number>>
  readonly byRegion: Readonly<Record<string, RegionTotals>>
  readonly freight: readonly {
    readonly currency: string | null
    /** Exact decimal. */
    readonly cost: string
    /** Shipments whose freight is a number. */
    readonly shipments: number
  }[]
}

export interface RegionTotals {
  readonly shipments: number
  readonly late: number
  readonly atRisk: number
  readonly byStatus: Readonly<Record<string, number>>
}

/** Figures as they are kept with the shipments, however many there are. */
export async function shipmentTotals(
  database: Database,
  { tenantId, merchantId, region }: ShipmentScope,
): Promise<ShipmentTotals> {
  const rows = await database.query(
    `SELECT region, status, promise, mode, currency, sum(shipments) AS shipments,
       sum(freight_lines) AS freight_lines, sum(freight_cost)::text AS freight_cost
     FROM shipment_total WHERE tenant_id = $1
       AND ($2::text IS NULL OR merchant_id = $2) AND ($3::text IS NULL OR region = $3)
     GROUP BY region, status, promise, mode, currency HAVING sum(shipments) > 0
     ORDER BY region, status, promise, mode, currency`,
    [tenantId, merchantId ?? null, region ?? null],
  )
  const freight = await database.query(
    `SELECT nullif(currency, '') AS currency, sum(freight_lines) AS shipments,
       sum(freight_cost)::text AS cost
     FROM shipment_total WHERE tenant_id = $1
       AND ($2::text IS NULL OR merchant_id = $2) AND ($3::text IS NULL OR region = $3)
     GROUP BY 1 HAVING sum(freight_lines) > 0 ORDER BY 2 DESC, 1`,
    [tenantId, merchantId ?? null, region ?? null],
  )
  const late = rows.filter(({ promise }) => promise === 'late')
  return {
    shipments: sumOf(rows),
    byStatus: sumsBy(rows, 'status'),
    byPromise: sumsBy(rows, 'promise'),
    late: sumOf(late),
    lateByMode: sumsBy(late, 'mode'),
    byRegion: Object.fromEntries(
      [...Map.groupBy(rows, (row) => nameOf(row.region))].map(([name, own]) => [
        name,
        {
          shipments: sumOf(own),
          late: sumOf(own.filter(({ promise }) => promise === 'late')),
          atRisk: sumOf(own.filter(({ promise }) => promise === 'at-risk')),
          byStatus: sumsBy(own, 'status'),
        },
      ]),
    ),
    freight: freight.map(({ currency, shipments, cost }) => ({
      currency: typeof currency === 'string' ? currency : null,
      cost: String(cost),
      shipments: Number(shipments),
    })),
  }
}

export const NOT_STATED = 'not-stated'

function nameOf(value: unknown): string {
  return value === '' || typeof value !== 'string' ? NOT_STATED : value
}

function sumOf(rows: readonly SqlRow[]): number {
  return rows.reduce((sum, row) => sum + Number(row.shipments), 0)
}

function sumsBy(rows: readonly SqlRow[], column: string): Readonly<Record<string, number>> {
  const sums = new Map<string, number>()
  for (const row of rows) {
    const name = nameOf(row[column])
    sums.set(name, (sums.get(name) ?? 0) + Number(row.shipments))
  }
  return Object.fromEntries(sums)
}

export interface RegionTraffic {
  readonly region: string
  readonly topic: string
  readonly events: number
  /** From the device's time to ours, of events that were not late; null where there was none. */
  readonly latencyP50Ms: number | null
  readonly latencyP95Ms: number | null
  readonly lateEvents: number
  readonly lastReceivedAtMs: EpochMs
}

/** What came from each region since `sinceMs`, by arrival. */
export async function regionTraffic(
  database: Database,
  { tenantId, merchantId, sinceMs }: ShipmentScope & { readonly sinceMs: EpochMs },
): Promise<readonly RegionTraffic[]> {
  const part = (topic: string, table: string): string => `
    SELECT '${topic}' AS topic, coalesce(region, '') AS region, received_at, flags,
      extract(epoch FROM received_at - recorded_at) * 1000 AS latency_ms
    FROM ${table} WHERE tenant_id = $1 AND received_at >= $2 AND ($3::text IS NULL OR merchant_id = $3)`
  const rows = await database.query(
    `SELECT region, topic, count(*) AS events, max(received_at) AS last,
       count(*) FILTER (WHERE 'late' = ANY (flags)) AS late,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY latency_ms) FILTER (WHERE flags IS NULL) AS p50,
       percentile_disc(0.95) WITHIN GROUP (ORDER BY latency_ms) FILTER (WHERE flags IS NULL) AS p95
     FROM (${part('shipment-events', 'shipment_event')} UNION ALL
       ${part('warehouse-events', 'warehouse_event')}) AS recent
     GROUP BY region, topic ORDER BY region, topic`,
    [tenantId, new Date(sinceMs), merchantId ?? null],
  )
  return rows.map((row) => ({
    region: nameOf(row.region),
    topic: String(row.topic),
    events: Number(row.events),
    latencyP50Ms: roundedOrNull(row.p50),
    latencyP95Ms: roundedOrNull(row.p95),
    lateEvents: Number(row.late),
    lastReceivedAtMs: instantOf(row.last) ?? 0,
  }))
}

function roundedOrNull(value: unknown): number | null {
  return value === null || value === undefined ? null : Math.max(0, Math.round(Number(value)))
}

function eventOf(row: SqlRow): ShipmentEvent {
  const text = (name: string): string | null => {
    const value = row[name]
    return value === null || value === undefined ? null : String(value)
  }
  const number = (name: string): number | null => {
    const value = row[name]
    return value === null || value === undefined ? null : Number(value)
  }
  return {
    shipmentId: text('shipment_id') ?? '',
    recordedAtMs: instantOf(row.recorded_at) ?? 0,
    eventId: null,
    type: MILESTONE_TYPES.find((type) => type === row.type) ?? 'exception',
    timing: TIMINGS.find((timing) => timing === row.timing) ?? 'actual',
    milestoneAtMs: instantOf(row.milestone_at),
    merchantId: text('merchant_id') ?? '',
    carrier: text('carrier'),
    mode: text('mode'),
    truckId: text('truck_id'),
    warehouseId: text('warehouse_id'),
    location: text('location'),
    region: text('region'),
    lat: number('lat'),
    lon: number('lon'),
    destination: text('destination'),
    promisedAtMs: instantOf(row.promised_at),
    createdAtMs: instantOf(row.created_at),
    orderedAtMs: instantOf(row.ordered_at),
    customerName: text('customer_name'),
    customerEmail: text('customer_email'),
    customerPhone: text('customer_phone'),
    reason: text('reason'),
    consignment: text('consignment'),
    items: itemsOf(row.items),
    weightKg: number('weight_kg'),
    freightCost: text('freight_cost'),
    currency: text('currency'),
    words: wordsOf(row.words),
  }
}

function instantOf(value: unknown): EpochMs | null {
  if (value === null || value === undefined) return null
  return value instanceof Date ? value.getTime() : Date.parse(String(value))
}
