// Every route of the OpenAPI document with a merchant's token, over the data of two: nothing of the other one
// is answered, whatever is asked and however. A new route is walked as soon as it is documented.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Program, runCommand, startProgram, temporaryDataDir } from '../program.ts'
import { until } from '../waiting.ts'

/** Stands in every text of the other merchant's data, and in no other. */
const OTHER = 'zenith'
const OWN = 'acme'
const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
}

const at = (minute: number): string =>
  new Date(Date.now() - 3_600_000 + minute * 60_000).toISOString()

function shipmentsOf(merchantId: string): readonly object[] {
  const about = {
    shipmentId: `${merchantId}-parcel`,
    merchantId,
    location: `${merchantId} hub`,
    region: `${merchantId}-land`,
    carrier: `${merchantId} express`,
    truckId: `${merchantId}-truck`,
    customerName: `${merchantId} customer`,
    customerEmail: `${merchantId}@example.com`,
  }
  const types = ['created', 'picked-up', 'departed', 'exception']
  return types.map((type, minute) => ({
    ...about,
    type,
    recordedAt: at(minute),
    reason: merchantId,
  }))
}

function stockOf(merchantId: string): readonly object[] {
  return [
    { type: 'received', quantity: 5 },
    { type: 'dispatched', quantity: 9 },
  ].map((event, minute) => ({
    ...event,
    warehouseId: 'hall-1',
    merchantId,
    sku: `${merchantId}-tea`,
    bin: `${merchantId}-bin`,
    recordedAt: at(minute),
  }))
}

/** What only the platform should see, marked likewise. */
const platformEvents: Readonly<Record<string, readonly object[]>> = {
  'truck-readings': [
    {
      truckId: `${OTHER}-truck`,
      recordedAt: at(0),
      temperatureC: 20,
      shipmentId: `${OTHER}-parcel`,
    },
  ],
  'vehicle-telemetry': [
    { vehicleId: `${OTHER}-car`, recordedAt: at(0), speedKmh: 190, rpm: 3_000, gear: 5 },
  ],
}

async function send(program: Program, topic: string, events: readonly object[]): Promise<void> {
  const response = await fetch(`${program.address}/api/v1/events/${topic}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(events),
  })
  assert.equal(response.status, 202, `${topic}: ${await response.clone().text()}`)
}

async function filled(program: Program): Promise<void> {
  for (const merchant of [OWN, OTHER]) {
    await send(program, 'shipment-events', shipmentsOf(merchant))
    await send(program, 'warehouse-events', stockOf(merchant))
  }
  for (const [topic, events] of Object.entries(platformEvents)) await send(program, topic, events)
  // A refused one, which is kept with its bytes.
  await fetch(`${program.address}/api/v1/events/truck-readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify([{ truckId: `${OTHER}-truck` }]),
  })
  const count = async (path: string): Promise<number> =>
    Object(await (await fetch(`${program.address}/api/v1${path}`)).json()).items.length
  await until('everything is recorded', async () => {
    const counts = await Promise.all(
      ['/shipments', '/alerts?status=open', '/warehouses/hall-1/stock', '/dead-letters'].map(count),
    )
    return counts.every((found, index) => found >= (index === 3 ? 1 : 2))
  })
}

interface Request {
  readonly method: string
  readonly path: string
}

/** Each operation with everything that a hostile caller would put into its path and its query. */
function requestsOf(paths: Readonly<Record<string, object>>, ids: readonly string[]): Request[] {
  const words = [...ids, OTHER, 'shipment-events', 'warehouse-events', 'truck-readings', 'hall-1']
  return Object.entries(paths).flatMap(([path, operations]) =>
    METHODS.flatMap((method) => {
      const operation: Operation | undefined = Reflect.get(operations, method)
      if (operation === undefined) return []
      const filledPaths = path.includes('{')
        ? words.map((word) => path.replaceAll(/\{[^}]+\}/g, encodeURIComponent(word)))
        : [path]
      const names = (operation.parameters ?? []).flatMap((one) =>
        one.in === 'query' ? [one.name] : [],
      )
      const queries = ['', ...names.map((name) => `?${name}=${encodeURIComponent(valueFor(name))}`)]
      return filledPaths.flatMap((each) =>
        queries.map((query) => ({ method: method.toUpperCase(), path: `${each}${query}` })),
      )
    }),
  )
}

