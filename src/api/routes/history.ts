// Archived events of any topic: a page as JSON, or the whole range as NDJSON or CSV.

import { Readable } from 'node:stream'
import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { acceptedType } from '../accept.ts'
import { principalOf } from '../access.ts'
import type { ApiContext } from '../context.ts'
import { csvLine } from '../csv.ts'
import {
  type EventDocument,
  fieldNames,
  type HistoryFilter,
  historyPage,
  historyStream,
} from '../history-queries.ts'
import type { ArchivedTopic } from '../options.ts'
import { HttpProblem } from '../problems.ts'
import { DEFAULT_LIMIT, listOf, MAX_LIMIT, paging, query, range, text } from '../schemas.ts'
import { rangeOf } from '../validation.ts'

const JSON_TYPE = 'application/json'
const NDJSON_TYPE = 'application/x-ndjson'
const CSV_TYPE = 'text/csv'
/** Whole ranges are heavy: downloads from one address. */
const HISTORY_LIMIT = { max: 600, timeWindow: '1 minute' }

const historyQuery = query({
  entity: Type.Optional(text()),
  ...range,
  order: Type.Optional(Type.Union([Type.Literal('asc'), Type.Literal('desc')])),
  duplicates: Type.Optional(Type.Boolean({ description: 'Include repeats of an eventId' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_LIMIT })),
  cursor: paging.cursor,
})
const topicParameter = Type.Object({ topic: text() })
const eventSchema = Type.Object(
  {
    partition: Type.Integer(),
    offset: Type.Integer(),
    receivedAt: Type.String(),
    eventId: Type.Union([Type.String(), Type.Null()]),
    flags: Type.Array(Type.String()),
  },
  { description: 'With the fields of the topic' },
)

export function historyRoutes(app: FastifyInstance, context: ApiContext): void {
  const { options, heavyReads } = context
  const { database } = options

  app.get<{ Params: Static<typeof topicParameter>; Querystring: Static<typeof historyQuery> }>(
    '/history/:topic',
    {
      config: { access: 'own', rateLimit: HISTORY_LIMIT },
      exposeHeadRoute: false,
      schema: {
        tags: ['history'],
        summary: 'Archived events',
        produces: [JSON_TYPE, NDJSON_TYPE, CSV_TYPE],
        params: topicParameter,
        querystring: historyQuery,
        response: { 200: listOf(eventSchema) },
      },
    },
    async (request, reply) => {
      const topic = topicOf(options.topics, request.params.topic)
      const { entity, order = 'asc', duplicates = false, limit, cursor } = request.query
      const filter: HistoryFilter = {
        ...rangeOf(request.query),
        tenantId: principalOf(request).tenantId,
        entity,
        order,
        duplicates,
      }
      const type = acceptedType(request.headers.accept, [JSON_TYPE, NDJSON_TYPE, CSV_TYPE])
      reply.header('vary', 'accept')
      if (type === JSON_TYPE) {
        return historyPage(database, topic, filter, { limit: limit ?? DEFAULT_LIMIT, cursor })
      }
      if (cursor !== undefined) {
        throw new HttpProblem('invalid-request', 'A stream takes no cursor; narrow from and to.')
      }
      const batches = historyStream(database, topic, filter, limit)
      const lines = type === CSV_TYPE ? csvOf(topic, batches) : ndjsonOf(batches)
      const leave = heavyReads.enter()
      return sendLines(reply, { type, name: topic.name, lines, leave })
    },
  )
}

export function topicOf(topics: readonly ArchivedTopic[], name: string): ArchivedTopic {
  const topic = topics.find((candidate) => candidate.name === name)
  if (topic !== undefined) return topic
  const known = topics.map((candidate) => candidate.name).join(', ')
  throw new HttpProblem('not-found', `There is no archived topic "${name}". There are: ${known}.`)
}

interface Download {
  readonly type: string
  readonly name: string
  readonly lines: AsyncGenerator<string>
  /** Called once, when all is sent or nobody reads any more. */
  readonly leave: () => void
}

/** Waits for the first lines, so that a failure until then is still a problem document. */
async function sendLines(
  reply: FastifyReply,
  { type, name, lines, leave }: Download,
): Promise<FastifyReply> {
  const first = await lines.next().catch((error: unknown) => {
    leave()
    throw error
  })
  const rest = async function* () {
    if (!first.done) yield first.value
    yield* lines
  }
  const stream = Readable.from(rest(), { objectMode: false })
  // A client that leaves before the first byte leaves `rest` unstarted, and it could close nothing.
  stream.once('close', () => {
    leave()
    lines.return(undefined).catch((error: unknown) => reply.log.error(error))
  })
  return reply
    .type(`${type}; charset=utf-8`)
    .header('content-disposition', `attachment; filename="${name}.${extensionOf(type)}"`)
    .send(stream)
}

function extensionOf(type: string): string {
  return type === CSV_TYPE ? 'csv' : 'ndjson'
}

async function* ndjsonOf(batches: AsyncIterable<readonly EventDocument[]>): AsyncGenerator<string> {
  for await (const batch of batches) {
    yield batch.map((document) => `${JSON.stringify(document)}\n`).join('')
  }
}

async function* csvOf(
  topic: ArchivedTopic,
  batches: AsyncIterable<readonly EventDocument[]>,
): AsyncGenerator<string> {
  const names = fieldNames(topic)
  let head = csvLine(names)
  for await (const batch of batches) {
    yield head + batch.map((document) => csvLine(names.map((name) => document[name]))).join('')
    head = ''
  }
  if (head !== '') yield head
}
