// The HTTP server: what stands in front of every route (access, limits, headers, problems), then the
// routes themselves, the doors' and the dashboard.

import compress from '@fastify/compress'
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import swagger from '@fastify/swagger'
import Fastify, { type FastifyInstance, type FastifyPluginAsync, LogController } from 'fastify'
import { PlatformError } from '../kernel/errors.ts'
import { MINUTE_MS, SECOND_MS } from '../kernel/time.ts'
import { createAccessControl, installAccess } from './access.ts'
import { openAlertHandling } from './alert-queries.ts'
import type { ApiContext } from './context.ts'
import { type Dashboard, loadDashboard } from './dashboard.ts'
import { createFeedStatus } from './feed-status.ts'
import { createHeavyReads } from './heavy-reads.ts'
import { createLiveFeed } from './live-feed.ts'
import type { ServerOptions } from './options.ts'
import { HttpProblem, installProblems, sendProblem } from './problems.ts'
import { fastifyLogger, logRequests } from './request-log.ts'
import { alertRoutes } from './routes/alerts.ts'
import { coldChainRoutes } from './routes/cold-chain.ts'
import { healthRoutes } from './routes/health.ts'
import { historyRoutes } from './routes/history.ts'
import { liveRoutes } from './routes/live.ts'
import { operationRoutes } from './routes/operation.ts'
import { sessionRoutes } from './routes/session.ts'
import { truckRoutes } from './routes/trucks.ts'
import { installValidation } from './validation.ts'

/** Requests from one address; events have limits of their own. */
export const MAX_REQUESTS_A_MINUTE = 3_000
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
const VERSION = '1'

/** The server, not yet listening. `close()` ends the live streams and waits for what is under way. */
export function createServer(options: ServerOptions): FastifyInstance {
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
  const context = createContext(options)
  const dashboard = loadDashboard(options.dashboardDir)
  const https = options.publicUrl?.startsWith('https:') === true
  installProblems(app)
  logRequests(app, options.logger)
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
  })
  endConnections(app, context)
  app.register(helmet, { contentSecurityPolicy: policyFor(dashboard), hsts: https })
  app.register(rateLimit, {
    global: false,
    cache: RATE_LIMIT_ADDRESSES,
    errorResponseBuilder: (_request, { ttl }) =>
      new HttpProblem('rate-limited', 'Too many requests from this address.', {
        retryAfterS: Math.ceil(ttl / 1_000),
      }),
  })
  app.register(compress, { threshold: COMPRESS_FROM_BYTES, encodings: ['br', 'gzip'] })
  app.register(swagger, { openapi: openApi(context) })
  app.register(onThisServer(async (server) => installAccess(server, context.access)))
  app.register(rootRoutes(context, dashboard))
  app.register(routesOf(context), { prefix: '/api/v1' })
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

function createContext(options: ServerOptions): ApiContext {
  const { clock, database, logger, metrics, views } = options
  const access = createAccessControl({ clock, adminToken: options.adminToken ?? undefined })
  const feeds = createFeedStatus(clock, options.topicStatus)
  const live = createLiveFeed({
    views,
    clock,
    handling: () => openAlertHandling(database),
    metric: async () => {
      const { lag, eventsPerSecond } = await feeds.summary()
      return { lag, eventsPerSecond }
    },
    onStreams: metrics.setStreams,
    onCutOff: metrics.countStreamCutOff,
    onError: (error) => logger.error('live-feed', error),
  })
  return { options, access, live, feeds, heavyReads: createHeavyReads() }
}

function rootRoutes(context: ApiContext, dashboard: Dashboard): FastifyPluginAsync {
  return async (root) => {
    installValidation(root)
    healthRoutes(root, context)
    const config = { access: 'read' } as const
    root.get('/api/openapi.json', { config, schema: { hide: true } }, async () => root.swagger())
    dashboard.register(root)
  }
}

function routesOf(context: ApiContext): FastifyPluginAsync {
  return async (api) => {
    installValidation(api)
    api.addHook('onRoute', (route) => {
      const config = route.config ?? {}
      config.rateLimit ??= { max: MAX_REQUESTS_A_MINUTE, timeWindow: '1 minute' }
      route.config = config
    })
    sessionRoutes(api, context)
    liveRoutes(api, context)
    alertRoutes(api, context)
    truckRoutes(api, context)
    coldChainRoutes(api, context)
    historyRoutes(api, context)
    operationRoutes(api, context)
  }
}

/** Streams end at once; whoever else is still being answered after a while is cut off. */
function endConnections(app: FastifyInstance, { live, options }: ApiContext): void {
  const { clock, logger } = options
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
    live.close()
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

function openApi({ access }: ApiContext) {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Outrider',
      version: VERSION,
      description: 'Real-time operations platform for things that move.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    ...(access.authRequired ? { security: [{ bearer: [] }, { session: [] }] } : {}),
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' } as const,
        session: { type: 'apiKey', in: 'cookie', name: 'outrider_session' } as const,
      },
    },
  }
}
