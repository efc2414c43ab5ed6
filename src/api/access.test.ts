// Who gets in: every route under every kind of caller, and what a browser of somebody else may not do.

import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { describe, it, test } from 'node:test'
import { type ApiServer, absentDatabase, startApiServer } from '../../test/api-server.ts'
import type { Clock } from '../ports/clock.ts'
import type { Database } from '../ports/database.ts'
import type { TokenStore } from '../ports/token-store.ts'
import { type Access, ROLES, type Role } from './access.ts'
import { newToken } from './token-issue.ts'

const TOKEN = 'a-token-of-at-least-thirty-two-characters'

interface Asked {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** Unlike fetch it sends any Host and Origin, and gives up a stream once its head is there. */
function ask(server: ApiServer, { method = 'GET', path, headers, body }: Asked): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${server.url}${path}`, { method, headers }, (response) => {
      const status = response.statusCode ?? 0
      if (response.headers['content-type']?.startsWith('text/event-stream')) {
        resolve({ status, headers: response.headers, body: '' })
        request.destroy()
        return
      }
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status, headers: response.headers, body: Buffer.concat(chunks).toString() }),
      )
    })
    request.on('error', reject)
    request.end(body)
  })
}

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

const json = { 'content-type': 'application/json' }
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const SILENCE_PREVIEW = '{"matchers":[{"name":"rule","operator":"=","value":"x"}]}'
const SILENCE = `${SILENCE_PREVIEW.slice(0, -1)},"to":"2099-01-01T00:00:00Z","reason":"x"}`
const ID = '00000000-0000-8000-8000-000000000000'

/** The policy: each route, with what it takes. A route that is missing here fails the test below. */
const ROUTES: readonly (readonly [string, string, Access, string?])[] = [
  ['GET', '/healthz', 'probe'],
  ['GET', '/readyz', 'probe'],
  ['GET', '/metrics', 'read'],
  ['GET', '/api/openapi.json', 'own'],
  ['GET', '/', 'public'],
  ['POST', '/api/v1/session', 'public', `{"token":"${TOKEN}"}`],
  ['DELETE', '/api/v1/session', 'public'],
  ['GET', '/api/v1/me', 'own'],
  ['GET', '/api/v1/tokens', 'administer'],
  ['POST', '/api/v1/tokens', 'administer', '{"role":"viewer"}'],
  ['DELETE', `/api/v1/tokens/${ID}`, 'administer'],
  ['GET', '/api/v1/live', 'own'],
  ['GET', '/answer/style.css', 'public'],
  ['GET', '/answer/x', 'public'],
  ['POST', '/answer/x', 'public'],
  ['GET', '/api/v1/workflows', 'read'],
  ['GET', `/api/v1/workflows/${ID}`, 'read'],
  ['POST', `/api/v1/workflows/${ID}/retry`, 'operate'],
  ['GET', '/api/v1/messages', 'read'],
  ['GET', `/api/v1/messages/${ID}`, 'read'],
  ['GET', '/api/v1/message-templates', 'read'],
  ['GET', '/api/v1/channels', 'read'],
  ['PUT', '/api/v1/channels/x', 'administer', '{"kind":"inbox"}'],
  ['DELETE', '/api/v1/channels/x', 'administer'],
  ['POST', '/api/v1/channels/x/secret', 'administer'],
  ['POST', '/api/v1/channels/x/test', 'operate'],
  ['GET', '/api/v1/contact-preferences', 'read'],
  [
    'PUT',
    '/api/v1/contact-preferences/ada@example.org',
    'operate',
    '{"zone":"UTC","quietHours":null,"refused":[]}',
  ],
  ['DELETE', '/api/v1/contact-preferences/ada@example.org', 'operate'],
  ['GET', '/api/v1/overview', 'read'],
  ['GET', '/api/v1/topics', 'read'],
  ['GET', '/api/v1/rules', 'read'],
  ['GET', '/api/v1/rules/schema', 'read'],
  ['GET', '/api/v1/rules/topics', 'read'],
  ['GET', '/api/v1/rules/high-speed', 'read'],
  ['POST', '/api/v1/rules/check', 'read'],
  ['PUT', '/api/v1/rules/high-speed', 'administer'],
  ['DELETE', '/api/v1/rules/high-speed', 'administer'],
  ['POST', '/api/v1/rules/high-speed/replay', 'operate'],
  ['GET', '/api/v1/rules/high-speed/explain', 'read'],
  ['GET', '/api/v1/profiles', 'read'],
  ['GET', '/api/v1/trucks', 'read'],
  ['GET', '/api/v1/trucks/T-1', 'read'],
  ['GET', '/api/v1/trucks/T-1/series?from=0&to=1', 'read'],
  ['GET', '/api/v1/cold-chain/report?truckId=T-1', 'read'],
  ['GET', '/api/v1/cold-chain/report.csv?truckId=T-1', 'read'],
  ['GET', '/api/v1/cold-chain/report.pdf?truckId=T-1', 'read'],
  ['GET', '/api/v1/fleet/efficiency', 'read'],
  ['GET', '/api/v1/fleet/drivers', 'read'],
  ['GET', '/api/v1/fleet/drives', 'read'],
  ['GET', '/api/v1/fleet/latest', 'read'],
  ['GET', '/api/v1/fleet/stationary', 'read'],
  ['GET', '/api/v1/fleet/long-driving', 'read'],
  ['GET', '/api/v1/fleet/consumption', 'read'],
  ['GET', '/api/v1/fleet/driving-time', 'read'],
  ['GET', '/api/v1/fleet/load', 'read'],
  ['GET', '/api/v1/fleet/activity', 'read'],
  ['GET', '/api/v1/fleet/breakdowns', 'read'],
  ['GET', '/api/v1/vehicles', 'read'],
  ['GET', '/api/v1/vehicles/T-1', 'read'],
  ['GET', '/api/v1/vehicles/windows', 'read'],
  ['GET', '/api/v1/vehicles/windows/sizes', 'read'],
  ['GET', '/api/v1/vehicles/T-1/series?from=1&to=2', 'read'],
  ['GET', '/api/v1/trips', 'read'],
  ['GET', '/api/v1/trips/T-1', 'read'],
  ['POST', '/api/v1/appointments', 'operate', '{}'],
  ['GET', '/api/v1/appointments/T-1', 'read'],
  ['POST', '/api/v1/appointments/T-1/reschedule', 'operate', '{}'],
  ['POST', '/api/v1/appointments/T-1/cancel', 'operate', '{}'],
  ['POST', '/api/v1/journeys', 'operate', '{}'],
  ['POST', '/api/v1/journeys/T-1/join-online', 'operate', '{}'],
  ['GET', '/api/v1/arrivals', 'read'],
  ['GET', '/api/v1/arrivals/outcomes', 'read'],
  ['GET', '/api/v1/arrivals/T-1', 'read'],
  ['GET', '/api/v1/shipments', 'own'],
  ['GET', '/api/v1/shipments/summary', 'own'],
  ['GET', '/api/v1/shipments/T-1', 'own'],
  ['GET', '/api/v1/shipments/T-1/temperature', 'own'],
  ['GET', '/api/v1/track/T-1', 'public'],
  ['POST', '/api/v1/shipments/T-1/tracking-links', 'change-own', '{}'],
  ['GET', '/api/v1/shipments/T-1/tracking-links', 'own'],
  ['DELETE', '/api/v1/shipments/T-1/tracking-links', 'change-own'],
  ['DELETE', '/api/v1/shipments/T-1/tracking-links/L-1', 'change-own'],
  ['GET', '/api/v1/shipments/T-1/messages', 'own'],
  ['GET', '/api/v1/merchants', 'own'],
  ['GET', '/api/v1/merchants/T-1/milestones', 'own'],
  ['PUT', '/api/v1/merchants/T-1/milestones', 'change-own', '{"milestones":[]}'],
  ['GET', '/api/v1/warehouses', 'own'],
  ['GET', '/api/v1/warehouses/T-1/stock', 'own'],
  ['GET', '/api/v1/warehouses/T-1/throughput', 'own'],
  ['GET', '/api/v1/regions', 'read'],
  ['GET', '/api/v1/trips/summary', 'read'],
  ['GET', '/api/v1/trips/series', 'read'],
  ['GET', '/api/v1/history/truck-readings', 'own'],
  ['GET', '/api/v1/alerts', 'own'],
  ['GET', `/api/v1/alerts/${ID}`, 'own'],
  ['GET', '/api/v1/alerts/pending', 'read'],
  ['POST', `/api/v1/alerts/${ID}/acknowledge`, 'operate', '{}'],
  ['DELETE', `/api/v1/alerts/${ID}/acknowledge`, 'operate'],
  ['POST', `/api/v1/alerts/${ID}/assign`, 'operate', '{"assignee":null}'],
  ['POST', `/api/v1/alerts/${ID}/resolve`, 'operate', '{}'],
  ['POST', `/api/v1/alerts/${ID}/reopen`, 'operate', '{}'],
  ['POST', `/api/v1/alerts/${ID}/false-alarm`, 'operate', '{}'],
  ['DELETE', `/api/v1/alerts/${ID}/false-alarm`, 'operate'],
  ['POST', `/api/v1/alerts/${ID}/comment`, 'operate', '{"text":"x"}'],
  ['POST', '/api/v1/alerts/actions', 'operate', `{"ids":["${ID}"],"action":"resolve"}`],
  ['GET', '/api/v1/silences', 'read'],
  ['GET', `/api/v1/silences/${ID}`, 'read'],
  ['POST', '/api/v1/silences/preview', 'read', SILENCE_PREVIEW],
  ['POST', '/api/v1/silences', 'operate', SILENCE],
  ['PUT', `/api/v1/silences/${ID}`, 'operate', SILENCE],
  ['DELETE', `/api/v1/silences/${ID}`, 'operate'],
  ['GET', '/api/v1/notifications', 'read'],
  ['GET', '/api/v1/routing', 'read'],
  ['POST', '/api/v1/routing/check', 'read', '{"document":""}'],
  ['POST', '/api/v1/appointments', 'operate', '{}'],
  ['GET', '/api/v1/appointments/T-1', 'read'],
  ['POST', '/api/v1/appointments/T-1/reschedule', 'operate', '{}'],
  ['POST', '/api/v1/appointments/T-1/cancel', 'operate'],
  ['POST', '/api/v1/journeys', 'operate', '{}'],
  ['POST', '/api/v1/journeys/T-1/join-online', 'operate'],
  ['GET', '/api/v1/arrivals', 'read'],
  ['GET', '/api/v1/arrivals/outcomes', 'read'],
  ['GET', '/api/v1/arrivals/T-1', 'read'],
  ['GET', '/api/v1/dead-letters', 'read'],
  ['POST', '/api/v1/dead-letters/replay', 'administer', `{"ids":["${ID}"]}`],
]

describe('the access table', () => {
  const asked = (method: string, path: string, body?: string): Asked => ({
    method,
    path,
    ...(body === undefined ? {} : { body, headers: json }),
  })

  it('names every route of the OpenAPI document', async () => {
    await withServer({}, async (server) => {
      const { body } = await ask(server, { path: '/api/openapi.json' })
      const { paths } = JSON.parse(body)
      const pattern = (path: string): string =>
        path
          .split('?', 1)[0]
          ?.replace(ID, '{id}')
          .replace('high-speed', '{name}')
          .replace('/track/T-1', '/track/{token}')
          .replace('/channels/x', '/channels/{name}')
          .replace('ada@example.org', '{address}')
          .replace('L-1', '{linkId}')
          .replace('T-1', '{id}') ?? ''
      const known = new Set(
        ROUTES.map(([method, path]) =>
          `${method} ${pattern(path)}`.replace('truck-readings', '{topic}'),
        ),
      )
      const missing = Object.entries(paths).flatMap(([path, methods]) =>
        Object.keys(Object(methods))
          .map((method) => `${method.toUpperCase()} ${path}`)
          .filter((route) => !known.has(route)),
      )
      assert.deepEqual(missing, [])
    })
  })

  it('with a token set, lets in nobody without one, but to the probes and the sign-in', async () => {
    await withServer({ adminToken: TOKEN }, async (server) => {
      for (const [method, path, access, body] of ROUTES) {
        const { status } = await ask(server, asked(method, path, body))
        const open = access === 'probe' || access === 'public'
        assert.equal(status === 401, !open, `${method} ${path} answered ${status}`)
      }
    })
  })

  it('with a token set and sent, refuses nothing', async () => {
    await withServer({ adminToken: TOKEN }, async (server) => {
      for (const [method, path, , body] of ROUTES) {
        const headers = { ...bearer(TOKEN), ...(body === undefined ? {} : json) }
        const { status } = await ask(server, { ...asked(method, path, body), headers })
        assert.ok(status !== 401 && status !== 403, `${method} ${path} answered ${status}`)
      }
    })
  })

  const allowed: Readonly<Record<Role, readonly Access[]>> = {
    merchant: ['own', 'change-own'],
    viewer: ['own', 'read'],
    device: ['ingest'],
    operator: ['own', 'change-own', 'read', 'operate', 'ingest'],
    admin: ['own', 'change-own', 'read', 'operate', 'ingest', 'administer'],
  }
  for (const role of ROLES) {
    it(`lets a ${role} in where the table says so, with and without an admin token`, async () => {
      const { tokens, secret } = tokensOf(role)
      for (const change of [{ adminToken: TOKEN }, {}]) {
        await withServer({ ...change, tokens }, async (server) => {
          for (const [method, path, access, body] of ROUTES) {
            const headers = { ...bearer(secret), ...(body === undefined ? {} : json) }
            const { status } = await ask(server, { ...asked(method, path, body), headers })
            const open = ['probe', 'public', ...allowed[role]].includes(access)
            assert.equal(status === 403, !open, `${method} ${path} answered ${status}`)
            assert.notEqual(status, 401)
          }
        })
      }
    })
  }

  const refusedWithoutToken = (title: string, headers: Readonly<Record<string, string>>): void => {
    it(`without a token, refuses everything but the probes ${title}`, async () => {
      await withServer({}, async (server) => {
        for (const [method, path, access, body] of ROUTES) {
          const all = { ...(body === undefined ? {} : json), ...headers }
          const { status } = await ask(server, { ...asked(method, path, body), headers: all })
          assert.equal(status === 403, access !== 'probe', `${method} ${path} answered ${status}`)
        }
      })
    })
  }
  refusedWithoutToken('under a foreign host name (DNS rebinding)', { host: 'evil.example:8080' })
  refusedWithoutToken('under a name that only looks local', { host: 'localhost.evil.example' })
  refusedWithoutToken('through a proxy', { 'x-forwarded-for': '203.0.113.9' })

  it('without a token, serves this machine under each of its names', async () => {
    await withServer({}, async (server) => {
      for (const host of ['localhost:8080', '127.0.0.1', '[::1]:8080', 'outrider.localhost']) {
        assert.equal((await ask(server, { path: '/api/v1/me', headers: { host } })).status, 200)
      }
    })
  })
})

describe('a browser', () => {
  const change = { method: 'DELETE', path: '/api/v1/session' }
  const foreign: readonly Readonly<Record<string, string>>[] = [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' },
  ]

  it('changes nothing from a page of somebody else', async () => {
    await withServer({}, async (server) => {
      for (const headers of foreign) {
        assert.equal((await ask(server, { ...change, headers })).status, 403)
      }
    })
  })

  it('changes things from our own page', async () => {
    await withServer({}, async (server) => {
      const headers = { 'sec-fetch-site': 'same-origin', origin: server.url }
      assert.equal((await ask(server, { ...change, headers })).status, 204)
    })
  })

  it('is not served by a session cookie where another site made the request', async () => {
    await withServer({ adminToken: TOKEN }, async (server) => {
      const cookie = await signIn(server)
      const path = `/api/v1/alerts/${ID}/comment`
      const body = '{"text":"x"}'
      const send = (headers: Readonly<Record<string, string>>) =>
        ask(server, { method: 'POST', path, body, headers: { ...json, cookie, ...headers } })
      for (const headers of foreign) assert.equal((await send(headers)).status, 403)
      assert.equal((await send({ 'sec-fetch-site': 'same-origin' })).status, 503)
    })
  })
})

/** A store with one token of a role, which can be revoked. */
test('a merchant is answered by the conditions of its own rows, though it names no merchant', async () => {
  const { tokens, secret } = tokensOf('merchant')
  const asked: (readonly unknown[])[] = []
  const database: Database = {
    ...absentDatabase,
    query: async (_sql, parameters = []) => {
      asked.push(parameters)
      return []
    },
  }
  await withServer({ tokens, database }, async (server) => {
    for (const path of ['shipments', 'shipments/summary', 'warehouses', 'warehouses/W-1/stock']) {
      await ask(server, { path: `/api/v1/${path}`, headers: bearer(secret) })
      assert.ok(asked.length > 0, path)
      for (const parameters of asked.splice(0)) assert.ok(parameters.includes('acme'), path)
    }
  })
})

function tokensOf(role: Role) {
  const { token, hash, secret } = newToken({
    ...{ secret: 'x'.repeat(43), role, tenant: 'acme', name: '', createdBy: 'test' },
    ...{ nowMs: 0, expiresAtMs: null },
  })
  const held = { revoked: false }
  const tokens: TokenStore = {
    find: async (asked) => (!held.revoked && Buffer.from(hash).equals(asked) ? token : undefined),
    list: async () => [token],
    create: async () => undefined,
    revoke: async () => false,
  }
  return { tokens, secret, held }
}

async function signIn(server: ApiServer, token = TOKEN): Promise<string> {
  const body = JSON.stringify({ token })
  const answer = await ask(server, { method: 'POST', path: '/api/v1/session', body, headers: json })
  assert.equal(answer.status, 200, answer.body)
  const [cookie = ''] = answer.headers['set-cookie'] ?? []
  assert.match(
    cookie,
    /^outrider_session=[^;]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/,
  )
  return cookie.split(';', 1)[0] ?? ''
}

/** A clock that stands where it is put; waiting is real. */
function settableClock(): Clock & { moveMs(ms: number): void } {
  let nowMs = Date.UTC(2026, 0, 1)
  return {
    nowMs: () => nowMs,
    monotonicMs: () => performance.now(),
    sleep: (durationMs, signal) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, durationMs)
        signal?.addEventListener('abort', () => {
          clearTimeout(timer)
          resolve()
        })
      }),
    moveMs: (ms) => {
      nowMs += ms
    },
  }
}

describe('a session', () => {
  const me = (server: ApiServer, cookie: string) =>
    ask(server, { path: '/api/v1/me', headers: { cookie } })

  it('begun with a token that was made is that of its role, and ends when it is revoked', async () => {
    const { tokens, secret, held } = tokensOf('merchant')
    await withServer({ adminToken: TOKEN, tokens }, async (server) => {
      const cookie = await signIn(server, secret)
      const { role, tenantId, merchantId } = JSON.parse((await me(server, cookie)).body)
      assert.deepEqual(
        { role, tenantId, merchantId },
        { role: 'merchant', tenantId: 'default', merchantId: 'acme' },
      )
      const rules = await ask(server, { path: '/api/v1/rules', headers: { cookie } })
      assert.equal(rules.status, 403)
      held.revoked = true
      assert.equal((await me(server, cookie)).status, 401)
    })
  })

  it('begins with the token, and ends by signing out', async () => {
    await withServer({ adminToken: TOKEN }, async (server) => {
      const cookie = await signIn(server)
      assert.deepEqual(JSON.parse((await me(server, cookie)).body), {
        role: 'admin',
        tenantId: 'default',
        merchantId: null,
        signedIn: true,
        authRequired: true,
        access: ['own', 'change-own', 'read', 'operate', 'ingest', 'administer'],
      })
      await ask(server, { method: 'DELETE', path: '/api/v1/session', headers: { cookie } })
      assert.equal((await me(server, cookie)).status, 401)
    })
  })

  it('ends after 12 hours', async () => {
    const clock = settableClock()
    await withServer({ adminToken: TOKEN, clock }, async (server) => {
      const cookie = await signIn(server)
      clock.moveMs(12 * 3_600_000 - 1)
      assert.equal((await me(server, cookie)).status, 200)
      clock.moveMs(1)
      assert.equal((await me(server, cookie)).status, 401)
    })
  })

  it('is refused where any part of it was changed', async () => {
    await withServer({ adminToken: TOKEN }, async (server) => {
      const cookie = await signIn(server)
      const [expiry = '', nonce = '', signature = ''] = (cookie.split('=')[1] ?? '').split('.')
      const forged = [
        `${Number(expiry) + 1}.${nonce}.${signature}`,
        `${expiry}.${nonce}x.${signature}`,
        `${expiry}.${nonce}.${signature.slice(0, -1)}`,
        `${expiry}.${nonce}`,
        '..',
        '',
      ]
      for (const value of forged) {
        assert.equal((await me(server, `outrider_session=${value}`)).status, 401, value)
      }
    })
  })

  it('does not outlive its token', async () => {
    let cookie = ''
    await withServer({ adminToken: TOKEN }, async (server) => {
      cookie = await signIn(server)
    })
    await withServer({ adminToken: `${TOKEN}-new` }, async (server) => {
      assert.equal((await me(server, cookie)).status, 401)
    })
  })

  it('is marked Secure where people come by https', async () => {
    await withServer({ adminToken: TOKEN, publicUrl: 'https://o.example' }, async (server) => {
      const body = JSON.stringify({ token: TOKEN })
      const asked = { method: 'POST', path: '/api/v1/session', body, headers: json }
      assert.match(String((await ask(server, asked)).headers['set-cookie']), /; Secure$/)
    })
  })
})

describe('wrong tokens', () => {
  it('are refused, and after ten of them everything else from there for a while', async () => {
    const clock = settableClock()
    await withServer({ adminToken: TOKEN, clock }, async (server) => {
      const attempt = async (token: string): Promise<number> =>
        (await ask(server, { path: '/api/v1/me', headers: bearer(token) })).status
      for (let n = 0; n < 10; n++) assert.equal(await attempt(`wrong-${n}`), 401)
      const refused = await ask(server, { path: '/api/v1/me', headers: bearer(TOKEN) })
      assert.equal(refused.status, 429)
      assert.equal(refused.headers['retry-after'], '300')
      clock.moveMs(300_000)
      assert.equal(await attempt(TOKEN), 200)
    })
  })

  it('do not end sessions that are already there', async () => {
    await withServer({ adminToken: TOKEN }, async (server) => {
      const cookie = await signIn(server)
      for (let n = 0; n < 11; n++) {
        await ask(server, { path: '/api/v1/me', headers: bearer(`wrong-${n}`) })
      }
      assert.equal((await ask(server, { path: '/api/v1/me', headers: { cookie } })).status, 200)
    })
  })

  it('are never in the log, nor are right ones', async () => {
    await withServer({ adminToken: TOKEN }, async (server) => {
      await signIn(server)
      await ask(server, { path: '/api/v1/me', headers: bearer('wrong-canary') })
      await ask(server, {
        path: '/api/v1/alerts',
        headers: { ...bearer(TOKEN), cookie: 'outrider_session=canary-cookie' },
      })
      const text = JSON.stringify(server.logged)
      assert.ok(server.logged.length > 0)
      for (const secret of [TOKEN, 'wrong-canary', 'canary-cookie']) {
        assert.ok(!text.includes(secret), secret)
      }
    })
  })
})

test('a token that is too short stops the start', async () => {
  await assert.rejects(startApiServer({ adminToken: 'short' }), { code: 'bad-setting' })
})

test('a route that does not say what access it needs stops the start', async () => {
  const plugins = [
    async (app: { get: (path: string, handler: () => string) => unknown }) => {
      app.get('/forgotten', () => 'open')
    },
  ]
  await assert.rejects(startApiServer({ plugins }), (error: Error) => {
    assert.match(error.message, /GET \/api\/v1\/forgotten/)
    return true
  })
})
