// For those who watch the program: is it alive, is it ready, how much does it do.

import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { FeedStatus } from '../feed-status.ts'
import type { ProcessServerOptions } from '../process-server.ts'
import { nullable } from '../schemas.ts'

const readySchema = Type.Object({
  ready: Type.Boolean(),
  parts: Type.Array(
    Type.Object({ name: Type.String(), ready: Type.Boolean(), reason: nullable(Type.String()) }),
  ),
})
const tags = ['operation']

const DRAINING = { name: 'process', ready: false, reason: 'it is about to end' }

/** `feeds` where the process knows how far the topics are. */
export function healthRoutes(
  app: FastifyInstance,
  options: Pick<ProcessServerOptions, 'metrics' | 'readiness' | 'draining'>,
  feeds: FeedStatus | null,
): void {
  const { metrics } = options

  app.get(
    '/healthz',
    {
      config: { access: 'probe' },
      schema: {
        tags,
        summary: 'The process is alive',
        response: { 200: Type.Object({ status: Type.String() }) },
      },
    },
    async () => ({ status: 'alive' }),
  )

  app.get(
    '/readyz',
    {
      config: { access: 'probe' },
      schema: {
        tags,
        summary: 'What this process needs is ready',
        response: { 200: readySchema, 503: readySchema },
      },
    },
    async (_request, reply) => {
      const parts = [
        ...(await options.readiness()),
        ...(options.draining.aborted ? [DRAINING] : []),
      ]
      const ready = parts.every((part) => part.ready)
      return reply.code(ready ? 200 : 503).send({ ready, parts })
    },
  )

  app.get(
    '/metrics',
    {
      config: { access: 'read' },
      schema: { tags, summary: 'Prometheus metrics', response: { 200: Type.String() } },
    },
    async (_request, reply) => {
      const topics = feeds === null ? [] : await feeds.topics().catch(() => [])
      for (const { topic, partitions } of topics) {
        for (const { partition, endOffset, committedOffset } of partitions) {
          metrics.setLag({ topic, partition }, Math.max(0, endOffset - committedOffset))
        }
      }
      return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics())
    },
  )
}
