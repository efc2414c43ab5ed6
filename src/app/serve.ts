// The role that people and senders meet: HTTP doors, API, live feed, dashboard.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { createChannelStore } from '../adapters/postgres/channel-store.ts'
import { createReferenceStore } from '../adapters/postgres/reference-store.ts'
import { connectTenantDatabase } from '../adapters/postgres/tenant-database.ts'
import { createTokenStore } from '../adapters/postgres/token-store.ts'
import { newSecret } from '../adapters/random/system-random.ts'
import type { DeadLetterReplay, PartStatus, ServerParts } from '../api/options.ts'
import { createProcessServer, listen, type ProcessServerOptions } from '../api/process-server.ts'
import { createServer } from '../api/server.ts'
import { PROFILE_TABLE, profilesOf } from '../domains/cold-chain/pipeline.ts'
import { profileOf } from '../domains/vehicles/profile.ts'
import { eventsRoutes } from '../doors/http-events.ts'
import { type DurationMs, SECOND_MS } from '../kernel/time.ts'
import type { ReferenceDocument } from '../ports/reference-source.ts'
import { createAlertEvidence } from './alert-evidence.ts'
import { createChannelDesk } from './channel-desk.ts'
import { channelBook } from './channels-file.ts'
import { templateExamples } from './message-templates.ts'
import { needsDatabase, type Platform } from './platform.ts'
import { openReferenceSource } from './reference-source.ts'
import { mayWriteLog } from './role-needs.ts'
import { createRuleDesk } from './rule-desk.ts'
import { allPipelines, archivedTopics, checkReference, topicName } from './topics.ts'
import { programVersion } from './version.ts'

const DASHBOARD = fileURLToPath(new URL('../../web/build', import.meta.url))
const REFERENCE_REFRESH_MS: DurationMs = 5 * SECOND_MS
/** Serving begins without the tables where they take longer. */
const REFERENCE_PATIENCE_MS: DurationMs = 5 * SECOND_MS
const LOOPBACK = '127.0.0.1'
const EVERYWHERE = '0.0.0.0'

export interface Serving {
  /** Where it listens, such as `http://127.0.0.1:8080`. */
  readonly address: string
  readonly app: FastifyInstance
  /** Takes nothing new from now on; what is under way goes on. */
  drain(): void
  close(): Promise<void>
}

/** Listens for whatever the roles of this process have. Without accounts only this machine is let in, unless a token is set. */
export async function serve(platform: Platform): Promise<Serving> {
  const { settings } = platform
  const stop = new AbortController()
  const draining = new AbortController()
  const app = await createApp(platform, { stopped: stop.signal, draining: draining.signal })
  try {
    const host = settings.adminToken === null ? LOOPBACK : EVERYWHERE
    const address = await listen(app, { host, port: settings.port })
    return {
      address: address.replace(EVERYWHERE, LOOPBACK),
      app,
      drain: () => draining.abort(),
      async close() {
        draining.abort()
        stop.abort()
        await app.close()
      },
    }
  } catch (error) {
    stop.abort()
    await app.close()
    throw error
  }
}

async function createApp(
  platform: Platform,
  signals: { readonly stopped: AbortSignal; readonly draining: AbortSignal },
): Promise<FastifyInstance> {
  const { settings, clock, logger, metrics, database, ingest } = platform
  const { draining } = signals
  const hasDoors = settings.roles.has('doors')
  const options: ProcessServerOptions = {
    clock,
    logger,
    metrics,
    adminToken: settings.adminToken,
    tokens: needsDatabase(settings) ? createTokenStore(database) : null,
    publicUrl: settings.publicUrl,
    readiness: () => readiness(platform),
    draining,
    plugins: hasDoors ? [async (app) => app.register(eventsRoutes, { ingest })] : [],
  }
  const views = platform.views?.views ?? null
  const { rules } = platform
  if (!settings.roles.has('serve') || views === null || rules === null)
    return createProcessServer(options)
  const references = await followReferences(platform, signals.stopped)
  const tenantDatabase = connectTenantDatabase({ address: platform.address })
  const parts: ServerParts = {
    ...options,
    wholeDatabase: database,
    tenantDatabase,
    newSecret,
    views,
    version: programVersion(),
    dashboardDir: existsSync(DASHBOARD) ? DASHBOARD : null,
    topics: [...archivedTopics.values()],
    topicStatus: () => platform.topicStatus(),
    ruleDesk: createRuleDesk(platform, rules),
    entityViews: allPipelines.flatMap(({ view, topic }) =>
      view === undefined ? [] : [{ view: view.name, topic: topicName(settings, topic.name) }],
    ),
    alertEvidence: createAlertEvidence({
      ...{ settings, database },
      references: createReferenceStore(database),
    }),
    arrivalDesk: platform.arrivalDesk,
    channelDesk: channelDeskOf(platform),
    messageTemplates: templateExamples(),
    profiles: () => [...profilesOf(references.reference(PROFILE_TABLE)).values()],
    vehicleProfile: (vehicleId) => profileOf(vehicleId, references),
    vehicleWindows: settings.vehicleWindows,
    onAlertsHandled: () => platform.routing?.nudge(),
    ...(mayWriteLog(settings)
      ? { replayDeadLetters: (request) => replayDeadLetters(platform, request) }
      : {}),
  }
  const app = createServer(parts)
  app.addHook('onClose', () => tenantDatabase.close())
  return app
}

