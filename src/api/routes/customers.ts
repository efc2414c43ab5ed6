// What customers of merchants meet: links to follow a shipment by, the page behind them, and messages.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import {
  chooseMilestones,
  customerMessagesOf,
  type MilestoneChoice,
  merchantChoices,
  milestonesOf,
} from '../../domains/shipments/customer-messages.ts'
import { MILESTONE_TYPES } from '../../domains/shipments/events.ts'
import { OUTCOMES, SHIPMENT_STATUSES } from '../../domains/shipments/journey.ts'
import { shipmentById } from '../../domains/shipments/queries.ts'
import {
  createTrackingLink,
  revokeTrackingLinks,
  trackingLinksOf,
} from '../../domains/shipments/tracking.ts'
import { derivedId } from '../../kernel/ids.ts'
import { DAY_MS, toIso } from '../../kernel/time.ts'
import { principalOf, tokenHash } from '../access.ts'
import type { ApiContext } from '../context.ts'
import { HttpProblem } from '../problems.ts'
import { idParameter, listOf, nullable, text } from '../schemas.ts'
import { isoOf, isoOrNull, textOrNull } from '../sql-values.ts'

const DEFAULT_DAYS = 30
const MAX_DAYS = 365
/** Looks at tracking pages from one address: whoever guesses gets no further than this. */
const TRACK_LIMIT = { max: 60, timeWindow: '1 minute' }

const oneOf = <T extends string>(names: readonly T[]) =>
  Type.Union(names.map((name) => Type.Literal(name)))
const strict = { additionalProperties: false }

const trackSchema = Type.Object({
  shipmentId: Type.String(),
  status: oneOf(SHIPMENT_STATUSES),
  outcome: nullable(oneOf(OUTCOMES)),
  promisedAt: nullable(Type.String()),
  expectedAt: nullable(Type.String({ description: 'While it is not delivered' })),
  deliveredAt: nullable(Type.String()),
  carrier: nullable(Type.String()),
  steps: Type.Array(
    Type.Object({
      type: oneOf(MILESTONE_TYPES),
      at: Type.String(),
      location: nullable(Type.String({ description: 'Of a facility; never of a door' })),
    }),
  ),
  linkExpiresAt: Type.String(),
})
const linkSchema = Type.Object({
  id: Type.String(),
  createdAt: Type.String(),
  createdBy: Type.String(),
  expiresAt: Type.String(),
  revokedAt: nullable(Type.String()),
})
const newLinkSchema = Type.Object({
  id: Type.String(),
  token: Type.String({ description: 'Not shown again' }),
  url: Type.String(),
  expiresAt: Type.String(),
})
const newLinkBody = nullable(
  Type.Object({ days: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_DAYS })) }, strict),
)
const choiceSchema = Type.Object({
  merchantId: Type.String(),
  milestones: Type.Array(oneOf(MILESTONE_TYPES)),
  updatedAt: nullable(Type.String()),
  updatedBy: nullable(Type.String()),
})
const merchantSchema = Type.Composite([choiceSchema, Type.Object({ shipments: Type.Integer() })])
const choiceBody = Type.Object(
  { milestones: Type.Array(oneOf(MILESTONE_TYPES), { maxItems: MILESTONE_TYPES.length }) },
  strict,
)
const messageSchema = Type.Object({
  id: Type.String(),
  createdAt: Type.String(),
  endedAt: nullable(Type.String()),
  kind: Type.String(),
  address: Type.String(),
  subject: Type.String(),
  status: Type.String(),
  reason: nullable(Type.String()),
})
const linkParameters = Type.Object({ id: text(), linkId: text() })
const trackParameters = Type.Object({ token: Type.String({ maxLength: 200 }) })
const tags = ['customers']
const own = { access: 'own' } as const
const changeOwn = { access: 'change-own' } as const

type Id = Static<typeof idParameter>

