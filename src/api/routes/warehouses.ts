// Warehouses: what they hold, what they moved, and the figures of the regions that they and shipments are in.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { regionTraffic, shipmentTotals } from '../../domains/shipments/queries.ts'
import {
  hasWarehouse,
  stockOf,
  throughputOf,
  warehousesOf,
} from '../../domains/shipments/warehouses/queries.ts'
import { DAY_MS, HOUR_MS, toIso } from '../../kernel/time.ts'
import type { SqlRow } from '../../ports/database.ts'
import { askedScope } from '../caller-scope.ts'
import type { ApiContext } from '../context.ts'
import { decodeCursor, encodeCursor, pageOf } from '../cursor.ts'
import { HttpProblem } from '../problems.ts'
import {
  DEFAULT_LIMIT,
  idParameter,
  instant,
  listOf,
  nullable,
  paging,
  query,
  range,
  text,
} from '../schemas.ts'
import { isoOf, isoOrNull, numberOrNull, textOrNull } from '../sql-values.ts'
import { invalidParameter, rangeOf } from '../validation.ts'

const MAX_THROUGHPUT_SPAN_MS = 400 * DAY_MS
/** Over which traffic and latency of regions are measured, unless asked for another span. */
const DEFAULT_TRAFFIC_MINUTES = 60
const MAX_TRAFFIC_MINUTES = 24 * 60

const scopeProperties = { merchant: Type.Optional(text()), region: Type.Optional(text()) }
const warehousesQuery = query(scopeProperties)
const moved = {
  movements: Type.Number(),
  received: Type.Number({ description: 'Units, as the following' }),
  picked: Type.Number(),
  packed: Type.Number(),
  dispatched: Type.Number(),
}
const warehouseSchema = Type.Object({
  warehouseId: Type.String(),
  region: nullable(Type.String()),
  lines: Type.Integer({ description: 'Skus of merchants' }),
  merchants: Type.Integer(),
  onHand: Type.Number(),
  low: Type.Integer({ description: 'Lines at or below their reorder point' }),
  negative: Type.Integer({ description: 'Lines with less than nothing on hand' }),
  dwellS: nullable(Type.Number({ description: 'Mean stay of dispatched units' })),
  oldestAt: nullable(instant('When the oldest unit on hand came')),
  recordedAt: instant('Newest movement'),
  lastDay: Type.Object(moved),
})
const stockQuery = query({
  merchant: Type.Optional(text()),
  sku: Type.Optional(text()),
  attention: Type.Optional(Type.Boolean({ description: 'Only lines that are low or negative' })),
  ...paging,
})
const stockSchema = Type.Object({
  warehouseId: Type.String(),
  merchantId: Type.String(),
  sku: Type.String(),
  onHand: Type.Number(),
  picked: Type.Number({ description: 'Of these picked, not yet dispatched' }),
  received: Type.Number(),
  dispatched: Type.Number(),
  adjusted: Type.Number({ description: 'By adjustments and counts' }),
  reorderPoint: nullable(Type.Number()),
  low: Type.Boolean(),
  negative: Type.Boolean(),
  dwellS: nullable(Type.Number({ description: 'Mean stay of dispatched units' })),
  oldestAt: nullable(Type.String()),
  countedAt: nullable(Type.String()),
  countDifference: nullable(
    Type.Number({ description: 'What the last count found more, or less' }),
  ),
  bin: nullable(Type.String()),
  region: nullable(Type.String()),
  recordedAt: Type.String(),
})
const throughputQuery = query({ ...range, merchant: Type.Optional(text()) })
const throughputSchema = Type.Object({
  hourStart: Type.String(),
  hourEnd: Type.String(),
  ...moved,
  stored: Type.Number(),
})
const regionsQuery = query({
  merchant: Type.Optional(text()),
  minutes: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: MAX_TRAFFIC_MINUTES,
      description: 'Span of traffic and latency up to now',
    }),
  ),
})
const regionSchema = Type.Object({
  region: Type.String(),
  shipments: Type.Integer(),
  late: Type.Integer(),
  atRisk: Type.Integer(),
  byStatus: Type.Record(Type.String(), Type.Integer()),
  warehouses: Type.Integer(),
  traffic: Type.Array(
    Type.Object({
      topic: Type.String(),
      events: Type.Integer(),
      lateEvents: Type.Integer(),
      latencyP50Ms: nullable(Type.Integer({ description: "From the device's time to ours" })),
      latencyP95Ms: nullable(Type.Integer()),
      lagS: Type.Number({ description: 'Since the newest event of the region' }),
    }),
  ),
})
const tags = ['warehouses']

