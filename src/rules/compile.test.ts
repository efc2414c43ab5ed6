import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileRule, MAX_CONDITION_LENGTH } from './compile.ts'
import type { RuleDefinition } from './definition.ts'

const vocabulary = { event: ['speedKmh', 'doorOpen', 'zone'], derived: ['drop'] }

function compile(parts: Pick<Partial<RuleDefinition>, 'when' | 'resolveWhen' | 'peak'>) {
  return compileRule(
    {
      name: 'rule',
      version: 1,
      topic: 'things',
      entityType: 'thing',
      severity: 'info',
      fields: [],
      labels: {},
      summary: '',
      description: '',
      ...parts,
    },
    vocabulary,
  )
}

function evaluate(when: string, event: object): boolean | undefined {
  const compiled = compile({ when })
  assert.ok(compiled.ok, compiled.ok ? '' : compiled.error.message)
  return compiled.value.when?.({ event, derived: { drop: 2 } })
}

test('numbers compare with whole numbers and with fractions', () => {
  for (const [when, speedKmh, expected] of [
    ['event.speedKmh > 5', 5.5, true],
    ['event.speedKmh > 5.0', 6, true],
    ['event.speedKmh >= 5', 5, true],
    ['event.speedKmh == 5', 5, true],
    ['event.speedKmh < 5', 5, false],
    ['event.speedKmh - derived.drop > 2.5', 5, true],
  ] as const) {
    assert.equal(evaluate(when, { speedKmh }), expected, when)
  }
})

test('absent fields are null, and a comparison with null does not hold', () => {
  assert.equal(evaluate('event.speedKmh > 5', { speedKmh: null }), false)
  assert.equal(evaluate('event.speedKmh == null', { speedKmh: null }), true)
  assert.equal(evaluate('event.speedKmh != null && event.speedKmh > 5', { speedKmh: null }), false)
})

test('a peak may be a fraction or a whole number', () => {
  for (const [peak, expected] of [
    ['event.speedKmh', 7.5],
    ['int(event.speedKmh)', 7],
    ['3', 3],
    ['event.speedKmh / 0.0', 0],
    ['event.missing_ == 1 ? 1 : 2', undefined],
  ] as const) {
    const compiled = compile({ peak })
    const found = compiled.ok
      ? compiled.value.peak?.({ event: { speedKmh: 7.5 }, derived: {} })
      : undefined
    assert.equal(found, expected, peak)
  }
})

test('what is wrong with a rule is said before it runs', () => {
  for (const [parts, field, message] of [
    [{ when: 'event.speed > 5' }, 'when', /event\.speed does not exist; there are speedKmh/],
    [{ when: 'derived.rise > 5' }, 'when', /derived\.rise does not exist/],
    [{ when: 'event.speedKmh >' }, 'when', /./],
    [{ when: '"text"' }, 'when', /Expected a bool/],
    [{ when: 'true', resolveWhen: '1 + 1' }, 'resolveWhen', /Expected a bool/],
    [{ when: 'true', peak: '"text"' }, 'peak', /Expected a number/],
    [{ when: 'other.field == 1' }, 'when', /./],
    [{ when: `true ${'|| true '.repeat(MAX_CONDITION_LENGTH)}` }, 'when', /characters/],
  ] as const) {
    const compiled = compile(parts)
    assert.equal(compiled.ok, false, JSON.stringify(parts).slice(0, 80))
    assert.equal(compiled.error.field, field)
    assert.match(compiled.error.message, message)
  }
})
