// Appointments: agreed, moved, canceled.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { appointmentById } from '../../domains/arrivals/queries.ts'
import { DAY_MS, type EpochMs, MINUTE_MS, parseInstant, toIso } from '../../kernel/time.ts'
import { principalOf } from '../access.ts'
import { callOf, deskOf, email, refused } from '../arrival-desk.ts'
import type { ApiContext } from '../context.ts'
import { idParameter, nullable, text } from '../schemas.ts'
import { isoOf, textOrNull } from '../sql-values.ts'
import { invalidParameter } from '../validation.ts'

/** A clock of a sender may be so far behind ours. */
const PAST_GRACE_MS = MINUTE_MS
const MAX_AHEAD_MS = 366 * DAY_MS

const strict = { additionalProperties: false }
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
const tags = ['arrivals']

export function appointmentRoutes(app: FastifyInstance, { options }: ApiContext): void {
  const { database } = options
  const config = { access: 'operate' } as const
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
      const call = callOf(request, options)
      const startsAtMs = startOf(given, call.nowMs)
      if (onlineUrl !== null) checkUrl(onlineUrl)
      await deskOf(options).saveAppointment(call, { ...rest, startsAtMs, onlineUrl, place })
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
      const call = callOf(request, options)
      const { journeyId } = request.body
      const startsAtMs = startOf(request.body.startsAt, call.nowMs)
      const refusal = await deskOf(options).reschedule(call, {
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
      const call = callOf(request, options)
      const refusal = await deskOf(options).cancel(call, request.params.id)
      if (refusal !== null) throw refused(refusal)
      return appointment(call.tenantId, request.params.id)
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
