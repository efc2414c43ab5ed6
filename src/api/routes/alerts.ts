// Alerts: the list, and one with its history. What people do about them is in alert-actions.ts.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { principalOf } from '../access.ts'
import type { AlertDocument } from '../alert-json.ts'
import { ALERT_COMMENT_KINDS, alertSchema, positionSchema } from '../alert-json.ts'
import {
  type AlertFilter,
  alertById,
  alertPage,
  commentsOf,
  transitionsOf,
} from '../alert-queries.ts'
import type { ApiContext } from '../context.ts'
import { archivedEvent } from '../history-queries.ts'
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
import { choicesOf, rangeOf } from '../validation.ts'
import { whyMissing } from './alert-actions.ts'

const choices = (description: string) =>
  Type.Optional(Type.String({ maxLength: 400, description: `${description}, separated by commas` }))

const alertsQuery = query({
  status: choices('pending, firing, resolved, or open for the first two'),
  severity: choices('critical, major, minor, warning, info'),
  rule: choices('Names of rules'),
  entity: Type.Optional(text()),
  acknowledged: Type.Optional(Type.Boolean()),
  assignee: Type.Optional(text()),
  suppressed: Type.Optional(Type.Boolean({ description: 'Silenced or inhibited' })),
  falseAlarm: Type.Optional(Type.Boolean()),
  notification: Type.Optional(
    Type.String({ maxLength: 40, description: 'Id of one that names it' }),
  ),
  ...range,
  ...paging,
})

export const commentSchema = Type.Object({
  id: Type.String(),
  at: Type.String(),
  author: Type.String(),
  text: Type.String(),
  kind: Type.Union(ALERT_COMMENT_KINDS.map((kind) => Type.Literal(kind))),
})

const alertDetailSchema = Type.Composite([
  alertSchema,
  Type.Object({
    transitions: Type.Array(
      Type.Object({
        status: Type.String(),
        at: Type.String(),
        revision: Type.Integer(),
        severity: Type.String(),
        summary: Type.String(),
        position: positionSchema,
      }),
    ),
    comments: Type.Array(commentSchema),
    event: nullable(Type.Record(Type.String(), Type.Unknown())),
  }),
])

const tags = ['alerts']

type IdParameter = Static<typeof idParameter>

export function alertRoutes(app: FastifyInstance, { options }: ApiContext): void {
  const { database } = options

  app.get<{ Querystring: Static<typeof alertsQuery> }>(
    '/alerts',
    {
      config: { access: 'own' },
      schema: {
        tags,
        summary: 'Alerts, newest first',
        querystring: alertsQuery,
        response: { 200: listOf(alertSchema) },
      },
    },
    async (request) => {
      const { limit = DEFAULT_LIMIT, cursor } = request.query
      const filter = filterOf(principalOf(request).tenantId, request.query)
      return alertPage(database, filter, { limit, cursor })
    },
  )

  app.get<{ Params: IdParameter }>(
    '/alerts/:id',
    {
      config: { access: 'own' },
      schema: {
        tags,
        summary: 'One alert with its transitions, comments and the event that opened it',
        params: idParameter,
        response: { 200: alertDetailSchema },
      },
    },
    async (request) => {
      const { tenantId, merchantId } = principalOf(request)
      const key = { id: request.params.id, tenantId }
      const alert = await alertById(database, key)
      if (alert === undefined) throw await whyMissing(options, { ...key, merchantId })
      const [transitions, comments, event] = await Promise.all([
        transitionsOf(database, key),
        commentsOf(database, key),
        openingEvent(options, alert, tenantId),
      ])
      return { ...alert, transitions, comments, event: event ?? null }
    },
  )
}

function openingEvent(options: ApiContext['options'], alert: AlertDocument, tenantId: string) {
  const topic = options.topics.find((candidate) => candidate.name === alert.position.topic)
  if (topic === undefined) return undefined
  return archivedEvent(options.database, topic, { ...alert.position, tenantId })
}

const STATUSES = ['pending', 'firing', 'resolved', 'open']
const SEVERITIES = ['critical', 'major', 'minor', 'warning', 'info']

function filterOf(tenantId: string, asked: Static<typeof alertsQuery>): AlertFilter {
  const statuses = choicesOf('status', asked.status, STATUSES)
  return {
    ...rangeOf(asked),
    tenantId,
    statuses: statuses?.flatMap((status) => (status === 'open' ? ['pending', 'firing'] : [status])),
    severities: choicesOf('severity', asked.severity, SEVERITIES),
    rules: choicesOf('rule', asked.rule),
    entity: asked.entity,
    acknowledged: asked.acknowledged,
    assignee: asked.assignee,
    suppressed: asked.suppressed,
    falseAlarm: asked.falseAlarm,
    notification: asked.notification,
  }
}
