// Bearer credentials: made, listed, revoked by whoever administers. The secret is answered once.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { DAY_MS } from '../../kernel/time.ts'
import type { TokenStore } from '../../ports/token-store.ts'
import { principalOf, ROLES } from '../access.ts'
import type { ApiContext } from '../context.ts'
import { HttpProblem } from '../problems.ts'
import { idParameter, listOf, nullable, text } from '../schemas.ts'
import { MAX_TOKENS_LISTED, newToken } from '../token-issue.ts'
import { tokenJson } from '../token-json.ts'
import { invalidParameter } from '../validation.ts'

const MAX_DAYS = 3_650

const tokenSchema = Type.Object({
  id: Type.String(),
  role: Type.String(),
  tenantId: Type.String(),
  merchantId: nullable(Type.String()),
  name: Type.String(),
  createdAt: Type.String(),
  createdBy: Type.String(),
  expiresAt: nullable(Type.String()),
  revokedAt: nullable(Type.String()),
})
const newTokenSchema = Type.Composite([
  tokenSchema,
  Type.Object({ token: Type.String({ description: 'The credential; it is not shown again' }) }),
])
const body = Type.Object(
  {
    role: Type.Union(ROLES.map((role) => Type.Literal(role))),
    merchantId: Type.Optional(text()),
    name: Type.Optional(text()),
    days: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_DAYS })),
  },
  { additionalProperties: false },
)
const tags = ['access']
const config = { access: 'administer' } as const

export function tokenRoutes(app: FastifyInstance, { options }: ApiContext): void {
  const store = (): TokenStore => {
    if (options.tokens !== null) return options.tokens
    throw new HttpProblem('unavailable-here', 'This process keeps no tokens.')
  }

  app.get(
    '/tokens',
    {
      config,
      schema: {
        tags,
        summary: 'Bearer credentials of this tenant, newest first, without their secrets',
        response: { 200: listOf(tokenSchema) },
      },
    },
    async (request) => {
      const tokens = await store().list(MAX_TOKENS_LISTED, principalOf(request).tenantId)
      return { items: tokens.map(tokenJson), next: null }
    },
  )

  app.post<{ Body: Static<typeof body> }>(
    '/tokens',
    {
      config,
      schema: {
        tags,
        summary: 'Make a bearer credential; its secret is in this answer and nowhere else',
        body,
        response: { 201: newTokenSchema },
      },
    },
    async (request, reply) => {
      const { role, merchantId, name = '', days } = request.body
      if ((role === 'merchant') !== (merchantId !== undefined)) {
        throw invalidParameter('merchantId', 'goes with the role merchant, and with no other')
      }
      const { tenantId, name: createdBy } = principalOf(request)
      const nowMs = options.clock.nowMs()
      const { token, hash, secret } = newToken({
        secret: options.newSecret(),
        role,
        tenant: role === 'merchant' ? merchantId : tenantId,
        platform: tenantId,
        name,
        createdBy,
        nowMs,
        expiresAtMs: days === undefined ? null : nowMs + days * DAY_MS,
      })
      await store().create(token, hash)
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ ...tokenJson(token), token: secret })
    },
  )

  app.delete<{ Params: Static<typeof idParameter> }>(
    '/tokens/:id',
    {
      config,
      schema: {
        tags,
        summary: 'Revoke a bearer credential, from its next request on',
        params: idParameter,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { tenantId, name } = principalOf(request)
      if (await store().revoke(request.params.id, name, tenantId)) return reply.code(204).send()
      throw new HttpProblem('not-found', 'There is no such token, or it is revoked already.')
    },
  )
}
