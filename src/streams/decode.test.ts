import assert from 'node:assert/strict'
import { test } from 'node:test'
import { probes } from '../../test/simulation/probe-pipeline.ts'
import { decodeRecord, rawOf } from './decode.ts'
import { MAX_EVENT_BYTES } from './topic.ts'

const decode = (value: string | Buffer) => decodeRecord({ value: Buffer.from(value) }, probes)
const codeOf = (value: string | Buffer): string => {
  const result = decode(value)
  return result.ok ? 'ok' : result.error.code
}
const event = (more: string): string => `{"probeId":"p","recordedAt":5,"level":1${more}}`

test('a record that is an event becomes one', () => {
  const result = decode(event(',"side":"left","unknown":{"a":[1]}'))
  assert.deepEqual(result, {
    ok: true,
    value: { probeId: 'p', recordedAtMs: 5, eventId: null, level: 1, side: 'left' },
  })
})

test('whatever else the log holds is a problem with a reason, and never an exception', () => {
  const cases: readonly (readonly [string, string | Buffer, string])[] = [
    ['nothing', '', 'bad-json'],
    ['half an object', '{"probeId":', 'bad-json'],
    ['bytes', Buffer.of(0xff, 0xfe, 0x00), 'bad-json'],
    ['a name that is not UTF-8', Buffer.from(event(',"side":"\xe9"'), 'latin1'), 'bad-json'],
    ['a list', '[]', 'not-an-object'],
    ['null', 'null', 'not-an-object'],
    ['a deep list', '['.repeat(100_000), 'bad-json'],
    ['a deep value', event(`,"x":${'['.repeat(20_000)}${']'.repeat(20_000)}`), 'ok'],
    ['no time', '{"probeId":"p","level":1}', 'missing-field'],
    [
      'an impossible day',
      '{"probeId":"p","recordedAt":"2026-02-30T00:00:00Z","level":1}',
      'bad-time',
    ],
    ['not a number', '{"probeId":"p","recordedAt":5,"level":"1"}', 'wrong-type'],
    ['out of range', '{"probeId":"p","recordedAt":5,"level":1e9}', 'bad-value'],
    ['U+0000', '{"probeId":"p\\u0000","recordedAt":5,"level":1}', 'bad-value'],
    ['U+0000 in an unknown field', event(',"x":["\\u0000"]'), 'bad-value'],
    ['half a pair', '{"probeId":"p\\ud800","recordedAt":5,"level":1}', 'bad-value'],
    ['a whole pair', event(',"side":"\\ud83d\\ude9b"'), 'ok'],
    ['a backslash before u0000', event(',"side":"\\\\u0000"'), 'ok'],
    ['the replacement character', event(',"side":"\ufffd"'), 'ok'],
    ['__proto__', event(',"__proto__":{"level":7}'), 'ok'],
    ['too much', event(`,"x":"${'x'.repeat(MAX_EVENT_BYTES)}"`), 'too-large'],
  ]
  for (const [name, value, code] of cases) assert.equal(codeOf(value), code, name)
})

test('what is refused is kept as it came', () => {
  for (const value of ['{"a":', '\ufeff{"a":1', 'ü\n\t"', '']) {
    assert.deepEqual(rawOf(Buffer.from(value)), { raw: value, rawEncoding: 'text' })
  }
  for (const bytes of [Buffer.of(0xff), Buffer.from('a\u0000b')]) {
    assert.deepEqual(rawOf(bytes), { raw: bytes.toString('base64'), rawEncoding: 'base64' })
  }
})
