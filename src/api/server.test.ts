// What every answer has in common: problems, headers, limits, the dashboard, health.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { get as httpGet } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type ApiServer, optionsForTest, startApiServer } from '../../test/api-server.ts'
import { PlatformError } from '../kernel/errors.ts'
import { alertOf, entryOf } from '../ports/views.contract.ts'
import { acceptedType } from './accept.ts'
import { csvLine } from './csv.ts'
import { createFeedStatus, IDLE_MS, LAGGING_EVENTS } from './feed-status.ts'
import { listen } from './process-server.ts'
import { createServer } from './server.ts'

async function withServer(
  change: Parameters<typeof startApiServer>[0],
  body: (server: ApiServer) => Promise<void>,
): Promise<void> {
  const server = await startApiServer(change)
  try {
    await body(server)
  } finally {
    await server.close()
  }
}

type Json = Record<string, unknown>

async function problemOf(response: Response, status: number): Promise<Json> {
  assert.equal(response.status, status)
  assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/)
  const problem: Json = JSON.parse(await response.text())
  assert.deepEqual(Object.keys(problem).sort(), [
    'code',
    'detail',
    'errors',
    'requestId',
    'status',
    'title',
    'type',
  ])
  assert.equal(problem.status, status)
  assert.equal(problem.type, `/problems/${problem.code}`)
  assert.equal(problem.requestId, response.headers.get('x-request-id'))
  return problem
}

describe('a problem', () => {
  const json = { 'content-type': 'application/json' }
  const id = '00000000-0000-8000-8000-000000000000'
  const comment = `/api/v1/alerts/${id}/comment`

  const check = (
    title: string,
    path: string,
    init: RequestInit,
    expected: readonly [number, string],
    pointer?: string,
  ): void => {
    it(`says that ${title}`, async () => {
      await withServer({}, async (server) => {
        const problem = await problemOf(await fetch(server.url + path, init), expected[0])
        assert.equal(problem.code, expected[1])
        const [first] = Array.isArray(problem.errors) ? problem.errors : []
        assert.equal(first?.path, pointer)
      })
    })
  }
  check('there is no such route', '/api/v1/nothing', {}, [404, 'not-found'])
  check('there is no such method', '/api/v1/alerts', { method: 'PUT' }, [404, 'not-found'])
  check('a limit is too high', '/api/v1/alerts?limit=1001', {}, [400, 'invalid-request'], '/limit')
  check('a limit is no number', '/api/v1/alerts?limit=x', {}, [400, 'invalid-request'], '/limit')
  check('a parameter is unknown', '/api/v1/alerts?a=1', {}, [400, 'invalid-request'], '/a')
  check(
    'a parameter came twice',
    '/api/v1/alerts?rule=a&rule=b',
    {},
    [400, 'invalid-request'],
    '/rule',
  )
  check('a status is unknown', '/api/v1/alerts?status=x', {}, [400, 'invalid-request'], '/status')
  check('a time is none', '/api/v1/alerts?from=x', {}, [400, 'invalid-request'], '/from')
  check('a body is broken', comment, { method: 'POST', headers: json, body: '{' }, [
    400,
    'invalid-request',
  ])
  check(
    'a body has the wrong type',
    comment,
    { method: 'POST', headers: json, body: '{"text":1}' },
    [400, 'invalid-request'],
    '/text',
  )
  check(
    'a body names a prototype',
    comment,
    { method: 'POST', headers: json, body: '{"text":"a","__proto__":{}}' },
    [400, 'invalid-request'],
  )
  check(
    'a body is too large',
    comment,
    { method: 'POST', headers: json, body: JSON.stringify({ text: 'x'.repeat(70_000) }) },
    [413, 'payload-too-large'],
  )
  check(
    'a body has a type that we do not read',
    comment,
    { method: 'POST', headers: { 'content-type': 'text/xml' }, body: '<a/>' },
    [415, 'unsupported-media-type'],
  )
  check('the database is away', '/api/v1/alerts', {}, [503, 'database-unavailable'])
  check('a path is malformed', '/api/v1/trucks/%E0%A4%A', {}, [400, 'invalid-request'])

  it('tells when to come back, and nothing of the inside', async () => {
    await withServer({}, async (server) => {
      const response = await fetch(`${server.url}/api/v1/alerts`)
      assert.equal(response.headers.get('retry-after'), '5')
      const problem = await problemOf(response, 503)
      assert.doesNotMatch(JSON.stringify(problem), /10\.1\.2\.3/)
      const logged = server.logged.find((line) => line.name === 'request-failed')
      assert.match(String(logged?.error), /10\.1\.2\.3/)
      assert.equal(logged?.fields.requestId, problem.requestId)
    })
  })

  it('hides a bug behind its request id', async () => {
    const secret = 'password=hunter2'
    const broken = async (): Promise<never> => {
      throw new TypeError(secret)
    }
    await withServer({ topicStatus: broken }, async (server) => {
      const problem = await problemOf(await fetch(`${server.url}/api/v1/topics`), 500)
      assert.equal(problem.code, 'internal')
      assert.doesNotMatch(JSON.stringify(problem), /hunter2/)
    })
  })

  it('stands for too many requests from one address', async () => {
    await withServer({ adminToken: 'x'.repeat(32) }, async (server) => {
      const signOn = () =>
        fetch(`${server.url}/api/v1/session`, {
          method: 'POST',
          headers: json,
          body: JSON.stringify({ token: 'x'.repeat(32) }),
        })
      for (let n = 0; n < 30; n++) assert.equal((await signOn()).status, 200)
      const response = await signOn()
      assert.ok(Number(response.headers.get('retry-after')) > 0)
      assert.equal((await problemOf(response, 429)).code, 'rate-limited')
    })
  })
})

