// Times as other people write them: a format of tokens, a zone, and a choice where the clock was put back.

import { Temporal } from 'temporal-polyfill'
import { failed, ok, type Result } from '../kernel/result.ts'
import { type EpochMs, parseInstant } from '../kernel/time.ts'

/**
 * What a wall time means that happened twice, because clocks were put back: the first, the second, or a
 * refusal. A wall time that never was, because clocks were put forward, is read as if they had not been;
 * `refuse` refuses it too.
 */
export type Fold = 'earlier' | 'later' | 'refuse'

export const FOLDS: readonly string[] = ['earlier', 'later', 'refuse']

export interface TimeFormat {
  /** Tokens such as `M/D/YYYY HH:mm:ss`; or `iso`, `epoch-s`, `epoch-ms`. */
  readonly format: string
  /** IANA name, for texts without an offset. */
  readonly zone: string
  readonly fold: Fold
}

/** Undefined where the text does not fit or names a day or time that does not exist. */
export type TimeReader = (text: string) => EpochMs | undefined

/** Longest text that is looked at. */
const MAX_TIME_TEXT = 64

/** Fails with what is wrong in the format or the zone. */
export function compileTimeFormat(about: TimeFormat): Result<TimeReader, string> {
  const zone = compileZone(about.zone, about.fold)
  if (zone === undefined)
    return failed(`"${about.zone}" is not a time zone that this machine knows`)
  switch (about.format) {
    case 'iso':
      return ok(bounded((text) => readIso(text, zone)))
    case 'epoch-s':
      return ok(bounded((text) => readEpoch(text, 1_000)))
    case 'epoch-ms':
      return ok(bounded((text) => readEpoch(text, 1)))
    default: {
      const pattern = compilePattern(about.format)
      if (!pattern.ok) return pattern
      const read = pattern.value
      return ok(bounded((text) => toInstant(read(text), zone)))
    }
  }
}

function bounded(read: TimeReader): TimeReader {
  return (text) => (text.length > MAX_TIME_TEXT ? undefined : inRange(read(text.trim())))
}

function inRange(atMs: EpochMs | undefined): EpochMs | undefined {
  return atMs === undefined ? undefined : parseInstant(atMs)
}

const NUMBER = /^-?\d{1,16}(?:\.\d{1,9})?$/

function readEpoch(text: string, unitMs: number): EpochMs | undefined {
  return NUMBER.test(text) ? Math.round(Number(text) * unitMs) : undefined
}

const ISO_WALL = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?$/

/** With an offset it is an instant already; without one the zone says which. */
function readIso(text: string, zone: Zone): EpochMs | undefined {
  const instant = parseInstant(text.replace(' ', 'T'))
  if (instant !== undefined) return instant
  const parts = ISO_WALL.exec(text)
  if (parts === null) return undefined
  const [, year, month, day, hour, minute, second, fraction] = parts
  return toInstant(
    {
      year: Number(year),
      month: Number(month),
      day: Number(day),
      hour: Number(hour ?? 0),
      minute: Number(minute ?? 0),
      second: Number(second ?? 0),
      ms: millisecondsOf(fraction),
      offsetMs: undefined,
    },
    zone,
  )
}

interface WallTime {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly ms: number
  /** East of UTC; undefined where the text names none. */
  readonly offsetMs: number | undefined
}

function toInstant(wall: WallTime | undefined, zone: Zone): EpochMs | undefined {
  if (wall === undefined || !exists(wall)) return undefined
  const { year, month, day, hour, minute, second, ms, offsetMs } = wall
  const localMs = Date.UTC(year, month - 1, day, hour, minute, second, ms)
  return offsetMs === undefined ? zone(localMs) : localMs - offsetMs
}

function exists({ year, month, day, hour, minute, second }: WallTime): boolean {
  if (year < 1970 || month < 1 || month > 12 || day < 1) return false
  if (day > new Date(Date.UTC(year, month, 0)).getUTCDate()) return false
  return hour < 24 && minute < 60 && second < 60
}