export function warehouseRoutes(app: FastifyInstance, { options }: ApiContext): void {
  const { clock, database } = options
  const config = { access: 'own' } as const

  app.get<{ Querystring: Static<typeof warehousesQuery> }>(
    '/warehouses',
    {
      config,
      schema: {
        tags,
        summary: 'Warehouses with what they hold, and moved in the last 24 hours',
        querystring: warehousesQuery,
        response: { 200: listOf(warehouseSchema) },
      },
    },
    async (request) => {
      const { merchant, region } = request.query
      const sinceMs = clock.nowMs() - DAY_MS
      const rows = await warehousesOf(database, {
        ...askedScope(request, merchant),
        region,
        sinceMs,
      })
      return { items: rows.map(warehouseJson), next: null }
    },
  )

  app.get<{ Params: Static<typeof idParameter>; Querystring: Static<typeof stockQuery> }>(
    '/warehouses/:id/stock',
    {
      config,
      schema: {
        tags,
        summary: 'Stock of a warehouse by merchant and sku',
        params: idParameter,
        querystring: stockQuery,
        response: { 200: listOf(stockSchema) },
      },
    },
    async (request) => {
      const { merchant, sku, attention, cursor, limit = DEFAULT_LIMIT } = request.query
      const scope = { ...askedScope(request, merchant), warehouseId: request.params.id }
      const rows = await stockOf(database, {
        ...scope,
        sku,
        attention,
        after: cursor === undefined ? undefined : afterOf(cursor),
        limit: limit + 1,
      })
      if (rows.length === 0) await mustExist(scope)
      const page = pageOf(rows.map(stockJson), limit, (last) =>
        encodeCursor('stock', [last.merchantId, last.sku]),
      )
      return { items: page.rows, next: page.next }
    },
  )

  app.get<{ Params: Static<typeof idParameter>; Querystring: Static<typeof throughputQuery> }>(
    '/warehouses/:id/throughput',
    {
      config,
      schema: {
        tags,
        summary: 'Units that a warehouse moved, by hour; the last 24 hours unless asked for others',
        params: idParameter,
        querystring: throughputQuery,
        response: { 200: listOf(throughputSchema) },
      },
    },
    async (request) => {
      const asked = rangeOf(request.query)
      const toMs = asked.toMs ?? clock.nowMs() + 1
      const fromMs = asked.fromMs ?? Math.floor((toMs - DAY_MS) / HOUR_MS) * HOUR_MS
      if (toMs - fromMs > MAX_THROUGHPUT_SPAN_MS) {
        throw invalidParameter('from', 'the range may be 400 days long')
      }
      const scope = {
        ...askedScope(request, request.query.merchant),
        warehouseId: request.params.id,
      }
      const rows = await throughputOf(database, { ...scope, fromMs, toMs })
      if (rows.length === 0) await mustExist(scope)
      return { items: rows.map(throughputJson), next: null }
    },
  )

  app.get<{ Querystring: Static<typeof regionsQuery> }>(
    '/regions',
    {
      // Of traffic and latency, which are the platform's.
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'Shipments, warehouses, traffic, latency and lag of each region',
        querystring: regionsQuery,
        response: { 200: listOf(regionSchema) },
      },
    },
    async (request) => {
      const { merchant, minutes = DEFAULT_TRAFFIC_MINUTES } = request.query
      const nowMs = clock.nowMs()
      const scope = askedScope(request, merchant)
      const [totals, warehouses, traffic] = await Promise.all([
        shipmentTotals(database, scope),
        warehousesOf(database, { ...scope, sinceMs: nowMs - DAY_MS }),
        regionTraffic(database, { ...scope, sinceMs: nowMs - minutes * 60_000 }),
      ])
      const names = new Set([
        ...Object.keys(totals.byRegion),
        ...traffic.map(({ region }) => region),
        ...warehouses.flatMap(({ region }) => (typeof region === 'string' ? [region] : [])),
      ])
      const items = [...names].sort().map((region) => ({
        region,
        ...(totals.byRegion[region] ?? { shipments: 0, late: 0, atRisk: 0, byStatus: {} }),
        warehouses: warehouses.filter((each) => each.region === region).length,
        traffic: traffic
          .filter((each) => each.region === region)
          .map(({ region: _, lastReceivedAtMs, ...each }) => ({
            ...each,
            lagS: Math.round(Math.max(0, nowMs - lastReceivedAtMs) / 100) / 10,
          })),
      }))
      return { items, next: null }
    },
  )

  async function mustExist(scope: Parameters<typeof hasWarehouse>[1]): Promise<void> {
    if (await hasWarehouse(database, scope)) return
    throw new HttpProblem('not-found', `There is no warehouse "${scope.warehouseId}".`)
  }
}