describe('health', () => {
  it('is not ready while a part is not, and says why', async () => {
    const parts = [
      { name: 'log', ready: true, reason: null },
      { name: 'database', ready: false, reason: 'does not answer' },
    ]
    await withServer({ readiness: async () => parts }, async (server) => {
      const response = await fetch(`${server.url}/readyz`)
      assert.equal(response.status, 503)
      assert.deepEqual(await response.json(), { ready: false, parts })
      assert.equal((await fetch(`${server.url}/healthz`)).status, 200)
    })
  })

  it('shows the metrics that the wiring feeds', async () => {
    await withServer({}, async (server) => {
      server.metrics.countEvents({ topic: 'truck-readings', result: 'accepted' }, 3)
      server.metrics.observeAlertLatency(0.004)
      server.metrics.observeCheckpoint(0.02)
      server.metrics.observeBatch(12)
      const text = await (await fetch(`${server.url}/metrics`)).text()
      for (const line of [
        'outrider_events_total{topic="truck-readings",result="accepted"} 3',
        'outrider_lag_events{topic="truck-readings",partition="0"} 20',
        'outrider_alert_latency_seconds_bucket{le="0.005"} 1',
        'outrider_checkpoint_seconds_count 1',
        'outrider_batch_events_sum 12',
      ]) {
        assert.ok(text.includes(`${line}\n`), line)
      }
      assert.match(text, /process_resident_memory_bytes \d/)
    })
  })
})

describe('trucks and the overview, from the live views', () => {
  const document = (truckId: string, condition: string, moving = false): string =>
    JSON.stringify({
      truckId,
      recordedAt: '2026-01-01T00:00:00.000Z',
      receivedAt: '2026-01-01T00:00:01.000Z',
      temperatureC: 4,
      fuelPercent: null,
      fuelLitres: null,
      lat: -1.29,
      lon: 36.82,
      speedKmh: 54,
      headingDeg: null,
      odometerKm: null,
      doorOpen: null,
      reeferOn: null,
      loadKg: null,
      brokenDown: null,
      zone: null,
      shipmentId: null,
      profile: 'default',
      limits: { minC: 2, maxC: 7 },
      condition,
      moving,
      alerts: [],
    })
  const truck = (truckId: string, condition: string, more: object = {}) =>
    entryOf(truckId, 1, { view: 'trucks', json: document(truckId, condition, true), ...more })

  const filled = (
    body: (server: ApiServer, read: (path: string) => Promise<Json>) => Promise<void>,
  ) =>
    withServer({}, async (server) => {
      await server.views.put([
        truck('B', 'excursion'),
        truck('A', 'in-range'),
        truck('C', 'silent'),
        truck('D', 'in-range'),
        truck('foreign', 'in-range', { tenantId: 'other' }),
      ])
      await server.views.publishAlerts([
        alertOf('1', { entityId: 'B', severity: 'critical' }),
        alertOf('2', { entityId: 'B', tenantId: 'other' }),
      ])
      await body(server, async (path) => {
        const response = await fetch(`${server.url}/api/v1${path}`)
        assert.equal(response.status, 200)
        return JSON.parse(await response.text())
      })
    })

  const keys = (list: Json): string[] =>
    Array.isArray(list.items) ? list.items.map((item) => item.truckId) : []

  it('lists trucks by id, filtered and page by page', async () => {
    await filled(async (_server, read) => {
      assert.deepEqual(keys(await read('/trucks')), ['A', 'B', 'C', 'D'])
      assert.deepEqual(keys(await read('/trucks?status=excursion,silent')), ['B', 'C'])
      const first = await read('/trucks?limit=3')
      assert.deepEqual(keys(first), ['A', 'B', 'C'])
      assert.deepEqual(keys(await read(`/trucks?limit=3&cursor=${first.next}`)), ['D'])
    })
  })

  it('shows one truck with its open alerts, though the database is away', async () => {
    await filled(async (server, read) => {
      const shown = await read('/trucks/B')
      assert.equal(shown.condition, 'excursion')
      const [alert, more] = Array.isArray(shown.openAlerts) ? shown.openAlerts : []
      assert.equal(alert.id, '1')
      assert.equal(more, undefined)
      for (const id of ['foreign', 'none', '__proto__']) {
        await problemOf(await fetch(`${server.url}/api/v1/trucks/${id}`), 404)
      }
    })
  })

  it('counts on the overview, and names the part that did not answer', async () => {
    await filled(async (_server, read) => {
      const { at, ...overview } = await read('/overview')
      assert.match(String(at), /Z$/)
      assert.deepEqual(overview, {
        trucks: { total: 4, inRange: 2, excursion: 1, silent: 1, noProfile: 0, moving: 4 },
        alerts: {
          open: 1,
          unacknowledged: null,
          suppressed: null,
          bySeverity: { critical: 1, major: 0, minor: 0, warning: 0, info: 0 },
        },
        eventsPerSecond: null,
        lag: 20,
        feeds: [
          {
            topic: 'truck-readings',
            endOffset: 120,
            lag: 20,
            watermark: '2021-11-09T08:00:00.000Z',
            health: 'ok',
          },
        ],
        partial: ['alerts'],
      })
    })
  })
})

