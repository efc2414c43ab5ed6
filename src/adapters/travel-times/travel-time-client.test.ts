// Providers of travel times against a local server that answers as they document it, and as they should not.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { systemClock } from '../clock/system-clock.ts'
import { google } from './google.ts'
import { here } from './here.ts'
import type { Provider } from './provider.ts'
import { tomtom } from './tomtom.ts'
import {
  createTravelTimeClient,
  FRESH_MS,
  LAST_GOOD_MS,
  type TravelTimeClientOptions,
} from './travel-time-client.ts'

const KEY = 'key-that-nobody-may-see'
const question = { from: { lat: 43.73, lon: 7.41 }, to: { lat: 43.75, lon: 7.44 } }

const answers: readonly {
  readonly provider: Provider
  readonly answer: unknown
  readonly expected: unknown
}[] = [
  {
    provider: tomtom,
    answer: {
      routes: [
        {
          summary: {
            lengthInMeters: 4200,
            travelTimeInSeconds: 900,
            trafficDelayInSeconds: 200,
            noTrafficTravelTimeInSeconds: 600,
            historicTrafficTravelTimeInSeconds: 750,
          },
        },
      ],
    },
    expected: { durationS: 900, freeFlowS: 600, typicalS: 750, distanceM: 4200, source: 'tomtom' },
  },
  {
    provider: here,
    answer: {
      routes: [
        {
          sections: [
            { summary: { duration: 500, baseDuration: 400, typicalDuration: 450, length: 3000 } },
            { summary: { duration: 100, baseDuration: 90, typicalDuration: 95, length: 500 } },
          ],
        },
      ],
    },
    expected: { durationS: 600, freeFlowS: 490, typicalS: 545, distanceM: 3500, source: 'here' },
  },
  {
    provider: google,
    answer: { routes: [{ duration: '1234s', staticDuration: '1000s', distanceMeters: 9876 }] },
    expected: {
      durationS: 1234,
      freeFlowS: 1000,
      typicalS: null,
      distanceM: 9876,
      source: 'google',
    },
  },
]

type Handler = (request: IncomingMessage, response: ServerResponse) => void

async function open(
  t: TestContext,
  handler: Handler,
  options: Partial<TravelTimeClientOptions> = {},
) {
  let calls = 0
  const seen: IncomingMessage[] = []
  const server = createServer((request, response) => {
    calls++
    seen.push(request)
    handler(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const real = systemClock()
  const time = { aheadMs: 0 }
  const clock = { ...real, nowMs: () => real.nowMs() + time.aheadMs, sleep: real.sleep }
  const client = createTravelTimeClient({
    provider: tomtom,
    key: KEY,
    clock,
    address: `http://127.0.0.1:${port}`,
    ...options,
  })
  return { client, time, seen, calls: () => calls }
}

const json =
  (value: unknown): Handler =>
  (_request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(value))
  }
const good = answers[0]?.answer

for (const { provider, answer, expected } of answers) {
  test(`${provider.name} is asked and read as it documents`, async (t) => {
    const { client, seen } = await open(t, json(answer), { provider })
    const found = await client.ask(question)
    ok(found.kind === 'known')
    const { departAtMs, arriveAtMs, ...times } = found.travelTime
    deepEqual(times, expected)
    equal(arriveAtMs - departAtMs, times.durationS * 1_000)
    const [request] = seen
    const place = `${request?.url} ${JSON.stringify(request?.headers)}`
    match(place, new RegExp(KEY), 'the key goes to the provider')
    if (provider === google) match(place, /x-goog-fieldmask/)
  })
}

test('an answer is taken again while it is fresh', async (t) => {
  const { client, time, calls } = await open(t, json(good))
  await client.ask(question)
  await client.ask(question)
  equal(calls(), 1)
  time.aheadMs = FRESH_MS + 1
  await client.ask(question)
  equal(calls(), 2)
})

const bad: readonly {
  readonly what: string
  readonly handler: Handler
  readonly reason: RegExp
}[] = [
  {
    what: 'nonsense',
    handler: json({ routes: [{ summary: { travelTimeInSeconds: -5 } }] }),
    reason: /nonsense/,
  },
  { what: 'no JSON', handler: (_, response) => response.end('<html>'), reason: /no JSON/ },
  {
    what: 'an error',
    handler: (_, response) => {
      response.statusCode = 503
      response.end()
    },
    reason: /answered 503/,
  },
  { what: 'nothing in time', handler: () => undefined, reason: /did not answer within/ },
  {
    what: 'a cut line',
    handler: (request) => request.socket.destroy(),
    reason: /cannot be reached/,
  },
]

for (const { what, handler, reason } of bad) {
  test(`where a provider gives ${what} the last good value counts, with its age`, async (t) => {
    const state = { handler: json(good) }
    const { client, time } = await open(
      t,
      (request, response) => state.handler(request, response),
      {
        timeoutMs: 200,
      },
    )
    await client.ask(question)
    state.handler = handler
    time.aheadMs = FRESH_MS + 1
    const old = await client.ask(question)
    ok(old.kind === 'known' && old.ageMs > FRESH_MS)
    time.aheadMs = LAST_GOOD_MS + FRESH_MS
    const none = await client.ask(question)
    ok(none.kind === 'unknown')
    match(none.reason, reason)
    ok(!none.reason.includes(KEY))
  })
}

test('a provider that fails is left alone for a while, ever longer', async (t) => {
  const { client, time, calls } = await open(t, (_, response) => {
    response.statusCode = 500
    response.end()
  })
  await client.ask(question)
  await client.ask(question)
  equal(calls(), 1)
  time.aheadMs = 2_500
  await client.ask(question)
  equal(calls(), 2)
  time.aheadMs = 5_000
  await client.ask(question)
  equal(calls(), 2)
})

test('the quota is kept', async (t) => {
  const { client, calls } = await open(t, json(good), { requestsPerMinute: 3 })
  for (let n = 0; n < 6; n++) {
    await client.ask({ ...question, from: { lat: 43 + n / 10, lon: 7 } })
  }
  equal(calls(), 3)
})
