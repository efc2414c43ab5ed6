// Trips: their sums at once and over time, the list, and one of them.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { ANOMALIES } from '../../domains/trips/anomaly.ts'
import { PAYMENT_METHODS, TRIP_STATUSES } from '../../domains/trips/events.ts'
import { tripById, tripSeries, tripsOf, tripTotals } from '../../domains/trips/queries.ts'
import { DAY_MS, type DurationMs, HOUR_MS, MINUTE_MS, toIso } from '../../kernel/time.ts'
import { principalOf } from '../access.ts'
import type { ApiContext } from '../context.ts'
import { decodeCursor, encodeCursor, pageOf } from '../cursor.ts'
import { HttpProblem } from '../problems.ts'
import { DEFAULT_LIMIT, idParameter, listOf, paging, query, range, text } from '../schemas.ts'
import { totalsJson, totalsProperties, tripJson, tripSchema } from '../trip-json.ts'
import { choicesOf, invalidParameter, rangeOf } from '../validation.ts'

const MAX_BUCKETS = 2_000
const DEFAULT_SPAN_MS = HOUR_MS
const BUCKET = /^(\d{1,4})(m|h|d)$/
const UNITS: Readonly<Record<string, DurationMs>> = { m: MINUTE_MS, h: HOUR_MS, d: DAY_MS }
const NOT_RECORDED = 'not-recorded'
const METHODS = [...PAYMENT_METHODS, NOT_RECORDED]

const seriesQuery = query({
  ...range,
  bucket: Type.Optional(
    Type.String({
      maxLength: 5,
      default: '1m',
      description: 'Such as 1m, 15m, 1h or 1d, from UTC',
    }),
  ),
})
const listQuery = query({
  ...range,
  status: Type.Optional(text()),
  paymentMethod: Type.Optional(text()),
  anomaly: Type.Optional(
    Type.String({ maxLength: 200, description: `${ANOMALIES.join(', ')}, separated by commas` }),
  ),
  vehicle: Type.Optional(text()),
  ...paging,
})
const rangeQuery = query(range)
const pointSchema = Type.Object({
  bucketStart: Type.String(),
  bucketEnd: Type.String(),
  ...totalsProperties,
})
const tags = ['trips']

export function tripRoutes(app: FastifyInstance, { options }: ApiContext): void {
  const { clock, database } = options
  const config = { access: 'read' } as const

  app.get<{ Querystring: Static<typeof rangeQuery> }>(
    '/trips/summary',
    {
      config,
      schema: {
        tags,
        summary: 'Number, revenue, average distance, status and payment of trips by their pickup',
        querystring: rangeQuery,
        response: { 200: Type.Object(totalsProperties) },
      },
    },
    async (request) => {
      const { tenantId } = principalOf(request)
      return totalsJson(await tripTotals(database, { tenantId, ...rangeOf(request.query) }))
    },
  )

  app.get<{ Querystring: Static<typeof seriesQuery> }>(
    '/trips/series',
    {
      config,
      schema: {
        tags,
        summary: 'The same for each bucket of a range; the last hour where no range is given',
        querystring: seriesQuery,
        response: {
          200: Type.Object({
            from: Type.String(),
            to: Type.String(),
            bucketS: Type.Integer(),
            items: Type.Array(pointSchema),
          }),
        },
      },
    },
    async (request) => {
      const { tenantId } = principalOf(request)
      const bucketMs = bucketOf(request.query.bucket ?? '1m')
      const asked = rangeOf(request.query)
      const endMs = asked.toMs ?? clock.nowMs() + 1
      const toMs = Math.ceil(endMs / bucketMs) * bucketMs
      const fromMs = Math.floor((asked.fromMs ?? endMs - DEFAULT_SPAN_MS) / bucketMs) * bucketMs
      if ((toMs - fromMs) / bucketMs > MAX_BUCKETS) {
        throw invalidParameter('bucket', `gives more than ${MAX_BUCKETS} buckets in this range`)
      }
      const points = await tripSeries(database, { tenantId, fromMs, toMs }, bucketMs)
      const items = points.map(({ startMs, endMs: bucketEndMs, ...totals }) => ({
        bucketStart: toIso(startMs),
        bucketEnd: toIso(bucketEndMs),
        ...totalsJson(totals),
      }))
      return { from: toIso(fromMs), to: toIso(toMs), bucketS: bucketMs / 1_000, items }
    },
  )

  app.get<{ Querystring: Static<typeof listQuery> }>(
    '/trips',
    {
      config,
      schema: {
        tags,
        summary: 'Trips, newest pickup first',
        querystring: listQuery,
        response: { 200: listOf(tripSchema) },
      },
    },
    async (request) => {
      const { tenantId } = principalOf(request)
      const {
        status,
        paymentMethod,
        anomaly,
        vehicle,
        cursor,
        limit = DEFAULT_LIMIT,
      } = request.query
      const rows = await tripsOf(database, {
        tenantId,
        ...rangeOf(request.query),
        status: choicesOf('status', status, TRIP_STATUSES),
        paymentMethod: choicesOf('paymentMethod', paymentMethod, METHODS),
        anomaly: choicesOf('anomaly', anomaly, ANOMALIES),
        vehicleId: vehicle,
        after: cursor === undefined ? undefined : afterOf(cursor),
        limit: limit + 1,
      })
      const page = pageOf(rows.map(tripJson), limit, (last) =>
        encodeCursor('trips', [Date.parse(last.pickupAt), last.tripId]),
      )
      return { items: page.rows, next: page.next }
    },
  )

  app.get<{ Params: Static<typeof idParameter> }>(
    '/trips/:id',
    {
      config,
      schema: {
        tags,
        summary: 'One trip as it is now',
        params: idParameter,
        response: { 200: tripSchema },
      },
    },
    async (request) => {
      const { tenantId } = principalOf(request)
      const row = await tripById(database, { tenantId, tripId: request.params.id })
      if (row === undefined) {
        throw new HttpProblem('not-found', `There is no trip "${request.params.id}".`)
      }
      return tripJson(row)
    },
  )
}

function afterOf(cursor: string): { readonly pickupMs: number; readonly tripId: string } {
  const [pickupMs, tripId] = decodeCursor('trips', ['number', 'string'], cursor)
  return { pickupMs: Number(pickupMs), tripId: String(tripId) }
}

function bucketOf(given: string): DurationMs {
  const [, count, unit = ''] = BUCKET.exec(given) ?? []
  const bucketMs = Number(count) * (UNITS[unit] ?? Number.NaN)
  if (bucketMs > 0) return bucketMs
  throw invalidParameter('bucket', 'must be a number of minutes, hours or days, such as 15m')
}
