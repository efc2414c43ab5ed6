import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MAX_RECORD_BYTES, RecordSplitter } from './record-splitter.ts'

const COMMA = 0x2c

/** The records of a text that comes in pieces of the given size; a problem is marked with `!`. */
function split(text: string, pieceBytes: number, delimiter: number | null = COMMA): string[] {
  const splitter = new RecordSplitter({ delimiter })
  const bytes = Buffer.from(text)
  const records = []
  for (let from = 0; from < bytes.length; from += pieceBytes) {
    records.push(...splitter.push(bytes.subarray(from, from + pieceBytes)))
  }
  records.push(...splitter.end())
  return records.map((record) => (record.problem === null ? '' : '!') + record.bytes.toString())
}

function check(text: string, expected: readonly string[], delimiter: number | null = COMMA): void {
  for (const pieceBytes of [1, 2, 3, 7, 1_000]) {
    deepEqual(split(text, pieceBytes, delimiter), expected, `in pieces of ${pieceBytes}`)
  }
}

test('rows end at line ends outside quotes, however the bytes arrive', () => {
  check('', [])
  check('a,b\nc,d', ['a,b', 'c,d'])
  check('a,b\r\n\r\n \nc,d\r\n', ['a,b', 'c,d'])
  check('a,"x\ny"\nc,d\n', ['a,"x\ny"', 'c,d'])
  check('a,"say ""hi""\n"\n"b"\n', ['a,"say ""hi""\n"', '"b"'])
  check('"a"', ['"a"'])
  check('5" pipe,1\n6" pipe,2\n', ['5" pipe,1', '6" pipe,2'])
})

test('a quote that is never closed costs its own line, and no other', () => {
  check('a,b\n"c,d\ne,f\ng,h', ['a,b', '!"c,d', 'e,f', 'g,h'])
  check('"', ['!"'])
  const filler = 'x,y\n'.repeat(MAX_RECORD_BYTES / 2)
  const records = split(`"open,1\n${filler}last,1`, 64 * 1024)
  equal(records[0], '!"open,1')
  equal(records.length, 2 + MAX_RECORD_BYTES / 2)
  equal(records.at(-1), 'last,1')
})

test('a row beyond the limit is refused with its beginning, and the next one is read', () => {
  const large = 'x'.repeat(3 * MAX_RECORD_BYTES)
  for (const delimiter of [COMMA, null]) {
    const records = split(`a\n${large}\nb\n${large}`, 10_000, delimiter)
    deepEqual(
      records.map((record) => record.slice(0, 2)),
      ['a', '!x', 'b', '!x'],
    )
    ok(records.every((record) => record.length <= MAX_RECORD_BYTES + 10_000 + 1))
  }
})

test('lines of NDJSON know no quotes', () => {
  check('{"a":"\n"b"}\n', ['{"a":"', '"b"}'], null)
})

test('what was cut off is forgotten', () => {
  const splitter = new RecordSplitter({ delimiter: COMMA })
  deepEqual(splitter.push(Buffer.from('a\nb')).length, 1)
  equal(splitter.drop(), 1)
  deepEqual(splitter.end(), [])
})

test('any rows, quoted where they need it, come back as they were', () => {
  const cell = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r', ' ', 'é') })
  const row = fc.array(cell, { minLength: 1, maxLength: 4 }).map((cells) => {
    return cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(',')
  })
  fc.assert(
    fc.property(
      fc.array(row),
      fc.constantFrom('\n', '\r\n'),
      fc.integer({ min: 1, max: 20 }),
      (rows, ending, size) => {
        deepEqual(split(rows.join(ending), size), rows)
      },
    ),
    { numRuns: 1_000 },
  )
})

test('arbitrary bytes never throw, and no byte of a row is lost but line ends and blanks', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', ' ') }),
      fc.integer({ min: 1, max: 9 }),
      (text, size) => {
        const bare = (value: string): string => value.replaceAll(/[\n !]/g, '')
        equal(bare(split(text, size).join('')), bare(text))
      },
    ),
    { numRuns: 2_000 },
  )
})