describe('the dashboard', () => {
  const page = '<!doctype html><script>boot()</script><script src="/a.js"></script><title>x</title>'

  async function withDashboard(body: (server: ApiServer) => Promise<void>): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'outrider-dashboard-'))
    mkdirSync(join(folder, '_app', 'immutable'), { recursive: true })
    writeFileSync(join(folder, 'index.html'), page)
    writeFileSync(join(folder, '_app', 'immutable', 'x.js'), 'export {}')
    try {
      await withServer({ dashboardDir: folder }, body)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  it('is one page for every address of its own', async () => {
    await withDashboard(async (server) => {
      for (const path of ['/', '/alerts', '/trucks/KE-014?range=1h']) {
        const response = await fetch(server.url + path)
        assert.equal(await response.text(), page)
        assert.match(response.headers.get('content-type') ?? '', /^text\/html/)
        assert.equal(response.headers.get('cache-control'), 'public, max-age=0')
      }
    })
  })

  it('never answers a missing file or route with a page', async () => {
    await withDashboard(async (server) => {
      for (const path of ['/api/v2/x', '/_app/immutable/gone.js', '/favicon.ico']) {
        await problemOf(await fetch(server.url + path), 404)
      }
    })
  })

  it('keeps files with a hash in their name for ever', async () => {
    await withDashboard(async (server) => {
      const { headers } = await fetch(`${server.url}/_app/immutable/x.js`)
      assert.equal(headers.get('cache-control'), 'public, max-age=31536000, immutable')
    })
  })

  it('gives out nothing from outside of its folder', async () => {
    await withDashboard(async (server) => {
      for (const path of [
        '/../package.json',
        '/%2e%2e/package.json',
        '/..%2fpackage.json',
        '/%00',
      ]) {
        const text = await raw(server, path)
        assert.ok(!text.includes('"dependencies"'), path)
      }
    })
  })

  it('may run its own inline script by its hash, and no other', async () => {
    await withDashboard(async (server) => {
      const policy = (await fetch(server.url)).headers.get('content-security-policy') ?? ''
      assert.match(policy, /script-src 'self' 'sha256-[^']+';/)
      assert.doesNotMatch(policy, /script-src[^;]*unsafe/)
      assert.match(policy, /frame-ancestors 'none'/)
      assert.match(policy, /connect-src 'self'/)
    })
  })

  it('says what to do where it is not built', async () => {
    await withServer({ dashboardDir: '/nowhere' }, async (server) => {
      assert.match(await (await fetch(server.url)).text(), /npm run build/)
    })
  })

  const raw = (server: ApiServer, path: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const { port } = new URL(server.url)
      httpGet({ host: '127.0.0.1', port, path }, (response) => {
        let text = ''
        response.on('data', (chunk) => {
          text += chunk
        })
        response.on('end', () => resolve(text))
      }).on('error', reject)
    })
})

