// Any string of the program as PostgreSQL can hold it: its text has no NUL and no half of a surrogate
// pair, and one such character in one event must never stop everybody's commit.

import { type EpochMs, toIso } from '../../kernel/time.ts'

const NUL = '\u0000'
const REPLACEMENT = '\ufffd'
/** Keys that begin with this are stored in their escaped form. */
const ESCAPED = '\u0001'
/** The years 1 to 9999: what ISO 8601 with four digits can say, and every tool can read. */
const FIRST_INSTANT_MS: EpochMs = -62_135_596_800_000
const LAST_INSTANT_MS: EpochMs = 253_402_300_799_999

/** The text with a replacement character for what cannot be stored. */
export function storable(text: string): string {
  const whole = text.toWellFormed()
  return whole.includes(NUL) ? whole.replaceAll(NUL, REPLACEMENT) : whole
}

/** A replacer for `JSON.stringify` with the same care for every string, keys included. */
export function storableStrings(_key: string, value: unknown): unknown {
  if (typeof value === 'string') return storable(value)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const keys = Object.keys(value)
  if (keys.every((key) => storable(key) === key)) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [storable(key), each]))
}

/** JSON that `jsonb` takes, whatever the strings in it. */
export function storableJson(value: unknown): string {
  return JSON.stringify(value, storableStrings)
}

/** Storable, and different for different keys: where two keys must never become one. */
export function storedKey(key: string): string {
  const plain = !key.startsWith(ESCAPED) && storable(key) === key
  // JSON escapes whatever is not storable, and leaves the rest readable.
  return plain ? key : ESCAPED + JSON.stringify(key)
}

/** The inverse of `storedKey`. */
export function keyOfStored(stored: string): string {
  return stored.startsWith(ESCAPED) ? (JSON.parse(stored.slice(1)) as string) : stored
}

/** Held within the years that a timestamp can be written for. */
export function storableMs(atMs: EpochMs): EpochMs {
  return Math.min(Math.max(Math.trunc(atMs), FIRST_INSTANT_MS), LAST_INSTANT_MS)
}

/** The same in ISO 8601. */
export function storableInstant(atMs: EpochMs): string {
  return toIso(storableMs(atMs))
}
