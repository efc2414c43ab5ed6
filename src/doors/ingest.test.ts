import { deepEqual, equal, ok } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Door, openDoor, reading } from '../../test/faults/doors-under-test.ts'
import { truckReadings } from '../domains/cold-chain/events.ts'
import { partitionOf } from '../kernel/partitioner.ts'
import { encodeDeadLetter, MAX_RAW_BYTES, parseDeadLetter } from '../streams/dead-letters.ts'
import { MAX_EVENT_BYTES } from '../streams/topic.ts'
import { JUDGED_AT_A_STRETCH } from './ingest.ts'

let door: Door
before(async () => {
  door = await openDoor()
})
after(() => door.close())

const good = reading(1)
const bytesOf = (event: unknown): Buffer => Buffer.from(JSON.stringify(event))

/** The code and path of the refusal, or `accepted`. */
function check(event: Buffer | string, expected: string): void {
  const verdict = door.ingest.judge(truckReadings, Buffer.from(event))
  equal(verdict.ok ? 'accepted' : `${verdict.error.code} ${verdict.error.path}`, expected)
}

test('a good event is accepted under its key', () => {
  const verdict = door.ingest.judge(truckReadings, bytesOf(good))
  deepEqual(verdict, { ok: true, value: 'T-1' })
})

test('each kind of bad event is refused with its code and the path to the fault', () => {
  check('', 'bad-json ')
  check('{', 'bad-json ')
  check('{"a":NaN}', 'bad-json ')
  check('{"a":Infinity}', 'bad-json ')
  check("{'a':1}", 'bad-json ')
  check('\ufeff{}', 'bad-json ')
  check(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'bad-json ')
  check('[]', 'not-an-object ')
  check('null', 'not-an-object ')
  check('3', 'not-an-object ')
  check(JSON.stringify({ ...good, truckId: undefined }), 'missing-field /truckId')
  check(JSON.stringify({ ...good, truckId: '' }), 'bad-value /truckId')
  check(JSON.stringify({ ...good, truckId: 'x'.repeat(201) }), 'bad-value /truckId')
  check(JSON.stringify({ ...good, truckId: 7 }), 'wrong-type /truckId')
  check(JSON.stringify({ ...good, truckId: 'a\0b' }), 'bad-value ')
  check(JSON.stringify({ ...good, temperatureC: '4' }), 'wrong-type /temperatureC')
  check(JSON.stringify({ ...good, temperatureC: 85.1 }), 'bad-value /temperatureC')
  check(JSON.stringify({ ...good, temperatureC: -80.1 }), 'bad-value /temperatureC')
  check(
    JSON.stringify(good).replace(/"temperatureC":[^,}]+/, '"temperatureC":1e999'),
    'wrong-type /temperatureC',
  )
  check(JSON.stringify({ ...good, recordedAt: '2026-02-30T00:00:00Z' }), 'bad-time /recordedAt')
  check(JSON.stringify({ ...good, recordedAt: '2026-01-01 00:00:00' }), 'bad-time /recordedAt')
  check(JSON.stringify({ ...good, recordedAt: -1 }), 'bad-time /recordedAt')
  check(`{"a":${'['.repeat(32)}${']'.repeat(32)}}`, 'too-deep ')
  check(`{"a":"${'x'.repeat(MAX_EVENT_BYTES)}"}`, 'too-large ')
})

test('what only looks dangerous is accepted', () => {
  check(JSON.stringify({ ...good, recordedAt: '2099-01-01T00:00:00Z' }), 'accepted')
  check(JSON.stringify({ ...good, zone: '[[[[{{{{"' }), 'accepted')
  check(JSON.stringify({ ...good, zone: '\\u0000' }), 'accepted')
  check(JSON.stringify({ ...good, zone: '\ufffd東' }), 'accepted')
  check(`{"x":${'['.repeat(31)}${']'.repeat(31)},${JSON.stringify(good).slice(1)}`, 'accepted')
  check(`{"__proto__":{"truckId":"evil"},${JSON.stringify(good).slice(1)}`, 'accepted')
  equal(Reflect.get({}, 'truckId'), undefined)
  check(`{"__proto__":${JSON.stringify(good)}}`, 'missing-field /truckId')
})

test('the log holds the very bytes that came, in order for each key', async () => {
  const events = Array.from({ length: 50 }, (_, number) =>
    Buffer.from(JSON.stringify(reading(number), null, number % 2)),
  )
  const outcome = await door.ingest.accept({
    topic: truckReadings.name,
    tenantId: 'acme',
    door: 'test',
    events,
  })
  deepEqual(outcome, { accepted: 50, rejected: [] })
  const records = await door.events()
  for (let key = 0; key < 7; key++) {
    const ofKey = records.filter((record) => record.key === `T-${key}`)
    deepEqual(
      ofKey.map(({ value }) => Buffer.from(value).toString()),
      events.filter((_, number) => number % 7 === key).map((event) => event.toString()),
    )
    ok(ofKey.every(({ tenantId }) => tenantId === 'acme'))
  }
  equal(partitionOf('T-1', 3), partitionOf('T-1', 3))
})