function valueFor(name: string): string {
  if (name === 'merchant' || name === 'merchantId') return OTHER
  if (/^(?:entity|shipmentId|shipment|search)$/.test(name)) return `${OTHER}-parcel`
  if (/truck/i.test(name)) return `${OTHER}-truck`
  return name === 'limit' ? '1000' : OTHER
}

test('a merchant sees nothing of another one by any route or the live feed', async (t) => {
  const dataDir = temporaryDataDir(t)
  const program = await startProgram(dataDir, ['--no-simulate'])
  t.after(() => program.stop())
  await filled(program)
  const made = await runCommand([
    'token',
    'create',
    '--role',
    'merchant',
    '--tenant',
    OWN,
    '--data-dir',
    dataDir,
  ])
  assert.equal(made.code, 0, made.stderr)
  const headers = { authorization: `Bearer ${made.stdout.trim()}` }

  const { paths } = Object(await (await fetch(`${program.address}/api/openapi.json`)).json())
  const { items } = Object(await (await fetch(`${program.address}/api/v1/alerts`)).json())
  const alertIds = items.map(({ id }: { id: string }) => id)
  const requests = requestsOf(paths, [
    ...[`${OTHER}-parcel`, `${OTHER}-truck`, `${OTHER}-car`, `${OWN}-parcel`],
    ...alertIds,
  ])
  const answered = new Map<string, number>()
  let own = 0
  for (const { method, path } of requests) {
    if (path.includes('/live')) continue
    const response = await fetch(`${program.address}${path}`, {
      method,
      headers: { ...headers, ...(method === 'GET' ? {} : { 'content-type': 'application/json' }) },
      ...(method === 'GET' || method === 'DELETE' ? {} : { body: '{}' }),
    })
    const body = await response.text()
    answered.set(`${response.status}`, (answered.get(`${response.status}`) ?? 0) + 1)
    assert.ok(response.status < 500, `${method} ${path} answered ${response.status}: ${body}`)
    // A refusal may repeat what the caller said.
    if (response.status < 400) assert.ok(!body.includes(OTHER), `${method} ${path}: ${body}`)
    if (response.status === 200 && body.includes(`${OWN}-parcel`)) own += 1
  }
  t.diagnostic(`${requests.length} requests; answers by status ${JSON.stringify([...answered])}`)
  assert.ok(own >= 5, `only ${own} answers show the merchant's own parcel`)
  assert.ok((answered.get('403') ?? 0) > 100)

  await checkLive(program, headers)

  // The same walk with the operator's eyes finds the other one: it is there to be seen.
  const seen = await Promise.all(
    [
      '/shipments',
      '/alerts',
      '/warehouses/hall-1/stock',
      '/trucks',
      '/history/shipment-events',
    ].map(async (path) => (await fetch(`${program.address}/api/v1${path}`)).text()),
  )
  for (const body of seen) assert.ok(body.includes(OTHER))
})

/** All views there are, from the beginning and while both merchants' shipments move. */
async function checkLive(program: Program, headers: Record<string, string>): Promise<void> {
  const stop = new AbortController()
  const views = 'alerts,shipments,warehouses,trucks,vehicles,trips,arrivals,journeys'
  const response = await fetch(`${program.address}/api/v1/live?views=${views}`, {
    headers,
    signal: stop.signal,
  })
  assert.equal(response.status, 200)
  let heard = ''
  const reading = (async () => {
    for await (const chunk of response.body ?? []) heard += Buffer.from(chunk).toString()
  })().catch(() => undefined)
  await until('the stream is live', () => heard.includes('event: ready'))
  const delivered = (merchantId: string): object => ({
    ...shipmentsOf(merchantId)[0],
    type: 'delivered',
    recordedAt: at(50),
  })
  await send(program, 'shipment-events', [delivered(OTHER)])
  await send(program, 'shipment-events', [delivered(OWN)])
  await until('its own is delivered', () => /"status":"Delivered"/.test(heard))
  await until('a metric came', () => heard.includes('event: metric'))
  stop.abort()
  await reading
  assert.ok(!heard.includes(OTHER), heard)
}
