// Silences: who keeps which alerts from notifying, from when to when, and why. They end, and are kept.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { derivedId } from '../../kernel/ids.ts'
import { DAY_MS, type EpochMs, MINUTE_MS } from '../../kernel/time.ts'
import type { SilenceMatcher } from '../../ports/routing-store.ts'
import { compileMatcher, MAX_MATCHERS } from '../../rules/routing/matcher.ts'
import { principalOf } from '../access.ts'
import { alertSchema } from '../alert-json.ts'
import type { ApiContext } from '../context.ts'
import { HttpProblem } from '../problems.ts'
import {
  DEFAULT_LIMIT,
  idParameter,
  instant,
  listOf,
  MAX_TEXT_LENGTH,
  paging,
  query,
} from '../schemas.ts'
import {
  changeSilence,
  createSilence,
  openAlertsMatching,
  type SilenceContent,
  silenceById,
  silenceCount,
  silencePage,
  silenceRevisions,
} from '../silence-queries.ts'
import { choicesOf, instantOf, invalidParameter } from '../validation.ts'

/** Of one tenant, that have not ended; every alert is held against each. */
export const MAX_SILENCES = 1_000
export const MAX_SILENCE_MS = 366 * DAY_MS
/** A clock of a browser may be so far behind ours. */
const PAST_GRACE_MS = 5 * MINUTE_MS
const MAX_PREVIEW = 100

const strict = { additionalProperties: false }
const matcherSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100 }),
    operator: Type.Union([
      Type.Literal('='),
      Type.Literal('!='),
      Type.Literal('=~'),
      Type.Literal('!~'),
    ]),
    value: Type.String({ maxLength: 200 }),
  },
  strict,
)
const matchersSchema = Type.Array(matcherSchema, { minItems: 1, maxItems: MAX_MATCHERS })
const body = Type.Object(
  {
    matchers: matchersSchema,
    from: Type.Optional(
      Type.String({ maxLength: 40, description: 'Included; now where it is missing' }),
    ),
    to: Type.String({ maxLength: 40, description: 'Excluded' }),
    reason: Type.String({ minLength: 1, maxLength: MAX_TEXT_LENGTH }),
  },
  strict,
)
const silenceSchema = Type.Object({
  id: Type.String(),
  matchers: Type.Array(matcherSchema),
  from: instant('Included'),
  to: instant('Excluded'),
  reason: Type.String(),
  createdBy: Type.String(),
  createdAt: instant('When it was made'),
  updatedBy: Type.String(),
  updatedAt: instant('When it was last changed'),
  revision: Type.Integer(),
  state: Type.Union([Type.Literal('pending'), Type.Literal('active'), Type.Literal('ended')]),
  silenced: Type.Integer({ description: 'Open alerts that it keeps quiet now' }),
})
const detailSchema = Type.Composite([
  silenceSchema,
  Type.Object({
    history: Type.Array(
      Type.Object({
        revision: Type.Integer(),
        kind: Type.String(),
        author: Type.String(),
        at: Type.String(),
        matchers: Type.Array(matcherSchema),
        from: Type.String(),
        to: Type.String(),
        reason: Type.String(),
      }),
    ),
  }),
])
const previewSchema = Type.Object({
  count: Type.Integer({ description: 'Open alerts that it would keep quiet' }),
  items: Type.Array(alertSchema),
})
const tags = ['silences']
const config = { access: 'operate' } as const

type Body = Static<typeof body>
type IdParameter = Static<typeof idParameter>

