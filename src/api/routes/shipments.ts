// Shipments: the list, the figures, one with its timeline, and what was measured around it on its way.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { SHIPMENT_STATUSES } from '../../domains/shipments/journey.ts'
import { PROMISES } from '../../domains/shipments/promise.ts'
import {
  eventsOfShipment,
  SHIPMENT_ORDERS,
  shipmentById,
  shipmentsOf,
  shipmentTotals,
} from '../../domains/shipments/queries.ts'
import { custodyOf, timelineOf } from '../../domains/shipments/timeline.ts'
import { principalOf } from '../access.ts'
import { askedScope, asPlatform } from '../caller-scope.ts'
import { coldChainReport } from '../cold-chain-report.ts'
import type { ApiContext } from '../context.ts'
import { decodeCursor, encodeCursor, pageOf } from '../cursor.ts'
import { HttpProblem } from '../problems.ts'
import { reportSchema } from '../report-json.ts'
import { DEFAULT_LIMIT, idParameter, listOf, nullable, paging, query, text } from '../schemas.ts'
import {
  shipmentJson,
  shipmentPageJson,
  shipmentPageSchema,
  shipmentSchema,
} from '../shipment-json.ts'
import { choicesOf } from '../validation.ts'

/** Trucks whose curves one question is answered about; of more the last ones count. */
const MAX_TRUCK_LEGS = 20

const listQuery = query({
  status: Type.Optional(
    Type.String({ maxLength: 200, description: `${SHIPMENT_STATUSES.join(', ')}, by commas` }),
  ),
  promise: Type.Optional(
    Type.String({ maxLength: 200, description: `${PROMISES.join(', ')}, by commas` }),
  ),
  merchant: Type.Optional(text()),
  region: Type.Optional(text()),
  carrier: Type.Optional(text()),
  mode: Type.Optional(text()),
  truck: Type.Optional(text()),
  warehouse: Type.Optional(text()),
  consignment: Type.Optional(text()),
  search: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 200,
      description: "Beginning of the shipment's number",
    }),
  ),
  sort: Type.Optional(
    Type.Union(
      SHIPMENT_ORDERS.map((order) => Type.Literal(order)),
      { description: 'recent: newest event first; promise: due first' },
    ),
  ),
  ...paging,
})
const totalsQuery = query({ merchant: Type.Optional(text()), region: Type.Optional(text()) })
const counts = Type.Record(Type.String(), Type.Integer())
const totalsSchema = Type.Object({
  shipments: Type.Integer(),
  byStatus: counts,
  byPromise: counts,
  late: Type.Integer(),
  lateByMode: counts,
  byRegion: Type.Record(
    Type.String(),
    Type.Object({
      shipments: Type.Integer(),
      late: Type.Integer(),
      atRisk: Type.Integer(),
      byStatus: counts,
    }),
  ),
  freight: Type.Array(
    Type.Object({
      currency: nullable(Type.String()),
      cost: Type.String({ description: 'Exact decimal' }),
      shipments: Type.Integer({ description: 'Whose freight is a number' }),
    }),
  ),
})
const temperatureQuery = query({ profile: Type.Optional(text()) })
const temperatureSchema = Type.Object({
  legs: Type.Array(
    Type.Object({
      truckId: Type.String(),
      from: Type.String(),
      to: nullable(Type.String({ description: 'Null: still aboard' })),
      report: nullable(reportSchema),
    }),
  ),
})
const tags = ['shipments']

