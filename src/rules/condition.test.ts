import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Environment } from '@marcbachmann/cel-js'
import fc from 'fast-check'
import {
  compileCondition,
  compileScore,
  MAX_CONDITION_DEPTH,
  MAX_CONDITION_LENGTH,
} from './condition.ts'
import { FAILS, NO, type Verdict, YES } from './condition-part.ts'
import { FieldTable } from './field-table.ts'

const vocabulary = {
  event: { speedKmh: 'number', lat: 'number', lon: 'number', doorOpen: 'flag', zone: 'text' },
  derived: { drop: 'number' },
  last: { speedKmh: 'number' },
} as const

const EMPTY = { speedKmh: null, lat: null, lon: null, doorOpen: null, zone: null }

function judge(source: string, event: object, last: object | null = null): Verdict {
  const table = new FieldTable(vocabulary)
  const compiled = compileCondition(source, table)
  assert.ok(compiled.ok, compiled.ok ? '' : `${source}: ${compiled.error.message}`)
  table.read({ event: { ...EMPTY, ...event }, derived: { drop: 2 }, last })
  return compiled.value.test()
}

test('numbers compare with whole numbers and with fractions', () => {
  for (const [source, speedKmh, expected] of [
    ['event.speedKmh > 5', 5.5, YES],
    ['event.speedKmh > 5.0', 6, YES],
    ['event.speedKmh >= 5', 5, YES],
    ['event.speedKmh == 5', 5, YES],
    ['event.speedKmh < 5', 5, NO],
    ['event.speedKmh - derived.drop > 2.5', 5, YES],
    ['event.speedKmh * 2 == 10', 5, YES],
    ['event.speedKmh in [4, 5]', 5, YES],
    ['(event.speedKmh > 4 ? 1 : 2) == 1', 5, YES],
    ['max(event.speedKmh, 7) == 7', 5, YES],
  ] as const) {
    assert.equal(judge(source, { speedKmh }), expected, source)
  }
})

test('a missing field makes a condition fail, unless the other side settles it', () => {
  for (const [source, expected] of [
    ['event.speedKmh > 5', FAILS],
    ['!(event.speedKmh > 5)', FAILS],
    ['event.speedKmh == null', YES],
    ['has(event.speedKmh)', NO],
    ['event.speedKmh == 5', NO],
    ['event.speedKmh > 5 || derived.drop == 2', YES],
    ['event.speedKmh > 5 && derived.drop == 3', NO],
    ['event.speedKmh > 5 && derived.drop == 2', FAILS],
    ['event.speedKmh - last.speedKmh > 1', FAILS],
    ['event.zone.startsWith("a")', FAILS],
  ] as const) {
    assert.equal(judge(source, {}), expected, source)
  }
})

test('a division by zero fails', () => {
  assert.equal(judge('event.speedKmh / (derived.drop - 2) > 1', { speedKmh: 5 }), FAILS)
  assert.equal(judge('event.speedKmh % 0 != 1', { speedKmh: 5 }), FAILS)
})

test('the event before is compared with', () => {
  const source = 'last.speedKmh - event.speedKmh > 30'
  assert.equal(judge(source, { speedKmh: 20 }, { speedKmh: 60 }), YES)
  assert.equal(judge(source, { speedKmh: 50 }, { speedKmh: 60 }), NO)
})

test('a place is near another', () => {
  const near = 'distanceM(event.lat, event.lon, -1.2921, 36.8219) < 500'
  assert.equal(judge(near, { lat: -1.2922, lon: 36.822 }), YES)
  assert.equal(judge(near, { lat: -1.4, lon: 36.822 }), NO)
})

test('what is wrong is said with its place', () => {
  for (const [source, at, message] of [
    ['event.speed > 5', 6, /event\.speed does not exist; there are speedKmh/],
    ['derived.rise > 5', 8, /derived\.rise does not exist; there are drop/],
    ['other.field == 1', 0, /no other; conditions look at event, derived, last/],
    ['event.speedKmh >', 16, /./],
    ['"text"', 0, /expected true or false, found a text/],
    ['event.zone > 5', 0, /compares two numbers or two texts/],
    ['event.doorOpen && event.zone', 18, /expected true or false, found a text/],
    ['event.speedKmh + 1 == null', 0, /can never be equal/],
    ['[1, 2].exists(x, x > 1)', 0, /texts have no exists/],
    ['event.zone.matches("(a+)+$")', 0, /texts have no matches/],
    ['sin(event.speedKmh) > 0', 0, /no function sin; there are has, size, abs/],
    ['min(event.speedKmh) > 0', 0, /min takes 2 numbers, found 1/],
    ['event.speedKmh in event.zone', 18, /takes a list/],
    [`true ${'|| true '.repeat(MAX_CONDITION_LENGTH)}`, 0, /2000 characters/],
    [`${'!'.repeat(MAX_CONDITION_DEPTH * 20)}true`, 0, /./],
    [`${'('.repeat(600)}true${')'.repeat(600)}`, 0, /./],
  ] as const) {
    const compiled = compileCondition(source, new FieldTable(vocabulary))
    assert.equal(compiled.ok, false, source.slice(0, 60))
    assert.match(compiled.error.message, message)
    if (at > 0) assert.equal(compiled.error.start, at, source)
  }
})

