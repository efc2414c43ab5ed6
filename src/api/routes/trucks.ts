// Trucks: their live state, and the curves of one.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import {
  medianReadingIntervalMs,
  type ReadingScope,
  readingsInOrder,
} from '../../domains/cold-chain/queries.ts'
import { gapLimitMs } from '../../domains/cold-chain/report.ts'
import { seriesBuilder } from '../../domains/cold-chain/series.ts'
import { DAY_MS } from '../../kernel/time.ts'
import { principalOf } from '../access.ts'
import { alertSchema } from '../alert-json.ts'
import type { ApiContext } from '../context.ts'
import { decodeCursor, encodeCursor, pageOf } from '../cursor.ts'
import { openAlertsAbout } from '../entity-alerts.ts'
import { HttpProblem } from '../problems.ts'
import {
  DEFAULT_LIMIT,
  idParameter,
  instant,
  listOf,
  nullable,
  paging,
  query,
  text,
} from '../schemas.ts'
import { CONDITIONS, TRUCKS_VIEW, truckFacts } from '../truck-views.ts'
import { choicesOf, invalidParameter, rangeOf } from '../validation.ts'

const DEFAULT_POINTS = 600
const MAX_POINTS = 4_000
/** A curve is a thing to look at; whole years are read by `GET /history`. */
const MAX_SERIES_SPAN_MS = 400 * DAY_MS
/** Curves from one address. */
const SERIES_LIMIT = { max: 600, timeWindow: '1 minute' }

const number = () => nullable(Type.Number())
const truckAlertSchema = Type.Object({
  id: Type.String(),
  rule: Type.String(),
  severity: Type.String(),
  startsAt: Type.String(),
})
const truckSchema = Type.Object({
  truckId: Type.String(),
  recordedAt: nullable(instant('Device time of the newest reading')),
  receivedAt: nullable(instant('When it arrived')),
  temperatureC: number(),
  fuelPercent: number(),
  fuelLitres: number(),
  lat: number(),
  lon: number(),
  speedKmh: number(),
  headingDeg: number(),
  odometerKm: number(),
  doorOpen: nullable(Type.Boolean()),
  reeferOn: nullable(Type.Boolean()),
  loadKg: nullable(Type.Number()),
  brokenDown: nullable(Type.Boolean()),
  zone: nullable(Type.String()),
  shipmentId: nullable(Type.String()),
  profile: nullable(Type.String()),
  limits: nullable(Type.Object({ minC: Type.Number(), maxC: Type.Number() })),
  condition: Type.Union(CONDITIONS.map((condition) => Type.Literal(condition))),
  moving: Type.Boolean(),
  alerts: Type.Array(truckAlertSchema),
  zones: Type.Optional(
    Type.Record(
      Type.String(),
      Type.Object({ temperatureC: Type.Number(), recordedAt: Type.String() }),
    ),
  ),
})

const trucksQuery = query({
  status: Type.Optional(
    Type.String({ maxLength: 200, description: `${CONDITIONS.join(', ')}, separated by commas` }),
  ),
  ...paging,
})
const seriesQuery = query({
  from: Type.String({ maxLength: 40 }),
  to: Type.String({ maxLength: 40 }),
  points: Type.Optional(Type.Integer({ minimum: 2, maximum: MAX_POINTS })),
  zone: Type.Optional(text()),
})
const channelSchema = Type.Object({
  recordedAtMs: Type.Array(Type.Number()),
  values: Type.Array(number()),
})
const stretchSchema = Type.Object({ from: Type.String(), to: Type.String() })
const seriesSchema = Type.Object({
  truckId: Type.String(),
  from: Type.String(),
  to: Type.String(),
  readings: Type.Integer(),
  bucketS: Type.Number(),
  gapLimitS: Type.Number(),
  channels: Type.Object({
    temperatureC: channelSchema,
    fuelPercent: channelSchema,
    speedKmh: channelSchema,
  }),
  doorOpen: Type.Array(stretchSchema),
  gaps: Type.Array(stretchSchema),
})
const tags = ['trucks']

type IdParameter = Static<typeof idParameter>

export function truckRoutes(app: FastifyInstance, { options, heavyReads }: ApiContext): void {
  const { database, views } = options

  app.get<{ Querystring: Static<typeof trucksQuery> }>(
    '/trucks',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'Live state of the trucks, by truckId',
        querystring: trucksQuery,
        response: { 200: listOf(truckSchema) },
      },
    },
    async (request, reply) => {
      const { status, limit = DEFAULT_LIMIT, cursor } = request.query
      const wanted = choicesOf('status', status, CONDITIONS)
      const [after] = cursor === undefined ? [] : decodeCursor('trucks', ['string'], cursor)
      const { tenantId } = principalOf(request)
      const entries = (await views.list(TRUCKS_VIEW, tenantId)).filter(
        (entry) =>
          (after === undefined || entry.key > after) &&
          (wanted === undefined || wanted.includes(truckFacts(entry).condition ?? '')),
      )
      const page = pageOf(entries, limit, (last) => encodeCursor('trucks', [last.key]))
      const items = page.rows.map((entry) => entry.json).join(',')
      return reply
        .type('application/json; charset=utf-8')
        .send(`{"items":[${items}],"next":${JSON.stringify(page.next)}}`)
    },
  )

  app.get<{ Params: IdParameter }>(
    '/trucks/:id',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'Live state of one truck, with its open alerts',
        params: idParameter,
        response: {
          200: Type.Composite([truckSchema, Type.Object({ openAlerts: Type.Array(alertSchema) })]),
        },
      },
    },
    async (request, reply) => {
      const { tenantId } = principalOf(request)
      const entry = await views.get(TRUCKS_VIEW, request.params.id, tenantId)
      if (entry?.json == null) throw noTruck(request.params.id)
      const openAlerts = JSON.stringify(await openAlertsAbout(options, entry))
      return reply
        .type('application/json; charset=utf-8')
        .send(`${entry.json.trimEnd().slice(0, -1)},"openAlerts":${openAlerts}}`)
    },
  )

  app.get<{ Params: IdParameter; Querystring: Static<typeof seriesQuery> }>(
    '/trucks/:id/series',
    {
      config: { access: 'read', rateLimit: SERIES_LIMIT },
      schema: {
        tags,
        summary: 'Temperature, fuel, speed and door over time, thinned without losing a peak',
        params: idParameter,
        querystring: seriesQuery,
        response: { 200: seriesSchema },
      },
    },
    async (request) => {
      const { fromMs, toMs } = rangeOf(request.query)
      if (fromMs === undefined || toMs === undefined) throw invalidParameter('from', 'is required')
      if (toMs - fromMs > MAX_SERIES_SPAN_MS) {
        throw invalidParameter('from', `must be within ${MAX_SERIES_SPAN_MS / DAY_MS} days of to`)
      }
      const truckId = request.params.id
      const { points = DEFAULT_POINTS, zone } = request.query
      const { tenantId } = principalOf(request)
      const scope: ReadingScope = { tenantId, truckId, zone, fromMs, toMs }
      return heavyReads.run(async () => {
        const limitMs = gapLimitMs({}, await medianReadingIntervalMs(database, scope))
        const builder = seriesBuilder({ fromMs, toMs, points, gapLimitMs: limitMs })
        for await (const readings of readingsInOrder(database, scope)) {
          for (const reading of readings) builder.add(reading)
        }
        return { truckId, ...builder.finish() }
      })
    },
  )
}

function noTruck(id: string): HttpProblem {
  return new HttpProblem('not-found', `There is no truck "${id}" on the live view.`)
}
