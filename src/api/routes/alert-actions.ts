// What people do about alerts, each with its way back. To acknowledge is not to resolve, and to resolve by
// hand changes nothing of what the stream says.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { TenantScope } from '../../ports/tenant-database.ts'
import { principalOf } from '../access.ts'
import { ACTIONS, type ActionKind, act, comment } from '../alert-actions.ts'
import { alertSchema } from '../alert-json.ts'
import type { ApiContext } from '../context.ts'
import { pendingDocument } from '../pending-alerts.ts'
import { HttpProblem } from '../problems.ts'
import { idParameter, MAX_LIMIT, MAX_TEXT_LENGTH, nullable, text } from '../schemas.ts'
import { invalidParameter } from '../validation.ts'
import { commentSchema } from './alerts.ts'

const NOT_YET_RETRY_S = 1

const strict = { additionalProperties: false }
const longText = (minLength: number) => Type.String({ minLength, maxLength: MAX_TEXT_LENGTH })
const noteBody = nullable(Type.Object({ note: Type.Optional(longText(0)) }, strict))
const assignBody = Type.Object({ assignee: nullable(text()) }, strict)
const commentBody = Type.Object({ text: longText(1) }, strict)
const manyBody = Type.Object(
  {
    ids: Type.Array(text(), { minItems: 1, maxItems: MAX_LIMIT }),
    action: Type.Union(ACTIONS.map((action) => Type.Literal(action))),
    note: Type.Optional(longText(0)),
    assignee: Type.Optional(nullable(text())),
  },
  strict,
)
const manySchema = Type.Object({
  items: Type.Array(alertSchema),
  missing: Type.Array(Type.String(), { description: 'Ids that are not there, or not yet' }),
})
const tags = ['alerts']
const config = { access: 'operate' } as const

type IdParameter = Static<typeof idParameter>

interface OneRoute {
  readonly method: 'POST' | 'DELETE'
  readonly path: string
  readonly kind: ActionKind
  readonly summary: string
}

const ONE: readonly OneRoute[] = [
  { method: 'POST', path: 'acknowledge', kind: 'acknowledge', summary: 'Take notice of an alert' },
  {
    method: 'DELETE',
    path: 'acknowledge',
    kind: 'unacknowledge',
    summary: 'Undo an acknowledgement',
  },
  {
    method: 'POST',
    path: 'resolve',
    kind: 'resolve',
    summary:
      'Resolve an alert by hand, whatever the stream says, until it gets worse or fires anew',
  },
  { method: 'POST', path: 'reopen', kind: 'reopen', summary: 'Undo a manual resolve' },
  {
    method: 'POST',
    path: 'false-alarm',
    kind: 'false-alarm',
    summary: 'Say that there was nothing to warn about',
  },
  {
    method: 'DELETE',
    path: 'false-alarm',
    kind: 'not-false-alarm',
    summary: 'Undo a false-alarm mark',
  },
]

export function alertActionRoutes(app: FastifyInstance, { options }: ApiContext): void {
  const { database, clock, logger, views } = options

  const whoAndWhen = (request: FastifyRequest) => {
    const { tenantId, name } = principalOf(request)
    return { tenantId, author: name, at: new Date(clock.nowMs()) }
  }

  const actOn = async (
    request: FastifyRequest,
    asked: {
      readonly ids: readonly string[]
      readonly kind: ActionKind
      readonly note?: string | undefined
      readonly assignee?: string | null | undefined
    },
  ) => {
    const { note = '', assignee = null, ...rest } = asked
    const changed = await act(database, { ...rest, note, assignee, ...whoAndWhen(request) })
    for (const { handled } of changed) {
      await views
        .publishHandling(handled)
        .catch((error: unknown) =>
          logger.error('handling-not-told', error, { alertId: handled.id }),
        )
    }
    options.onAlertsHandled?.()
    return changed.map(({ document }) => document)
  }

  const actOnOne = async (
    request: FastifyRequest<{ Params: IdParameter }>,
    asked: Omit<Parameters<typeof actOn>[1], 'ids'>,
  ) => {
    const { id } = request.params
    const [document] = await actOn(request, { ...asked, ids: [id] })
    if (document !== undefined) return document
    throw await whyMissing(options, { id, ...principalOf(request) })
  }

  for (const { method, path, kind, summary } of ONE) {
    const shared = { tags, summary, params: idParameter, response: { 200: alertSchema } }
    app.route<{ Params: IdParameter; Body?: Static<typeof noteBody> }>({
      method,
      url: `/alerts/:id/${path}`,
      config,
      schema: method === 'POST' ? { ...shared, body: noteBody } : shared,
      handler: (request) => actOnOne(request, { kind, note: request.body?.note }),
    })
  }

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
    (request) => actOnOne(request, { kind: 'assign', assignee: request.body.assignee }),
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
      const { id } = request.params
      const who = whoAndWhen(request)
      const said = await comment(database, { ...who, id, text: request.body.text })
      if (said === undefined) throw await whyMissing(options, { id, ...principalOf(request) })
      return reply.code(201).send(said)
    },
  )

  app.post<{ Body: Static<typeof manyBody> }>(
    '/alerts/actions',
    {
      config,
      schema: {
        tags,
        summary: 'The same action on many alerts at once',
        body: manyBody,
        response: { 200: manySchema },
      },
    },
    async (request) => {
      const { ids, action: kind, note, assignee } = request.body
      if (kind === 'assign' && assignee === undefined) {
        throw invalidParameter('assignee', 'is needed to assign; null takes it from everybody')
      }
      const items = await actOn(request, { ids, kind, note, assignee })
      const found = new Set(items.map(({ id }) => id))
      return { items, missing: [...new Set(ids)].filter((id) => !found.has(id.toLowerCase())) }
    },
  )
}

/** An alert goes to the live feed before it is in the database; then it is only a matter of moments. */
export async function whyMissing(
  { views, entityViews }: ApiContext['options'],
  { id, tenantId, merchantId }: TenantScope & { readonly id: string },
): Promise<HttpProblem> {
  const open = merchantId === null ? await views.openAlerts(tenantId) : []
  if (open.some((alert) => alert.id === id)) {
    return new HttpProblem('not-yet-recorded', 'The alert is being recorded. Try again.', {
      retryAfterS: NOT_YET_RETRY_S,
    })
  }
  if ((await pendingDocument({ views, entityViews }, { id, tenantId, merchantId })) !== undefined) {
    const why = 'The alert is pending: nobody can handle it before it fires.'
    return new HttpProblem('conflict', why)
  }
  return new HttpProblem('not-found', `There is no alert "${id}".`)
}
