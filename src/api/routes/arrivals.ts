// Appointments, the journeys to them, and how their travellers get on.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import {
  type ArrivalDesk,
  type DeskCall,
  MAX_JOURNEYS_PER_APPOINTMENT,
  type Refusal,
} from '../../domains/arrivals/desk.ts'
import { modeOf, TRAVEL_MODES } from '../../domains/arrivals/plans.ts'
import {
  ARRIVAL_STATUSES,
  appointmentById,
  arrivalById,
  arrivalsOf,
  decisionsOf,
  estimatesOf,
  outcomesOf,
} from '../../domains/arrivals/queries.ts'
import { DAY_MS, type EpochMs, MINUTE_MS, parseInstant, toIso } from '../../kernel/time.ts'
import { principalOf } from '../access.ts'
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
import { HttpProblem } from '../problems.ts'
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
import { epochMsOf, isoOf, textOrNull } from '../sql-values.ts'
import { choicesOf, invalidParameter, rangeOf } from '../validation.ts'

/** A clock of a sender may be so far behind ours. */
const PAST_GRACE_MS = MINUTE_MS
const MAX_AHEAD_MS = 366 * DAY_MS
const MAX_ESTIMATES = 2_000
/** As browsers check it; whether anybody reads there is shown by what is sent. */
const EMAIL = '^[^\\s@<>(),;:"\\[\\]\\\\]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?$'

const strict = { additionalProperties: false }
const email = () => Type.String({ maxLength: 320, pattern: EMAIL, expected: 'an e-mail address' })
const startsAt = Type.Union([Type.String({ maxLength: 40 }), Type.Number()], {
  description: 'ISO 8601 with offset, or epoch milliseconds; not in the past',
})

const appointmentBody = Type.Object(
  {
    appointmentId: text(),
    title: Type.String({ minLength: 1, maxLength: 500 }),
    startsAt,
    lat: Type.Number({ minimum: -90, maximum: 90 }),
    lon: Type.Number({ minimum: -180, maximum: 180 }),
    organizerEmail: email(),
    onlineUrl: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 2_000 }))),
    place: Type.Optional(nullable(text())),
  },
  strict,
)
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
const rescheduleBody = Type.Object({ startsAt, journeyId: Type.Optional(text()) }, strict)
const appointmentSchema = Type.Object({
  appointmentId: Type.String(),
  title: Type.String(),
  place: nullable(Type.String()),
  startsAt: Type.String(),
  firstStartsAt: Type.String(),
  lat: Type.Number(),
  lon: Type.Number(),
  organizerEmail: Type.String(),
  onlineUrl: nullable(Type.String()),
  status: Type.String(),
  revision: Type.Integer(),
})
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
const outcomeQuery = query(range)
const tags = ['arrivals']

