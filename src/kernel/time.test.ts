import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseDuration, parseInstant } from './time.ts'

const check = (value: unknown, expected: number | undefined): void =>
  assert.equal(parseInstant(value), expected, String(value))

test('an instant is ISO 8601 with an offset, or epoch milliseconds', () => {
  check('1970-01-01T00:00:00Z', 0)
  check('2024-02-29T23:59:59.999Z', Date.UTC(2024, 1, 29, 23, 59, 59, 999))
  check('2026-01-31T08:30:00+03:00', Date.UTC(2026, 0, 31, 5, 30))
  check('2026-01-31T08:30Z', Date.UTC(2026, 0, 31, 8, 30))
  check('2026-01-31T08:30:00.5Z', Date.UTC(2026, 0, 31, 8, 30, 0, 500))
  check(1_769_848_200_000, 1_769_848_200_000)
  check(1.9, 1)
})

test('what is no instant, or no possible one, is refused', () => {
  for (const text of [
    '2026-02-30T08:30:00Z',
    '2025-02-29T08:30:00.000Z',
    '2026-13-01T08:30:00Z',
    '2026-00-01T08:30:00Z',
    '2026-01-00T08:30:00Z',
    '2026-01-31T24:30:00Z',
    '2026-01-31T08:60:00Z',
    '2026-01-31T08:30:61Z',
    '2026-01-31T08:30:00',
    '2026-01-31 08:30:00.000Z',
    '2026-01-31T08:30:00,000Z',
    '2026-01-3xT08:30:00.000Z',
    '1969-12-31T23:59:59.999Z',
    '',
    'soon',
  ]) {
    check(text, undefined)
  }
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -1, 1e20, null, {}, true]) {
    check(value, undefined)
  }
})

test('every instant is read back from the way it is usually written, to the millisecond', () => {
  const instants = fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) })
  fc.assert(
    fc.property(instants, (ms) => {
      const text = new Date(ms).toISOString()
      assert.equal(parseInstant(text), ms)
      assert.equal(parseInstant(text.replace(/\.\d+Z/, 'Z')), ms - (ms % 1_000))
      assert.equal(parseInstant(text.replace('Z', '+00:00')), ms)
    }),
  )
})

test('a date of any calendar month is refused from the day on that the month does not have', () => {
  for (let year = 1999; year <= 2101; year++) {
    for (let month = 1; month <= 12; month++) {
      const last = new Date(Date.UTC(year, month, 0)).getUTCDate()
      const on = (day: number): string =>
        `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}T00:00:00Z`
      check(on(last), Date.UTC(year, month - 1, last))
      check(on(last + 1), undefined)
    }
  }
})

test('a span is a number with its unit', () => {
  assert.equal(parseDuration('90s'), 90_000)
  assert.equal(parseDuration('1.5h'), 5_400_000)
  assert.equal(parseDuration('90'), undefined)
  assert.equal(parseDuration('-5m'), undefined)
})
