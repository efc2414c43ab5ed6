import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_ROUTING, defaultRoutes } from './default-routes.ts'
import { compileMatcher, MAX_VALUE_LENGTH, parseMatcher } from './matcher.ts'
import { parseRouting, problemText } from './route-file.ts'
import { routesFor } from './route-table.ts'

const GOOD = `receivers:
  - name: ops
    channels: [inbox]
route:
  receiver: ops
`

function problems(text: string): readonly string[] {
  const parsed = parseRouting(text)
  return parsed.ok ? [] : parsed.error.map(problemText)
}

function refuses(title: string, text: string, ...expected: readonly string[]): void {
  test(`refused with its place: ${title}`, () => assert.deepEqual(problems(text), expected))
}

test('the routing that comes with the program is whole', () => {
  assert.deepEqual(problems(DEFAULT_ROUTING), [])
  const critical = routesFor(defaultRoutes().root, { rule: 'x', severity: 'critical' })
  assert.deepEqual(
    critical.map(({ path }) => path),
    ['//severity="critical"'],
  )
})

refuses(
  'an unknown field',
  `${GOOD}  groupwait: 3s\n`,
  'line 6, column 14: route.groupwait is not known here',
)
refuses(
  'a span that is none',
  `${GOOD}  groupWait: soon\n`,
  'line 6, column 14: route.groupWait must be a span such as 30s, 5m or 4h',
)
refuses(
  'a receiver that is not there',
  `${GOOD}  routes:\n    - receiver: nobody\n`,
  'line 7, column 17: route.routes.0.receiver names a receiver "nobody" that is not there',
)
refuses(
  'a matcher that is none',
  `${GOOD}  routes:\n    - matchers: ["severity", 'rule=~"("']\n`,
  'line 7, column 18: route.routes.0.matchers.0 must be a matcher such as severity="critical" or rule=~"reefer-.+"',
  'line 7, column 30: route.routes.0.matchers.1 has a pattern that is none: error parsing regexp: missing closing ): `(`',
)
refuses(
  'a step before the one before it',
  `${GOOD}  escalate:\n    - {after: 5m, receiver: ops}\n    - {after: 5m, receiver: ops}\n`,
  'line 8, column 15: route.escalate.1.after must be later than the step before',
)
refuses(
  'a zone that is none',
  `${GOOD}schedules:\n  - {name: n, zone: Mars/Olympus, times: [{from: '25:00', to: '06:00'}]}\n`,
  'line 7, column 21: schedules.0.zone "Mars/Olympus" is no zone such as Africa/Nairobi',
  `line 7, column 50: schedules.0.times.0.from "25:00" is no time of day`,
)
test('what is not YAML, and what is nothing, is refused', () => {
  assert.match(problems('receivers: [')[0] ?? '', /^line 1, column \d+: is not YAML/)
  assert.match(problems('')[0] ?? '', /^line 1, column 1: /)
  assert.match(problems('[]')[0] ?? '', /^line 1, column 1: /)
})

test('hostile documents and patterns are refused or judged cheaply', () => {
  const bomb = `${'a: &a [x, x, x, x, x, x, x, x, x]\n'}${Array.from(
    { length: 9 },
    (_, n) =>
      `b${n}: &b${n} [${Array(9)
        .fill(n === 0 ? '*a' : `*b${n - 1}`)
        .join(',')}]\n`,
  ).join('')}`
  const cases: readonly (() => void)[] = [
    () => parseRouting(bomb),
    () => parseRouting('x'.repeat(300_000)),
    () => parseRouting(`__proto__: {receivers: []}\n${GOOD}`),
    () => parseMatcher(`a=~"${'('.repeat(190)}"`),
    () => parseMatcher('a=~"((x{1000}){1000}){1000}"'),
    () => compileMatcher({ name: 'a', operator: '=~', value: 'x'.repeat(MAX_VALUE_LENGTH + 1) }),
    () => {
      const evil = compileMatcher({ name: 'a', operator: '=~', value: '(a+)+$' })
      assert.ok(evil.ok)
      assert.equal(evil.value.matches({ a: `${'a'.repeat(5_000)}!` }), false)
    },
  ]
  for (const [index, run] of cases.entries()) {
    // The first runs are those of code that is being compiled, beside tests of other files.
    const times = Array.from({ length: 40 }, () => {
      const start = performance.now()
      run()
      return performance.now() - start
    })
    assert.ok(Math.min(...times) <= 5, `case ${index} took ${Math.min(...times).toFixed(1)} ms`)
  }
})

test('matchers are read with and without quotes, and a label that is missing is empty', () => {
  const holds = (text: string, labels: Record<string, string>): boolean => {
    const parsed = parseMatcher(text)
    assert.ok(parsed.ok, text)
    return parsed.value.matches(labels)
  }
  assert.ok(holds('a=b', { a: 'b' }))
  assert.ok(holds(' a = "b c" ', { a: 'b c' }))
  assert.ok(holds('a="q\\"q"', { a: 'q"q' }))
  assert.ok(holds('a=""', {}))
  assert.ok(holds('a!="b"', {}))
  assert.ok(holds('a=~"b.*"', { a: 'bcd' }))
  assert.ok(!holds('a=~"b"', { a: 'abc' }), 'patterns are anchored')
  assert.ok(holds('a!~"b"', { a: 'abc' }))
  assert.ok(!holds('toString=~".+"', {}))
})

test('a schedule follows the clock on the wall over both changes of daylight saving', () => {
  const parsed = parseRouting(`
receivers: [{name: dispatch, channels: [inbox]}]
schedules: [{name: night, zone: Europe/Berlin, times: [{days: [sat], from: '22:00', to: '06:00'}]}]
route: {receiver: dispatch, routes: [{matchers: [rule="warm"], receiver: dispatch, muteDuring: [night]}]}
`)
  assert.ok(parsed.ok)
  const night = parsed.value.root.routes[0]?.muteDuring[0]
  const at = (iso: string): boolean | undefined => night?.(Date.parse(iso))
  // Summer time began on Sunday, 29 March 2026: 02:00 became 03:00.
  assert.equal(at('2026-03-28T20:59:59Z'), false)
  assert.equal(at('2026-03-28T21:00:00Z'), true)
  assert.equal(at('2026-03-29T03:59:59Z'), true)
  assert.equal(at('2026-03-29T04:00:00Z'), false)
  // It ended on Sunday, 25 October 2026.
  assert.equal(at('2026-10-24T19:59:59Z'), false)
  assert.equal(at('2026-10-24T20:00:00Z'), true)
  assert.equal(at('2026-10-25T04:59:59Z'), true)
  assert.equal(at('2026-10-25T05:00:00Z'), false)
})