function warehouseJson(row: SqlRow): Static<typeof warehouseSchema> {
  return {
    warehouseId: String(row.warehouse_id),
    region: textOrNull(row.region),
    lines: Number(row.lines),
    merchants: Number(row.merchants),
    onHand: Number(row.on_hand),
    low: Number(row.low),
    negative: Number(row.negative),
    dwellS: secondsOrNull(row.dwell_s),
    oldestAt: isoOrNull(row.oldest_at),
    recordedAt: isoOf(row.recorded_at),
    lastDay: movedJson(row),
  }
}

function movedJson(row: SqlRow): Static<typeof warehouseSchema>['lastDay'] {
  return {
    movements: Number(row.movements),
    received: Number(row.received),
    picked: Number(row.picked),
    packed: Number(row.packed),
    dispatched: Number(row.dispatched),
  }
}

function stockJson(row: SqlRow): Static<typeof stockSchema> {
  const dwellUnits = Number(row.dwell_units)
  return {
    warehouseId: String(row.warehouse_id),
    merchantId: String(row.merchant_id),
    sku: String(row.sku),
    onHand: Number(row.on_hand),
    picked: Number(row.picked),
    received: Number(row.received),
    dispatched: Number(row.dispatched),
    adjusted: Number(row.adjusted),
    reorderPoint: numberOrNull(row.reorder_point),
    low: row.low === true,
    negative: row.negative === true,
    dwellS: dwellUnits === 0 ? null : secondsOrNull(Number(row.dwell_unit_s) / dwellUnits),
    oldestAt: isoOrNull(row.oldest_at),
    countedAt: isoOrNull(row.counted_at),
    countDifference: numberOrNull(row.count_difference),
    bin: textOrNull(row.bin),
    region: textOrNull(row.region),
    recordedAt: isoOf(row.recorded_at),
  }
}

function throughputJson(row: SqlRow): Static<typeof throughputSchema> {
  const hourStart = isoOf(row.starts_at)
  const hourEnd = toIso(Date.parse(hourStart) + HOUR_MS)
  return { hourStart, hourEnd, ...movedJson(row), stored: Number(row.stored) }
}

function secondsOrNull(value: unknown): number | null {
  const seconds = numberOrNull(value)
  return seconds === null ? null : Math.round(seconds)
}

function afterOf(cursor: string): { readonly merchantId: string; readonly sku: string } {
  const [merchantId, sku] = decodeCursor('stock', ['string', 'string'], cursor)
  return { merchantId: String(merchantId), sku: String(sku) }
}
