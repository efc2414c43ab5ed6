// The HTTP server on a free port of this machine, for tests: real sockets, real views in memory, and the
// database that the test gives it.

import assert from 'node:assert/strict'
import { Value } from '@sinclair/typebox/value'
import type { FastifyInstance } from 'fastify'
import { systemClock } from '../src/adapters/clock/system-clock.ts'
import { newSecret } from '../src/adapters/random/system-random.ts'
import { createMemoryViews, type MemoryViews } from '../src/adapters/views/memory-views.ts'
import { createMetrics, type Metrics } from '../src/api/metrics.ts'
import type { ServerParts } from '../src/api/options.ts'
import { listen } from '../src/api/process-server.ts'
import type { RuleDesk } from '../src/api/rule-desk.ts'
import { createServer } from '../src/api/server.ts'
import { truckReadings } from '../src/domains/cold-chain/events.ts'
import { builtInProfiles } from '../src/domains/cold-chain/profiles.ts'
import { UNKNOWN_VEHICLE } from '../src/domains/vehicles/reference.ts'
import { DEFAULT_WINDOW_SPANS } from '../src/domains/vehicles/windows.ts'
import { PlatformError } from '../src/kernel/errors.ts'
import { failed } from '../src/kernel/result.ts'
import type { Database } from '../src/ports/database.ts'
import type { Logger } from '../src/ports/logger.ts'

export interface LogLine {
  readonly level: string
  readonly name: string
  readonly error?: unknown
  readonly fields: Readonly<Record<string, unknown>>
}

export interface ApiServer {
  readonly url: string
  readonly views: MemoryViews
  readonly metrics: Metrics
  readonly logged: readonly LogLine[]
  close(): Promise<void>
}

/** A database that is away, as in an outage. */
export const absentDatabase: Database = {
  async query() {
    throw outage()
  },
  // biome-ignore lint/correctness/useYield: it fails before the first batch.
  async *stream() {
    throw outage()
  },
}

function outage(): PlatformError {
  return new PlatformError('database-unavailable', 'Cannot reach 10.1.2.3:5432 as outrider.', {
    retry: 'later',
  })
}

export interface TestServerChange extends Partial<ServerParts> {
  /** In place of `wholeDatabase`, and of `tenantDatabase` where that is not given. */
  readonly database?: Database
}

/** Options of a server whose database is away and whose log is well. */
export function optionsForTest({
  database = absentDatabase,
  ...change
}: TestServerChange = {}): ServerParts {
  return {
    clock: systemClock(),
    logger: collectingLogger([]),
    wholeDatabase: database,
    tenantDatabase: { within: () => database },
    tokens: null,
    newSecret,
    views: createMemoryViews('run1'),
    metrics: createMetrics(),
    version: '0.0.0',
    adminToken: null,
    publicUrl: null,
    dashboardDir: null,
    topics: [truckReadings],
    topicStatus: async () => [
      {
        topic: 'truck-readings',
        partitions: [
          { partition: 0, endOffset: 120, committedOffset: 100, watermarkMs: 1_636_444_800_000 },
          { partition: 1, endOffset: 0, committedOffset: 0, watermarkMs: null },
        ],
      },
    ],
    ruleDesk: absentRuleDesk,
    entityViews: [{ view: 'trucks', topic: 'truck-readings' }],
    alertEvidence: { referenceRows: async () => [] },
    arrivalDesk: null,
    channelDesk: null,
    messageTemplates: [],
    profiles: () => builtInProfiles,
    vehicleProfile: () => UNKNOWN_VEHICLE,
    vehicleWindows: DEFAULT_WINDOW_SPANS,
    readiness: async () => [{ name: 'log', ready: true, reason: null }],
    draining: new AbortController().signal,
    plugins: [],
    ...change,
  }
}

/** A program without rules. */
export const absentRuleDesk: RuleDesk = {
  topics: () => [],
  list: () => [],
  problems: () => [],
  text: () => undefined,
  versions: async () => [],
  versionText: async () => undefined,
  check: () => ({ problems: [], document: null, cases: [] }),
  write: async () => failed({ kind: 'other-name', found: 'nothing' }),
  erase: async () => false,
  replay: async () => failed('unknown-rule'),
  explain: async () => failed('unknown-rule'),
}

export async function startApiServer(change: TestServerChange = {}): Promise<ApiServer> {
  const views = createMemoryViews('run1')
  const metrics = createMetrics()
  const logged: LogLine[] = []
  const app = createServer(
    optionsForTest({ logger: collectingLogger(logged), views, metrics, ...change }),
  )
  const misfits = collectMisfits(app)
  const url = await listen(app, { host: '127.0.0.1', port: 0 })
  return {
    url,
    views,
    metrics,
    logged,
    close: async () => {
      await app.close()
      await views.close()
      assert.deepEqual(misfits, [], 'answers that do not fit their documented schema')
    },
  }
}

/** Answers that are not what the OpenAPI document promises; looked at when the server closes. */
function collectMisfits(app: FastifyInstance): readonly string[] {
  const misfits: string[] = []
  app.addHook('onSend', async (request, reply, payload) => {
    const schema = Object(request.routeOptions.schema?.response)[reply.statusCode]
    const type = String(reply.getHeader('content-type'))
    if (schema === undefined || typeof payload !== 'string' || !type.includes('json')) return
    const problem = Value.Errors(schema, JSON.parse(payload)).First()
    if (problem === undefined) return
    misfits.push(`${request.method} ${request.url} ${problem.path}: ${problem.message}`)
  })
  return misfits
}

function collectingLogger(logged: LogLine[]): Logger {
  const line =
    (level: string) =>
    (name: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      logged.push({ level, name, fields })
    }
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: (name, error, fields = {}) => logged.push({ level: 'error', name, error, fields }),
  }
}

/** One call of the API with a JSON body where one is given; an empty answer is an empty document. */
export async function callApi(
  { url }: Pick<ApiServer, 'url'>,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ readonly status: number; readonly text: string; readonly json: unknown }> {
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  const text = await response.text()
  return { status: response.status, text, json: text === '' ? {} : JSON.parse(text) }
}