type Part = 'year' | 'year2' | 'month' | 'monthName' | 'day' | TimePart
type TimePart = 'hour' | 'hour12' | 'half' | 'minute' | 'second' | 'fraction' | 'offset'

interface Token {
  readonly part: Part
  readonly pattern: string
}

/** Longer tokens before the shorter ones that they begin with. */
const TOKENS: readonly (readonly [string, Token])[] = [
  ['YYYY', { part: 'year', pattern: '\\d{4}' }],
  ['YY', { part: 'year2', pattern: '\\d{2}' }],
  ['MMM', { part: 'monthName', pattern: '[A-Za-z]{3}' }],
  ['MM', { part: 'month', pattern: '\\d{2}' }],
  ['M', { part: 'month', pattern: '\\d{1,2}' }],
  ['DD', { part: 'day', pattern: '\\d{2}' }],
  ['D', { part: 'day', pattern: '\\d{1,2}' }],
  ['HH', { part: 'hour', pattern: '\\d{2}' }],
  ['H', { part: 'hour', pattern: '\\d{1,2}' }],
  ['hh', { part: 'hour12', pattern: '\\d{2}' }],
  ['h', { part: 'hour12', pattern: '\\d{1,2}' }],
  ['mm', { part: 'minute', pattern: '\\d{2}' }],
  ['m', { part: 'minute', pattern: '\\d{1,2}' }],
  ['ss', { part: 'second', pattern: '\\d{2}' }],
  ['s', { part: 'second', pattern: '\\d{1,2}' }],
  ['SSS', { part: 'fraction', pattern: '\\d{1,9}' }],
  ['S', { part: 'fraction', pattern: '\\d{1,9}' }],
  ['A', { part: 'half', pattern: '[AaPp][Mm]' }],
  ['Z', { part: 'offset', pattern: 'Z|[+-]\\d{2}:?\\d{2}' }],
]

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')
/** Two-digit years below this belong to the 2000s, the others to the 1900s, as in POSIX. */
const CENTURY_PIVOT = 69

function compilePattern(format: string): Result<(text: string) => WallTime | undefined, string> {
  const parts: Part[] = []
  let source = ''
  let rest = format
  while (rest !== '') {
    const literal = /^\[([^\]]*)\]|^[^A-Za-z[]|^T/.exec(rest)
    const token = TOKENS.find(([name]) => rest.startsWith(name))
    if (literal !== null) {
      source += escaped(literal[1] ?? literal[0])
      rest = rest.slice(literal[0].length)
    } else if (token !== undefined) {
      if (parts.includes(token[1].part)) return failed(`"${token[0]}" stands in "${format}" twice`)
      parts.push(token[1].part)
      source += `(${token[1].pattern})`
      rest = rest.slice(token[0].length)
    } else {
      return failed(
        `"${rest[0]}" in "${format}" is no part of a time; write literal text in [brackets]`,
      )
    }
  }
  const missing = missingPart(parts)
  if (missing !== undefined) return failed(`"${format}" has no ${missing}`)
  return ok(readerOf(new RegExp(`^${source}$`), parts))
}

function missingPart(parts: readonly Part[]): string | undefined {
  if (!parts.includes('year') && !parts.includes('year2')) return 'year (YYYY or YY)'
  if (!parts.includes('month') && !parts.includes('monthName')) return 'month (MM, M or MMM)'
  if (!parts.includes('day')) return 'day (DD or D)'
  if (parts.includes('hour12') !== parts.includes('half')) return 'pair of h and A (AM or PM)'
  return undefined
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}