test('refused events are in the dead letters when the answer comes, as they came', async () => {
  const before = (await door.deadLetters()).length
  const notText = Buffer.from([0xff, 0xfe, 0x00])
  const outcome = await door.ingest.accept({
    topic: truckReadings.name,
    tenantId: 'acme',
    door: 'test',
    events: [bytesOf(good), Buffer.from('{"truckId":"Ä"}'), notText],
  })
  equal(outcome.accepted, 1)
  deepEqual(
    outcome.rejected.map(({ index, code }) => `${index} ${code}`),
    ['1 missing-field', '2 bad-json'],
  )
  const kept = (await door.deadLetters()).slice(before)
  deepEqual(
    kept.map(({ topic, tenantId, door, code, path, raw, rawEncoding }) => ({
      topic,
      tenantId,
      door,
      code,
      path,
      raw,
      rawEncoding,
    })),
    [
      {
        topic: 'truck-readings',
        tenantId: 'acme',
        door: 'test',
        code: 'missing-field',
        path: '/recordedAt',
        raw: '{"truckId":"Ä"}',
        rawEncoding: 'text',
      },
      {
        topic: 'truck-readings',
        tenantId: 'acme',
        door: 'test',
        code: 'bad-json',
        path: '',
        raw: notText.toString('base64'),
        rawEncoding: 'base64',
      },
    ],
  )
})

test('events for a topic that is not there are refused and kept', async () => {
  const before = (await door.deadLetters()).length
  const outcome = await door.ingest.accept({
    topic: 'nowhere',
    tenantId: 'acme',
    door: 'test',
    events: [bytesOf(good)],
  })
  equal(outcome.rejected[0]?.code, 'unknown-topic')
  equal((await door.deadLetters())[before]?.topic, 'nowhere')
})

test('dead letters that are tried again do not become dead letters again', async () => {
  const before = (await door.deadLetters()).length
  const outcome = await door.ingest.accept({
    topic: truckReadings.name,
    tenantId: 'acme',
    door: 'replay',
    events: [Buffer.from('x')],
    refused: 'report',
  })
  equal(outcome.rejected.length, 1)
  equal((await door.deadLetters()).length, before)
})

test('a delivery of several stretches keeps the index of each event', async () => {
  const events = Array.from({ length: 3 * JUDGED_AT_A_STRETCH + 5 }, (_, number) =>
    (number + 1) % JUDGED_AT_A_STRETCH === 0 ? Buffer.from('x') : bytesOf(reading(number)),
  )
  const { accepted, rejected } = await door.ingest.accept({
    topic: truckReadings.name,
    tenantId: 'acme',
    door: 'test',
    events,
  })
  equal(accepted, events.length - 3)
  deepEqual(
    rejected.map(({ index }) => index),
    [1, 2, 3].map((stretch) => stretch * JUDGED_AT_A_STRETCH - 1),
  )
  const last = door.observed.at(-1)
  deepEqual([last?.accepted, last?.rejected], [accepted, 3])
})

const position = { topic: 'dead-letters', partition: 0, offset: 7 }

test('a dead letter keeps every event within the limit whole, and tells where it cut a larger one', () => {
  const refused = (bytes: Buffer) => ({
    topic: 'truck-readings',
    tenantId: 'acme',
    door: 'http',
    receivedAtMs: 1_700_000_000_000,
    reason: { code: 'bad-value', message: 'It is bad.', path: '/x' } as const,
    bytes,
  })
  for (const bytes of [
    Buffer.from('{"a":"東京 \\u0000"}'),
    Buffer.from('a\0b'),
    Buffer.alloc(MAX_RAW_BYTES, 0x01),
    Buffer.alloc(MAX_RAW_BYTES, 0xff),
    Buffer.alloc(0),
  ]) {
    const value = encodeDeadLetter(refused(bytes))
    ok(value.length < 1.4 * bytes.length + 500, `${value.length} bytes for ${bytes.length}`)
    const letter = parseDeadLetter(value, position)
    deepEqual(Buffer.from(letter.raw, letter.rawEncoding === 'text' ? 'utf8' : 'base64'), bytes)
    equal(letter.message, 'It is bad.')
    deepEqual(letter.position, position)
  }
  const large = Buffer.from(`x${'東'.repeat(MAX_RAW_BYTES)}`)
  const letter = parseDeadLetter(encodeDeadLetter(refused(large)), position)
  equal(letter.rawEncoding, 'text')
  const kept = Buffer.byteLength(letter.raw)
  ok(kept <= MAX_RAW_BYTES && kept > MAX_RAW_BYTES - 4)
  equal(letter.message, `It is bad. Kept: the first ${kept} of ${large.length} bytes.`)
})

test('a record in the dead-letter topic that is none becomes one about itself', () => {
  for (const text of ['', 'x', '{}', '{"topic":1}', 'null']) {
    const letter = parseDeadLetter(Buffer.from(text), position)
    deepEqual([letter.code, letter.raw], ['bad-json', text])
  }
})
