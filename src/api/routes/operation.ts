// How the platform itself does: topics, rules, refused events, and the overview that people land on.

import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { toIso } from '../../kernel/time.ts'
import type { Alert } from '../../ports/alert.ts'
import { principalOf } from '../access.ts'
import { shownStatus } from '../alert-handling.ts'
import { positionSchema } from '../alert-json.ts'
import { openAlertCounts } from '../alert-queries.ts'
import type { ApiContext } from '../context.ts'
import { deadLetterPage } from '../dead-letter-queries.ts'
import { HttpProblem } from '../problems.ts'
import {
  DEFAULT_LIMIT,
  listOf,
  MAX_LIMIT,
  nullable,
  paging,
  query,
  range,
  text,
} from '../schemas.ts'
import { TRUCKS_VIEW, truckTiles } from '../truck-views.ts'
import { rangeOf } from '../validation.ts'

const topicsSchema = Type.Array(
  Type.Object({
    topic: Type.String(),
    partitions: Type.Array(
      Type.Object({
        partition: Type.Integer(),
        endOffset: Type.Integer(),
        committedOffset: Type.Integer(),
        lag: Type.Integer(),
        watermark: nullable(Type.String()),
      }),
    ),
  }),
)
const deadLettersQuery = query({
  topic: Type.Optional(text()),
  code: Type.Optional(text()),
  ...range,
  ...paging,
})
const deadLetterSchema = Type.Object({
  id: Type.String(),
  topic: Type.String(),
  receivedAt: Type.String(),
  door: Type.String(),
  reason: Type.Object({ code: Type.String(), message: Type.String(), path: Type.String() }),
  raw: Type.String(),
  rawEncoding: Type.String(),
  position: nullable(positionSchema),
  replayedAt: nullable(Type.String()),
})
const replayBody = Type.Object(
  { ids: Type.Array(Type.String({ maxLength: 100 }), { minItems: 1, maxItems: MAX_LIMIT }) },
  { additionalProperties: false },
)
const replaySchema = Type.Object({
  accepted: Type.Integer(),
  rejected: Type.Array(
    Type.Object({
      id: Type.String(),
      code: Type.String(),
      message: Type.String(),
      path: Type.String(),
    }),
  ),
})
const severityCounts = Type.Object({
  critical: Type.Integer(),
  major: Type.Integer(),
  minor: Type.Integer(),
  warning: Type.Integer(),
  info: Type.Integer(),
})
const overviewSchema = Type.Object({
  at: Type.String(),
  trucks: Type.Object({
    total: Type.Integer(),
    inRange: Type.Integer(),
    excursion: Type.Integer(),
    silent: Type.Integer(),
    noProfile: Type.Integer(),
    moving: Type.Integer(),
  }),
  alerts: Type.Object({
    open: Type.Integer(),
    unacknowledged: nullable(Type.Integer({ description: 'Neither silenced nor inhibited' })),
    suppressed: nullable(Type.Integer({ description: 'Silenced or inhibited' })),
    bySeverity: severityCounts,
  }),
  eventsPerSecond: nullable(Type.Number()),
  lag: nullable(Type.Integer()),
  feeds: Type.Array(
    Type.Object({
      topic: Type.String(),
      endOffset: Type.Integer(),
      lag: Type.Integer(),
      watermark: nullable(Type.String()),
      health: Type.Union([Type.Literal('ok'), Type.Literal('idle'), Type.Literal('lagging')]),
    }),
  ),
  partial: Type.Array(Type.String({ description: 'Parts that did not answer' })),
})
const tags = ['operation']

export function operationRoutes(app: FastifyInstance, context: ApiContext): void {
  const { options, feeds } = context

  app.get(
    '/topics',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'Topics and how far they are processed',
        response: { 200: topicsSchema },
      },
    },
    async () => {
      const topics = await feeds.topics()
      return topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition, endOffset, committedOffset, watermarkMs }) => ({
          partition,
          endOffset,
          committedOffset,
          lag: Math.max(0, endOffset - committedOffset),
          watermark: watermarkMs === null ? null : toIso(watermarkMs),
        })),
      }))
    },
  )

  app.get(
    '/overview',
    {
      config: { access: 'read' },
      schema: { tags, summary: 'What needs attention', response: { 200: overviewSchema } },
    },
    async (request) => overview(context, principalOf(request).tenantId),
  )

  app.get<{ Querystring: Static<typeof deadLettersQuery> }>(
    '/dead-letters',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'Events that were refused, newest first',
        querystring: deadLettersQuery,
        response: { 200: listOf(deadLetterSchema) },
      },
    },
    async (request) => {
      const { topic, code, limit = DEFAULT_LIMIT, cursor } = request.query
      const filter = { ...rangeOf(request.query), topic, code }
      const { tenantId } = principalOf(request)
      return deadLetterPage(options.database, { ...filter, tenantId }, { limit, cursor })
    },
  )

  app.post<{ Body: Static<typeof replayBody> }>(
    '/dead-letters/replay',
    {
      config: { access: 'administer' },
      schema: {
        tags,
        summary: 'Send refused events through their door again',
        body: replayBody,
        response: { 200: replaySchema },
      },
    },
    async (request) => {
      const { tenantId } = principalOf(request)
      const outcome = await options.replayDeadLetters?.({ ids: request.body.ids, tenantId })
      if (outcome === undefined) {
        throw new HttpProblem('not-found', 'This process has no door to send events through.')
      }
      return outcome
    },
  )
}

/** Open alerts come from the live feed, so that the page is right while the database is away. */
async function overview({ options, feeds, live }: ApiContext, tenantId: string) {
  const partial: string[] = []
  const tolerate = async <T>(part: string, work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work
    } catch (error) {
      options.logger.error('overview', error, { part })
      partial.push(part)
      return undefined
    }
  }
  const [entries, open, recorded, flow] = await Promise.all([
    options.views.list(TRUCKS_VIEW, tenantId),
    options.views.openAlerts(tenantId),
    tolerate('alerts', openAlertCounts(options.database, tenantId)),
    tolerate('feeds', feeds.summary()),
    live.loadHandling(),
  ])
  const bySeverity = { critical: 0, major: 0, minor: 0, warning: 0, info: 0 }
  const isOpen = (alert: Alert) => shownStatus(alert, live.handlingOf(alert.id)) !== 'resolved'
  const alerts = open.filter(isOpen)
  for (const alert of alerts) bySeverity[alert.severity] += 1
  const sum = (name: 'unacknowledged' | 'suppressed') =>
    recorded?.reduce((total, row) => total + row[name], 0) ?? null
  return {
    at: toIso(options.clock.nowMs()),
    trucks: truckTiles(entries),
    alerts: {
      open: alerts.length,
      unacknowledged: sum('unacknowledged'),
      suppressed: sum('suppressed'),
      bySeverity,
    },
    eventsPerSecond: flow?.eventsPerSecond ?? null,
    lag: flow?.lag ?? null,
    feeds: flow?.feeds ?? [],
    partial,
  }
}