test('a hostile condition is refused at once', () => {
  const table = new FieldTable(vocabulary)
  const hostile = [
    `${'('.repeat(MAX_CONDITION_LENGTH / 2)}${')'.repeat(MAX_CONDITION_LENGTH / 2)}`,
    '-'.repeat(MAX_CONDITION_LENGTH),
    `event.zone == "${'\\\\'.repeat(900)}`,
    'event.constructor.prototype == null',
    'event.__proto__ == null',
  ]
  for (const source of hostile) compileCondition(source, table)
  const startedMs = process.hrtime.bigint()
  for (const source of hostile) assert.equal(compileCondition(source, table).ok, false)
  const elapsedMs = Number(process.hrtime.bigint() - startedMs) / 1e6
  assert.ok(elapsedMs / hostile.length < 5, `${elapsedMs} ms`)
})

test('a score is a number, and none where it fails', () => {
  for (const [source, expected] of [
    ['event.speedKmh', 7.5],
    ['floor(event.speedKmh)', 7],
    ['3', 3],
    ['event.speedKmh / 0.0', Number.NaN],
  ] as const) {
    const table = new FieldTable(vocabulary)
    const compiled = compileScore(source, table)
    assert.ok(compiled.ok)
    table.read({ event: { speedKmh: 7.5 }, derived: {} })
    assert.equal(compiled.value.value(), expected, source)
  }
})

test('parts are traced with their values', () => {
  const table = new FieldTable(vocabulary)
  const compiled = compileCondition('event.speedKmh > 5 && event.doorOpen', table)
  assert.ok(compiled.ok)
  table.read({ event: { ...EMPTY, speedKmh: 6 }, derived: {} })
  const { value, parts } = compiled.value.trace()
  assert.equal(value, null)
  assert.deepEqual(
    parts.map((part) => [part.text, part.value]),
    [
      ['event.speedKmh > 5', true],
      ['event.doorOpen', null],
    ],
  )
})

/** Expressions of doubles, texts and flags, as CEL itself reads them too. */
const { flag } = fc.letrec<{ number: string; text: string; flag: string }>((tie) => ({
  number: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom('event.a', 'event.b', '1.0', '2.5', '-3.0'),
    fc
      .tuple(tie('number'), fc.constantFrom('+', '-', '*'), tie('number'))
      .map((parts) => `(${parts.join(' ')})`),
  ),
  text: fc.constantFrom('event.s', '"x"', '"y"'),
  flag: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom('event.f', 'true', 'false', 'event.a == null', 'event.s != null'),
    fc
      .tuple(tie('number'), fc.constantFrom('<', '<=', '>', '>='), tie('number'))
      .map((parts) => `(${parts.join(' ')})`),
    fc
      .tuple(fc.constantFrom('event.a', 'event.b'), fc.constantFrom('==', '!='), tie('number'))
      .map((parts) => `(${parts.join(' ')})`),
    fc
      .tuple(tie('text'), fc.constantFrom('==', '!='), tie('text'))
      .map((parts) => `(${parts.join(' ')})`),
    fc
      .tuple(tie('flag'), fc.constantFrom('&&', '||'), tie('flag'))
      .map((parts) => `(${parts.join(' ')})`),
    tie('flag').map((inner) => `!${inner}`),
    fc.tuple(tie('flag'), tie('flag'), tie('flag')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
  ),
}))

const orNull = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null })

test('a condition says what CEL says, and fails where CEL does', () => {
  const cel = new Environment().registerVariable('event', 'map')
  const fields = { a: 'number', b: 'number', s: 'text', f: 'flag' } as const
  const events = fc.record({
    a: orNull(fc.constantFrom(-3, 0, 1, 2.5)),
    b: orNull(fc.constantFrom(1, 2.5, 7)),
    s: orNull(fc.constantFrom('x', 'y')),
    f: orNull(fc.boolean()),
  })
  fc.assert(
    fc.property(flag, events, (source, event) => {
      const table = new FieldTable({ event: fields })
      const compiled = compileCondition(source, table)
      // Only what is too deep or too long is refused.
      if (!compiled.ok) return
      table.read({ event, derived: {} })
      let expected: Verdict = FAILS
      try {
        const said: unknown = cel.evaluate(source, { event })
        if (typeof said === 'boolean') expected = said ? YES : NO
      } catch {
        expected = FAILS
      }
      assert.equal(compiled.value.test(), expected)
    }),
    { numRuns: 3_000 },
  )
})
