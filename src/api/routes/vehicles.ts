// Vehicles: their live state, the curves of one, and the sliding windows of all.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import {
  recordedWindows,
  type TelemetryScope,
  telemetryInOrder,
  type WindowPart,
} from '../../domains/vehicles/queries.ts'
import { vehicleSeriesBuilder } from '../../domains/vehicles/series.ts'
import { VEHICLE_VIEW } from '../../domains/vehicles/views.ts'
import type { WindowFigures } from '../../domains/vehicles/window-figures.ts'
import { windowHistory } from '../../domains/vehicles/window-history.ts'
import {
  type WindowSpan,
  windowName,
  windowSpanNamed,
  windowSpanText,
} from '../../domains/vehicles/windows.ts'
import {
  DAY_MS,
  type DurationMs,
  durationText,
  HOUR_MS,
  parseDuration,
  SECOND_MS,
  toIso,
} from '../../kernel/time.ts'
import { OPEN_WINDOWS_VIEW, openWindowsOf } from '../../streams/open-windows.ts'
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
  instantParameter,
  listOf,
  MAX_LIMIT,
  nullable,
  paging,
  query,
} from '../schemas.ts'
import { invalidParameter, rangeOf } from '../validation.ts'

const DEFAULT_POINTS = 600
const MAX_POINTS = 4_000
/** A curve is a thing to look at; whole years are read by `GET /history`. */
const MAX_SERIES_SPAN_MS = 400 * DAY_MS
/** Curves and windows from one address. */
const READ_LIMIT = { max: 600, timeWindow: '1 minute' }
/** Without a range windows of the last hour are given. */
const DEFAULT_SPAN_MS = HOUR_MS
const MAX_WINDOW_STARTS = 600_000

const number = () => nullable(Type.Number())
const vehicleSchema = Type.Object({
  vehicleId: Type.String(),
  recordedAt: instant('Device time of the newest reading'),
  receivedAt: instant('When it arrived'),
  speedKmh: number(),
  rpm: number(),
  gear: number(),
  expectedGear: number(),
  lat: number(),
  lon: number(),
  headingDeg: number(),
  odometerKm: number(),
  fuelLph: number(),
  postedLimitKmh: number(),
  stateOfChargePercent: number(),
  known: Type.Boolean({ description: 'False where the vehicle is in no reference table' }),
  brand: nullable(Type.String()),
  model: Type.String(),
  color: Type.String(),
  moving: Type.Boolean(),
  alerts: Type.Array(
    Type.Object({
      id: Type.String(),
      rule: Type.String(),
      severity: Type.String(),
      startsAt: Type.String(),
    }),
  ),
})
const seriesQuery = query({
  from: Type.String({ maxLength: 40 }),
  to: Type.String({ maxLength: 40 }),
  points: Type.Optional(Type.Integer({ minimum: 2, maximum: MAX_POINTS })),
})
const channelSchema = Type.Object({
  recordedAtMs: Type.Array(Type.Number()),
  values: Type.Array(number()),
})
const seriesSchema = Type.Object({
  vehicleId: Type.String(),
  from: Type.String(),
  to: Type.String(),
  readings: Type.Integer(),
  bucketS: Type.Number(),
  gapLimitS: Type.Number(),
  channels: Type.Object({
    speedKmh: channelSchema,
    postedLimitKmh: channelSchema,
    rpm: channelSchema,
    gear: channelSchema,
    expectedGear: channelSchema,
  }),
  gaps: Type.Array(Type.Object({ from: Type.String(), to: Type.String() })),
})
const span = (description: string, example: string) =>
  Type.Optional(Type.String({ maxLength: 20, description, examples: [example] }))
