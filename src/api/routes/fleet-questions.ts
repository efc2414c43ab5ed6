// Questions about fleets beside the reports: positions, fuel and load now; rest; fleets and models compared.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import {
  type Answer,
  driverTimes,
  fleetActivity,
  fleetBreakdowns,
  fleetConsumption,
  fleetLatest,
  fleetLoad,
  fleetLongDriving,
  fleetStationary,
  type QuestionScope,
} from '../../driving/fleet-questions.ts'
import { wholePeriods } from '../../driving/queries.ts'
import { DAY_MS, toIso } from '../../kernel/time.ts'
import type { Database } from '../../ports/database.ts'
import { principalOf } from '../access.ts'
import type { ApiContext } from '../context.ts'
import { nullable, query, range, text } from '../schemas.ts'
import { invalidParameter, rangeOf } from '../validation.ts'

const DEFAULT_SPAN_MS = DAY_MS
const MAX_SPAN_MS = 100 * DAY_MS
const MAX_ENTITIES = 100

const number = () => nullable(Type.Number())
const name = () => nullable(Type.String())
const who = { entityType: Type.String(), entityId: Type.String(), fleet: name(), driver: name() }
const percent = (minimum: number) =>
  Type.Optional(Type.Number({ minimum, maximum: 1_000, description: 'Percent' }))

const latestQuery = query({
  type: Type.Optional(text()),
  fleet: Type.Optional(text()),
  entity: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 20_000,
      description: `Ids, separated by commas, at most ${MAX_ENTITIES}`,
    }),
  ),
  fuelBelow: percent(0),
  loadAbove: percent(0),
})
const latestSchema = Type.Object({
  items: Type.Array(
    Type.Object({
      ...who,
      model: name(),
      recordedAt: Type.String(),
      lat: number(),
      lon: number(),
      fuelPercent: number(),
      loadKg: number(),
      loadPercent: nullable(Type.Number({ description: 'Of the load capacity' })),
      brokenDown: nullable(Type.Boolean()),
    }),
  ),
})

const questionQuery = query({
  ...range,
  type: Type.Optional(text()),
  fleet: Type.Optional(text()),
})
type QuestionQuery = Static<typeof questionQuery>

interface Question {
  readonly path: string
  readonly summary: string
  readonly row: Parameters<typeof Type.Object>[0]
  ask(database: Database, scope: QuestionScope): Promise<Answer[]>
}

const questions: readonly Question[] = [
  {
    path: '/fleet/stationary',
    summary: 'Vehicles that stood for ten minutes or more, and how many such periods',
    row: { ...who, periods: Type.Integer(), until: Type.String() },
    ask: fleetStationary,
  },
  {
    path: '/fleet/long-driving',
    summary: 'Vehicles driven for four hours without a rest, or for over ten hours of a day',
    row: {
      ...who,
      periodsOf4h: Type.Integer({ description: 'Most of 24 periods of ten minutes driven' }),
      periodsOf24h: Type.Integer({ description: 'Most of 144 driven' }),
      withoutRest: Type.Boolean(),
      longDay: Type.Boolean(),
      until: Type.String(),
    },
    ask: fleetLongDriving,
  },
  {
    path: '/fleet/consumption',
    summary: 'Fuel that each fleet used on the move, against its nominal consumption',
    row: {
      fleet: name(),
      distanceKm: Type.Number(),
      usedLitres: Type.Number(),
      nominalLitres: Type.Number(),
      litresPer100Km: number(),
      nominalLitresPer100Km: number(),
    },
    ask: fleetConsumption,
  },
  {
    path: '/fleet/driving-time',
    summary: 'Hours that each driver drives a day, and without a break, on average',
    row: {
      driver: Type.String(),
      days: Type.Integer(),
      hoursADay: Type.Number(),
      sessions: Type.Integer(),
      hoursASession: number(),
    },
    ask: driverTimes,
  },
  {
    path: '/fleet/load',
    summary: 'Average load of each fleet and model, in percent of the load capacity',
    row: {
      fleet: name(),
      model: name(),
      vehicles: Type.Integer(),
      averageLoadPercent: Type.Number(),
    },
    ask: fleetLoad,
  },
  {
    path: '/fleet/activity',
    summary: 'Share of each day in service and driven, by fleet and model',
    row: {
      day: Type.String({ examples: ['2026-01-31'] }),
      fleet: name(),
      model: name(),
      vehicles: Type.Integer(),
      inServicePercent: Type.Number(),
      drivenPercent: Type.Number(),
    },
    ask: fleetActivity,
  },
  {
    path: '/fleet/breakdowns',
    summary: 'How often vehicles of each model went from working to broken down',
    row: { model: name(), vehicles: Type.Integer(), breakdowns: Type.Integer() },
    ask: fleetBreakdowns,
  },
]
const tags = ['fleet']

export function fleetQuestionRoutes(
  app: FastifyInstance,
  { options, heavyReads }: ApiContext,
): void {
  const { clock, database } = options
  const config = { access: 'read' } as const

  app.get<{ Querystring: Static<typeof latestQuery> }>(
    '/fleet/latest',
    {
      config,
      schema: {
        tags,
        summary: 'Last position, fuel and load of each vehicle; low on fuel, or loaded high',
        querystring: latestQuery,
        response: { 200: latestSchema },
      },
    },
    async (request) => {
      const { type: entityType, fleet, entity, fuelBelow, loadAbove } = request.query
      const entityIds = entity?.split(',').map((each) => each.trim())
      if (entityIds !== undefined && entityIds.length > MAX_ENTITIES) {
        throw invalidParameter('entity', `names more than ${MAX_ENTITIES}`)
      }
      const { tenantId } = principalOf(request)
      const which = { tenantId, entityType, fleet, entityIds }
      const levels = { fuelBelowPercent: fuelBelow, loadAbovePercent: loadAbove }
      return {
        items: await heavyReads.run(() => fleetLatest(database, { ...which, ...levels })),
      }
    },
  )

  for (const { path, summary, row, ask } of questions) {
    app.get<{ Querystring: QuestionQuery }>(
      path,
      {
        config,
        schema: {
          tags,
          summary,
          querystring: questionQuery,
          response: {
            200: Type.Object({
              from: Type.String({
                description: 'Start of the ten minutes in which the range begins',
              }),
              to: Type.String({ description: 'End of the ten minutes in which it ends' }),
              items: Type.Array(Type.Object(row)),
            }),
          },
        },
      },
      async (request) => {
        const { fromMs, toMs } = spanOf(request.query)
        const { type: entityType, fleet } = request.query
        const scope = { tenantId: principalOf(request).tenantId, fromMs, toMs, entityType, fleet }
        const items = await heavyReads.run(() => ask(database, scope))
        return { from: toIso(fromMs), to: toIso(toMs), items }
      },
    )
  }

  function spanOf(asked: Pick<QuestionQuery, 'from' | 'to'>) {
    const { fromMs, toMs = clock.nowMs() } = rangeOf(asked)
    const span = wholePeriods({ fromMs: fromMs ?? toMs - DEFAULT_SPAN_MS, toMs })
    if (span.toMs - span.fromMs > MAX_SPAN_MS) {
      throw invalidParameter('from', `must be within ${MAX_SPAN_MS / DAY_MS} days of to`)
    }
    return span
  }
}
