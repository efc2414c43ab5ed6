// Addresses that lead inside are never connected to, whatever they look like; receivers that hang or drip are cut
// off; signatures are what an independent library accepts.

import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import type { OutgoingMessage } from '../../ports/message.ts'
import { systemClock } from '../clock/system-clock.ts'
import { createOutboundHttp } from './outbound-http.ts'
import { createWebTransport } from './web-transport.ts'

const SECRET = `whsec_${Buffer.alloc(32, 5).toString('base64')}`
const message: OutgoingMessage = {
  id: '00000000-0000-8000-8000-000000000001',
  kind: 'webhook',
  channel: 'erp',
  address: '',
  severity: 'major',
  category: 'alert',
  template: 'alerts',
  content: { subject: 'Hi <!channel>', lines: ['*x*'], facts: [], actions: [] },
  about: null,
  createdAtMs: 0,
}

async function receiver(t: TestContext, listener: RequestListener) {
  const connections = { count: 0 }
  const server = createServer(listener)
  server.on('connection', () => {
    connections.count += 1
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const address: AddressInfo | string | null = server.address()
  const port = Object(address).port
  return { port: Number(port), url: `http://127.0.0.1:${port}/hook`, connections }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString()
}

const transport = (timeoutMs = 5_000, allowPrivateAddress = true) =>
  createWebTransport({
    clock: systemClock(),
    channel: () => ({ secret: SECRET, allowPrivateAddress }),
    timeoutMs,
  })

test('200 addresses that point inside are refused and nobody is connected to', async (t) => {
  const { port, connections } = await receiver(t, (_request, response) => response.end())
  const hosts = [
    'localhost',
    'LOCALHOST',
    'localhost.',
    'ip6-localhost',
    '0',
    '0.0.0.0',
    '127.1',
    '127.0.1',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '017700000001',
    '0177.0.0.1',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[0:0:0:0:0:0:0:1]',
    '[::127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '[2001:0:7f00:1::]',
    '[fe80::1]',
    '[fc00::1]',
    '[fd00:ec2::254]',
    '[fec0::1]',
    '[ff02::1]',
    '[100::1]',
    '[2001:db8::1]',
    '[5f00::1]',
    '169.254.169.254',
    '100.100.100.200',
    '192.0.0.192',
    '198.18.0.1',
    '203.0.113.9',
    '224.0.0.1',
    '255.255.255.255',
    '%31%32%37.0.0.1',
    '127。0。0。1',
    '①②⑦.⓪.⓪.①',
  ]
  const ranges = ['10', '127', '172.16', '172.31', '192.168', '169.254', '100.64', '0']
  const spread = ranges.flatMap((start) =>
    Array.from({ length: 20 }, (_, index) => {
      const parts = start.split('.')
      while (parts.length < 4) parts.push(String((index * 37 + parts.length) % 256))
      return parts.join('.')
    }),
  )
  const all = [...hosts, ...spread]
  assert.ok(all.length >= 200)
  for (const host of all) {
    const delivery = await transport(2_000, false).send({
      ...message,
      address: `http://${host}:${port}/hook`,
    })
    assert.notEqual(delivery.outcome, 'sent', host)
  }
  for (const address of ['file:///etc/passwd', 'gopher://127.0.0.1/', 'not an address']) {
    const delivery = await transport(2_000, false).send({ ...message, address })
    assert.equal(delivery.outcome, 'refused', address)
  }
  assert.equal(connections.count, 0)
})

test('a webhook is signed as an independent library verifies, under the id of the message', async (t) => {
  const seen: { headers: Record<string, string>; body: string }[] = []
  const { url } = await receiver(t, (request, response) => {
    void bodyOf(request).then((body) => {
      seen.push({ headers: Object(request.headers), body })
      response.end('ok')
    })
  })
  assert.equal((await transport().send({ ...message, address: url })).outcome, 'sent')
  const [call] = seen
  assert.ok(call)
  assert.equal(call.headers['webhook-id'], message.id)
  new Webhook(SECRET).verify(call.body, call.headers)
  assert.throws(() => new Webhook(SECRET).verify(`${call.body} `, call.headers))
})

test('a receiver that hangs or drips is cut off in time, and long answers are not read', async (t) => {
  const hangs = await receiver(t, () => undefined)
  const drips = await receiver(t, (_request, response) => {
    response.writeHead(200)
    const drip = setInterval(() => response.write('.'), 20)
    response.on('close', () => clearInterval(drip))
  })
  for (const { url } of [hangs, drips]) {
    const startedMs = performance.now()
    const delivery = await transport(300).send({ ...message, address: url })
    assert.equal(delivery.outcome, 'failed')
    assert.ok(performance.now() - startedMs < 5_000)
  }
  const floods = await receiver(t, (_request, response) => response.end('x'.repeat(1_000_000)))
  const answer = await createOutboundHttp({ clock: systemClock() }).post({
    url: floods.url,
    headers: {},
    body: '',
    allowPrivateAddress: true,
  })
  assert.ok(answer.kind === 'answered' && answer.text.length <= 8 * 1024)
})

test('redirects are not followed; what may pass is tried again, what is refused is not', async (t) => {
  let status = 302
  const { url } = await receiver(t, (_request, response) => {
    response.writeHead(status, { location: 'http://127.0.0.1:1/', 'retry-after': '7' })
    response.end()
  })
  const outcome = async (given: number) => {
    status = given
    const delivery = await transport().send({ ...message, address: url })
    return delivery.outcome
  }
  assert.equal(await outcome(302), 'refused')
  assert.equal(await outcome(410), 'refused')
  assert.equal(await outcome(503), 'failed')
  status = 429
  const delivery = await transport().send({ ...message, address: url })
  assert.deepEqual(delivery, { outcome: 'failed', response: '429', retryAfterMs: 7_000 })
})