function channelDeskOf({ database, logger, settings }: Platform) {
  const store = createChannelStore(database)
  return createChannelDesk({ book: channelBook(settings.dataDir, store, logger), store, newSecret })
}

interface References {
  /** Content of a table as it is in force; undefined where there is none. */
  reference(table: string): unknown
}

/** The tables in force, read again now and then; a malformed one leaves the last good one. */
async function followReferences(
  { settings, simulated, clock, logger }: Platform,
  signal: AbortSignal,
): Promise<References> {
  const source = openReferenceSource({ settings, simulated })
  const tables = new Map<string, ReferenceDocument>()
  const refresh = async (): Promise<void> => {
    const { documents } = await source.load()
    for (const document of documents) {
      if (tables.get(document.name)?.tag === document.tag) continue
      if (checkReference(document.name, document.content) === undefined) {
        tables.set(document.name, document)
      }
    }
  }
  const refreshed = refresh().catch((error: unknown) => logger.error('references-not-read', error))
  await Promise.race([refreshed, clock.sleep(REFERENCE_PATIENCE_MS, signal)])
  void (async () => {
    while (!signal.aborted) {
      await clock.sleep(REFERENCE_REFRESH_MS, signal)
      await refresh().catch((error: unknown) => logger.error('references-not-read', error))
    }
  })()
  return { reference: (table) => tables.get(table)?.content }
}

/** Of what the roles of this process need, and no more: a door does not fail for want of a database. */
async function readiness(platform: Platform): Promise<readonly PartStatus[]> {
  const { database, log, settings, tasks, views } = platform
  const part = async (name: string, reason: () => Promise<string | null>): Promise<PartStatus> => {
    try {
      const found = await reason()
      return { name, ready: found === null, reason: found }
    } catch {
      return { name, ready: false, reason: `the ${name} does not answer` }
    }
  }
  const parts = [
    part('log', async () => {
      await log.topics()
      return null
    }),
  ]
  const { roles } = settings
  if (roles.has('tasks') || roles.has('serve') || roles.has('work')) {
    parts.push(
      part('database', async () => {
        await database.query('SELECT 1')
        return null
      }),
    )
  }
  if (tasks !== null) parts.push(part('tasks', async () => tasks.notReady()))
  if (views !== null && settings.views !== 'memory') {
    // Without Redis pages show the last known state, and warnings wait: another process could do no better.
    parts.push(Promise.resolve({ name: 'views', ready: true, reason: views.problem() }))
  }
  return Promise.all(parts)
}

/** Through the same judgement as the first time; what is refused again stays a dead letter. */
async function replayDeadLetters(
  { database, ingest }: Platform,
  { ids, tenantId }: { readonly ids: readonly string[]; readonly tenantId: string },
): Promise<DeadLetterReplay> {
  const rows = await database.query(
    `SELECT id, topic, raw, raw_encoding FROM dead_letter
     WHERE tenant_id = $1 AND id = ANY($2::uuid[]) ORDER BY received_at, id`,
    [tenantId, ids],
  )
  const found = new Set(rows.map((row) => String(row.id)))
  const rejected = ids
    .filter((id) => !found.has(id))
    .map((id) => ({ id, code: 'not-found', message: 'There is no such dead letter.', path: '' }))
  const replayed: string[] = []
  for (const row of rows) {
    const id = String(row.id)
    const encoding = row.raw_encoding === 'base64' ? 'base64' : 'utf8'
    const outcome = await ingest.accept({
      topic: String(row.topic),
      tenantId,
      door: 'replay',
      events: [Buffer.from(String(row.raw), encoding)],
      refused: 'report',
    })
    if (outcome.accepted > 0) replayed.push(id)
    for (const { code, message, path } of outcome.rejected) {
      rejected.push({ id, code, message, path })
    }
  }
  if (replayed.length > 0) {
    await database.query('UPDATE dead_letter SET replayed_at = now() WHERE id = ANY($1::uuid[])', [
      replayed,
    ])
  }
  return { accepted: replayed.length, rejected }
}
