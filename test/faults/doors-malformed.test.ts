// FAULTS.md 18 at the doors: malformed input, by chance and by hand, never stops a door, always becomes a
// dead letter, and never costs a good neighbour.

import { deepEqual, equal, ok } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { truckReadings } from '../../src/domains/cold-chain/events.ts'
import { type HttpDoor, openHttpDoor, reading } from './doors-under-test.ts'

const INPUTS = 10_000
const BATCH = 500

let door: HttpDoor
before(async () => {
  door = await openHttpDoor()
})
after(() => door.close())

const good = JSON.stringify(reading(1))

/** Bytes, text, JSON of no meaning, and good events spoilt in one place. No line ends: each is one line. */
const malformed = fc
  .oneof(
    fc.uint8Array({ minLength: 1, maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    fc.string({ unit: 'binary', minLength: 1 }).map((text) => Buffer.from(text)),
    fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
    spoiltBytes(),
    spoiltField(),
  )
  .map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x0a && byte !== 0x0d)))
  .filter((bytes) => bytes.toString().trim() !== '')
  .filter((bytes) => !door.ingest.judge(truckReadings, bytes).ok)

function spoiltBytes() {
  return fc
    .tuple(
      fc.nat(good.length - 1),
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom('set', 'cut', 'add'),
    )
    .map(([at, byte, how]) => {
      const bytes = Buffer.from(good)
      if (how === 'cut') return bytes.subarray(0, at)
      if (how === 'set') {
        bytes[at] = byte
        return bytes
      }
      return Buffer.concat([bytes.subarray(0, at), Buffer.from([byte]), bytes.subarray(at)])
    })
}

function spoiltField() {
  return fc
    .tuple(
      fc.constantFrom(
        'truckId',
        'recordedAt',
        'temperatureC',
        'lat',
        'doorOpen',
        'zone',
        'profile',
      ),
      fc.oneof(
        fc.jsonValue(),
        fc.constantFrom<unknown>(
          '',
          'NaN',
          -1,
          1e300,
          '2026-13-01T00:00:00Z',
          '0000-00-00',
          {},
          [],
          'x\0',
        ),
      ),
    )
    .map(([field, value]) => Buffer.from(JSON.stringify({ ...reading(1), [field]: value })))
}

test(`of ${INPUTS} malformed inputs each is a dead letter, and every good neighbour is accepted`, async () => {
  const inputs = fc.sample(malformed, { numRuns: INPUTS, seed: 18 })
  equal(inputs.length, INPUTS)
  let neighbours = 0
  for (let from = 0; from < INPUTS; from += BATCH) {
    const batch = inputs.slice(from, from + BATCH)
    const lines = batch.flatMap((bytes) => [
      bytes,
      Buffer.from(JSON.stringify(reading(neighbours++))),
    ])
    const response = await door.post(
      Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')])),
      {
        'content-type': 'application/x-ndjson',
      },
    )
    equal(response.status, 202)
    const { accepted, rejected } = (await response.json()) as {
      accepted: number
      rejected: { index: number }[]
    }
    equal(accepted, BATCH)
    deepEqual(
      rejected.map(({ index }) => index),
      batch.map((_, place) => 2 * place),
    )
  }
  const kept = await door.deadLetters()
  deepEqual(
    kept.map(({ raw, rawEncoding }) =>
      Buffer.from(raw, rawEncoding === 'text' ? 'utf8' : 'base64').toString('latin1'),
    ),
    inputs.map((bytes) => bytes.toString('latin1')),
  )
  ok(
    kept.every(
      ({ door, tenantId, message }) => door === 'http' && tenantId === 'acme' && message !== '',
    ),
  )
  equal((await door.events()).length, neighbours)
})

test('malformed inputs as whole bodies of any kind are answered, and the door stays open', async () => {
  const types = ['application/json', 'application/x-ndjson']
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom(...types),
      fc.constantFrom(undefined, 'gzip'),
      async (bytes, type, encoding) => {
        const response = await door.post(Buffer.from(bytes), {
          'content-type': type,
          ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
        })
        ok([202, 400, 422].includes(response.status), `${response.status}`)
        await response.arrayBuffer()
      },
    ),
    { numRuns: 300 },
  )
  equal((await door.post(good)).status, 202)
})

test('an array that is broken in any one place keeps the elements before the break', async () => {
  const events = Array.from({ length: 5 }, (_, number) => JSON.stringify(reading(number)))
  const body = `[${events.join(',')}]`
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: body.length - 1 }), async (end) => {
      const whole = body
        .slice(0, end)
        .split(/(?<=\})[,\]]/)
        .filter((part) => part.endsWith('}'))
      const response = await door.post(body.slice(0, end))
      const answer = (await response.json()) as { accepted?: number }
      equal(answer.accepted ?? 0, whole.map((part) => part.replace(/^\[/, '')).length)
    }),
    { numRuns: 200 },
  )
})