const windowsQuery = query({
  from: instantParameter('Windows that begin here or later (default: an hour before to)'),
  to: instantParameter('Windows that begin before this (default: now)'),
  size: span('Length of the windows; one that is, or was, computed', '15m'),
  slide: span('A multiple of the slide that is computed', '1m'),
  order: Type.Optional(Type.Union([Type.Literal('asc'), Type.Literal('desc')])),
  ...paging,
})
const windowSchema = Type.Object({
  windowStart: Type.String(),
  windowEnd: Type.String(),
  model: Type.String(),
  readings: Type.Integer({ description: 'Readings with a speed' }),
  maxSpeedKmh: number(),
  activeVehicles: Type.Integer({ description: 'Different vehicles that reported a speed' }),
  colors: Type.Record(Type.String(), Type.Integer()),
  revision: Type.Integer({ description: 'Grows when late readings change a final window' }),
  final: Type.Boolean({ description: 'False while the window is open' }),
})
const spanSchema = Type.Object({
  size: Type.String({ examples: ['15m'] }),
  slide: Type.String({ examples: ['1m'] }),
  sizeS: Type.Number(),
  slideS: Type.Number(),
})
const tags = ['vehicles']

type IdParameter = Static<typeof idParameter>

export function vehicleRoutes(app: FastifyInstance, { options, heavyReads }: ApiContext): void {
  const { clock, database, views } = options
  const history = windowHistory(database)

  app.get<{ Querystring: Static<typeof listQuery> }>(
    '/vehicles',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'Live state of the vehicles, by vehicleId',
        querystring: listQuery,
        response: { 200: listOf(vehicleSchema) },
      },
    },
    async (request, reply) => {
      const { limit = DEFAULT_LIMIT, cursor } = request.query
      const [after] = cursor === undefined ? [] : decodeCursor('vehicles', ['string'], cursor)
      const { tenantId } = principalOf(request)
      const entries = (await views.list(VEHICLE_VIEW, tenantId)).filter(
        (entry) => entry.json !== null && (after === undefined || entry.key > after),
      )
      const page = pageOf(entries, limit, (last) => encodeCursor('vehicles', [last.key]))
      const items = page.rows.map((entry) => entry.json).join(',')
      return reply
        .type('application/json; charset=utf-8')
        .send(`{"items":[${items}],"next":${JSON.stringify(page.next)}}`)
    },
  )

  app.get<{ Querystring: Static<typeof windowsQuery> }>(
    '/vehicles/windows',
    {
      config: { access: 'read', rateLimit: READ_LIMIT },
      schema: {
        tags,
        summary: 'Maximum speed, active vehicles and colours of each model in sliding windows',
        querystring: windowsQuery,
        response: { 200: listOf(windowSchema) },
      },
    },
    async (request) => {
      const { order = 'asc', limit = DEFAULT_LIMIT, cursor } = request.query
      const { tenantId } = principalOf(request)
      const window = await windowOf(tenantId, request.query)
      const range = rangeOf(request.query)
      const toMs = range.toMs ?? clock.nowMs()
      const fromMs = range.fromMs ?? toMs - DEFAULT_SPAN_MS
      if (fromMs >= toMs) throw invalidParameter('from', 'must be before to')
      if ((toMs - fromMs) / window.everyMs > MAX_WINDOW_STARTS) {
        throw invalidParameter('from', 'asks for too many windows; choose a longer slide')
      }
      const tag = `windows/${window.name}/${window.everyMs}/${order}`
      const figures = await history.first(
        {
          ...{ tenantId, window: window.name, fromMs, toMs, everyMs: window.everyMs, order },
          after: cursor === undefined ? undefined : afterOf(tag, cursor),
          limit: limit + 1,
        },
        await liveParts(tenantId, window.name),
      )
      const page = pageOf(figures, limit, (last) =>
        encodeCursor(tag, [last.windowStartMs, last.model]),
      )
      return { items: page.rows.map(windowDocument), next: page.next }
    },
  )

  app.get(
    '/vehicles/windows/sizes',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'Sizes and slides of the windows that are computed, the usual one first',
        response: { 200: Type.Object({ items: Type.Array(spanSchema) }) },
      },
    },
    async () => ({ items: options.vehicleWindows.map(spanDocument) }),
  )

  app.get<{ Params: IdParameter }>(
    '/vehicles/:id',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'Live state of one vehicle, with its open alerts',
        params: idParameter,
        response: {
          200: Type.Composite([
            vehicleSchema,
            Type.Object({ openAlerts: Type.Array(alertSchema) }),
          ]),
        },
      },
    },
    async (request, reply) => {
      const { tenantId } = principalOf(request)
      const entry = await views.get(VEHICLE_VIEW, request.params.id, tenantId)
      if (entry?.json == null) {
        throw new HttpProblem(
          'not-found',
          `There is no vehicle "${request.params.id}" on the live view.`,
        )
      }
      const openAlerts = JSON.stringify(await openAlertsAbout(options, entry))
      return reply
        .type('application/json; charset=utf-8')
        .send(`${entry.json.trimEnd().slice(0, -1)},"openAlerts":${openAlerts}}`)
    },
  )

  app.get<{ Params: IdParameter; Querystring: Static<typeof seriesQuery> }>(
    '/vehicles/:id/series',
    {
      config: { access: 'read', rateLimit: READ_LIMIT },
      schema: {
        tags,
        summary:
          'Speed, revolutions, gear and expected gear over time, thinned without losing a peak',
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
      const vehicleId = request.params.id
      const { points = DEFAULT_POINTS } = request.query
      const { tenantId } = principalOf(request)
      const scope: TelemetryScope = { tenantId, vehicleId, fromMs, toMs }
      return heavyReads.run(async () => {
        const { gears } = options.vehicleProfile(vehicleId)
        const builder = vehicleSeriesBuilder({ fromMs, toMs, points, gears })
        for await (const readings of telemetryInOrder(database, scope)) {
          for (const reading of readings) builder.add(reading)
        }
        return { vehicleId, ...builder.finish() }
      })
    },
  )

  /** The windows with this size, of now or of settings before, and every how many of them are asked for. */
  async function windowOf(
    tenantId: string,
    { size, slide }: { readonly size?: string; readonly slide?: string },
  ): Promise<{ readonly name: string; readonly everyMs: DurationMs }> {
    const { vehicleWindows } = options
    const sizeMs = size === undefined ? vehicleWindows[0]?.sizeMs : spanOf('size', size)
    const slideMs = slide === undefined ? undefined : spanOf('slide', slide)
    const fits = (span: WindowSpan): boolean =>
      span.sizeMs === sizeMs && (slideMs === undefined || slideMs % span.slideMs === 0)
    const now = vehicleWindows.find(fits)
    if (now !== undefined) return { name: windowName(now), everyMs: slideMs ?? now.slideMs }
    const names = await recordedWindows(database, tenantId)
    const recorded = names.flatMap((name) => windowSpanNamed(name) ?? [])
    const found = recorded.find(fits)
    if (found !== undefined) return { name: windowName(found), everyMs: slideMs ?? found.slideMs }
    const known = new Set([...vehicleWindows, ...recorded].map(windowSpanText))
    throw invalidParameter(
      [...vehicleWindows, ...recorded].some((span) => span.sizeMs === sizeMs) ? 'slide' : 'size',
      `there are windows of ${[...known].join(', ')} (size/slide); any multiple of a slide can be asked for`,
    )
  }

  async function liveParts(tenantId: string, window: string): Promise<readonly WindowPart[]> {
    const entries = await views.list(OPEN_WINDOWS_VIEW, tenantId)
    return entries.flatMap((entry) =>
      openWindowsOf(entry)
        .filter((result) => result.window === window)
        .map((result) => ({ ...result, partition: entry.version.partition })),
    )
  }
}

const listQuery = query({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT })),
  cursor: paging.cursor,
})

function spanOf(name: string, text: string): DurationMs {
  const spanMs = parseDuration(text) ?? 0
  if (spanMs > 0) return spanMs
  throw invalidParameter(name, 'must be a number and s, m, h or d, such as 15m')
}

function afterOf(tag: string, cursor: string) {
  const [startMs = 0, group = ''] = decodeCursor(tag, ['number', 'string'], cursor)
  return { startMs: Number(startMs), group: String(group) }
}

function spanDocument({ sizeMs, slideMs }: WindowSpan) {
  return {
    ...{ size: durationText(sizeMs), slide: durationText(slideMs) },
    ...{ sizeS: sizeMs / SECOND_MS, slideS: slideMs / SECOND_MS },
  }
}

function windowDocument(figures: WindowFigures) {
  const { windowStartMs, windowEndMs, ...rest } = figures
  return { windowStart: toIso(windowStartMs), windowEnd: toIso(windowEndMs), ...rest }
}
