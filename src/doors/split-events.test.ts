import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { splitJson, splitLines } from './split-events.ts'

function check(
  split: (body: Buffer, maxEvents: number) => Buffer[],
  body: string,
  expected: readonly string[],
): void {
  deepEqual(
    split(Buffer.from(body), 1_000).map((event) => event.toString()),
    expected,
  )
}

test('lines end with LF or CR LF, the last with or without, and blank ones are no events', () => {
  check(splitLines, '', [])
  check(splitLines, '\n \r\n\t\n', [])
  check(splitLines, 'a\nb\r\n\n  \nc', ['a', 'b', 'c'])
  check(splitLines, 'a\n', ['a'])
})

test('a JSON body is one event, or as many as its array has', () => {
  check(splitJson, '  \n', [])
  check(splitJson, ' {"a":1} ', ['{"a":1}'])
  check(splitJson, '[]', [])
  check(splitJson, ' [ ] ', [])
  check(splitJson, '[1, {"a":[2,3]} ,"x,]\\"[" ]\n', ['1', '{"a":[2,3]}', '"x,]\\"["'])
})

test('what is broken in an array stays by itself', () => {
  check(splitJson, '[{"a":1},{b},{"c":2}]', ['{"a":1}', '{b}', '{"c":2}'])
  check(splitJson, '[1,,2]', ['1', '', '2'])
  check(splitJson, '[1,]', ['1', ''])
  check(splitJson, '[1] 2', ['1', '2'])
  check(splitJson, '[1,{"a":', ['1', '{"a":'])
  check(splitJson, '[1,"x', ['1', '"x'])
  check(splitJson, '[', ['['])
  check(splitJson, '[[[[', ['[[['])
})

test('any array gives back the bytes of its elements', () => {
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue(), { minLength: 1 }),
      fc.constantFrom(undefined, 1, '\t'),
      (values, indent) => {
        const body = Buffer.from(JSON.stringify(values, null, indent))
        deepEqual(
          splitJson(body, 1_000).map((event) => JSON.parse(event.toString())),
          JSON.parse(JSON.stringify(values)),
        )
      },
    ),
    { numRuns: 1_000 },
  )
})

test('any lines come back as they were', () => {
  const line = fc.string({ minLength: 1 }).map((text) => JSON.stringify(text))
  fc.assert(
    fc.property(fc.array(line), fc.constantFrom('\n', '\r\n', '\n\n'), (lines, ending) => {
      check(splitLines, lines.join(ending), lines)
    }),
  )
})

test('no more events are cut off than show that there are too many', () => {
  equal(splitLines(Buffer.from('a\n'.repeat(100)), 7).length, 8)
  equal(splitJson(Buffer.from(`[1${',1'.repeat(100)}]`), 7).length, 8)
})
