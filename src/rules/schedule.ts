// Times of the week by the clock on the wall of a zone: when a rule is on duty, when a route is mute. The hour
// that daylight saving skips never comes, the one that it repeats counts twice.

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

/** `[fromMinute, toMinute)` of the day; where it ends before it begins, it ends on the next day. */
export interface WeekTime {
  readonly days: readonly Day[]
  readonly fromMinute: number
  readonly toMinute: number
}

/** Tells whether an instant is within the times. */
export type IsWithin = (atMs: EpochMs) => boolean

const MINUTES_A_DAY = 24 * 60

export function compileSchedule({ days, hours, zone }: Schedule): IsWithin {
  return compileTimes(
    zone,
    hours.map((span) => {
      const [from = '', to = ''] = span.split('-')
      return { days, fromMinute: minuteOf(from) ?? 0, toMinute: minuteOf(to) ?? 0 }
    }),
  )
}

/** Remembers the zone's offset between calls, and nothing else. */
export function compileTimes(zone: string, times: readonly WeekTime[]): IsWithin {
  const spans = times.map(({ days, fromMinute, toMinute }) => ({
    days: new Set(days.map((day) => DAYS.indexOf(day))),
    from: fromMinute,
    to: toMinute,
  }))
  const offsetAt = offsetsOf(zone)
  return (atMs) => {
    const localMs = atMs + offsetAt(atMs)
    const dayNumber = Math.floor(localMs / DAY_MS)
    const minute = Math.floor((localMs - dayNumber * DAY_MS) / MINUTE_MS)
    // The first of January 1970 was a Thursday.
    const today = (((dayNumber + 3) % 7) + 7) % 7
    const yesterday = (today + 6) % 7
    return spans.some(({ days, from, to }) =>
      from < to
        ? days.has(today) && minute >= from && minute < to
        : (days.has(today) && minute >= from) || (days.has(yesterday) && minute < to),
    )
  }
}

/** `08:30` as minutes of the day, `24:00` included; undefined where it is no such. */
export function minuteOf(text: string): number | undefined {
  const parts = /^(\d{2}):([0-5]\d)$/.exec(text)
  const minute = Number(parts?.[1]) * 60 + Number(parts?.[2])
  return parts !== null && minute <= MINUTES_A_DAY ? minute : undefined
}

export function isTimeZone(zone: string): boolean {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone)
    return true
  } catch {
    return false
  }
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
