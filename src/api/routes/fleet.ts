// Fleet reports: what fuel took vehicles how far, and how they are driven.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { drivesIn, type StoredDrive } from '../../driving/drive-queries.ts'
import {
  driverBehaviour,
  type FleetScope,
  fleetEfficiency,
  wholePeriods,
} from '../../driving/queries.ts'
import { DAY_MS, toIso } from '../../kernel/time.ts'
import { principalOf } from '../access.ts'
import type { ApiContext } from '../context.ts'
import { DEFAULT_LIMIT, MAX_LIMIT, nullable, query, range, text } from '../schemas.ts'
import { invalidParameter, rangeOf } from '../validation.ts'

const DEFAULT_SPAN_MS = DAY_MS
const MAX_SPAN_MS = 400 * DAY_MS

const fleetQuery = query({ ...range, type: Type.Optional(text()) })
type FleetQuery = Static<typeof fleetQuery>
const number = () => nullable(Type.Number())
const about = { entityType: Type.String(), entityId: Type.String(), distanceKm: Type.Number() }
const reportOf = <T extends Parameters<typeof Type.Object>[0]>(row: T) =>
  Type.Object({
    from: Type.String({ description: 'Start of the ten minutes in which the range begins' }),
    to: Type.String({ description: 'End of the ten minutes in which it ends' }),
    items: Type.Array(Type.Object(row)),
  })

const efficiencySchema = reportOf({
  ...about,
  fuelUsedLitres: number(),
  fuelUsedPercent: number(),
  litresPer100Km: number(),
  source: nullable(Type.Union([Type.Literal('consumption'), Type.Literal('level')])),
  refuelledLitres: number(),
  stolenLitres: number(),
  refuelledPercent: Type.Number(),
  stolenPercent: Type.Number(),
})
const driversSchema = reportOf({
  ...about,
  drivenS: Type.Number(),
  idleS: Type.Number(),
  speedingS: Type.Number(),
  maxSpeedKmh: number(),
  harshBraking: Type.Integer(),
  harshAcceleration: Type.Integer(),
  harshCornering: Type.Integer(),
  harshPer100Km: number(),
  longestDriveS: Type.Number(),
  score: number(),
})
const placeSchema = nullable(Type.Object({ lat: Type.Number(), lon: Type.Number() }))
const drivesQuery = query({
  ...range,
  type: Type.Optional(text()),
  entity: Type.Optional(text()),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT })),
})
const driveRow = {
  ...about,
  startsAt: Type.String(),
  endsAt: Type.String({ description: 'Newest reading on the move' }),
  underWay: Type.Boolean({ description: 'True while nothing ended it' }),
  maxSpeedKmh: Type.Number(),
  start: placeSchema,
  end: placeSchema,
  stop: nullable(
    Type.Object(
      { startsAt: Type.String(), endsAt: nullable(Type.String()) },
      { description: 'Where it stood afterwards, at `end`; without an end while it stands' },
    ),
  ),
}
const tags = ['fleet']

export function fleetRoutes(app: FastifyInstance, { options, heavyReads }: ApiContext): void {
  const { clock, database } = options
  const config = { access: 'read' } as const

  app.get<{ Querystring: FleetQuery }>(
    '/fleet/efficiency',
    {
      config,
      schema: {
        tags,
        summary: 'Fuel used, distance, litres per 100 km, refuels and thefts of each vehicle',
        querystring: fleetQuery,
        response: { 200: efficiencySchema },
      },
    },
    (request) => report(request, fleetEfficiency),
  )

  app.get<{ Querystring: FleetQuery }>(
    '/fleet/drivers',
    {
      config,
      schema: {
        tags,
        summary: 'Harsh events, speeding, idling, long driving and score of each vehicle',
        querystring: fleetQuery,
        response: { 200: driversSchema },
      },
    },
    (request) => report(request, driverBehaviour),
  )

  app.get<{ Querystring: Static<typeof drivesQuery> }>(
    '/fleet/drives',
    {
      config,
      schema: {
        tags,
        summary: 'Drives of trucks and vehicles, and the stop after each, the newest first',
        querystring: drivesQuery,
        response: { 200: reportOf(driveRow) },
      },
    },
    async (request) => {
      const { fromMs, toMs } = spanOf(request.query)
      const { type: entityType, entity: entityId, limit = DEFAULT_LIMIT } = request.query
      const { tenantId } = principalOf(request)
      const scope = { tenantId, fromMs, toMs, entityType, entityId, limit }
      const found = await heavyReads.run(() => drivesIn(database, scope))
      return { from: toIso(fromMs), to: toIso(toMs), items: found.map(driveJson) }
    },
  )

  function spanOf(asked: Pick<FleetQuery, 'from' | 'to'>) {
    const { fromMs, toMs = clock.nowMs() } = rangeOf(asked)
    const span = { fromMs: fromMs ?? toMs - DEFAULT_SPAN_MS, toMs }
    if (toMs - span.fromMs > MAX_SPAN_MS) {
      throw invalidParameter('from', `must be within ${MAX_SPAN_MS / DAY_MS} days of to`)
    }
    return span
  }

  async function report<T>(
    request: FastifyRequest<{ Querystring: FleetQuery }>,
    ask: (asked: typeof database, scope: FleetScope) => Promise<readonly T[]>,
  ): Promise<{ readonly from: string; readonly to: string; readonly items: readonly T[] }> {
    const asked = rangeOf(request.query)
    const endMs = asked.toMs ?? clock.nowMs()
    const { fromMs, toMs } = wholePeriods({
      fromMs: asked.fromMs ?? endMs - DEFAULT_SPAN_MS,
      toMs: endMs,
    })
    if (toMs - fromMs > MAX_SPAN_MS) {
      throw invalidParameter('from', `must be within ${MAX_SPAN_MS / DAY_MS} days of to`)
    }
    const { tenantId } = principalOf(request)
    const scope = { tenantId, fromMs, toMs, entityType: request.query.type }
    const items = await heavyReads.run(() => ask(database, scope))
    return { from: toIso(fromMs), to: toIso(toMs), items }
  }
}

function driveJson(drive: StoredDrive) {
  const { startsAtMs, endsAtMs, nextStartsAtMs, from, to, ...rest } = drive
  const endsAt = toIso(endsAtMs)
  const stops = { startsAt: endsAt, endsAt: nextStartsAtMs === null ? null : toIso(nextStartsAtMs) }
  return {
    ...rest,
    startsAt: toIso(startsAtMs),
    endsAt,
    start: from,
    end: to,
    stop: drive.underWay ? null : stops,
  }
}
