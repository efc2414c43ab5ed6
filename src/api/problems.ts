// Every error as RFC 9457 problem details: one table from codes to status. What happened inside goes to the
// log, under the request's id, not to the client.

import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { PlatformError, type PlatformErrorCode } from '../kernel/errors.ts'

export type HttpProblemCode =
  | 'busy'
  | 'conflict'
  | 'forbidden'
  | 'internal'
  | 'invalid-cursor'
  | 'invalid-request'
  | 'no-readings'
  | 'limit-reached'
  | 'not-acceptable'
  | 'not-found'
  | 'not-yet-recorded'
  | 'payload-too-large'
  | 'rate-limited'
  | 'shutting-down'
  | 'too-many-streams'
  | 'unavailable-here'
  | 'unauthorized'
  | 'unsupported-media-type'

export interface FieldProblem {
  /** JSON pointer into the part of the request that `code` is about. */
  readonly path: string
  readonly code: string
  readonly message: string
}

const STATUS: Readonly<Record<HttpProblemCode, { status: number; title: string }>> = {
  conflict: { status: 409, title: 'This stands against something else' },
  busy: { status: 503, title: 'Too much is being read at once' },
  forbidden: { status: 403, title: 'This is not allowed' },
  internal: { status: 500, title: 'Something failed on our side' },
  'invalid-cursor': { status: 400, title: 'The cursor is not valid' },
  'invalid-request': { status: 400, title: 'The request is not valid' },
  'limit-reached': { status: 409, title: 'There are too many already' },
  'no-readings': { status: 404, title: 'There are no readings' },
  'not-acceptable': { status: 406, title: 'None of the accepted formats is offered' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'not-yet-recorded': { status: 503, title: 'This is not recorded yet' },
  'payload-too-large': { status: 413, title: 'The request is too large' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  'shutting-down': { status: 503, title: 'This process is about to end' },
  'too-many-streams': { status: 503, title: 'Too many streams are open' },
  'unavailable-here': { status: 503, title: 'This process cannot do that' },
  unauthorized: { status: 401, title: 'A valid credential is needed' },
  'unsupported-media-type': { status: 415, title: 'The content type is not supported' },
}

/** What a client sees of a failure inside. `internal` hides the code as well. */
const PLATFORM: Readonly<
  Record<PlatformErrorCode, { status: number; title: string } | 'internal'>
> = {
  'bad-setting': 'internal',
  'data-dir-locked': 'internal',
  'data-dir-version': 'internal',
  'database-failed': 'internal',
  'database-unavailable': { status: 503, title: 'The database does not answer' },
  'invariant-broken': 'internal',
  'log-corrupt': 'internal',
  'log-failed': { status: 503, title: 'The log takes no more events' },
  'log-full': { status: 503, title: 'The log has no space left' },
  'log-truncated': 'internal',
  'log-unavailable': { status: 503, title: 'The log does not answer' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'port-in-use': 'internal',
  'reference-unavailable': 'internal',
  'server-failed': 'internal',
  'state-format': 'internal',
  'tenancy-not-enforced': { status: 503, title: 'Merchants can not be let in' },
  'views-unavailable': { status: 503, title: 'The live views do not answer' },
}

const RETRY_AFTER_S = 5

export interface HttpProblemOptions {
  readonly errors?: readonly FieldProblem[]
  readonly retryAfterS?: number
  readonly cause?: unknown
}

/** An answer that the client is meant to understand. */
export class HttpProblem extends Error {
  readonly code: HttpProblemCode
  readonly errors: readonly FieldProblem[]
  readonly retryAfterS: number | undefined

  constructor(code: HttpProblemCode, detail: string, options: HttpProblemOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'HttpProblem'
    this.code = code
    this.errors = options.errors ?? []
    this.retryAfterS = options.retryAfterS
  }
}

interface Answer {
  readonly status: number
  readonly title: string
  readonly code: string
  readonly detail: string
  readonly errors: readonly FieldProblem[]
  readonly retryAfterS: number | undefined
}

/** Makes every error of this server, its 404s included, a problem document. */
export function installProblems(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    sendProblem(error, request, reply)
  })
  app.setNotFoundHandler((request, reply) => {
    sendProblem(notFoundRoute(request), request, reply)
  })
}

export function notFoundRoute(request: FastifyRequest): HttpProblem {
  const path = request.url.split('?', 1)[0]
  return new HttpProblem('not-found', `There is no route ${request.method} ${path}.`)
}

export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const answer = answerTo(error, request.id)
  if (answer.status >= 500) request.log.error({ err: error, code: answer.code }, 'request-failed')
  if (answer.retryAfterS !== undefined) reply.header('retry-after', answer.retryAfterS)
  if (answer.status === 401) reply.header('www-authenticate', 'Bearer realm="outrider"')
  reply
    .header('x-request-id', request.id)
    .code(answer.status)
    .type('application/problem+json')
    .send(
      JSON.stringify({
        type: `/problems/${answer.code}`,
        title: answer.title,
        status: answer.status,
        detail: answer.detail,
        code: answer.code,
        requestId: request.id,
        errors: answer.errors,
      }),
    )
}

function answerTo(error: unknown, requestId: string): Answer {
  if (error instanceof HttpProblem) return ofHttpProblem(error)
  if (error instanceof PlatformError) return ofPlatformError(error, requestId)
  const status = statusOf(error)
  if (status === undefined || status >= 500) return internal(requestId)
  return ofHttpProblem(new HttpProblem(codeOfStatus(status), messageOf(error)))
}

function ofHttpProblem(problem: HttpProblem): Answer {
  return {
    ...STATUS[problem.code],
    code: problem.code,
    detail: problem.message,
    errors: problem.errors,
    retryAfterS: problem.retryAfterS,
  }
}

function ofPlatformError(error: PlatformError, requestId: string): Answer {
  const known = PLATFORM[error.code]
  if (known === 'internal') return internal(requestId)
  const later = error.retry === 'later'
  return {
    ...known,
    code: error.code,
    detail: later ? `${known.title}. Try again later.` : `${known.title}.`,
    errors: [],
    retryAfterS: later ? RETRY_AFTER_S : undefined,
  }
}

function internal(requestId: string): Answer {
  return ofHttpProblem(
    new HttpProblem('internal', `The details are in the server's log under "${requestId}".`),
  )
}

/** Fastify's own errors (a body too large, broken JSON) carry the status they mean. */
function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined
  const status: unknown = Reflect.get(error, 'statusCode')
  return typeof status === 'number' && status >= 400 && status < 600 ? status : undefined
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function codeOfStatus(status: number): HttpProblemCode {
  switch (status) {
    case 401:
      return 'unauthorized'
    case 403:
      return 'forbidden'
    case 404:
      return 'not-found'
    case 406:
      return 'not-acceptable'
    case 413:
      return 'payload-too-large'
    case 415:
      return 'unsupported-media-type'
    case 429:
      return 'rate-limited'
    default:
      return 'invalid-request'
  }
}
