// The channels that messages go by: shown without their secrets, set up, signed, tried out.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { derivedId } from '../../kernel/ids.ts'
import { toIso } from '../../kernel/time.ts'
import { MESSAGE_EFFECT } from '../../ports/message.ts'
import { principalOf } from '../access.ts'
import type { ChannelDesk, ShownChannel } from '../channel-desk.ts'
import type { ApiContext } from '../context.ts'
import { MESSAGE_KINDS } from '../message-queries.ts'
import { HttpProblem } from '../problems.ts'
import { instant, nullable } from '../schemas.ts'
import { invalidParameter } from '../validation.ts'

const strict = { additionalProperties: false }
const time = () =>
  Type.String({ pattern: '^([01]\\d|2[0-3]):[0-5]\\d$', expected: 'a time such as 22:00' })
const kind = Type.Union(MESSAGE_KINDS.map((each) => Type.Literal(each)))
const quietHours = Type.Object({ from: time(), to: time() }, strict)
const parameter = Type.Object({
  name: Type.String({
    pattern: '^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,99}$',
    expected: 'a name of letters, digits, _ . : @ -',
  }),
})
const channelSchema = Type.Object({
  name: Type.String(),
  kind,
  to: Type.String({ description: 'Of a web address, no more than the server' }),
  signed: Type.Boolean(),
  allowPrivateAddress: Type.Boolean(),
  zone: Type.String(),
  quietHours: nullable(quietHours),
  source: Type.String({
    description: 'built-in, file (channels.yaml) or api: only the last is changed here',
  }),
  updatedAt: nullable(instant('When it was changed here')),
  updatedBy: nullable(Type.String()),
})
const listSchema = Type.Object({
  items: Type.Array(channelSchema),
  problem: nullable(Type.String({ description: 'Why the newest channels.yaml is not in force' })),
})
const body = Type.Object(
  {
    kind,
    to: Type.Optional(nullable(Type.String({ maxLength: 320 }))),
    url: Type.Optional(nullable(Type.String({ maxLength: 2_000 }))),
    secret: Type.Optional(nullable(Type.String({ maxLength: 200 }))),
    allowPrivateAddress: Type.Optional(Type.Boolean()),
    zone: Type.Optional(nullable(Type.String({ maxLength: 100 }))),
    quietHours: Type.Optional(nullable(quietHours)),
  },
  strict,
)
const tags = ['messages']
const config = { access: 'administer' } as const

export function channelRoutes(app: FastifyInstance, { options }: ApiContext): void {
  const { clock, database } = options
  const desk = (): ChannelDesk => {
    if (options.channelDesk !== null) return options.channelDesk
    throw new HttpProblem('unavailable-here', 'This process keeps no channels.')
  }

  app.get(
    '/channels',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'The channels in force, without secrets',
        response: { 200: listSchema },
      },
    },
    async () => {
      const { channels, problem } = await desk().list()
      return { items: channels.map(channelJson), problem }
    },
  )

  app.put<{ Params: Static<typeof parameter>; Body: Static<typeof body> }>(
    '/channels/:name',
    {
      config,
      schema: {
        tags,
        summary: 'Set a channel up, or change it; what is not given stays, secrets too',
        params: parameter,
        body,
        response: { 200: channelSchema },
      },
    },
    async (request) => {
      const { name } = request.params
      const saved = await desk().save(name, request.body, principalOf(request).name)
      if (saved.ok) return channelJson(saved.value)
      if (saved.error === 'in-file') throw inFile(name)
      if (saved.error === 'full') {
        throw new HttpProblem('limit-reached', 'No more channels are kept: remove one first.')
      }
      throw invalidParameter('channel', saved.error.join('; '))
    },
  )

  app.delete<{ Params: Static<typeof parameter> }>(
    '/channels/:name',
    {
      config,
      schema: {
        tags,
        summary: 'Remove a channel; what still goes to it stays in the inbox',
        params: parameter,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { name } = request.params
      const outcome = await desk().remove(name)
      if (outcome === 'in-file') throw inFile(name)
      if (outcome === 'unknown') throw unknown(name)
      return reply.code(204).send()
    },
  )

  app.post<{ Params: Static<typeof parameter> }>(
    '/channels/:name/secret',
    {
      config,
      schema: {
        tags,
        summary: 'Sign a webhook by a new secret, which is in this answer and nowhere else',
        params: parameter,
        response: { 201: Type.Object({ secret: Type.String() }) },
      },
    },
    async (request, reply) => {
      const { name } = request.params
      const signed = await desk().sign(name, principalOf(request).name)
      if (signed.ok) {
        return reply.code(201).header('cache-control', 'no-store').send({ secret: signed.value })
      }
      if (signed.error === 'in-file') throw inFile(name)
      if (signed.error === 'unknown') throw unknown(name)
      throw new HttpProblem('conflict', `Only webhooks are signed, and "${name}" is none.`)
    },
  )

  app.post<{ Params: Static<typeof parameter> }>(
    '/channels/:name/test',
    {
      config: { access: 'operate' },
      schema: {
        tags,
        summary:
          'Send a message by the channel, to see whether it comes; GET /messages?workflow= shows how it fares',
        params: parameter,
        response: { 202: Type.Object({ workflowId: Type.String() }) },
      },
    },
    async (request, reply) => {
      const { name } = request.params
      const { channels } = await desk().list()
      if (!channels.some((each) => each.name === name)) throw unknown(name)
      const { tenantId, name: askedBy } = principalOf(request)
      const workflowId = derivedId('channel-test', options.newSecret())
      const payload = {
        template: 'channel-test',
        to: { channel: name },
        category: 'test',
        // Somebody waits for it: quiet hours do not hold it back.
        severity: 'critical',
        values: { channel: name, askedBy, askedAt: toIso(clock.nowMs()) },
      }
      await database.query(
        'insert into outbox (id, kind, tenant_id, payload) values ($1, $2, $3, $4::jsonb)',
        [workflowId, MESSAGE_EFFECT, tenantId, JSON.stringify(payload)],
      )
      return reply.code(202).send({ workflowId })
    },
  )
}

function channelJson({ updatedAtMs, ...channel }: ShownChannel) {
  return { ...channel, updatedAt: updatedAtMs === null ? null : toIso(updatedAtMs) }
}

function unknown(name: string): HttpProblem {
  return new HttpProblem('not-found', `There is no channel "${name}".`)
}

function inFile(name: string): HttpProblem {
  return new HttpProblem(
    'conflict',
    `The channel "${name}" is in channels.yaml, or built in: it is not changed here.`,
  )
}