export function arrivalRoutes(app: FastifyInstance, { options }: ApiContext): void {
  const { clock, database } = options
  const config = { access: 'operate' } as const
  const callOf = (request: FastifyRequest): DeskCall => ({
    tenantId: principalOf(request).tenantId,
    nowMs: clock.nowMs(),
  })
  const desk = (): ArrivalDesk => {
    if (options.arrivalDesk !== null) return options.arrivalDesk
    throw new HttpProblem(
      'unavailable-here',
      'This process does not write to the log: ask one that has the role doors.',
    )
  }
  const appointment = async (tenantId: string, appointmentId: string) => {
    const row = await appointmentById(database, { tenantId, appointmentId })
    if (row === undefined) throw refused('unknown-appointment')
    return {
      appointmentId: String(row.appointment_id),
      title: String(row.title),
      place: textOrNull(row.place),
      startsAt: isoOf(row.starts_at),
      firstStartsAt: isoOf(row.first_starts_at),
      lat: Number(row.lat),
      lon: Number(row.lon),
      organizerEmail: String(row.organizer_email),
      onlineUrl: textOrNull(row.online_url),
      status: String(row.status),
      revision: Number(row.revision),
    }
  }

  app.post<{ Body: Static<typeof appointmentBody> }>(
    '/appointments',
    {
      config,
      schema: {
        tags,
        summary: 'Makes an appointment, or changes the one of that id',
        body: appointmentBody,
        response: { 200: appointmentSchema },
      },
    },
    async (request) => {
      const { onlineUrl = null, place = null, startsAt: given, ...rest } = request.body
      const call = callOf(request)
      const startsAtMs = startOf(given, call.nowMs)
      if (onlineUrl !== null) checkUrl(onlineUrl)
      await desk().saveAppointment(call, { ...rest, startsAtMs, onlineUrl, place })
      return appointment(call.tenantId, rest.appointmentId)
    },
  )

  app.get<{ Params: Static<typeof idParameter> }>(
    '/appointments/:id',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'One appointment',
        params: idParameter,
        response: { 200: appointmentSchema },
      },
    },
    async (request) => appointment(principalOf(request).tenantId, request.params.id),
  )

  app.post<{ Params: Static<typeof idParameter>; Body: Static<typeof rescheduleBody> }>(
    '/appointments/:id/reschedule',
    {
      config,
      schema: {
        tags,
        summary: 'Another start was agreed; `journeyId` names the journey that was late',
        params: idParameter,
        body: rescheduleBody,
        response: { 200: appointmentSchema },
      },
    },
    async (request) => {
      const call = callOf(request)
      const { journeyId } = request.body
      const startsAtMs = startOf(request.body.startsAt, call.nowMs)
      const refusal = await desk().reschedule(call, {
        appointmentId: request.params.id,
        startsAtMs,
        ...(journeyId === undefined ? {} : { journeyId }),
      })
      if (refusal !== null) throw refused(refusal)
      return appointment(call.tenantId, request.params.id)
    },
  )

  app.post<{ Params: Static<typeof idParameter> }>(
    '/appointments/:id/cancel',
    {
      config,
      schema: {
        tags,
        summary: 'Nobody needs to come any more',
        params: idParameter,
        response: { 200: appointmentSchema },
      },
    },
    async (request) => {
      const call = callOf(request)
      const refusal = await desk().cancel(call, request.params.id)
      if (refusal !== null) throw refused(refusal)
      return appointment(call.tenantId, request.params.id)
    },
  )

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
      const call = callOf(request)
      const { mode = 'car', travelerName = null, ...rest } = request.body
      const refusal = await desk().saveJourney(call, { ...rest, travelerName, mode: modeOf(mode) })
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
      const call = callOf(request)
      const refusal = await desk().joinOnline(call, request.params.id)
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

  app.get<{ Querystring: Static<typeof outcomeQuery> }>(
    '/arrivals/outcomes',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary:
          'What became of the journeys to starts of a range; the last day where none is given',
        querystring: outcomeQuery,
        response: {
          200: Type.Object({
            from: Type.String(),
            to: Type.String(),
            journeys: Type.Integer(),
            byOutcome: Type.Record(Type.String(), Type.Integer()),
            onTimeRate: nullable(
              Type.Number({ description: 'From 0 to 1; canceled ones left out' }),
            ),
          }),
        },
      },
    },
    async (request) => {
      const asked = rangeOf(request.query)
      const toMs = asked.toMs ?? clock.nowMs()
      const fromMs = asked.fromMs ?? toMs - DAY_MS
      const { tenantId } = principalOf(request)
      const rows = await outcomesOf(database, { tenantId, fromMs, toMs })
      const byOutcome = Object.fromEntries(
        rows.map(({ outcome, journeys }) => [String(outcome), Number(journeys)]),
      )
      const journeys = Object.values(byOutcome).reduce((sum, count) => sum + count, 0)
      const counted = journeys - (byOutcome.canceled ?? 0)
      const onTimeRate = counted === 0 ? null : (byOutcome['on-time'] ?? 0) / counted
      return { from: toIso(fromMs), to: toIso(toMs), journeys, byOutcome, onTimeRate }
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

function startOf(given: string | number, nowMs: EpochMs): EpochMs {
  const startsAtMs = parseInstant(given)
  if (startsAtMs === undefined) {
    throw invalidParameter('startsAt', 'must be ISO 8601 with an offset, or epoch milliseconds')
  }
  if (startsAtMs < nowMs - PAST_GRACE_MS) {
    throw invalidParameter('startsAt', `lies in the past: ${toIso(startsAtMs)}`)
  }
  if (startsAtMs > nowMs + MAX_AHEAD_MS) {
    throw invalidParameter('startsAt', `lies more than a year ahead: ${toIso(startsAtMs)}`)
  }
  return startsAtMs
}

/** It will stand in messages: a link to a page and nothing else. */
function checkUrl(onlineUrl: string): void {
  const url = URL.canParse(onlineUrl) ? new URL(onlineUrl) : null
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return
  throw invalidParameter('onlineUrl', 'must be an address that begins with https:// or http://')
}

function refused(refusal: Refusal): HttpProblem {
  switch (refusal) {
    case 'unknown-appointment':
      return new HttpProblem('not-found', 'There is no appointment of this id.')
    case 'unknown-journey':
      return new HttpProblem('not-found', 'There is no journey of this id.')
    case 'other-appointment':
      return new HttpProblem('conflict', 'This journey leads to another appointment.')
    case 'full':
      return new HttpProblem(
        'limit-reached',
        `An appointment takes ${MAX_JOURNEYS_PER_APPOINTMENT} journeys.`,
      )
  }
}

function afterOf(cursor: string) {
  const [startsAtMs, journeyId] = decodeCursor('arrivals', ['number', 'string'], cursor)
  return { startsAtMs: Number(startsAtMs), journeyId: String(journeyId) }
}
