// The hours in which somebody wants to be left alone, on the clock of the zone where they are.

import { Temporal } from 'temporal-polyfill'
import type { EpochMs } from '../../kernel/time.ts'

/** `[from, to)` as `22:00` and `06:30`; where it ends before it begins, it ends on the next day. */
export interface QuietHours {
  /** IANA name. */
  readonly zone: string
  readonly from: string
  readonly to: string
}

/** When they end, if `atMs` lies within them; null otherwise. Changes of daylight saving are taken care of. */
export function quietUntil({ zone, from, to }: QuietHours, atMs: EpochMs): EpochMs | null {
  const fromTime = Temporal.PlainTime.from(from)
  const toTime = Temporal.PlainTime.from(to)
  const local = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(zone)
  const time = local.toPlainTime()
  const after = Temporal.PlainTime.compare(time, fromTime) >= 0
  const before = Temporal.PlainTime.compare(time, toTime) < 0
  const spansMidnight = Temporal.PlainTime.compare(fromTime, toTime) > 0
  const within = spansMidnight ? after || before : after && before
  if (!within) return null
  const day = spansMidnight && after ? local.toPlainDate().add({ days: 1 }) : local.toPlainDate()
  const end = day.toZonedDateTime({ timeZone: zone, plainTime: toTime })
  // Where the clock was just put back, the end of the day's hours may lie behind us.
  return Math.max(atMs + 1, end.epochMilliseconds)
}
