// The HTTP server of a process, whatever its roles: what stands in front of every route (access, limits,
// headers, problems), health, metrics, and how it ends.

import compress from '@fastify/compress'
import rateLimit from '@fastify/rate-limit'
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import Fastify, { type FastifyInstance, type FastifyPluginAsync, LogController } from 'fastify'
import helmet from 'helmet'
import { PlatformError } from '../kernel/errors.ts'
import { MINUTE_MS, SECOND_MS } from '../kernel/time.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { TokenStore } from '../ports/token-store.ts'
import { type AccessControl, createAccessControl, installAccess } from './access.ts'
import { type Dashboard, loadDashboard } from './dashboard.ts'
import type { FeedStatus } from './feed-status.ts'
import type { Metrics } from './metrics.ts'
import type { PartStatus } from './options.ts'
import { HttpProblem, installProblems, sendProblem } from './problems.ts'
import { fastifyLogger, logRequests } from './request-log.ts'
import { healthRoutes } from './routes/health.ts'
import { installValidation } from './validation.ts'

/** Addresses that the limit remembers. */
const RATE_LIMIT_ADDRESSES = 10_000
/** A JSON body of our own routes; events have a limit of their own. */
const MAX_BODY_BYTES = 64 * 1024
/** A connection on which nothing moves for this long is closed: nobody reads there, or asks. */
const MAX_SILENT_MS = 2 * MINUTE_MS
/** Answers below it go out as they are. */
const COMPRESS_FROM_BYTES = 1_024
/** Answers under way when the server closes have this long to end. */
const DRAIN_MS = 5 * SECOND_MS
const DRAIN_CHECK_MS = 50
const SHUTTING_DOWN_RETRY_S = 1

export interface ProcessServerOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** Null: no sign-in, this machine only. */
  readonly adminToken: string | null
  /** Null where this process has no database. */
  readonly tokens: TokenStore | null
  /** Where people reach the server; with https the session cookie is `Secure`. */
  readonly publicUrl: string | null
  readiness(): Promise<readonly PartStatus[]>
  /** Aborts once the process is about to end: nothing new is taken from then on. */
  readonly draining: AbortSignal
  /** Further routes under `/api/v1`, such as the doors'; each names its own `config.access`. */
  readonly plugins: readonly FastifyPluginAsync[]
}

/** What only a process that serves people has. */
export interface ServingParts {
  readonly access: AccessControl
  readonly feeds: FeedStatus
  readonly dashboard: Dashboard
  /** What the OpenAPI document says before its routes. */
  readonly openapi: NonNullable<FastifyDynamicSwaggerOptions['openapi']>
}

/** The server, not yet listening. `close()` waits for what is under way. */
export function createProcessServer(
  options: ProcessServerOptions,
  parts: ServingParts | null = null,
): FastifyInstance {
  const app = Fastify({
    loggerInstance: fastifyLogger(options.logger),
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
    connectionTimeout: MAX_SILENT_MS,
    forceCloseConnections: 'idle',
    trustProxy: false,
    // Such as an address that can't be decoded: it never reaches a route.
    frameworkErrors: sendProblem,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
  })
  const { clock, draining } = options
  const access =
    parts?.access ??
    createAccessControl({
      clock,
      adminToken: options.adminToken ?? undefined,
      tokens: options.tokens,
    })
  const https = options.publicUrl?.startsWith('https:') === true
  installProblems(app)
  logRequests(app, options.logger)
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    if (draining.aborted && request.routeOptions.config.access !== 'probe') {
      reply.header('connection', 'close')
      throw new HttpProblem('shutting-down', 'This process is about to end; ask another one.', {
        retryAfterS: SHUTTING_DOWN_RETRY_S,
      })
    }
  })
  endConnections(app, options)
  const policy = policyFor(parts?.dashboard ?? loadDashboard(null))
  // Made once. Its plugin for Fastify makes them for each request, and kept requests in memory, bodies and all, until
  // all of it was collected.
  const setHeaders = helmet({ contentSecurityPolicy: policy, hsts: https })
  app.addHook('onRequest', (request, reply, done) => {
    setHeaders(request.raw, reply.raw, (error) => done(error instanceof Error ? error : undefined))
  })
  app.register(rateLimit, {
    global: false,
    cache: RATE_LIMIT_ADDRESSES,
    errorResponseBuilder: (_request, { ttl }) =>
      new HttpProblem('rate-limited', 'Too many requests from this address.', {
        retryAfterS: Math.ceil(ttl / 1_000),
      }),
  })
  app.register(compress, { threshold: COMPRESS_FROM_BYTES, encodings: ['br', 'gzip'] })
  if (parts !== null) app.register(swagger, { openapi: parts.openapi })
  app.register(onThisServer(async (server) => installAccess(server, access)))
  app.register(healthPlugin(options, parts?.feeds ?? null))
  for (const plugin of options.plugins) app.register(plugin, { prefix: '/api/v1' })
  return app
}

