import { deepEqual, equal, ok } from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { type HttpDoor, openHttpDoor, reading } from '../../test/faults/doors-under-test.ts'
import { MAX_EVENTS_PER_REQUEST } from './http-events.ts'
import { InFlight, MAX_BODY_BYTES } from './request-body.ts'

let door: HttpDoor
before(async () => {
  door = await openHttpDoor()
})
after(() => door.close())

const NDJSON = { 'content-type': 'application/x-ndjson' }
const text = (number = 1): string => JSON.stringify(reading(number))

async function checkAccepted(response: Response, accepted: number, rejected = 0): Promise<void> {
  equal(response.status, 202)
  const body: unknown = await response.json()
  equal(Reflect.get(Object(body), 'accepted'), accepted)
  equal(Reflect.get(Object(body), 'rejected').length, rejected)
}

interface Problem {
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly errors: readonly {
    readonly index: number
    readonly code: string
    readonly path: string
  }[]
}

async function checkProblem(response: Response, status: number, code: string): Promise<Problem> {
  const problem = (await response.json()) as Problem
  equal(`${response.status} ${problem.code}`, `${status} ${code}`)
  equal(problem.status, status)
  ok(response.headers.get('content-type')?.startsWith('application/problem+json'))
  return problem
}

test('one event, an array and NDJSON are accepted, and are in the log when the answer comes', async () => {
  const before = (await door.events()).length
  await checkAccepted(await door.post(text()), 1)
  await checkAccepted(await door.post(`[${text(2)}, ${text(3)}]`), 2)
  await checkAccepted(await door.post(`${text(4)}\r\n\n${text(5)}\n`, NDJSON), 2)
  const records = (await door.events()).slice(0)
  equal(records.length, before + 5)
  ok(records.every(({ tenantId }) => tenantId === 'acme'))
})

test('good events are accepted beside bad ones, which are named by place, path and reason', async () => {
  const response = await door.post(`[${text()}, {"truckId":"A"}, 3, ${text(2)}]`)
  equal(response.status, 202)
  deepEqual(await response.json(), {
    accepted: 2,
    rejected: [
      { index: 1, code: 'missing-field', message: 'recordedAt is required.', path: '/recordedAt' },
      { index: 2, code: 'not-an-object', message: 'An event must be a JSON object.', path: '' },
    ],
  })
})

test('where no event is good the answer is 422 with the same list', async () => {
  const problem = await checkProblem(await door.post('[1, {"a":1}]'), 422, 'no-event-accepted')
  deepEqual(
    problem.errors.map(({ index, code }) => `${index} ${code}`),
    ['0 not-an-object', '1 missing-field'],
  )
  equal((await door.deadLetters()).at(-1)?.door, 'http')
})

test('a gzip body is read, and one that is broken or grows too large is refused', async () => {
  const gzip = { 'content-encoding': 'gzip' }
  await checkAccepted(await door.post(gzipSync(text()), gzip), 1)
  await checkAccepted(await door.post(gzipSync(text()), { 'content-encoding': 'x-gzip' }), 1)
  await checkProblem(await door.post('no gzip', gzip), 400, 'invalid-request')
  await checkProblem(
    await door.post(gzipSync(text()).subarray(0, 30), gzip),
    400,
    'invalid-request',
  )
  const bomb = gzipSync(Buffer.alloc(4 * MAX_BODY_BYTES))
  await checkProblem(await door.post(bomb, gzip), 413, 'payload-too-large')
  await checkProblem(
    await door.post(text(), { 'content-encoding': 'br' }),
    415,
    'unsupported-media-type',
  )
})

test('bodies that are empty, too large or of too many events are refused as a whole', async () => {
  const before = (await door.events()).length
  await checkProblem(await door.post(''), 400, 'invalid-request')
  await checkProblem(await door.post(' \n'), 400, 'invalid-request')
  await checkProblem(await door.post('[]'), 400, 'invalid-request')
  await checkProblem(
    await door.post(Buffer.alloc(MAX_BODY_BYTES + 1, 0x20)),
    413,
    'payload-too-large',
  )
  const many = `${text()}\n`.repeat(MAX_EVENTS_PER_REQUEST + 1)
  await checkProblem(await door.post(many, NDJSON), 413, 'payload-too-large')
  equal((await door.events()).length, before)
})

