import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matcherText, parseMatchers } from './matchers.ts'

test('matchers are read one a line, and written as they were read', () => {
  const parsed = parseMatchers('rule="door-open"\n\n entityId =~ "KDG .*" \nseverity!=minor\n')
  assert.deepEqual(parsed?.map(matcherText), [
    'rule="door-open"',
    'entityId=~"KDG .*"',
    'severity!="minor"',
  ])
})

test('a line that is no matcher, and no line at all, are refused', () => {
  assert.equal(parseMatchers('rule'), undefined)
  assert.equal(parseMatchers(' \n'), undefined)
})
