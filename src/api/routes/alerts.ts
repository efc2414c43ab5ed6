// Alerts: the list, and one with its history. What people do about them is in alert-actions.ts.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { principalOf } from '../access.ts'
import { referenceRowSchema } from '../alert-evidence.ts'
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
import { archivedEvent, type EventDocument } from '../history-queries.ts'
import {
  pendingAlertSchema,
  pendingAlerts,
  pendingDocument,
  pendingDocuments,
} from '../pending-alerts.ts'
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
  status: choices(
    'pending (holds, though not yet for long or often enough: only where asked for), firing, resolved, or open for the first two',
  ),
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

const event = (description: string) => Type.Record(Type.String(), Type.Unknown(), { description })

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
    event: nullable(event('The event that opened it')),
    closingEvent: nullable(event('The event at which it was seen to be over')),
    ruleText: nullable(Type.String({ description: 'YAML of the rule, in the version that fired' })),
    references: Type.Array(referenceRowSchema, {
      description: 'Rows of reference tables that the opening event was joined with',
    }),
  }),
])

const pendingQuery = query({ entity: Type.Optional(text()) })
const pendingSchema = Type.Composite([
  listOf(pendingAlertSchema),
  Type.Object({ total: Type.Integer({ description: 'All of them, the listed ones included' }) }),
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
      const { tenantId, merchantId } = principalOf(request)
      const filter = filterOf(tenantId, request.query)
      const pending = filter.statuses?.includes('pending')
        ? await pendingDocuments(options, { ...filter, merchantId })
        : []
      return alertPage(database, filter, { limit, cursor, pending })
    },
  )

  app.get<{ Querystring: Static<typeof pendingQuery> }>(
    '/alerts/pending',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary:
          'What is about to fire: conditions that hold, though not yet for long or often enough',
        querystring: pendingQuery,
        response: { 200: pendingSchema },
      },
    },
    async (request) => {
      const { tenantId } = principalOf(request)
      const { entity } = request.query
      return { ...(await pendingAlerts(options, { tenantId, entity })), next: null }
    },
  )

  app.get<{ Params: IdParameter }>(
    '/alerts/:id',
    {
      config: { access: 'own' },
      schema: {
        tags,
        summary:
          'One alert with its transitions, comments, the events that opened and closed it, its rule and reference rows',
        params: idParameter,
        response: { 200: alertDetailSchema },
      },
    },
    async (request) => {
      const { tenantId, merchantId } = principalOf(request)
      const key = { id: request.params.id, tenantId }
      const alert =
        (await alertById(database, key)) ?? (await pendingDocument(options, { ...key, merchantId }))
      if (alert === undefined) throw await whyMissing(options, { ...key, merchantId })
      // What a merchant may see is their own; rules and reference data are the operator's.
      const isOperator = merchantId === null
      const [transitions, comments, opening, ruleText] = await Promise.all([
        transitionsOf(database, key),
        commentsOf(database, key),
        eventAt(options, alert.position, tenantId),
        isOperator ? options.ruleDesk.versionText(alert.rule, alert.ruleVersion) : undefined,
      ])
      const closedBy = transitions.findLast(({ status }) => status === 'resolved')?.position
      const [closing, references] = await Promise.all([
        alert.streamStatus === 'resolved' && closedBy !== undefined
          ? eventAt(options, closedBy, tenantId)
          : undefined,
        opening === undefined || !isOperator
          ? []
          : options.alertEvidence.referenceRows(alert, opening),
      ])
      return {
        ...{ ...alert, transitions, comments },
        event: opening ?? null,
        closingEvent: closing ?? null,
        ruleText: ruleText ?? null,
        references,
      }
    },
  )
}

/** Undefined where it is not archived (yet). */
async function eventAt(
  { topics, database }: ApiContext['options'],
  position: AlertDocument['position'],
  tenantId: string,
): Promise<EventDocument | undefined> {
  const topic = topics.find((candidate) => candidate.name === position.topic)
  return topic === undefined ? undefined : archivedEvent(database, topic, { ...position, tenantId })
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
