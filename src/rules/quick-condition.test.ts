import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Environment } from '@marcbachmann/cel-js'
import fc from 'fast-check'
import { quickCondition } from './quick-condition.ts'

const environment = new Environment({ unlistedVariablesAreDyn: false })
  .registerVariable('event', 'map')
  .registerVariable('derived', 'map')

type Outcome = { readonly value: unknown } | 'fails'

function byCel(source: string, input: { event: object; derived: object }): Outcome {
  try {
    const value: unknown = environment.parse(source)(input)
    return { value: typeof value === 'bigint' ? Number(value) : value }
  } catch {
    return 'fails'
  }
}

const literal = fc.constantFrom('true', 'false', 'null', '0', '5', '5.0', '-1.5', '"a"', '"b"')
const field = fc.constantFrom('event.a', 'event.b', 'event.missing', 'derived.a', 'derived.c')
const { condition } = fc.letrec<{ condition: string; operand: string }>((tie) => ({
  operand: fc.oneof(literal, field),
  condition: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    field,
    fc
      .tuple(tie('operand'), fc.constantFrom('==', '!=', '<', '<=', '>', '>='), tie('operand'))
      .map((parts) => `(${parts.join(' ')})`),
    tie('condition').map((inner) => `!(${inner})`),
    fc
      .tuple(tie('condition'), fc.constantFrom('&&', '||'), tie('condition'))
      .map((parts) => `(${parts.join(' ')})`),
  ),
}))

const value = fc.constantFrom(0, 5, -1.5, Number.NaN, true, false, null, 'a', 'b', 7n, [1])
const object = (names: readonly string[]) =>
  fc.record(Object.fromEntries(names.map((name) => [name, value])))

test('where a quick condition knows the answer, it is the answer of CEL', () => {
  let known = 0
  fc.assert(
    fc.property(condition, object(['a', 'b']), object(['a', 'c']), (source, event, derived) => {
      const parsed = environment.parse(source)
      // What does not pass the check never becomes a rule.
      if (!parsed.check().valid) return
      const quick = quickCondition(parsed.ast)
      const answer = quick?.({ event, derived })
      if (answer === undefined) return
      known++
      assert.deepEqual({ value: answer }, byCel(source, { event, derived }), source)
    }),
    { numRuns: 5_000 },
  )
  assert.ok(known > 500, `${known} of 5,000 were answered`)
})

test('a condition with anything but fields, literals, comparisons and logic is left to CEL', () => {
  for (const source of [
    'event.a + 1.0 > 2.0',
    'event.a.b == 1.0',
    'size(event.a) > 1',
    'event.a in ["a"]',
    'event.a == 9223372036854775807',
    'has(event.a)',
  ]) {
    assert.equal(quickCondition(environment.parse(source).ast), undefined, source)
  }
})