function readerOf(pattern: RegExp, parts: readonly Part[]): (text: string) => WallTime | undefined {
  return (text) => {
    const match = pattern.exec(text)
    if (match === null) return undefined
    const found: Partial<Record<Part, string>> = {}
    parts.forEach((part, index) => {
      found[part] = match[index + 1] ?? ''
    })
    return {
      year: yearOf(found),
      month: monthOf(found),
      day: Number(found.day),
      hour: hourOf(found),
      minute: Number(found.minute ?? 0),
      second: Number(found.second ?? 0),
      ms: millisecondsOf(found.fraction),
      offsetMs: found.offset === undefined ? undefined : offsetOf(found.offset),
    }
  }
}

function yearOf({ year, year2 }: Partial<Record<Part, string>>): number {
  if (year !== undefined) return Number(year)
  const short = Number(year2)
  return short < CENTURY_PIVOT ? 2_000 + short : 1_900 + short
}

function monthOf({ month, monthName }: Partial<Record<Part, string>>): number {
  return monthName === undefined ? Number(month) : MONTHS.indexOf(monthName.toLowerCase()) + 1
}

/** Hours of the twelve-hour clock run 12, 1, 2 … 11; anything else becomes an hour that does not exist. */
function hourOf({ hour, hour12, half }: Partial<Record<Part, string>>): number {
  if (hour12 === undefined) return Number(hour ?? 0)
  const shown = Number(hour12)
  if (shown < 1 || shown > 12) return 24
  return (shown % 12) + (half?.toLowerCase() === 'pm' ? 12 : 0)
}

function millisecondsOf(fraction: string | undefined): number {
  return fraction === undefined ? 0 : Number(fraction.padEnd(3, '0').slice(0, 3))
}

function offsetOf(text: string): number {
  if (text === 'Z') return 0
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(-2))
  return (text.startsWith('-') ? -minutes : minutes) * 60_000
}

/** Wall time, as if it were UTC, to the instant; undefined where the fold is refused. */
type Zone = (localMs: number) => EpochMs | undefined

/** Offsets change at whole quarters of an hour, so one answer holds for a quarter that is all of one kind. */
const QUARTER_MS = 15 * 60_000
/** Quarters remembered; all are forgotten at the limit. */
const MAX_KNOWN_QUARTERS = 10_000

function compileZone(zone: string, fold: Fold): Zone | undefined {
  if (zone === 'UTC') return (localMs) => localMs
  try {
    resolveWall(0, zone, 'earlier')
  } catch {
    return undefined
  }
  const offsets = new Map<number, number | null>()
  return (localMs) => {
    const quarter = Math.floor(localMs / QUARTER_MS)
    let offsetMs = offsets.get(quarter)
    if (offsetMs === undefined) {
      if (offsets.size >= MAX_KNOWN_QUARTERS) offsets.clear()
      offsetMs = plainOffset(quarter * QUARTER_MS, zone)
      offsets.set(quarter, offsetMs)
    }
    return offsetMs === null ? resolveFold(localMs, zone, fold) : localMs - offsetMs
  }
}

/** The offset throughout the quarter; null where a part of it happened twice or never. */
function plainOffset(startMs: number, zone: string): number | null {
  const offsets = [startMs, startMs + QUARTER_MS - 1].flatMap((localMs) => [
    localMs - resolveWall(localMs, zone, 'earlier'),
    localMs - resolveWall(localMs, zone, 'later'),
  ])
  const [first = 0] = offsets
  return offsets.every((offset) => offset === first) ? first : null
}

function resolveFold(localMs: number, zone: string, fold: Fold): EpochMs | undefined {
  const earlier = resolveWall(localMs, zone, 'earlier')
  const later = resolveWall(localMs, zone, 'later')
  if (fold === 'refuse' && earlier !== later) return undefined
  if (fold === 'later') return later
  return resolveWall(localMs, zone, 'compatible')
}

function resolveWall(
  localMs: number,
  zone: string,
  disambiguation: 'earlier' | 'later' | 'compatible',
): EpochMs {
  return Temporal.Instant.fromEpochMilliseconds(localMs)
    .toZonedDateTimeISO('UTC')
    .toPlainDateTime()
    .toZonedDateTime(zone, { disambiguation }).epochMilliseconds
}
