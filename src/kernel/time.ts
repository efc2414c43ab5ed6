// Instants and spans as plain numbers of milliseconds; names carry the unit. No clock here.

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type EpochMs = number
/** A span in milliseconds. */
export type DurationMs = number

export const SECOND_MS = 1_000
export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000

/** Largest instant accepted from outside: the end of the year 9999. */
const LAST_MS = Date.UTC(10_000, 0, 1) - 1
const ISO_WITH_OFFSET =
  /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(?:Z|[+-]\d{2}:?\d{2})$/

/**
 * Reads an instant from the wire: ISO 8601 with an offset, or epoch milliseconds.
 * Returns undefined for anything else, impossible dates such as 30 February included.
 */
export function parseInstant(value: unknown): EpochMs | undefined {
  if (typeof value === 'number') {
    return Number.isFinite(value) && value >= 0 && value <= LAST_MS ? Math.trunc(value) : undefined
  }
  if (typeof value !== 'string' || value.length > 40) return undefined
  return usualInstant(value) ?? anyInstant(value)
}

function anyInstant(value: string): EpochMs | undefined {
  const parts = ISO_WITH_OFFSET.exec(value)
  if (parts === null) return undefined
  const day = Number(parts[3])
  if (day > 28 && day > daysInMonth(Number(parts[1]), Number(parts[2]))) return undefined
  const ms = Date.parse(value)
  return ms >= 0 && ms <= LAST_MS ? ms : undefined
}

const USUAL_LENGTH = '2026-01-31T08:30:00.000Z'.length
const ZERO = 48

/** `2026-01-31T08:30:00.000Z` or without the fraction, as nearly all are; undefined where it is no such. */
function usualInstant(text: string): EpochMs | undefined {
  const { length } = text
  if (length !== USUAL_LENGTH && length !== USUAL_LENGTH - 4) return undefined
  const marks =
    text[4] === '-' && text[7] === '-' && text[10] === 'T' && text[13] === ':' && text[16] === ':'
  if (!marks || text[length - 1] !== 'Z') return undefined
  const year = 100 * twoDigits(text, 0) + twoDigits(text, 2)
  const month = twoDigits(text, 5)
  const day = twoDigits(text, 8)
  const hour = twoDigits(text, 11)
  const minute = twoDigits(text, 14)
  const second = twoDigits(text, 17)
  let ms = 0
  if (length === USUAL_LENGTH) {
    if (text[19] !== '.') return undefined
    ms = 10 * twoDigits(text, 20) + digit(text, 22)
  }
  // NaN, from what is no digit, fails every comparison.
  const possible =
    year >= 1970 && month >= 1 && month <= 12 && day >= 1 && hour < 24 && minute < 60 && second < 60
  if (!possible || !(day <= 28 || day <= daysInMonth(year, month)) || !(ms >= 0)) return undefined
  const time = ((hour * 60 + minute) * 60 + second) * SECOND_MS + ms
  return daysSince1970(year, month, day) * DAY_MS + time
}

function twoDigits(text: string, at: number): number {
  return 10 * digit(text, at) + digit(text, at + 1)
}

/** NaN where it is none. */
function digit(text: string, at: number): number {
  const value = text.charCodeAt(at) - ZERO
  return value >= 0 && value <= 9 ? value : Number.NaN
}

/** Of the Gregorian calendar, for years from 1970 on. Source: Howard Hinnant, days_from_civil. */
function daysSince1970(year: number, month: number, day: number): number {
  const shifted = month > 2 ? year : year - 1
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const

function daysInMonth(year: number, month: number): number {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return month === 2 && leap ? 29 : (DAYS[month - 1] ?? 0)
}

/** An instant as ISO 8601 in UTC with milliseconds. */
export function toIso(atMs: EpochMs): string {
  return new Date(atMs).toISOString()
}

const SPAN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/
const SPAN_UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: SECOND_MS,
  m: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
}

/** Reads a span such as `90s`, `15m` or `1.5h`; undefined where it is not one. */
export function parseDuration(text: string): DurationMs | undefined {
  const parts = SPAN.exec(text)
  const unitMs = parts?.[2] === undefined ? undefined : SPAN_UNIT_MS[parts[2]]
  return parts === null || unitMs === undefined ? undefined : Number(parts[1]) * unitMs
}

const WHOLE_UNITS = [
  ['d', DAY_MS],
  ['h', HOUR_MS],
  ['m', MINUTE_MS],
  ['s', SECOND_MS],
  ['ms', 1],
] as const

/** A whole span in its largest unit, as `parseDuration` reads it: 90 s as `90s`, 60 s as `1m`. */
export function durationText(spanMs: DurationMs): string {
  const [unit, unitMs] = WHOLE_UNITS.find(([, each]) => spanMs % each === 0) ?? ['ms', 1]
  return `${spanMs / unitMs}${unit}`
}
