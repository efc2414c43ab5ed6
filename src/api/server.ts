// The HTTP server of a process that serves people: the API, the live feed and the dashboard.

import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import { createAccessControl } from './access.ts'
import { openAlertHandling } from './alert-queries.ts'
import { callersDatabase, installCallerScope } from './caller-scope.ts'
import type { ApiContext } from './context.ts'
import { type Dashboard, loadDashboard } from './dashboard.ts'
import { createFeedStatus } from './feed-status.ts'
import { createHeavyReads } from './heavy-reads.ts'
import { createLiveFeed } from './live-feed.ts'
import type { ServerParts } from './options.ts'
import { createProcessServer } from './process-server.ts'
import { createPublicTracking } from './public-tracking.ts'
import { alertActionRoutes } from './routes/alert-actions.ts'
import { alertRoutes } from './routes/alerts.ts'
import { answerRoutes } from './routes/answers.ts'
import { appointmentRoutes } from './routes/appointments.ts'
import { arrivalFigureRoutes } from './routes/arrival-figures.ts'
import { channelRoutes } from './routes/channels.ts'
import { coldChainRoutes } from './routes/cold-chain.ts'
import { contactPreferenceRoutes } from './routes/contact-preferences.ts'
import { customerRoutes } from './routes/customers.ts'
import { fleetRoutes } from './routes/fleet.ts'
import { fleetQuestionRoutes } from './routes/fleet-questions.ts'
import { historyRoutes } from './routes/history.ts'
import { journeyRoutes } from './routes/journeys.ts'
import { liveRoutes } from './routes/live.ts'
import { messageRoutes } from './routes/messages.ts'
import { notificationRoutes } from './routes/notifications.ts'
import { operationRoutes } from './routes/operation.ts'
import { ruleRoutes } from './routes/rules.ts'
import { sessionRoutes } from './routes/session.ts'
import { shipmentRoutes } from './routes/shipments.ts'
import { silenceRoutes } from './routes/silences.ts'
import { tokenRoutes } from './routes/tokens.ts'
import { tripRoutes } from './routes/trips.ts'
import { truckRoutes } from './routes/trucks.ts'
import { vehicleRoutes } from './routes/vehicles.ts'
import { warehouseRoutes } from './routes/warehouses.ts'
import { workflowRoutes } from './routes/workflows.ts'
import { installValidation } from './validation.ts'

/** Requests from one address; events have limits of their own. */
export const MAX_REQUESTS_A_MINUTE = 3_000
const VERSION = '1'

/** Everything: API, live feed, dashboard. */
export function createServer(options: ServerParts): FastifyInstance {
  const context = createContext(options)
  const { access, feeds, live } = context
  const dashboard = loadDashboard(options.dashboardDir)
  const openapi = openApi(context)
  const app = createProcessServer(options, { access, feeds, dashboard, openapi })
  app.addHook('preClose', async () => live.close())
  options.draining.addEventListener('abort', () => live.close(), { once: true })
  app.register(answerPages(context))
  app.register(rootRoutes(dashboard))
  app.register(routesOf(context), { prefix: '/api/v1' })
  return app
}

function createContext(parts: ServerParts): ApiContext {
  const { wholeDatabase, tenantDatabase, ...rest } = parts
  const options = { ...rest, database: callersDatabase(tenantDatabase) }
  const { clock, logger, metrics, tokens, views } = options
  const access = createAccessControl({
    clock,
    adminToken: options.adminToken ?? undefined,
    tokens,
  })
  const feeds = createFeedStatus(clock, options.topicStatus)
  const live = createLiveFeed({
    views,
    clock,
    handling: () => openAlertHandling(wholeDatabase),
    metric: async () => {
      const { lag, eventsPerSecond } = await feeds.summary()
      return { lag, eventsPerSecond }
    },
    onStreams: metrics.setStreams,
    onCutOff: metrics.countStreamCutOff,
    onError: (error) => logger.error('live-feed', error),
  })
  const tracking = createPublicTracking(wholeDatabase, tenantDatabase, clock.nowMs)
  const heavyReads = createHeavyReads()
  return { options, wholeDatabase, access, live, feeds, heavyReads, tracking }
}

function rootRoutes(dashboard: Dashboard): FastifyPluginAsync {
  return async (root) => {
    installValidation(root)
    const config = { access: 'own' } as const
    root.get('/api/openapi.json', { config, schema: { hide: true } }, async () => root.swagger())
    dashboard.register(root)
  }
}

function answerPages(context: ApiContext): FastifyPluginAsync {
  return async (pages) => answerRoutes(pages, context)
}

function routesOf(context: ApiContext): FastifyPluginAsync {
  return async (api) => {
    installValidation(api)
    installCallerScope(api)
    api.addHook('onRoute', (route) => {
      const config = route.config ?? {}
      config.rateLimit ??= { max: MAX_REQUESTS_A_MINUTE, timeWindow: '1 minute' }
      route.config = config
    })
    sessionRoutes(api, context)
    tokenRoutes(api, context)
    liveRoutes(api, context)
    alertRoutes(api, context)
    alertActionRoutes(api, context)
    silenceRoutes(api, context)
    notificationRoutes(api, context)
    workflowRoutes(api, context)
    messageRoutes(api, context)
    channelRoutes(api, context)
    contactPreferenceRoutes(api, context)
    truckRoutes(api, context)
    vehicleRoutes(api, context)
    coldChainRoutes(api, context)
    tripRoutes(api, context)
    shipmentRoutes(api, context)
    customerRoutes(api, context)
    warehouseRoutes(api, context)
    fleetRoutes(api, context)
    fleetQuestionRoutes(api, context)
    appointmentRoutes(api, context)
    journeyRoutes(api, context)
    arrivalFigureRoutes(api, context)
    historyRoutes(api, context)
    operationRoutes(api, context)
    ruleRoutes(api, context)
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