export function silenceRoutes(app: FastifyInstance, { options }: ApiContext): void {
  const { database, clock } = options

  const who = (request: FastifyRequest) => {
    const { tenantId, name } = principalOf(request)
    return { tenantId, author: name, at: new Date(clock.nowMs()) }
  }

  const listQuery = query({
    state: Type.Optional(Type.String({ maxLength: 100, description: 'pending, active, ended' })),
    ...paging,
  })
  app.get<{ Querystring: Static<typeof listQuery> }>(
    '/silences',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'Silences, those that end last first',
        querystring: listQuery,
        response: { 200: listOf(silenceSchema) },
      },
    },
    async (request) => {
      const { state, limit = DEFAULT_LIMIT, cursor } = request.query
      const states = choicesOf('state', state, ['pending', 'active', 'ended'])
      const { tenantId } = principalOf(request)
      return silencePage(database, { tenantId, states, nowMs: clock.nowMs() }, { limit, cursor })
    },
  )

  app.get<{ Params: IdParameter }>(
    '/silences/:id',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'One silence with its history',
        params: idParameter,
        response: { 200: detailSchema },
      },
    },
    async (request) => {
      const key = { id: request.params.id, tenantId: principalOf(request).tenantId }
      const found = await silenceById(database, key, clock.nowMs())
      if (found === undefined) throw noSilence(key.id)
      return { ...found, history: await silenceRevisions(database, found.id) }
    },
  )

  const previewBody = Type.Object({ matchers: matchersSchema }, strict)
  app.post<{ Body: Static<typeof previewBody> }>(
    '/silences/preview',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'What a silence would keep quiet',
        body: previewBody,
        response: { 200: previewSchema },
      },
    },
    async (request) => {
      checkMatchers(request.body.matchers)
      const { tenantId } = principalOf(request)
      const found = await openAlertsMatching(database, tenantId, request.body.matchers)
      return { count: found.length, items: found.slice(0, MAX_PREVIEW) }
    },
  )

  app.post<{ Body: Body }>(
    '/silences',
    {
      config,
      schema: {
        tags,
        summary: 'Keep alerts from notifying for a while',
        body,
        response: { 201: silenceSchema },
      },
    },
    async (request, reply) => {
      const nowMs = clock.nowMs()
      const content = contentOf(request.body, nowMs)
      const { tenantId, author, at } = who(request)
      if ((await silenceCount(database, tenantId)) >= MAX_SILENCES) {
        throw new HttpProblem(
          'limit-reached',
          `There are ${MAX_SILENCES} silences already. End some first.`,
        )
      }
      const id = derivedId(
        'silence',
        tenantId,
        author,
        nowMs,
        request.id,
        JSON.stringify(request.body),
      )
      await createSilence(database, { id, tenantId, author, at, content })
      options.onAlertsHandled?.()
      const made = await silenceById(database, { id, tenantId }, nowMs)
      return reply.code(201).send(made)
    },
  )

  app.put<{ Params: IdParameter; Body: Body }>(
    '/silences/:id',
    {
      config,
      schema: {
        tags,
        summary: 'Change a silence, or make one that ended hold again',
        params: idParameter,
        body,
        response: { 200: silenceSchema },
      },
    },
    async (request) => {
      const { id } = request.params
      const key = { id, tenantId: principalOf(request).tenantId }
      const present = await silenceById(database, key, clock.nowMs())
      if (present === undefined) throw noSilence(id)
      const content = contentOf(request.body, clock.nowMs(), Date.parse(present.from))
      await changeSilence(database, { ...who(request), id, content, kind: 'changed' })
      options.onAlertsHandled?.()
      return silenceById(database, key, clock.nowMs())
    },
  )

  app.delete<{ Params: IdParameter }>(
    '/silences/:id',
    {
      config,
      schema: {
        tags,
        summary: 'End a silence now; it is kept',
        params: idParameter,
        response: { 200: silenceSchema },
      },
    },
    async (request) => {
      const nowMs = clock.nowMs()
      const { id } = request.params
      const key = { id, tenantId: principalOf(request).tenantId }
      const present = await silenceById(database, key, nowMs)
      if (present === undefined) throw noSilence(id)
      if (present.state === 'ended') return present
      const content = {
        matchers: present.matchers,
        fromMs: Math.min(Date.parse(present.from), nowMs),
        toMs: nowMs,
        reason: present.reason,
      }
      await changeSilence(database, { ...who(request), id, content, kind: 'ended' })
      options.onAlertsHandled?.()
      return silenceById(database, key, nowMs)
    },
  )
}

/** A silence that has begun keeps its begin: the past does not change. */
function contentOf(asked: Body, nowMs: EpochMs, begunMs?: EpochMs): SilenceContent {
  checkMatchers(asked.matchers)
  const fromMs =
    instantOf('from', asked.from) ?? (begunMs !== undefined && begunMs < nowMs ? begunMs : nowMs)
  const toMs = instantOf('to', asked.to) ?? nowMs
  if (fromMs < nowMs - PAST_GRACE_MS && fromMs !== begunMs)
    throw invalidParameter('from', 'lies in the past')
  if (toMs <= fromMs) throw invalidParameter('to', 'must be after from')
  if (toMs <= nowMs) throw invalidParameter('to', 'lies in the past')
  if (toMs - fromMs > MAX_SILENCE_MS)
    throw invalidParameter('to', 'is more than 366 days after from')
  return { matchers: asked.matchers, fromMs, toMs, reason: asked.reason }
}

function checkMatchers(matchers: readonly SilenceMatcher[]): void {
  matchers.forEach((matcher, index) => {
    const compiled = compileMatcher(matcher)
    if (!compiled.ok) throw invalidParameter(`matchers/${index}`, compiled.error)
  })
  const all = matchers.every((matcher) => {
    const compiled = compileMatcher(matcher)
    return compiled.ok && compiled.value.matches({})
  })
  if (all)
    throw invalidParameter(
      'matchers',
      'would silence every alert: name a value that alerts must have',
    )
}

function noSilence(id: string): HttpProblem {
  return new HttpProblem('not-found', `There is no silence "${id}".`)
}
