// What the routing decided to tell whom, and by which document it decides.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { parseRouting } from '../../rules/routing/route-file.ts'
import { principalOf } from '../access.ts'
import type { ApiContext } from '../context.ts'
import { notificationPage, routingInForce } from '../notification-queries.ts'
import { DEFAULT_LIMIT, instant, listOf, nullable, paging, query, range, text } from '../schemas.ts'
import { choicesOf, rangeOf } from '../validation.ts'

export const notificationSchema = Type.Object({
  id: Type.String({ description: 'The same for the same decision, after a crash too' }),
  at: instant('When it was decided'),
  kind: Type.Union([
    Type.Literal('firing'),
    Type.Literal('resolved'),
    Type.Literal('repeat'),
    Type.Literal('escalation'),
  ]),
  step: Type.Integer({ description: 'Of an escalation, from 1' }),
  receiver: Type.String(),
  channels: Type.Array(Type.String()),
  route: Type.String(),
  groupId: Type.String(),
  sequence: Type.Integer({ description: 'Within its group, from 1' }),
  groupLabels: Type.Record(Type.String(), Type.String()),
  firing: Type.Integer({ description: 'Alerts that it names as firing' }),
  resolved: Type.Integer({ description: 'Alerts that it names as over' }),
})
const tags = ['routing']
const notificationsQuery = query({
  kind: Type.Optional(Type.String({ maxLength: 100 })),
  receiver: Type.Optional(text()),
  alert: Type.Optional(text()),
  ...range,
  ...paging,
})
const routingSchema = Type.Object({
  source: Type.String({ description: '`built-in`, or the file' }),
  document: Type.String(),
  problem: nullable(Type.String({ description: 'Why the newest file is not in force' })),
  openGroups: Type.Integer(),
  waitingChanges: Type.Integer({ description: 'Changes of alerts that are not routed yet' }),
})
const checkBody = Type.Object(
  { document: Type.String({ maxLength: 50_000 }) },
  { additionalProperties: false },
)
const checkSchema = Type.Object({
  ok: Type.Boolean(),
  errors: Type.Array(
    Type.Object({
      line: Type.Integer(),
      column: Type.Integer(),
      path: Type.String(),
      message: Type.String(),
    }),
  ),
})

export function notificationRoutes(app: FastifyInstance, { options }: ApiContext): void {
  const { database } = options

  app.get<{ Querystring: Static<typeof notificationsQuery> }>(
    '/notifications',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'What routing decided to tell whom, newest first',
        querystring: notificationsQuery,
        response: { 200: listOf(notificationSchema) },
      },
    },
    async (request) => {
      const { kind, receiver, alert, limit = DEFAULT_LIMIT, cursor } = request.query
      const kinds = choicesOf('kind', kind, ['firing', 'resolved', 'repeat', 'escalation'])
      const { tenantId } = principalOf(request)
      const filter = { ...rangeOf(request.query), tenantId, kinds, receiver, alert }
      return notificationPage(database, filter, { limit, cursor })
    },
  )

  app.get(
    '/routing',
    {
      config: { access: 'read' },
      schema: { tags, summary: 'The routing document in force', response: { 200: routingSchema } },
    },
    async () => routingInForce(database),
  )

  app.post<{ Body: Static<typeof checkBody> }>(
    '/routing/check',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'Whether a routing document is whole, without putting it in force',
        body: checkBody,
        response: { 200: checkSchema },
      },
    },
    async (request) => {
      const parsed = parseRouting(request.body.document)
      return { ok: parsed.ok, errors: parsed.ok ? [] : parsed.error }
    },
  )
}
