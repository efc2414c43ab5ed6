// Who travels to an appointment, and how each gets on.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { modeOf, TRAVEL_MODES } from '../../domains/arrivals/plans.ts'
import {
  ARRIVAL_STATUSES,
  arrivalById,
  arrivalsOf,
  decisionsOf,
  estimatesOf,
} from '../../domains/arrivals/queries.ts'
import { principalOf } from '../access.ts'
import { callOf, deskOf, email, refused } from '../arrival-desk.ts'
import {
  arrivalJson,
  arrivalSchema,
  decisionJson,
  estimateJson,
  journeySchema,
  routeOf,
} from '../arrival-json.ts'
import type { ApiContext } from '../context.ts'
import { decodeCursor, encodeCursor, pageOf } from '../cursor.ts'
import {
  DEFAULT_LIMIT,
  idParameter,
  listOf,
  nullable,
  paging,
  query,
  range,
  text,
} from '../schemas.ts'
import { epochMsOf } from '../sql-values.ts'
import { choicesOf, rangeOf } from '../validation.ts'

const MAX_ESTIMATES = 2_000

const strict = { additionalProperties: false }
const journeyBody = Type.Object(
  {
    journeyId: text(),
    appointmentId: text(),
    travelerEmail: email(),
    travelerName: Type.Optional(nullable(text())),
    mode: Type.Optional(
      Type.Union(
        TRAVEL_MODES.map((mode) => Type.Literal(mode)),
        { default: 'car' },
      ),
    ),
  },
  strict,
)
const listQuery = query({
  status: Type.Optional(
    Type.String({
      maxLength: 100,
      description: `${ARRIVAL_STATUSES.join(', ')}, separated by commas`,
    }),
  ),
  appointment: Type.Optional(text()),
  ...range,
  ...paging,
})
const tags = ['arrivals']

export function journeyRoutes(app: FastifyInstance, { options }: ApiContext): void {
  const { database } = options
  const config = { access: 'operate' } as const
  app.post<{ Body: Static<typeof journeyBody> }>(
    '/journeys',
    {
      config,
      schema: {
        tags,
        summary: 'Says who travels to an appointment; positions go to the topic journeys',
        body: journeyBody,
        response: { 200: arrivalSchema },
      },
    },
    async (request) => {
      const call = callOf(request, options)
      const { mode = 'car', travelerName = null, ...rest } = request.body
      const refusal = await deskOf(options).saveJourney(call, {
        ...rest,
        travelerName,
        mode: modeOf(mode),
      })
      if (refusal !== null) throw refused(refusal)
      return arrival(call.tenantId, rest.journeyId)
    },
  )

  app.post<{ Params: Static<typeof idParameter> }>(
    '/journeys/:id/join-online',
    {
      config,
      schema: {
        tags,
        summary: 'The traveller takes part online: nobody waits for the arrival',
        params: idParameter,
        response: { 200: arrivalSchema },
      },
    },
    async (request) => {
      const call = callOf(request, options)
      const refusal = await deskOf(options).joinOnline(call, request.params.id)
      if (refusal !== null) throw refused(refusal)
      return arrival(call.tenantId, request.params.id)
    },
  )

  async function arrival(tenantId: string, journeyId: string) {
    const row = await arrivalById(database, { tenantId, journeyId })
    if (row === undefined) throw refused('unknown-journey')
    return arrivalJson(row)
  }

  app.get<{ Querystring: Static<typeof listQuery> }>(
    '/arrivals',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'Journeys with their newest estimate, earliest start first',
        querystring: listQuery,
        response: { 200: listOf(arrivalSchema) },
      },
    },
    async (request) => {
      const { status, appointment: appointmentId, cursor, limit = DEFAULT_LIMIT } = request.query
      const rows = await arrivalsOf(database, {
        tenantId: principalOf(request).tenantId,
        ...rangeOf(request.query),
        status: choicesOf('status', status, ARRIVAL_STATUSES),
        appointmentId,
        after: cursor === undefined ? undefined : afterOf(cursor),
        limit: limit + 1,
      })
      const page = pageOf(rows, limit, (last) =>
        encodeCursor('arrivals', [epochMsOf(last.starts_at), String(last.journey_id)]),
      )
      return { items: page.rows.map(arrivalJson), next: page.next }
    },
  )

  app.get<{ Params: Static<typeof idParameter> }>(
    '/arrivals/:id',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'One journey with its way, its newest estimates and what was decided',
        params: idParameter,
        response: { 200: journeySchema },
      },
    },
    async (request) => {
      const scope = { tenantId: principalOf(request).tenantId, journeyId: request.params.id }
      const row = await arrivalById(database, scope)
      if (row === undefined) throw refused('unknown-journey')
      const [estimates, decisions] = await Promise.all([
        estimatesOf(database, { ...scope, limit: MAX_ESTIMATES }),
        decisionsOf(database, scope),
      ])
      return {
        ...arrivalJson(row),
        route: routeOf(row.route),
        estimates: estimates.map(estimateJson).reverse(),
        decisions: decisions.map(decisionJson),
      }
    },
  )
}

function afterOf(cursor: string) {
  const [startsAtMs, journeyId] = decodeCursor('arrivals', ['number', 'string'], cursor)
  return { startsAtMs: Number(startsAtMs), journeyId: String(journeyId) }
}