test('a body of unknown length that grows too large is answered, too', async () => {
  const chunk = Buffer.alloc(1024 * 1024, 0x20)
  let left = 12
  const body = new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(chunk)
      else controller.close()
    },
  })
  const response = await fetch(`${door.url}/api/v1/events/truck-readings`, {
    method: 'POST',
    headers: NDJSON,
    body,
    duplex: 'half',
  })
  await checkProblem(response, 413, 'payload-too-large')
})

test('other content types and charsets are refused', async () => {
  for (const type of [
    'text/plain',
    'application/xml',
    'multipart/form-data',
    'application/json; charset=latin1',
  ]) {
    await checkProblem(
      await door.post(text(), { 'content-type': type }),
      415,
      'unsupported-media-type',
    )
  }
  await checkProblem(
    await fetch(`${door.url}/api/v1/events/truck-readings`, {
      method: 'POST',
      body: Buffer.from(text()),
    }),
    415,
    'unsupported-media-type',
  )
  await checkAccepted(
    await door.post(text(), { 'content-type': 'Application/JSON; charset="UTF-8"' }),
    1,
  )
})

test('an unknown topic is answered with those there are', async () => {
  for (const topic of ['trucks', 'dead-letters', '__proto__', encodeURIComponent('../x')]) {
    const response = await fetch(`${door.url}/api/v1/events/${topic}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: text(),
    })
    const problem = await checkProblem(response, 404, 'not-found')
    ok(problem.detail.endsWith('There are: truck-readings.'))
  }
})

test('who is not known sends nothing', async () => {
  const closed = await openHttpDoor({}, { principalOf: () => null })
  try {
    const response = await closed.post(text())
    equal(response.headers.get('www-authenticate'), 'Bearer realm="outrider"')
    await checkProblem(response, 401, 'unauthorized')
    equal((await closed.events()).length, 0)
  } finally {
    await closed.close()
  }
})

test('where memory is full of other bodies the sender is told to come back', async () => {
  const inFlight = new InFlight({ maxBytes: 2_500, maxTenantBytes: 2_000 })
  const full = await openHttpDoor({}, { inFlight })
  try {
    inFlight.take('other', 1_990)
    const crowded = await full.post(`${text()}\n`.repeat(10), NDJSON)
    equal(crowded.headers.get('retry-after'), '1')
    await checkProblem(crowded, 503, 'overloaded')
    inFlight.release('other', 1_990)
    const greedy = await full.post(`${text()}\n`.repeat(30), NDJSON)
    equal(greedy.headers.get('retry-after'), '1')
    await checkProblem(greedy, 429, 'rate-limited')
    await checkAccepted(await full.post(text()), 1)
    equal(inFlight.bytes, 0)
  } finally {
    await full.close()
  }
})

test('a full log is answered with 503 and Retry-After, and nothing is half accepted', async () => {
  const small = await openHttpDoor({ maxBytes: 600_000 })
  try {
    let accepted = 0
    let refused: Response | undefined
    for (let round = 0; round < 200 && refused === undefined; round++) {
      const lines = Array.from({ length: 100 }, (_, index) => text(100 * round + index))
      const response = await small.post(lines.join('\n'), NDJSON)
      if (response.status === 202) accepted += 100
      else refused = response
    }
    ok(refused !== undefined, 'the log was never full')
    equal(refused.headers.get('retry-after'), '10')
    await checkProblem(refused, 503, 'log-full')
    equal((await small.events()).length, accepted)
  } finally {
    await small.close()
  }
})

test('a sender that goes away in the middle of its body leaves nothing behind', async () => {
  const inFlight = new InFlight({ maxBytes: 1_000_000, maxTenantBytes: 1_000_000 })
  const left = await openHttpDoor({}, { inFlight })
  try {
    const socket = connect(Number(new URL(left.url).port), '127.0.0.1')
    const head = `POST /api/v1/events/truck-readings HTTP/1.1\r\nHost: x\r\n`
    socket.write(
      `${head}Content-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n${text()}\n`,
    )
    while (inFlight.bytes === 0) await setImmediate()
    socket.destroy()
    while (inFlight.bytes > 0) await setImmediate()
    await checkAccepted(await left.post(text()), 1)
    equal((await left.events()).length, 1)
    equal(inFlight.bytes, 0)
  } finally {
    await left.close()
  }
})