export function customerRoutes(app: FastifyInstance, { options, tracking }: ApiContext): void {
  const { clock, database } = options

  app.get<{ Params: Static<typeof trackParameters> }>(
    '/track/:token',
    {
      config: { access: 'public', rateLimit: TRACK_LIMIT },
      schema: {
        tags,
        summary: 'What a customer may know of a shipment, by the link they were given',
        params: trackParameters,
        response: { 200: trackSchema },
      },
    },
    async (request, reply) => {
      const found = await tracking(tokenHash(request.params.token))
      // Guessed, expired and revoked are told alike.
      if (found === undefined) throw new HttpProblem('not-found', 'This link leads nowhere.')
      return reply.header('cache-control', 'no-store').header('x-robots-tag', 'noindex').send(found)
    },
  )

  app.post<{ Params: Id; Body?: Static<typeof newLinkBody> }>(
    '/shipments/:id/tracking-links',
    {
      config: changeOwn,
      schema: {
        tags,
        summary: 'Make a link by which anybody who has it follows the shipment, until it expires',
        params: idParameter,
        body: newLinkBody,
        response: { 201: newLinkSchema },
      },
    },
    async (request, reply) => {
      const { tenantId, merchantId, shipmentId, name } = await shipmentOf(request)
      const token = options.newSecret()
      const hash = tokenHash(token)
      const id = derivedId('tracking-link', Buffer.from(hash).toString('hex'))
      const createdAtMs = clock.nowMs()
      const expiresAtMs = createdAtMs + (request.body?.days ?? DEFAULT_DAYS) * DAY_MS
      await createTrackingLink(database, {
        ...{ id, tenantId, merchantId, shipmentId, hash, createdAtMs, expiresAtMs },
        createdBy: name,
      })
      const base = options.publicUrl ?? `${request.protocol}://${request.host}`
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ id, token, url: `${base}/track/${token}`, expiresAt: toIso(expiresAtMs) })
    },
  )

  app.get<{ Params: Id }>(
    '/shipments/:id/tracking-links',
    {
      config: own,
      schema: {
        tags,
        summary: 'Links of a shipment, newest first, without their secrets',
        params: idParameter,
        response: { 200: listOf(linkSchema) },
      },
    },
    async (request) => {
      const rows = await trackingLinksOf(database, await shipmentOf(request))
      const items = rows.map((row) => ({
        id: String(row.id),
        createdAt: isoOf(row.created_at),
        createdBy: String(row.created_by),
        expiresAt: isoOf(row.expires_at),
        revokedAt: isoOrNull(row.revoked_at),
      }))
      return { items, next: null }
    },
  )

  app.delete<{ Params: Id }>(
    '/shipments/:id/tracking-links',
    {
      config: changeOwn,
      schema: {
        tags,
        summary: 'Revoke all links of a shipment',
        params: idParameter,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { tenantId, shipmentId, name: by } = await shipmentOf(request)
      await revokeTrackingLinks(database, { tenantId, shipmentId, by })
      return reply.code(204).send()
    },
  )

  app.delete<{ Params: Static<typeof linkParameters> }>(
    '/shipments/:id/tracking-links/:linkId',
    {
      config: changeOwn,
      schema: {
        tags,
        summary: 'Revoke one link of a shipment',
        params: linkParameters,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { tenantId, shipmentId, name: by } = await shipmentOf(request)
      const id = request.params.linkId
      const revoked = await revokeTrackingLinks(database, { tenantId, shipmentId, id, by })
      if (revoked === 0) throw new HttpProblem('not-found', 'There is no such link that holds.')
      return reply.code(204).send()
    },
  )

  app.get<{ Params: Id }>(
    '/shipments/:id/messages',
    {
      config: own,
      schema: {
        tags,
        summary: 'What the customer of a shipment was written, newest first',
        params: idParameter,
        response: { 200: listOf(messageSchema) },
      },
    },
    async (request) => {
      const rows = await customerMessagesOf(database, await shipmentOf(request))
      const items = rows.map((row) => ({
        id: String(row.id),
        createdAt: isoOf(row.created_at),
        endedAt: isoOrNull(row.ended_at),
        kind: String(row.kind),
        address: String(row.address),
        subject: String(row.subject),
        status: String(row.status),
        reason: textOrNull(row.reason),
      }))
      return { items, next: null }
    },
  )

  app.get(
    '/merchants',
    {
      config: own,
      schema: {
        tags,
        summary: 'Merchants with their shipments, and what their customers are written about',
        response: { 200: listOf(merchantSchema) },
      },
    },
    async (request) => {
      const merchants = await merchantChoices(database, principalOf(request).tenantId)
      const items = merchants.map(({ shipments, ...choice }) => ({
        ...choiceJson(choice),
        shipments,
      }))
      return { items, next: null }
    },
  )

  app.get<{ Params: Id }>(
    '/merchants/:id/milestones',
    {
      config: own,
      schema: {
        tags,
        summary: 'At which milestones the customers of a merchant are written to',
        params: idParameter,
        response: { 200: choiceSchema },
      },
    },
    async (request) => choiceJson(await milestonesOf(database, merchantOf(request))),
  )

  app.put<{ Params: Id; Body: Static<typeof choiceBody> }>(
    '/merchants/:id/milestones',
    {
      config: changeOwn,
      schema: {
        tags,
        summary: 'Choose the milestones at which customers are written to, each at most once',
        params: idParameter,
        body: choiceBody,
        response: { 200: choiceSchema },
      },
    },
    async (request) => {
      const { milestones } = request.body
      const { name: by } = principalOf(request)
      return choiceJson(
        await chooseMilestones(database, { ...merchantOf(request), milestones, by }),
      )
    },
  )

  /** The shipment of the path, which the caller must be able to see. */
  async function shipmentOf(request: FastifyRequest<{ Params: Id }>) {
    const { tenantId, name } = principalOf(request)
    const { id: shipmentId } = request.params
    const row = await shipmentById(database, { tenantId, shipmentId })
    if (row === undefined) {
      throw new HttpProblem('not-found', `There is no shipment "${shipmentId}".`)
    }
    return { tenantId, shipmentId, merchantId: String(row.merchant_id), name }
  }
}

function merchantOf(request: FastifyRequest<{ Params: Id }>) {
  const { tenantId, merchantId } = principalOf(request)
  const { id } = request.params
  if (merchantId === null || merchantId === id) return { tenantId, merchantId: id }
  throw new HttpProblem('not-found', `There is no merchant "${id}".`)
}

function choiceJson({ updatedAt, ...choice }: MilestoneChoice): Static<typeof choiceSchema> {
  return {
    ...choice,
    milestones: [...choice.milestones],
    updatedAt: updatedAt === null ? null : updatedAt.toISOString(),
  }
}
