// What customers of a merchant meet, over the running program: a message at each milestone that the merchant
// chose, once, and the page behind the link, which tells guessed, expired and revoked alike.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import pg from 'pg'
import { runCommand, startProgram, temporaryDataDir } from '../program.ts'
import { until } from '../waiting.ts'

const MANY = 40

test('customers are written to once a milestone, and follow their parcel by a link', async (t) => {
  const dataDir = temporaryDataDir(t)
  const program = await startProgram(dataDir, ['--no-simulate'])
  t.after(() => program.stop())
  const made = await runCommand([
    'token',
    'create',
    '--role',
    'merchant',
    '--tenant',
    'acme',
    '--data-dir',
    dataDir,
  ])
  const merchant = { authorization: `Bearer ${made.stdout.trim()}` }
  const call = async (method: string, path: string, body?: unknown, headers = {}) => {
    const response = await fetch(`${program.address}/api/v1${path}`, {
      method,
      headers: {
        ...headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const said = await response.text()
    return { status: response.status, json: said === '' ? null : JSON.parse(said), said }
  }
  let second = 0
  const tell = async (type: string, more: object = {}): Promise<void> => {
    second += 1
    const event = {
      ...{ shipmentId: 'P-1', merchantId: 'acme', type, carrier: 'Swift', truckId: 'KDA 1' },
      recordedAt: new Date(Date.now() - 60_000 + second * 1_000).toISOString(),
      ...{ location: 'Secret Street 5', customerName: 'Wanjiru', customerEmail: 'w@example.com' },
      ...more,
    }
    const { status, said } = await call('POST', '/events/shipment-events', event)
    assert.equal(status, 202, said)
    await until(`${type} is recorded`, async () => {
      const { json } = await call('GET', '/shipments/P-1')
      return json.timeline.filter((step: { type: string }) => step.type === type).length > 0
    })
  }
  const messages = async () =>
    (await call('GET', '/shipments/P-1/messages', undefined, merchant)).json.items

  const other = await call('PUT', '/merchants/zenith/milestones', { milestones: [] }, merchant)
  assert.equal(other.status, 404)
  const wrong = await call('PUT', '/merchants/acme/milestones', { milestones: ['lost'] }, merchant)
  assert.equal(wrong.status, 400)
  const chosen = { milestones: ['delivered', 'out-for-delivery'] }
  const put = await call('PUT', '/merchants/acme/milestones', chosen, merchant)
  assert.deepEqual(put.json.milestones, ['out-for-delivery', 'delivered'])

  await tell('departed', { location: 'Hub Nakuru' })
  await tell('out-for-delivery')
  await until('the customer is written to', async () => (await messages()).length === 1)
  // Reached again: a failed attempt, and out once more.
  await tell('attempt-failed')
  await tell('out-for-delivery')
  await tell('delivered')
  await until('both are told', async () => (await messages()).length === 2)
  assert.deepEqual(
    (await messages()).map(({ subject, address }: { subject: string; address: string }) => [
      subject,
      address,
    ]),
    [
      ['Your parcel P-1 was delivered', 'w@example.com'],
      ['Your parcel P-1 is out for delivery', 'w@example.com'],
    ],
  )

  const link = await call('POST', '/shipments/P-1/tracking-links', {}, merchant)
  assert.equal(link.status, 201)
  assert.match(link.json.token, /^[\w-]{43}$/)
  assert.ok(link.json.url.endsWith(`/track/${link.json.token}`))
  const page = await call('GET', `/track/${link.json.token}`)
  assert.equal(page.status, 200)
  assert.equal(page.json.status, 'Delivered')
  assert.equal(page.json.steps[0].location, 'Hub Nakuru')
  for (const secret of ['Secret Street', 'Wanjiru', 'w@example.com', 'KDA 1', 'acme']) {
    assert.ok(!page.said.includes(secret), `${secret} is on the page: ${page.said}`)
  }
  const spans: number[] = []
  for (let n = 0; n < MANY; n++) {
    const startedMs = performance.now()
    await call('GET', `/track/${link.json.token}`)
    spans.push(performance.now() - startedMs)
  }
  spans.sort((a, b) => a - b)
  t.diagnostic(
    `tracking page: median ${spans[MANY / 2]?.toFixed(1)} ms, slowest ${spans.at(-1)?.toFixed(1)} ms`,
  )

  const same = async (what: string, token: string): Promise<void> => {
    const { status, json } = await call('GET', `/track/${token}`)
    const { requestId: _, ...problem } = json
    assert.equal(status, 404, what)
    assert.deepEqual(problem, nowhere, what)
  }
  const { requestId: _, ...nowhere } = (await call('GET', `/track/${'x'.repeat(43)}`)).json
  await same('malformed', 'x')
  const expired = await call('POST', '/shipments/P-1/tracking-links', { days: 1 }, merchant)
  const client = new pg.Client({
    connectionString: readFileSync(join(dataDir, 'postgres.url'), 'utf8').trim(),
  })
  await client.connect()
  await client.query(
    "UPDATE tracking_link SET expires_at = now() - interval '1 second' WHERE id = $1",
    [expired.json.id],
  )
  await client.end()
  await same('expired', expired.json.token)
  const revoked = await call(
    'DELETE',
    `/shipments/P-1/tracking-links/${link.json.id}`,
    undefined,
    merchant,
  )
  assert.equal(revoked.status, 204)
  await same('revoked', link.json.token)
  const kept = await call('GET', '/shipments/P-1/tracking-links', undefined, merchant)
  assert.ok(!kept.said.includes(link.json.token), 'the secret is not shown again')
  let refused = 0
  for (let n = 0; n < 70 && refused === 0; n++) {
    if ((await call('GET', `/track/guess-${n}`)).status === 429) refused += 1
  }
  assert.equal(refused, 1, 'guessing is limited')
})
