// Alerts: the list, one with its history, and what people do about it. To acknowledge is not to resolve:
// only the events of the entity end an alert.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { principalOf } from '../access.ts'
import type { AlertDocument } from '../alert-json.ts'
import { alertSchema, positionSchema } from '../alert-json.ts'
import {
  type AlertAction,
  type AlertFilter,
  acknowledge,
  alertById,
  alertPage,
  assign,
  comment,
  commentsOf,
  transitionsOf,
  unacknowledge,
} from '../alert-queries.ts'
import type { ApiContext } from '../context.ts'
import { archivedEvent } from '../history-queries.ts'
import { HttpProblem } from '../problems.ts'
import {
  DEFAULT_LIMIT,
  idParameter,
  listOf,
  MAX_TEXT_LENGTH,
  nullable,
  paging,
  query,
  range,
  text,
} from '../schemas.ts'
import { choicesOf, rangeOf } from '../validation.ts'

const NOT_YET_RETRY_S = 1

const choices = (description: string) =>
  Type.Optional(Type.String({ maxLength: 400, description: `${description}, separated by commas` }))

const alertsQuery = query({
  status: choices('pending, firing, resolved, or open for the first two'),
  severity: choices('critical, major, minor, warning, info'),
  rule: choices('Names of rules'),
  entity: Type.Optional(text()),
  acknowledged: Type.Optional(Type.Boolean()),
  ...range,
  ...paging,
})

const commentSchema = Type.Object({
  id: Type.String(),
  at: Type.String(),
  author: Type.String(),
  text: Type.String(),
  kind: Type.Union([
    Type.Literal('comment'),
    Type.Literal('acknowledge'),
    Type.Literal('unacknowledge'),
    Type.Literal('assign'),
  ]),
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

const strict = { additionalProperties: false }
const longText = (minLength: number) => Type.String({ minLength, maxLength: MAX_TEXT_LENGTH })
const noteBody = nullable(Type.Object({ note: Type.Optional(longText(0)) }, strict))
const assignBody = Type.Object({ assignee: nullable(text()) }, strict)
const commentBody = Type.Object({ text: longText(1) }, strict)
const tags = ['alerts']

type IdParameter = Static<typeof idParameter>

export function alertRoutes(app: FastifyInstance, context: ApiContext): void {
  readingRoutes(app, context)
  actionRoutes(app, context)
}

function readingRoutes(app: FastifyInstance, { options }: ApiContext): void {
  const { database } = options

  app.get<{ Querystring: Static<typeof alertsQuery> }>(
    '/alerts',
    {
      config: { access: 'read' },
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
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'One alert with its transitions, comments and the event that opened it',
        params: idParameter,
        response: { 200: alertDetailSchema },
      },
    },
    async (request) => {
      const { tenantId } = principalOf(request)
      const key = { id: request.params.id, tenantId }
      const alert = await alertById(database, key)
      if (alert === undefined) throw await whyMissing(options, key)
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

function actionRoutes(app: FastifyInstance, { options }: ApiContext): void {
  const { database, clock, logger, views } = options
  const config = { access: 'operate' } as const

  const actionOf = (
    request: FastifyRequest<{ Params: IdParameter }>,
    kind: AlertAction['kind'],
    said: string,
  ): AlertAction => {
    const { tenantId, name } = principalOf(request)
    const at = new Date(clock.nowMs())
    return { id: request.params.id, tenantId, kind, author: name, text: said, at }
  }

  const answer = async (
    action: AlertAction,
    changed: AlertDocument | undefined,
  ): Promise<AlertDocument> => {
    if (changed === undefined) throw await whyMissing(options, action)
    const { id, acknowledgedAt, acknowledgedBy, assignee } = changed
    const handling = { acknowledgedAt, acknowledgedBy, assignee }
    const json = JSON.stringify(changed)
    const isResolved = changed.status === 'resolved'
    await views
      .publishHandling({ id, tenantId: action.tenantId, isResolved, json, handling })
      .catch((error: unknown) => logger.error('handling-not-told', error, { alertId: id }))
    return changed
  }

  app.post<{ Params: IdParameter; Body: Static<typeof noteBody> }>(
    '/alerts/:id/acknowledge',
    {
      config,
      schema: {
        tags,
        summary: 'Take notice of an alert',
        params: idParameter,
        body: noteBody,
        response: { 200: alertSchema },
      },
    },
    async (request) => {
      const action = actionOf(request, 'acknowledge', request.body?.note ?? '')
      return answer(action, await acknowledge(database, action))
    },
  )

  app.delete<{ Params: IdParameter }>(
    '/alerts/:id/acknowledge',
    {
      config,
      schema: {
        tags,
        summary: 'Undo an acknowledgement',
        params: idParameter,
        response: { 200: alertSchema },
      },
    },
    async (request) => {
      const action = actionOf(request, 'unacknowledge', '')
      return answer(action, await unacknowledge(database, action))
    },
  )

  app.post<{ Params: IdParameter; Body: Static<typeof assignBody> }>(
    '/alerts/:id/assign',
    {
      config,
      schema: {
        tags,
        summary: 'Give an alert to somebody, or to nobody',
        params: idParameter,
        body: assignBody,
        response: { 200: alertSchema },
      },
    },
    async (request) => {
      const { assignee } = request.body
      const action = actionOf(request, 'assign', assignee ?? '')
      return answer(action, await assign(database, action, assignee))
    },
  )

  app.post<{ Params: IdParameter; Body: Static<typeof commentBody> }>(
    '/alerts/:id/comment',
    {
      config,
      schema: {
        tags,
        summary: 'Say something about an alert',
        params: idParameter,
        body: commentBody,
        response: { 201: commentSchema },
      },
    },
    async (request, reply) => {
      const action = actionOf(request, 'comment', request.body.text)
      const said = await comment(database, action)
      if (said === undefined) throw await whyMissing(options, action)
      return reply.code(201).send(said)
    },
  )
}

/** An alert goes to the live feed before it is in the database; then it is only a matter of moments. */
async function whyMissing(
  { views }: ApiContext['options'],
  { id, tenantId }: { readonly id: string; readonly tenantId: string },
): Promise<HttpProblem> {
  const open = await views.openAlerts(tenantId)
  if (open.some((alert) => alert.id === id)) {
    return new HttpProblem('not-yet-recorded', 'The alert is being recorded. Try again.', {
      retryAfterS: NOT_YET_RETRY_S,
    })
  }
  return new HttpProblem('not-found', `There is no alert "${id}".`)
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
  }
}
