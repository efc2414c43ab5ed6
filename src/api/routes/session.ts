// Signing in and out, and who one is.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { SECOND_MS } from '../../kernel/time.ts'
import { GRANTS, type Principal, principalOf, SESSION_COOKIE, SESSION_MS } from '../access.ts'
import type { ApiContext } from '../context.ts'
import { nullable } from '../schemas.ts'

/** Tries to sign in from one address, right or wrong. */
const SIGN_IN_LIMIT = { max: 30, timeWindow: '1 minute' }

const meSchema = Type.Object({
  role: Type.String(),
  tenantId: Type.String(),
  merchantId: nullable(
    Type.String({ description: 'Set for a merchant, who sees their own alone' }),
  ),
  signedIn: Type.Boolean({ description: 'False where nobody needs to sign in' }),
  authRequired: Type.Boolean(),
  access: Type.Array(Type.String(), { description: 'What the role may do: own, read, operate, …' }),
})
const tokenSchema = Type.Object(
  { token: Type.String({ minLength: 1, maxLength: 1_000 }) },
  { additionalProperties: false },
)
const tags = ['access']

export function sessionRoutes(app: FastifyInstance, { access, options }: ApiContext): void {
  const { authRequired } = access
  const secure = options.publicUrl?.startsWith('https:') ? '; Secure' : ''
  const setCookie = (reply: FastifyReply, value: string, maxAgeS: number): void => {
    const attributes = `Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeS}${secure}`
    reply.header('set-cookie', `${SESSION_COOKIE}=${value}; ${attributes}`)
  }

  const me = ({ role, tenantId, merchantId, signedIn }: Principal) => ({
    role,
    tenantId,
    merchantId,
    signedIn,
    authRequired,
    access: [...GRANTS[role]],
  })

  app.post<{ Body: Static<typeof tokenSchema> }>(
    '/session',
    {
      config: { access: 'public', rateLimit: SIGN_IN_LIMIT },
      bodyLimit: 4_096,
      schema: { tags, summary: 'Sign in', body: tokenSchema, response: { 200: meSchema } },
    },
    async (request, reply) => {
      const { cookie, principal } = await access.signIn(request, request.body.token)
      if (authRequired) setCookie(reply, cookie, SESSION_MS / SECOND_MS)
      return me(principal)
    },
  )

  app.delete(
    '/session',
    {
      config: { access: 'public' },
      schema: { tags, summary: 'Sign out', response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      access.signOut(request)
      setCookie(reply, '', 0)
      return reply.code(204).send()
    },
  )

  app.get(
    '/me',
    {
      config: { access: 'own' },
      schema: { tags, summary: 'Who is asking', response: { 200: meSchema } },
    },
    async (request) => me(principalOf(request)),
  )
}
