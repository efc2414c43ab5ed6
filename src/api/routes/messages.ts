// What was told to whom, by which channel, and what became of it; and the words it is told in.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { principalOf } from '../access.ts'
import type { ApiContext } from '../context.ts'
import { MESSAGE_KINDS, MESSAGE_STATUSES, messageById, messagePage } from '../message-queries.ts'
import { HttpProblem } from '../problems.ts'
import {
  DEFAULT_LIMIT,
  idParameter,
  instant,
  listOf,
  nullable,
  paging,
  query,
  range,
  text,
} from '../schemas.ts'
import { choicesOf, rangeOf } from '../validation.ts'

const labelled = Type.Object({ label: Type.String(), value: Type.String() })
const action = Type.Object({ label: Type.String(), url: Type.String() })
const contentSchema = Type.Object({
  subject: Type.String(),
  lines: Type.Array(Type.String()),
  facts: Type.Array(labelled),
  actions: Type.Array(action),
})
export const messageSchema = Type.Object({
  id: Type.String({ description: 'Also in its Message-ID, or webhook-id' }),
  createdAt: instant('When it was decided'),
  status: Type.Union(MESSAGE_STATUSES.map((status) => Type.Literal(status))),
  reason: nullable(Type.String({ description: 'Why it is not sent, or not yet' })),
  kind: Type.Union(MESSAGE_KINDS.map((kind) => Type.Literal(kind))),
  channel: Type.String(),
  to: Type.String({ description: 'Of a web address, no more than the server' }),
  subject: Type.String(),
  severity: Type.String(),
  category: Type.String(),
  template: Type.String(),
  attempts: Type.Integer(),
  dueAt: nullable(instant('When it is tried next, or its group goes')),
  endedAt: nullable(instant('When it was sent, or given up')),
  groupId: nullable(Type.String({ description: 'The message that it goes with' })),
  workflowId: Type.String({ description: 'That delivers it' }),
  askedBy: nullable(Type.String({ description: 'The workflow that asked for it' })),
  alertId: nullable(Type.String()),
  entityType: nullable(Type.String()),
  entityId: nullable(Type.String()),
})
const detailSchema = Type.Intersect([
  messageSchema,
  Type.Object({
    content: contentSchema,
    tries: Type.Array(
      Type.Object({
        attempt: Type.Integer(),
        at: instant('When'),
        tookMs: Type.Integer(),
        outcome: Type.String({ description: 'sent, kept, failed, refused' }),
        response: Type.String({ description: 'What the other side said' }),
      }),
    ),
  }),
])
const templateSchema = Type.Object({
  name: Type.String(),
  purpose: Type.String(),
  template: contentSchema,
  example: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Null()])),
  preview: contentSchema,
})
const tags = ['messages']
const listQuery = query({
  status: Type.Optional(Type.String({ maxLength: 100, description: MESSAGE_STATUSES.join(', ') })),
  kind: Type.Optional(Type.String({ maxLength: 100, description: MESSAGE_KINDS.join(', ') })),
  workflow: Type.Optional(text()),
  alert: Type.Optional(text()),
  entity: Type.Optional(text()),
  group: Type.Optional(text()),
  ...range,
  ...paging,
})

export function messageRoutes(app: FastifyInstance, { options }: ApiContext): void {
  const { database } = options

  app.get<{ Querystring: Static<typeof listQuery> }>(
    '/messages',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'Messages, newest first',
        querystring: listQuery,
        response: { 200: listOf(messageSchema) },
      },
    },
    async (request) => {
      const { status, kind, workflow, alert, entity, group, limit = DEFAULT_LIMIT } = request.query
      const filter = {
        ...rangeOf(request.query),
        tenantId: principalOf(request).tenantId,
        statuses: choicesOf('status', status, MESSAGE_STATUSES),
        kinds: choicesOf('kind', kind, MESSAGE_KINDS),
        ...{ workflow, alert, entity, group },
      }
      return messagePage(database, filter, { limit, cursor: request.query.cursor })
    },
  )

  app.get<{ Params: Static<typeof idParameter> }>(
    '/messages/:id',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'One message with its words and every attempt',
        params: idParameter,
        response: { 200: detailSchema },
      },
    },
    async (request) => {
      const { tenantId } = principalOf(request)
      const { id } = request.params
      const found = await messageById(database, { tenantId, id })
      if (found === undefined) throw new HttpProblem('not-found', `There is no message "${id}".`)
      return found
    },
  )

  app.get(
    '/message-templates',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'The words of messages, each filled with its example',
        response: { 200: Type.Object({ items: Type.Array(templateSchema) }) },
      },
    },
    async () => ({ items: options.messageTemplates }),
  )
}
