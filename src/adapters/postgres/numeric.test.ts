import { equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { testPostgres } from '../../../test/postgres-server.ts'
import { parseNumeric, readNumeric, writeNumeric } from './numeric.ts'

/** Text through the binary form and back. */
function through(text: string): string {
  const parts = parseNumeric(text)
  const buffer = Buffer.alloc(8 + parts.digits.length * 2)
  equal(writeNumeric(buffer, 0, parts), buffer.length)
  return readNumeric(buffer, 0)
}

function check(text: string, expected: string): void {
  equal(through(text), expected, text)
}

test('decimals keep every digit of their scale', () => {
  check('0', '0')
  check('-0', '0')
  check('0.00', '0.00')
  check('-0.000', '0.000')
  check('12.50', '12.50')
  check('-12.50', '-12.50')
  check('0.0001', '0.0001')
  check('0.00001', '0.00001')
  check('10000', '10000')
  check('100000000', '100000000')
  check('99999999.9999', '99999999.9999')
  check('1000000000000.000000000001', '1000000000000.000000000001')
})

test('leading zeros, a sign and a bare point are understood', () => {
  check('007.10', '7.10')
  check('+5', '5')
  check('.5', '0.5')
  check('5.', '5')
  check('-.25', '-0.25')
})

test('what is no decimal, or longer than PostgreSQL holds, is refused', () => {
  const wrong = ['', '.', '-', '1e3', 'NaN', 'Infinity', '1,5', ' 1', '1 ', '0x10', '--1']
  const long = ['1'.repeat(131_073), `0.${'1'.repeat(16_384)}`]
  for (const text of [...wrong, ...long]) {
    throws(() => parseNumeric(text), { code: 'invariant-broken' }, text.slice(0, 20))
  }
})

/** Decimals with zeros wherever they may matter; with what they mean in plain form. */
const decimals = fc
  .record({
    negative: fc.boolean(),
    padding: fc.nat(6),
    whole: fc.array(fc.constantFrom('0', '0', '0', '1', '5', '9'), { maxLength: 40 }),
    fraction: fc.array(fc.constantFrom('0', '0', '0', '1', '5', '9'), { maxLength: 40 }),
  })
  .map(({ negative, padding, whole, fraction }) => {
    const digits = `${'0'.repeat(padding)}${whole.join('')}`
    const plain = digits.replace(/^0+/, '') || '0'
    const tail = fraction.length > 0 ? `.${fraction.join('')}` : ''
    const zero = /^[0.]*$/.test(plain + tail)
    return {
      text: `${negative ? '-' : ''}${digits || '0'}${tail}`,
      plain: `${negative && !zero ? '-' : ''}${plain}${tail}`,
    }
  })

test('any decimal comes back as the same decimal in plain form', () => {
  fc.assert(
    fc.property(decimals, ({ text, plain }) => check(text, plain)),
    { numRuns: 2_000 },
  )
})

test('PostgreSQL reads what we write and we read what it writes', async (t) => {
  const { database } = await testPostgres(t)
  await fc.assert(
    fc.asyncProperty(fc.array(decimals, { minLength: 1, maxLength: 40 }), async (cases) => {
      const ours = cases.map(({ text }) => binary(text).toString('hex'))
      const rows = await database.query(
        `SELECT encode(numeric_send(theirs::numeric), 'hex') AS theirs
         FROM unnest($1::text[]) WITH ORDINALITY AS each (theirs, number) ORDER BY number`,
        [cases.map(({ text }) => text)],
      )
      for (const [index, row] of rows.entries()) {
        equal(ours[index], row.theirs, cases[index]?.text)
        equal(readNumeric(Buffer.from(String(row.theirs), 'hex'), 0), cases[index]?.plain)
      }
    }),
    { numRuns: 30 },
  )
})

function binary(text: string): Buffer {
  const parts = parseNumeric(text)
  const buffer = Buffer.alloc(8 + parts.digits.length * 2)
  writeNumeric(buffer, 0, parts)
  return buffer
}
