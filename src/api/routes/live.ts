// The live feed as server-sent events. The stream is written past Fastify: no compression, no buffering.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { principalOf } from '../access.ts'
import type { ApiContext } from '../context.ts'
import { MAX_STREAMS } from '../live-feed.ts'
import { HttpProblem } from '../problems.ts'
import { query } from '../schemas.ts'
import { choicesOf, invalidParameter } from '../validation.ts'

/** Views of one stream. */
const MAX_VIEWS = 20
const BUSY_RETRY_S = 10

const liveQuery = query({
  views: Type.String({
    default: 'alerts,trucks',
    maxLength: 400,
    description: '`alerts` for alerts, any other name for the entities of that view',
  }),
  lastEventId: Type.Optional(
    Type.String({ maxLength: 100, description: 'As the header Last-Event-ID' }),
  ),
})

export function liveRoutes(app: FastifyInstance, { live }: ApiContext): void {
  app.get<{ Querystring: Static<typeof liveQuery> }>(
    '/live',
    {
      config: { access: 'own' },
      exposeHeadRoute: false,
      schema: {
        tags: ['live'],
        summary: 'Alerts and live views as they change (server-sent events)',
        querystring: liveQuery,
        produces: ['text/event-stream'],
        response: { 200: Type.String() },
      },
    },
    (request, reply) => {
      const views = choicesOf('views', request.query.views) ?? []
      if (views.length > MAX_VIEWS) throw invalidParameter('views', `at most ${MAX_VIEWS}`)
      if (live.isFull) {
        throw new HttpProblem('too-many-streams', `${MAX_STREAMS} streams are open already.`, {
          retryAfterS: BUSY_RETRY_S,
        })
      }
      const header = request.headers['last-event-id']
      const { tenantId, merchantId } = principalOf(request)
      reply.hijack()
      request.raw.socket.setNoDelay(true)
      reply.raw.writeHead(200, {
        ...headersOf(reply.getHeaders()),
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      })
      live.attach(reply.raw, {
        views,
        tenantId,
        merchantId,
        lastEventId: typeof header === 'string' ? header : request.query.lastEventId,
      })
    },
  )
}

function headersOf(headers: Readonly<Record<string, number | string | string[] | undefined>>) {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const],
    ),
  )
}
