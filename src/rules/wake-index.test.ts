import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compileCondition } from './condition.ts'
import { NO } from './condition-part.ts'
import { FieldTable } from './field-table.ts'
import { PlaceSet } from './place-set.ts'
import { WakeIndex } from './wake-index.ts'

const vocabulary = {
  event: { speedKmh: 'number', rpm: 'number', doorOpen: 'flag', zone: 'text' },
  last: { speedKmh: 'number' },
} as const

const number = fc.oneof(
  fc.constantFrom('event.speedKmh', 'event.rpm', 'last.speedKmh'),
  fc.constantFrom('event.speedKmh - last.speedKmh', 'abs(event.rpm)', 'event.rpm / event.speedKmh'),
)
const limit = fc.integer({ min: -3, max: 3 }).map(String)
const zone = fc.constantFrom('"a"', '"b"')
const order = fc.constantFrom('<', '<=', '>', '>=', '==', '!=')

const comparison = fc.oneof(
  fc.tuple(number, order, limit).map((parts) => parts.join(' ')),
  fc.tuple(limit, order, number).map((parts) => parts.join(' ')),
  fc.tuple(number, order, number).map(([a, op, b]) => `(${a}) ${op} (${b})`),
  fc.tuple(fc.constant('event.zone'), fc.constantFrom('==', '!='), zone).map((p) => p.join(' ')),
  fc.tuple(zone, fc.constantFrom('=='), fc.constant('event.zone')).map((parts) => parts.join(' ')),
  fc.constantFrom('event.doorOpen', '!event.doorOpen', 'event.doorOpen == true'),
  fc.constantFrom('event.rpm == null', 'has(event.zone)', 'event.zone in ["a"]', 'true', 'false'),
)

const { condition } = fc.letrec<{ condition: string }>((tie) => ({
  condition: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    comparison,
    fc.tuple(tie('condition'), tie('condition')).map(([a, b]) => `(${a}) && (${b})`),
    fc.tuple(tie('condition'), tie('condition')).map(([a, b]) => `(${a}) || (${b})`),
    tie('condition').map((inner) => `!(${inner})`),
  ),
}))

const some = fc.option(fc.integer({ min: -3, max: 3 }))
const events = fc.record({
  event: fc.record({
    speedKmh: some,
    rpm: some,
    doorOpen: fc.option(fc.boolean()),
    zone: fc.option(fc.constantFrom('a', 'b', 'c')),
  }),
  last: fc.option(fc.record({ speedKmh: some })),
})

test('a rule that is left asleep neither holds nor fails, whatever its condition and the event', () => {
  const rules = fc.array(condition, { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(rules, fc.array(events, { minLength: 1, maxLength: 5 }), (sources, seen) => {
      const { table, conditions, index } = indexOf(sources)
      const woken = new PlaceSet(conditions.length)
      for (const { event, last } of seen) {
        table.read({ event, derived: {}, last })
        woken.clear()
        index.wake(woken)
        for (const [place, { source, test: judge }] of conditions.entries()) {
          if (!woken.has(place)) assert.equal(judge(), NO, source)
        }
      }
    }),
    { numRuns: 500 },
  )
})

test('of a hundred limits on one field only those that are reached wake', () => {
  const sources = Array.from({ length: 100 }, (_, at) => `event.speedKmh > ${at} && event.rpm > 0`)
  assert.deepEqual(wokenBy(sources, { speedKmh: 2.5, rpm: 1 }), [0, 1, 2])
  assert.deepEqual(wokenBy(sources, { speedKmh: -1, rpm: 1 }), [])
  assert.equal(wokenBy(sources, { speedKmh: null, rpm: 1 }).length, 100)
})

test('of two comparisons that must both hold the exact one is watched', () => {
  const sources = [
    'event.speedKmh > 0 && event.zone == "a"',
    'event.speedKmh > 0 && event.doorOpen',
  ]
  assert.deepEqual(wokenBy(sources, { speedKmh: 9, zone: 'b', doorOpen: false }), [])
  assert.deepEqual(wokenBy(sources, { speedKmh: 9, zone: 'a', doorOpen: true }), [0, 1])
})

test('a set of places gives them in their order', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat({ max: 199 })), (places) => {
      const set = new PlaceSet(200)
      for (const place of places) set.add(place)
      const found: number[] = []
      for (let at = set.next(0); at !== -1; at = set.next(at + 1)) found.push(at)
      assert.deepEqual(
        found,
        places.toSorted((a, b) => a - b),
      )
    }),
  )
})

function indexOf(sources: readonly string[]) {
  const table = new FieldTable(vocabulary)
  const conditions = sources.map((source) => {
    const compiled = compileCondition(source, table)
    assert.ok(compiled.ok, compiled.ok ? '' : `${source}: ${compiled.error.message}`)
    return compiled.value
  })
  return { table, conditions, index: new WakeIndex(conditions.map(({ guards }) => guards)) }
}

function wokenBy(sources: readonly string[], event: object): readonly number[] {
  const { table, conditions, index } = indexOf(sources)
  table.read({ event, derived: {} })
  const woken = new PlaceSet(conditions.length)
  index.wake(woken)
  return conditions.flatMap((_, place) => (woken.has(place) ? [place] : []))
}
