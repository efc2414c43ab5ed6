// Workflows with their steps, and running a failed one again.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { principalOf } from '../access.ts'
import type { ApiContext } from '../context.ts'
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
import {
  retryWorkflow,
  stepsOf,
  WORKFLOW_STATUSES,
  workflowById,
  workflowPage,
} from '../workflow-queries.ts'

export const workflowSchema = Type.Object({
  id: Type.String({ description: 'Derived from the cause: the same after a crash' }),
  name: Type.String(),
  status: Type.Union(WORKFLOW_STATUSES.map((status) => Type.Literal(status))),
  outcome: nullable(Type.String({ description: 'How it ended, in a word or two' })),
  detail: Type.Unknown({ description: 'What is to be said of how it ended' }),
  entityType: nullable(Type.String()),
  entityId: nullable(Type.String()),
  alertId: nullable(Type.String()),
  runs: Type.Integer({ description: '1, and one more for each retry' }),
  requestedAt: instant('When its cause was recorded'),
  startedAt: instant('When it was started first'),
  endedAt: nullable(instant('When it ended last')),
})
export const stepSchema = Type.Object({
  number: Type.Integer(),
  name: Type.String(),
  result: nullable(Type.String({ description: 'JSON, cut where it is long' })),
  error: nullable(Type.String()),
  startedAt: nullable(instant('When its last try began')),
  endedAt: nullable(instant('When its result was kept')),
})
const detailSchema = Type.Intersect([
  workflowSchema,
  Type.Object({ input: Type.Unknown(), steps: Type.Array(stepSchema) }),
])
const tags = ['workflows']
const listQuery = query({
  status: Type.Optional(Type.String({ maxLength: 100, description: 'running, done, failed' })),
  name: Type.Optional(text()),
  alert: Type.Optional(text()),
  entity: Type.Optional(text()),
  ...range,
  ...paging,
})

export function workflowRoutes(app: FastifyInstance, { options, wholeDatabase }: ApiContext): void {
  const { database } = options

  app.get<{ Querystring: Static<typeof listQuery> }>(
    '/workflows',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'Workflows, those that started last first',
        querystring: listQuery,
        response: { 200: listOf(workflowSchema) },
      },
    },
    async (request) => {
      const { status, name, alert, entity, limit = DEFAULT_LIMIT, cursor } = request.query
      const statuses = choicesOf('status', status, WORKFLOW_STATUSES)
      const { tenantId } = principalOf(request)
      const filter = { ...rangeOf(request.query), tenantId, statuses, name, alert, entity }
      return workflowPage(database, filter, { limit, cursor })
    },
  )

  app.get<{ Params: Static<typeof idParameter> }>(
    '/workflows/:id',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'One workflow with its steps',
        params: idParameter,
        response: { 200: detailSchema },
      },
    },
    async (request) => {
      const { tenantId } = principalOf(request)
      const { id } = request.params
      const found = await workflowById(database, { tenantId, id })
      if (found === undefined) throw unknown(id)
      return { ...found, steps: await stepsOf(wholeDatabase, id) }
    },
  )

  app.post<{ Params: Static<typeof idParameter> }>(
    '/workflows/:id/retry',
    {
      config: { access: 'operate' },
      schema: {
        tags,
        summary: 'Runs a failed workflow again; what was sent is not sent again',
        params: idParameter,
        response: { 202: workflowSchema },
      },
    },
    async (request, reply) => {
      const key = { tenantId: principalOf(request).tenantId, id: request.params.id }
      const before = await workflowById(database, key)
      if (before === undefined) throw unknown(key.id)
      if (!(await retryWorkflow(database, key))) {
        throw new HttpProblem(
          'conflict',
          `The workflow is ${before.status}; only one that failed can be run again.`,
        )
      }
      reply.code(202)
      return {
        ...before,
        status: 'running',
        outcome: null,
        detail: null,
        endedAt: null,
        runs: before.runs + 1,
      }
    },
  )
}

function unknown(id: string): HttpProblem {
  return new HttpProblem('not-found', `There is no workflow "${id}".`)
}
