// `POST /events/:topic`: one event, an array or NDJSON, answered once it is durable. The body is read as
// bytes and each event parsed once, by the core behind all doors.

import type { Readable } from 'node:stream'
import { Type } from '@sinclair/typebox'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { isRetryable } from '../kernel/errors.ts'
import { MAX_EVENT_BYTES, MAX_EVENT_DEPTH } from '../streams/topic.ts'
import type { DeliveryOutcome, Ingest } from './ingest.ts'
import {
  BodyError,
  type BodyRefusal,
  decompress,
  InFlight,
  MAX_BODY_BYTES,
  MAX_IN_FLIGHT_BYTES,
  MAX_TENANT_IN_FLIGHT_BYTES,
  Reservation,
  readBody,
} from './request-body.ts'
import { splitJson, splitLines } from './split-events.ts'

/** Events in one request; bounds what a body full of nothing can cost. */
export const MAX_EVENTS_PER_REQUEST = 20_000
/** When a sender should come back, in seconds: room in memory, the log, space on the disk. */
const RETRY_AFTER_BUSY_S = 1
const RETRY_AFTER_LOG_S = 2
const RETRY_AFTER_FULL_S = 10
const DOOR = 'http'

export interface EventsRoutesOptions {
  readonly ingest: Ingest
  /** Who sends; null or undefined where nobody is known. Default: `request.principal`. */
  readonly principalOf?: (
    request: FastifyRequest,
  ) => { readonly tenantId: string } | null | undefined
  /** Default: `MAX_IN_FLIGHT_BYTES` and `MAX_TENANT_IN_FLIGHT_BYTES`. */
  readonly inFlight?: InFlight
}

type Splitter = (body: Buffer, maxEvents: number) => Buffer[]

const SPLITTERS: ReadonlyMap<string, Splitter> = new Map([
  ['application/json', splitJson],
  ['application/x-ndjson', splitLines],
  ['application/ndjson', splitLines],
  ['application/jsonl', splitLines],
])

export const eventsRoutes: FastifyPluginAsync<EventsRoutesOptions> = async (app, options) => {
  const { ingest, principalOf = principalOnRequest } = options
  const inFlight =
    options.inFlight ??
    new InFlight({ maxBytes: MAX_IN_FLIGHT_BYTES, maxTenantBytes: MAX_TENANT_IN_FLIGHT_BYTES })

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', async (_request: FastifyRequest, payload: Readable) => payload)
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error)
    if (problem === undefined) throw error
    return sendProblem(problem, request, reply)
  })

  app.post<{ Params: { topic: string }; Body: Readable | undefined }>(
    '/events/:topic',
    {
      config: { access: 'ingest' },
      schema: routeSchema,
      validatorCompiler: () => () => true,
      serializerCompiler: () => (data) => JSON.stringify(data),
    },
    async (request, reply) => {
      const tenantId = principalOf(request)?.tenantId
      if (tenantId === undefined) throw new EventsProblem('unauthorized', 'Send a credential.')
      const { topic } = request.params
      if (!ingest.topics.has(topic)) throw unknownTopic(topic, ingest)
      const split = splitterOf(request)
      refuseEncoding(request)
      if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) {
        throw new BodyError('too-large')
      }
      const reservation = new Reservation(inFlight, tenantId)
      try {
        const events = split(await bodyOf(request, reservation), MAX_EVENTS_PER_REQUEST)
        refuseCount(events.length)
        const outcome = await ingest.accept({ topic, tenantId, door: DOOR, events })
        return answer(outcome, request, reply)
      } finally {
        reservation.release()
      }
    },
  )
}

/** The default of `principalOf`: what the server's access check put on the request. */
function principalOnRequest(
  request: FastifyRequest,
): { readonly tenantId: string } | null | undefined {
  const principal: unknown = Reflect.get(request, 'principal')
  if (typeof principal !== 'object' || principal === null) return undefined
  const tenantId: unknown = Reflect.get(principal, 'tenantId')
  return typeof tenantId === 'string' ? { tenantId } : undefined
}

function splitterOf(request: FastifyRequest): Splitter {
  const [mediaType = '', ...parameters] = (request.headers['content-type'] ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim())
  const split = SPLITTERS.get(mediaType)
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))
  if (split === undefined) {
    throw new EventsProblem(
      'unsupported-media-type',
      `Send application/json or application/x-ndjson; found ${mediaType === '' ? 'no content type' : `"${mediaType}"`}.`,
    )
  }
  if (charset !== undefined && !/^charset="?utf-?8"?$/.test(charset)) {
    throw new EventsProblem('unsupported-media-type', 'Events must be in UTF-8.')
  }
  return split
}

function encodingOf(request: FastifyRequest): string {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
  return encoding === 'x-gzip' ? 'gzip' : encoding
}

function refuseEncoding(request: FastifyRequest): void {
  const encoding = encodingOf(request)
  if (encoding === 'gzip' || encoding === 'identity' || encoding === '') return
  throw new EventsProblem(
    'unsupported-media-type',
    `Send the body as it is or gzip-encoded; found the encoding "${encoding}".`,
  )
}

async function bodyOf(
  request: FastifyRequest<{ Body: Readable | undefined }>,
  reservation: Reservation,
): Promise<Buffer> {
  if (request.body === undefined || request.body === null) return Buffer.alloc(0)
  const body = await readBody(request.body, reservation)
  return encodingOf(request) === 'gzip' && body.length > 0 ? decompress(body, reservation) : body
}