describe('answers', () => {
  it('are compressed where the client wants it and they are long, the feed never', async () => {
    await withServer({}, async (server) => {
      const encoding = async (path: string): Promise<string | null> => {
        const controller = new AbortController()
        const headers = { 'accept-encoding': 'gzip' }
        const response = await fetch(server.url + path, { headers, signal: controller.signal })
        const found = response.headers.get('content-encoding')
        controller.abort()
        return found
      }
      assert.equal(await encoding('/api/v1/profiles'), 'gzip')
      assert.equal(await encoding('/healthz'), null)
      assert.equal(await encoding('/api/v1/live'), null)
    })
  })

  it('are described by an OpenAPI document of version 3.1', async () => {
    await withServer({}, async (server) => {
      const document: Json = JSON.parse(
        await (await fetch(`${server.url}/api/openapi.json`)).text(),
      )
      assert.equal(document.openapi, '3.1.0')
      const paths = Object(document.paths)
      assert.ok(paths['/api/v1/cold-chain/report'].get.responses['200'])
      const names = paths['/api/v1/alerts'].get.parameters.map((one: Json) => one.name)
      assert.ok(names.includes('severity'))
    })
  })
})

describe('listening', () => {
  it('says what to do where the port is in use', async () => {
    await withServer({}, async (server) => {
      const port = Number(new URL(server.url).port)
      const second = createServer(optionsForTest())
      await assert.rejects(listen(second, { host: '127.0.0.1', port }), (error: Error) => {
        assert.ok(error instanceof PlatformError)
        assert.equal(error.code, 'port-in-use')
        assert.match(error.message, /--port/)
        return true
      })
    })
  })
})

describe('CSV', () => {
  const check = (value: unknown, expected: string): void => {
    it(`writes ${JSON.stringify(value)} as ${JSON.stringify(expected)}`, () => {
      assert.equal(csvLine([value]), `${expected}\r\n`)
    })
  }
  check('plain', 'plain')
  check('=1+1', "'=1+1")
  check('+1', "'+1")
  check('-1', "'-1")
  check('@SUM(A1)', "'@SUM(A1)")
  check('\tx', "'\tx")
  check('\rx', '"\'\rx"')
  check('a,b', '"a,b"')
  check('a"b', '"a""b"')
  check('=a,"b"\n', '"\'=a,""b""\n"')
  check(-1.5, '-1.5')
  check(true, 'true')
  check(null, '')
  check(['late'], '"[""late""]"')
})

describe('the accepted type', () => {
  const check = (header: string | undefined, expected: string): void => {
    it(`of ${header ?? 'nothing'} is ${expected}`, () => {
      assert.equal(acceptedType(header, ['application/json', 'text/csv']), expected)
    })
  }
  check(undefined, 'application/json')
  check('*/*', 'application/json')
  check('text/csv', 'text/csv')
  check('TEXT/CSV; charset=utf-8', 'text/csv')
  check('text/*;q=0.5, application/*;q=0.4', 'text/csv')
  check('application/json;q=0.1, text/csv', 'text/csv')
  check('text/html, */*;q=0.1', 'application/json')

  it('of what is not offered is refused', () => {
    assert.throws(() => acceptedType('image/png', ['text/csv']), { code: 'not-acceptable' })
    assert.throws(() => acceptedType('text/csv;q=0', ['text/csv']), { code: 'not-acceptable' })
  })
})

describe('the status of a feed', () => {
  const START_MS = 1_000_000

  function feedAt(end: () => number, committed: () => number) {
    let nowMs = START_MS
    let looks = 0
    const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep: async () => {} }
    const status = createFeedStatus(clock, async () => {
      looks += 1
      const offsets = { endOffset: end(), committedOffset: committed(), watermarkMs: null }
      return [{ topic: 't', partitions: [{ partition: 0, ...offsets }] }]
    })
    return {
      status,
      looks: () => looks,
      waitMs: (ms: number) => {
        nowMs += ms
      },
    }
  }

  it('has a rate between two looks, and looks at most once a second', async () => {
    let end = 100
    const feed = feedAt(
      () => end,
      () => 100,
    )
    assert.equal((await feed.status.summary()).eventsPerSecond, null)
    end = 150
    await Promise.all([feed.status.summary(), feed.status.summary()])
    assert.equal(feed.looks(), 1)
    feed.waitMs(2_000)
    const summary = await feed.status.summary()
    assert.equal(summary.eventsPerSecond, 25)
    assert.equal(summary.lag, 50)
  })

  it('is idle without events for a while, and lagging with too many uncommitted', async () => {
    let end = 1
    const feed = feedAt(
      () => end,
      () => 1,
    )
    const health = async () => (await feed.status.summary()).feeds[0]?.health
    assert.equal(await health(), 'ok')
    feed.waitMs(IDLE_MS)
    assert.equal(await health(), 'idle')
    end = 1 + LAGGING_EVENTS
    feed.waitMs(2_000)
    assert.equal(await health(), 'lagging')
  })
})
