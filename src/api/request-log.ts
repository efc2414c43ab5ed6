// Fastify writes its own log lines through the program's logger; a request is one line, errors are loud.

import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { LogFields, Logger } from '../ports/logger.ts'

/** The logger as Fastify wants it. */
export function fastifyLogger(logger: Logger, bindings: LogFields = {}): FastifyBaseLogger {
  const line =
    (say: (name: string, fields: LogFields) => void) =>
    (first: unknown, text?: unknown): void => {
      const { name, fields } = parts(first, text)
      say(name, { ...bindings, ...fields })
    }
  const error = (first: unknown, text?: unknown): void => {
    const { name, fields, cause } = parts(first, text)
    logger.error(name, cause, { ...bindings, ...fields })
  }
  const silent = (): void => {}
  return {
    level: 'info',
    silent,
    trace: silent,
    debug: line(logger.debug),
    info: line(logger.debug),
    warn: line(logger.warn),
    error,
    fatal: error,
    child: (more) => fastifyLogger(logger, { ...bindings, ...idOf(more) }),
  }
}

function idOf(bindings: unknown): LogFields {
  const id: unknown =
    typeof bindings === 'object' && bindings !== null ? Reflect.get(bindings, 'reqId') : undefined
  return typeof id === 'string' ? { requestId: id } : {}
}

/** Fastify says either a text, or an object with `err` and then a text. Its other objects are not for the log. */
function parts(first: unknown, text: unknown) {
  if (typeof first === 'string') return { name: first, fields: {}, cause: undefined }
  const cause: unknown =
    first instanceof Error
      ? first
      : typeof first === 'object' && first !== null
        ? Reflect.get(first, 'err')
        : undefined
  const fields = cause instanceof Error ? { problem: cause.message } : {}
  return { name: typeof text === 'string' ? text : 'http', fields, cause }
}

/** One line a request, without query and headers: debug where it went well, warn where we failed. */
export function logRequests(app: FastifyInstance, logger: Logger): void {
  app.addHook('onResponse', async (request, reply) => {
    const fields = {
      requestId: request.id,
      method: request.method,
      route: request.routeOptions.url ?? 'none',
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime * 10) / 10,
    }
    // Whoever asks whether we are ready asks often, and "not yet" is an answer.
    const asked = fields.route === '/readyz'
    if (reply.statusCode >= 500 && !asked) logger.warn('request', fields)
    else logger.debug('request', fields)
  })
}