export function shipmentRoutes(app: FastifyInstance, { options, heavyReads }: ApiContext): void {
  const { clock, database } = options
  const config = { access: 'own' } as const

  app.get<{ Querystring: Static<typeof listQuery> }>(
    '/shipments',
    {
      config,
      schema: {
        tags,
        summary: 'Shipments as they are now',
        querystring: listQuery,
        response: { 200: listOf(shipmentSchema) },
      },
    },
    async (request) => {
      const asked = request.query
      const { cursor, limit = DEFAULT_LIMIT, sort: order = 'recent' } = asked
      const tag = `shipments-${order}`
      const rows = await shipmentsOf(database, {
        ...askedScope(request, asked.merchant),
        region: asked.region,
        status: choicesOf('status', asked.status, SHIPMENT_STATUSES),
        promise: choicesOf('promise', asked.promise, PROMISES),
        carrier: asked.carrier,
        mode: asked.mode,
        truckId: asked.truck,
        warehouseId: asked.warehouse,
        consignment: asked.consignment,
        startsWith: asked.search,
        order,
        after: cursor === undefined ? undefined : afterOf(tag, cursor),
        limit: limit + 1,
      })
      const nowMs = clock.nowMs()
      const items = rows.map((row) => shipmentJson(row, nowMs))
      const page = pageOf(items, limit, ({ recordedAt, promisedAt, shipmentId }) => {
        const at = order === 'recent' ? recordedAt : (promisedAt ?? recordedAt)
        return encodeCursor(tag, [Date.parse(at), shipmentId])
      })
      return { items: page.rows, next: page.next }
    },
  )

  app.get<{ Querystring: Static<typeof totalsQuery> }>(
    '/shipments/summary',
    {
      config,
      schema: {
        tags,
        summary: 'How many shipments are how, late ones by mode, figures by region, freight',
        querystring: totalsQuery,
        response: { 200: totalsSchema },
      },
    },
    async (request) => {
      const { merchant, region } = request.query
      return shipmentTotals(database, { ...askedScope(request, merchant), region })
    },
  )

  app.get<{ Params: Static<typeof idParameter> }>(
    '/shipments/:id',
    {
      config,
      schema: {
        tags,
        summary: 'One shipment with its timeline, planned, estimated and actual, and who had it',
        params: idParameter,
        response: { 200: shipmentPageSchema },
      },
    },
    async (request) => {
      const { tenantId } = principalOf(request)
      const { row, events } = await found(tenantId, request.params.id)
      return shipmentPageJson(row, {
        timeline: timelineOf(events),
        custody: custodyOf(events),
        nowMs: clock.nowMs(),
      })
    },
  )

  app.get<{
    Params: Static<typeof idParameter>
    Querystring: Static<typeof temperatureQuery>
  }>(
    '/shipments/:id/temperature',
    {
      config,
      schema: {
        tags,
        summary: 'What the thermometers of its trucks prove for the time that it was aboard',
        params: idParameter,
        querystring: temperatureQuery,
        response: { 200: temperatureSchema },
      },
    },
    async (request) => {
      const { tenantId } = principalOf(request)
      const { events } = await found(tenantId, request.params.id)
      const nowMs = clock.nowMs()
      const legs = custodyOf(events)
        .flatMap(({ kind, id, fromMs, toMs }) =>
          kind === 'truck' && id !== null ? [{ truckId: id, fromMs, toMs }] : [],
        )
        .slice(-MAX_TRUCK_LEGS)
      // The readings are the platform's; of each truck only those are looked at that were taken while the
      // shipment, which the caller may see, was aboard.
      const reports = await heavyReads.run(() =>
        asPlatform(request, async () => {
          const made = []
          for (const { truckId, fromMs, toMs } of legs) {
            made.push(
              await coldChainReport(options, {
                ...{ tenantId, truckId, fromMs, toMs: toMs ?? nowMs },
                profileName: request.query.profile,
              }),
            )
          }
          return made
        }),
      )
      return {
        legs: legs.map(({ truckId, fromMs, toMs }, at) => ({
          truckId,
          from: new Date(fromMs).toISOString(),
          to: toMs === null ? null : new Date(toMs).toISOString(),
          report: reports[at] ?? null,
        })),
      }
    },
  )

  async function found(tenantId: string, shipmentId: string) {
    const row = await shipmentById(database, { tenantId, shipmentId })
    if (row === undefined) {
      throw new HttpProblem('not-found', `There is no shipment "${shipmentId}".`)
    }
    const merchantId = String(row.merchant_id)
    const events = await eventsOfShipment(database, { tenantId, merchantId, shipmentId })
    return { row, events }
  }
}

function afterOf(
  tag: string,
  cursor: string,
): { readonly atMs: number; readonly shipmentId: string } {
  const [atMs, shipmentId] = decodeCursor(tag, ['number', 'string'], cursor)
  return { atMs: Number(atMs), shipmentId: String(shipmentId) }
}
