// FAULTS.md 19 at the doors: what is made to be expensive is refused cheaply.

import { equal, ok } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { truckReadings } from '../../src/domains/cold-chain/events.ts'
import { MAX_EVENTS_PER_REQUEST } from '../../src/doors/http-events.ts'
import { MAX_BODY_BYTES } from '../../src/doors/request-body.ts'
import { splitJson, splitLines } from '../../src/doors/split-events.ts'
import { MAX_EVENT_BYTES } from '../../src/streams/topic.ts'
import { type HttpDoor, openHttpDoor, reading } from './doors-under-test.ts'

/** The bar for one event, and the best of so many tries, since other work shares the machine. */
const BAR_MS = 5
const TRIES = 7

let door: HttpDoor
before(async () => {
  door = await openHttpDoor()
})
after(() => door.close())

const good = JSON.stringify(reading(1))
const withField = (name: string, json: string): string => `{"${name}":${json},${good.slice(1)}`
const full = (unit: string, around = 0): string =>
  unit.repeat(Math.floor((MAX_EVENT_BYTES - around - 400) / Buffer.byteLength(unit)))

const HOSTILE: Readonly<Record<string, string>> = {
  'a depth bomb of arrays': full('['),
  'a depth bomb of objects': full('{"a":'),
  'a depth bomb in a field': withField('x', full('[')),
  'brackets that hide behind a string': withField('x', `"${full('[', 100)}"`),
  'as many levels as allowed, over and over': withField(
    'x',
    `[${full(`${'['.repeat(29)}${']'.repeat(29)},`)}1]`,
  ),
  'a number of a quarter of a million digits': withField('x', full('9')),
  'a fraction as long': withField('temperatureC', `0.${full('1')}`),
  'a huge exponent': withField('x', `1e${full('9')}`),
  'a quarter of a million zeros': withField('recordedAt', full('0')),
  'ten thousand keys': `{${Array.from({ length: 10_000 }, (_, key) => `"k${key}":1`).join(',')},${good.slice(1)}`,
  'one key ten thousand times': `{${full('"truckId":"x",')}${good.slice(1)}`,
  'keys that collide in a naive hash': `{${Array.from({ length: 10_000 }, (_, key) => `"${key * 65_536}":1`).join(',')},${good.slice(1)}`,
  'a __proto__ for every level': `${'{"__proto__":'.repeat(31)}${good}${'}'.repeat(31)}`,
  'constructor and prototype': withField('constructor', '{"prototype":{"truckId":"evil"}}'),
  'a time of a quarter of a million characters': withField('recordedAt', `"${full('2')}"`).replace(
    /"recordedAt":17\d+,/,
    '',
  ),
  'a time that is nearly one': withField(
    'recordedAt',
    `"2026-01-01T00:00:00.${'0'.repeat(15)}!"`,
  ).replace(/"recordedAt":17\d+,/, ''),
  'a key of a quarter of a million characters': good.replace('"T-1"', `"${full('x')}"`),
  'strings of escapes': withField('x', `"${full('\\u0000')}"`),
  'escaped quotes': withField('x', `"${full('\\"')}"`),
  'half surrogates': withField('x', `"${full('\\ud800')}"`),
  'replacement characters': withField('x', `"${full('\ufffd')}"`),
  'a string that never ends': withField('x', `"${full('a')}`),
  spaces: `${full(' ')}x`,
  quotes: full('"'),
  backslashes: `"${full('\\')}`,
  commas: `[${full(',')}`,
}

for (const [name, input] of Object.entries(HOSTILE)) {
  test(`${name}: judged within ${BAR_MS} ms`, () => {
    const bytes = Buffer.from(input)
    ok(bytes.length <= MAX_EVENT_BYTES, `${bytes.length} bytes`)
    let bestMs = Number.POSITIVE_INFINITY
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const begunMs = performance.now()
      door.ingest.judge(truckReadings, bytes)
      bestMs = Math.min(bestMs, performance.now() - begunMs)
    }
    ok(bestMs <= BAR_MS, `took ${bestMs.toFixed(2)} ms`)
  })
}

test('an event above the limit costs nothing, however large', () => {
  const bytes = Buffer.alloc(MAX_BODY_BYTES, 0x5b)
  const begunMs = performance.now()
  const verdict = door.ingest.judge(truckReadings, bytes)
  equal(verdict.ok ? '' : verdict.error.code, 'too-large')
  ok(performance.now() - begunMs <= BAR_MS)
})

test('nothing hostile leaves a trace on other objects', async () => {
  for (const input of Object.values(HOSTILE)) {
    const response = await door.post(input)
    ok([202, 413, 422].includes(response.status), `${response.status}`)
    await response.arrayBuffer()
  }
  equal(Reflect.get({}, 'truckId'), undefined)
  equal(Reflect.get({}, 'polluted'), undefined)
  equal((await door.post(good)).status, 202)
})

test('a whole body of brackets, quotes or commas is cut in time that grows with its size alone', () => {
  for (const unit of ['[', '"', '\\', ',', '{"a":', '[]', '\n', ' ', '[1', '"\n']) {
    for (const split of [splitJson, splitLines]) {
      const cost = (bytes: number): number => {
        const body = Buffer.from(`[${unit.repeat(bytes / unit.length)}`)
        let bestMs = Number.POSITIVE_INFINITY
        for (let attempt = 0; attempt < 3; attempt++) {
          const begunMs = performance.now()
          split(body, MAX_EVENTS_PER_REQUEST)
          bestMs = Math.min(bestMs, performance.now() - begunMs)
        }
        return bestMs
      }
      const small = cost(MAX_BODY_BYTES / 8)
      const large = cost(MAX_BODY_BYTES)
      // Eight times the size; ten times that would be the square.
      ok(
        large <= 30 * small + 50,
        `${JSON.stringify(unit)}: ${small.toFixed(1)} and ${large.toFixed(1)} ms`,
      )
    }
  }
})