/**
 * Listens, and returns the address. Rejects with `port-in-use` where somebody else has the port, with
 * `bad-setting` where this user may not have it; a server that could not start is closed.
 */
export async function listen(
  app: FastifyInstance,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<string> {
  try {
    return await app.listen({ host, port })
  } catch (error) {
    await app.close()
    throw listenProblem(error, `${host}:${port}`)
  }
}

function listenProblem(error: unknown, place: string): unknown {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  if (code === 'EADDRINUSE') {
    return new PlatformError(
      'port-in-use',
      `Cannot listen on ${place}: another program does. Stop it, or choose a port with --port or OUTRIDER_PORT.`,
      { retry: 'never', cause: error },
    )
  }
  if (code === 'EACCES') {
    return new PlatformError(
      'bad-setting',
      `Cannot listen on ${place}: this user may not. Choose a port from 1024 on with --port or OUTRIDER_PORT.`,
      { retry: 'never', cause: error },
    )
  }
  return error
}

function healthPlugin(options: ProcessServerOptions, feeds: FeedStatus | null): FastifyPluginAsync {
  return async (root) => {
    installValidation(root)
    healthRoutes(root, options, feeds)
  }
}

/** Whoever is still being answered after a while is cut off. */
function endConnections(
  app: FastifyInstance,
  { clock, logger }: Pick<ProcessServerOptions, 'clock' | 'logger'>,
): void {
  // A connection whose answer was under way when the server closed is idle afterwards, and nobody else
  // would end it.
  const drain = async (closed: AbortSignal): Promise<void> => {
    const untilMs = clock.monotonicMs() + DRAIN_MS
    while (!closed.aborted && clock.monotonicMs() < untilMs) {
      app.server.closeIdleConnections()
      await clock.sleep(DRAIN_CHECK_MS, closed)
    }
    app.server.closeAllConnections()
  }
  app.addHook('preClose', async () => {
    const closed = new AbortController()
    app.server.once('close', () => closed.abort())
    drain(closed.signal).catch((error: unknown) => logger.error('drain', error))
  })
}

/** Marks a plugin whose hooks hold for the whole server, not only for routes inside of it. */
function onThisServer(plugin: FastifyPluginAsync): FastifyPluginAsync {
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true })
}

/** Nothing from elsewhere; inline scripts only as they stand in the built page. */
function policyFor(dashboard: Dashboard) {
  return {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'", ...dashboard.scriptHashes],
      styleSrc: ["'self'", ...dashboard.styleHashes],
      // Components set positions and sizes on elements.
      styleSrcAttr: ["'unsafe-inline'"],
      imgSrc: ["'self'", 'data:', 'blob:'],
      fontSrc: ["'self'", 'data:'],
      connectSrc: ["'self'"],
      workerSrc: ["'self'", 'blob:'],
      manifestSrc: ["'self'"],
      formAction: ["'self'"],
      baseUri: ["'self'"],
      frameAncestors: ["'none'"],
    },
  }
}
