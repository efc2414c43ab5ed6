// When a rule is on duty: days and hours by the clock on the wall of a time zone. The hour that daylight
// saving skips never comes, the one that it repeats counts twice.

import { Temporal } from 'temporal-polyfill'
import { DAY_MS, type EpochMs, MINUTE_MS } from '../kernel/time.ts'

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
export type Day = (typeof DAYS)[number]

export interface Schedule {
  readonly days: readonly Day[]
  /** `[from, to)` such as `08:00-18:00`; one that ends before it begins runs into the next day. */
  readonly hours: readonly string[]
  /** Of the IANA data base, such as `Africa/Nairobi`. */
  readonly zone: string
}

/** Tells whether an instant is within the schedule; remembers offsets between calls, and nothing else. */
export function compileSchedule(schedule: Schedule): (atMs: EpochMs) => boolean {
  const days = new Set(schedule.days.map((day) => DAYS.indexOf(day)))
  const spans = schedule.hours.map(spanOf)
  const offsetAt = offsetsOf(schedule.zone)
  return (atMs) => {
    const localMs = atMs + offsetAt(atMs)
    const dayNumber = Math.floor(localMs / DAY_MS)
    const minute = Math.floor((localMs - dayNumber * DAY_MS) / MINUTE_MS)
    // The first of January 1970 was a Thursday.
    const today = (((dayNumber + 3) % 7) + 7) % 7
    const yesterday = (today + 6) % 7
    return spans.some(({ from, to }) =>
      from < to
        ? days.has(today) && minute >= from && minute < to
        : (days.has(today) && minute >= from) || (days.has(yesterday) && minute < to),
    )
  }
}

export function isTimeZone(zone: string): boolean {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone)
    return true
  } catch {
    return false
  }
}

interface Span {
  readonly from: number
  readonly to: number
}

function spanOf(text: string): Span {
  const [from = '', to = ''] = text.split('-')
  return { from: minuteOf(from), to: minuteOf(to) }
}

function minuteOf(text: string): number {
  const [hours, minutes] = text.split(':').map(Number)
  return (hours ?? 0) * 60 + (minutes ?? 0)
}

/** Offset of the zone from UTC, looked up once between two changes of it. */
function offsetsOf(zone: string): (atMs: EpochMs) => number {
  let fromMs = Number.POSITIVE_INFINITY
  let toMs = Number.NEGATIVE_INFINITY
  let offsetMs = 0
  return (atMs) => {
    if (atMs >= fromMs && atMs < toMs) return offsetMs
    const there = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(zone)
    offsetMs = there.offsetNanoseconds / 1_000_000
    const begins = there
      .add({ milliseconds: 1 })
      .getTimeZoneTransition('previous')?.epochMilliseconds
    fromMs = begins ?? Number.NEGATIVE_INFINITY
    toMs = there.getTimeZoneTransition('next')?.epochMilliseconds ?? Number.POSITIVE_INFINITY
    return offsetMs
  }
}
