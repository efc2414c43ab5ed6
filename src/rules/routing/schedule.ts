// Times of the week on the clock of a zone, such as the night shift of Nairobi. What the clock on the wall
// shows counts, over changes of daylight saving too.

import { Temporal } from 'temporal-polyfill'
import type { EpochMs } from '../../kernel/time.ts'

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
export type Weekday = (typeof WEEKDAYS)[number]

/** `[fromMinute, toMinute)` of the day; where it ends before it begins, it ends on the next day. */
export interface WeekTime {
  readonly days: ReadonlySet<Weekday>
  readonly fromMinute: number
  readonly toMinute: number
}

export interface Schedule {
  readonly name: string
  /** IANA name. */
  readonly zone: string
  readonly times: readonly WeekTime[]
}

const DAYS_A_WEEK = 7
const MINUTES_AN_HOUR = 60

export function isWithin({ zone, times }: Schedule, atMs: EpochMs): boolean {
  const local = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(zone)
  const today = WEEKDAYS[local.dayOfWeek - 1] ?? 'mon'
  const yesterday = WEEKDAYS[(local.dayOfWeek + DAYS_A_WEEK - 2) % DAYS_A_WEEK] ?? 'mon'
  const minute = local.hour * MINUTES_AN_HOUR + local.minute
  return times.some(({ days, fromMinute, toMinute }) => {
    if (fromMinute < toMinute) return days.has(today) && minute >= fromMinute && minute < toMinute
    return (days.has(today) && minute >= fromMinute) || (days.has(yesterday) && minute < toMinute)
  })
}

export function isZone(name: string): boolean {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name)
    return true
  } catch {
    return false
  }
}

/** `08:30` as minutes of the day, `24:00` included; undefined where it is no such. */
export function minuteOf(text: string): number | undefined {
  const parts = /^(\d{2}):(\d{2})$/.exec(text)
  const minute = Number(parts?.[1]) * MINUTES_AN_HOUR + Number(parts?.[2])
  return parts !== null && Number(parts[2]) < MINUTES_AN_HOUR && minute <= 24 * MINUTES_AN_HOUR
    ? minute
    : undefined
}