function refuseCount(events: number): void {
  if (events === 0) throw new EventsProblem('invalid-request', 'The body holds no event.')
  if (events > MAX_EVENTS_PER_REQUEST) {
    throw new EventsProblem(
      'payload-too-large',
      `A request may hold ${MAX_EVENTS_PER_REQUEST} events; this one has more. Send it in parts.`,
    )
  }
}

function answer(
  outcome: DeliveryOutcome,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { accepted, rejected } = outcome
  if (accepted > 0) {
    return reply.code(202).type('application/json; charset=utf-8').send({ accepted, rejected })
  }
  const detail = `None of the ${rejected.length} events was good. They are kept as dead letters.`
  return sendProblem(
    new EventsProblem('no-event-accepted', detail, { errors: rejected }),
    request,
    reply,
  )
}

const STATUS = {
  'invalid-request': { status: 400, title: 'The request is not valid' },
  unauthorized: { status: 401, title: 'A valid credential is needed' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'payload-too-large': { status: 413, title: 'The request is too large' },
  'unsupported-media-type': { status: 415, title: 'The content type is not supported' },
  'no-event-accepted': { status: 422, title: 'No event was accepted' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  overloaded: { status: 503, title: 'Too many events are on their way in' },
  'log-full': { status: 503, title: 'The log has no space left' },
  'log-unavailable': { status: 503, title: 'The log does not answer' },
} as const

type ProblemCode = keyof typeof STATUS

/** An answer that the sender is meant to understand. */
class EventsProblem extends Error {
  readonly code: ProblemCode
  readonly errors: DeliveryOutcome['rejected']
  readonly retryAfterS: number | undefined

  constructor(
    code: ProblemCode,
    detail: string,
    about: { errors?: DeliveryOutcome['rejected']; retryAfterS?: number } = {},
  ) {
    super(detail)
    this.name = 'EventsProblem'
    this.code = code
    this.errors = about.errors ?? []
    this.retryAfterS = about.retryAfterS
  }
}

function unknownTopic(topic: string, ingest: Ingest): EventsProblem {
  const known = [...ingest.topics.keys()].sort().join(', ')
  return new EventsProblem(
    'not-found',
    `There is no topic "${topic.slice(0, 200)}" to send to. There are: ${known}.`,
  )
}

/** What this door answers itself; anything else is for the server's own handler. */
function problemOf(error: unknown): EventsProblem | undefined {
  if (error instanceof EventsProblem) return error
  if (error instanceof BodyError) return problemOfBody(error.refusal)
  if (!isRetryable(error)) return undefined
  return error.code === 'log-full'
    ? new EventsProblem(
        'log-full',
        'The disk of the log is full. Nothing was lost: send it again.',
        {
          retryAfterS: RETRY_AFTER_FULL_S,
        },
      )
    : new EventsProblem('log-unavailable', 'The log does not answer. Send it again later.', {
        retryAfterS: RETRY_AFTER_LOG_S,
      })
}

function problemOfBody(refusal: BodyRefusal): EventsProblem {
  switch (refusal) {
    case 'too-large':
      return new EventsProblem(
        'payload-too-large',
        `A body may have ${MAX_BODY_BYTES} bytes after decompression. Send it in parts.`,
      )
    case 'not-gzip':
      return new EventsProblem('invalid-request', 'The body is not whole, valid gzip.')
    case 'aborted':
      return new EventsProblem('invalid-request', 'The body ended too early.')
    case 'tenant-overloaded':
      return new EventsProblem('rate-limited', 'Your requests hold too much memory at once.', {
        retryAfterS: RETRY_AFTER_BUSY_S,
      })
    case 'overloaded':
      return new EventsProblem('overloaded', 'Too much is on its way in. Send it again.', {
        retryAfterS: RETRY_AFTER_BUSY_S,
      })
  }
}

function sendProblem(
  problem: EventsProblem,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { status, title } = STATUS[problem.code]
  if (problem.retryAfterS !== undefined) reply.header('retry-after', problem.retryAfterS)
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="outrider"')
  // The rest of a body that was not read to its end would only be thrown away.
  if (!request.raw.complete) reply.header('connection', 'close')
  return reply
    .code(status)
    .type('application/problem+json')
    .send(
      JSON.stringify({
        type: `/problems/${problem.code}`,
        title,
        status,
        detail: problem.message,
        code: problem.code,
        requestId: request.id,
        errors: problem.errors,
      }),
    )
}

const rejectedSchema = Type.Object({
  index: Type.Integer({ minimum: 0, description: 'Place in the request, from 0' }),
  code: Type.String(),
  message: Type.String(),
  path: Type.String({ description: 'JSON pointer; empty for the whole event' }),
})

/** For OpenAPI; the body is checked event by event, against the schema of its topic. */
const routeSchema = {
  summary: 'Send events',
  description: `One event, an array of events (application/json) or one event a line (application/x-ndjson), as they are or gzip-encoded. Up to ${MAX_BODY_BYTES} bytes and ${MAX_EVENTS_PER_REQUEST} events; an event up to ${MAX_EVENT_BYTES} bytes and ${MAX_EVENT_DEPTH} levels. The answer comes when the events are durable.`,
  tags: ['events'],
  consumes: ['application/json', 'application/x-ndjson'],
  params: Type.Object({ topic: Type.String() }),
  response: {
    202: Type.Object({
      accepted: Type.Integer({ minimum: 0 }),
      rejected: Type.Array(rejectedSchema),
    }),
  },
}
