import { equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { keyOfStored, storable, storableInstant, storableJson, storedKey } from './stored-text.ts'

/** Strings of 16-bit units with all that hurts among them. */
const anyText = fc
  .array(
    fc.oneof(
      fc.constantFrom('\u0000', '\u0001', '\ud83d', '\ude9b', '\ufffd', '"', '\\', 'a', '東', '🚛'),
      fc.string({ unit: 'binary', maxLength: 3 }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''))

const canBeStored = (text: string): boolean => text.isWellFormed() && !text.includes('\u0000')

test('storable text stays as it is, and any other becomes storable at the same length', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const stored = storable(text)
      ok(canBeStored(stored))
      equal(stored.length, text.length)
      if (canBeStored(text)) equal(stored, text)
    }),
    { numRuns: 2_000 },
  )
})

test('every key has a stored form of its own, from which it comes back', () => {
  fc.assert(
    fc.property(anyText, anyText, (key, other) => {
      ok(canBeStored(storedKey(key)))
      equal(keyOfStored(storedKey(key)), key)
      equal(storedKey(key) === storedKey(other), key === other)
    }),
    { numRuns: 2_000 },
  )
  equal(storedKey('KBX-104'), 'KBX-104')
})

test('JSON for the database is JSON, with nothing in it that jsonb refuses', () => {
  fc.assert(
    fc.property(anyText, fc.jsonValue(), (text, value) => {
      const written = storableJson({ [text]: [text, { value }] })
      ok(canBeStored(JSON.stringify(JSON.parse(written)).replaceAll('\\\\', '')))
      ok(!/\\u0000|\\ud[89a-f]/i.test(written.replaceAll('\\\\', '')))
    }),
    { numRuns: 2_000 },
  )
})

test('instants are held within the years 1 to 9999', () => {
  equal(storableInstant(0), '1970-01-01T00:00:00.000Z')
  equal(storableInstant(8.64e15), '9999-12-31T23:59:59.999Z')
  equal(storableInstant(-8.64e15), '0001-01-01T00:00:00.000Z')
})
