import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { test } from 'node:test'
import { systemClock } from '../../adapters/clock/system-clock.ts'
import { httpSender } from './http-sender.ts'

type Answer = (request: IncomingMessage, body: string, response: ServerResponse) => void

/** A real HTTP server on a free port that answers as told. */
async function serve(answer: Answer) {
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk
    })
    request.on('end', () => answer(request, body, response))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return {
    url: new URL(`http://127.0.0.1:${address.port}`),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

interface Setting {
  readonly url: URL
  readonly signal?: AbortSignal
  readonly token?: string
  readonly delays?: string[]
}

function sender({ url, signal, token, delays }: Setting) {
  const send = httpSender({
    url,
    clock: systemClock(),
    signal: signal ?? new AbortController().signal,
    token,
    onDelay: (message) => delays?.push(message),
  })
  return (batch: string, count: number) => send('truck-readings', batch, count)
}

const accept = (response: ServerResponse, body: string): void => {
  const accepted = body.split('\n').length - 1
  response.writeHead(202, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ accepted, rejected: [] }))
}

test('a batch goes to the topic as NDJSON, with the credential', async () => {
  let seen: IncomingMessage | undefined
  await using server = await serve((request, _, response) => {
    seen = request
    response.writeHead(202).end('{"accepted":1,"rejected":[{"index":1},{"index":2}]}')
  })
  const delivered = await sender({ url: server.url, token: 'secret' })('1\n2\n3\n', 3)
  assert.deepEqual(delivered, { accepted: 1, rejected: 2 })
  assert.equal(seen?.url, '/api/v1/events/truck-readings')
  assert.equal(seen?.headers['content-type'], 'application/x-ndjson')
  assert.equal(seen?.headers.authorization, 'Bearer secret')
})

test('a batch is sent again until it is taken: after 503, after 429 and after a cut connection', async () => {
  const bodies: string[] = []
  await using server = await serve((request, body, response) => {
    bodies.push(body)
    if (bodies.length === 1) response.writeHead(503, { 'retry-after': '0' }).end()
    else if (bodies.length === 2) response.writeHead(429, { 'retry-after': '0' }).end()
    else if (bodies.length === 3) request.socket.destroy()
    else accept(response, body)
  })
  const delays: string[] = []
  const delivered = await sender({ url: server.url, delays })('a\nb\n', 2)
  assert.deepEqual(delivered, { accepted: 2, rejected: 0 })
  assert.deepEqual(bodies, Array(4).fill('a\nb\n'))
  assert.equal(delays.length, 3)
  assert.match(delays[0] ?? '', /answered 503; trying again in 0\.0 s/)
})

test('a batch that is too large goes in halves, in order', async () => {
  const taken: string[] = []
  await using server = await serve((_, body, response) => {
    if (body.length > 4) response.writeHead(413).end()
    else {
      taken.push(body)
      accept(response, body)
    }
  })
  const delivered = await sender({ url: server.url })('1\n2\n3\n4\n5\n', 5)
  assert.deepEqual(delivered, { accepted: 5, rejected: 0 })
  assert.equal(taken.join(''), '1\n2\n3\n4\n5\n')
})

test('a batch without a good event counts as rejected', async () => {
  await using server = await serve((_, __, response) => response.writeHead(422).end('{}'))
  assert.deepEqual(await sender({ url: server.url })('x\ny\n', 2), { accepted: 0, rejected: 2 })
})

test('an answer that trying again cannot mend is an error that says what to do', async () => {
  await using server = await serve((_, __, response) => response.writeHead(401).end('who are you'))
  await assert.rejects(
    sender({ url: server.url })('x\n', 1),
    /answered 401 who are you.*OUTRIDER_ADMIN_TOKEN/,
  )
})

test('the signal ends the waiting', async () => {
  await using server = await serve((_, __, response) =>
    response.writeHead(503, { 'retry-after': '60' }).end(),
  )
  const stop = new AbortController()
  const delays: string[] = []
  const send = httpSender({
    url: server.url,
    clock: systemClock(),
    signal: stop.signal,
    onDelay: (message) => {
      delays.push(message)
      stop.abort()
    },
  })
  await assert.rejects(send('truck-readings', 'x\n', 1), /Stopped before/)
  assert.match(delays[0] ?? '', /trying again in 60\.0 s/)
})
