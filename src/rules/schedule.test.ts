import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Temporal } from 'temporal-polyfill'
import { compileSchedule, DAYS, isTimeZone } from './schedule.ts'

const BERLIN = 'Europe/Berlin'
const at = (text: string): number => Date.parse(text)

test('hours are those on the wall, summer and winter', () => {
  const office = compileSchedule({
    days: ['mon', 'tue', 'wed', 'thu', 'fri'],
    hours: ['08:00-18:00'],
    zone: BERLIN,
  })
  assert.equal(office(at('2026-01-05T07:00:00Z')), true, 'Monday 08:00, winter')
  assert.equal(office(at('2026-01-05T06:59:59Z')), false)
  assert.equal(office(at('2026-07-06T06:00:00Z')), true, 'Monday 08:00, summer')
  assert.equal(office(at('2026-07-06T16:00:00Z')), false, 'Monday 18:00, summer')
  assert.equal(office(at('2026-07-04T10:00:00Z')), false, 'a Saturday')
})

test('a night belongs to the day it begins on', () => {
  const night = compileSchedule({ days: ['fri'], hours: ['22:00-06:00'], zone: 'UTC' })
  assert.equal(night(at('2026-01-09T23:00:00Z')), true, 'Friday night')
  assert.equal(night(at('2026-01-10T05:59:00Z')), true, 'Saturday morning')
  assert.equal(night(at('2026-01-09T05:00:00Z')), false, 'Friday morning')
  assert.equal(night(at('2026-01-10T23:00:00Z')), false, 'Saturday night')
})

test('the hour that daylight saving skips never comes', () => {
  const skipped = compileSchedule({ days: DAYS, hours: ['02:00-03:00'], zone: BERLIN })
  const minutes = minutesOf('2026-03-28T23:00:00Z', 23 * 60).filter(skipped)
  assert.equal(minutes.length, 0)
})

test('the hour that daylight saving repeats counts twice', () => {
  const repeated = compileSchedule({ days: DAYS, hours: ['02:00-03:00'], zone: BERLIN })
  const minutes = minutesOf('2026-10-24T22:00:00Z', 25 * 60).filter(repeated)
  assert.equal(minutes.length, 120)
})

test('a schedule agrees with the calendar at any moment, whatever was asked before', () => {
  const zones = fc.constantFrom(
    BERLIN,
    'Africa/Nairobi',
    'America/St_Johns',
    'Asia/Kathmandu',
    'UTC',
  )
  const instants = fc.array(
    fc.integer({ min: at('2015-01-01T00:00:00Z'), max: at('2035-01-01T00:00:00Z') }),
    {
      minLength: 1,
      maxLength: 20,
    },
  )
  const clock = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  fc.assert(
    fc.property(
      zones,
      fc.subarray([...DAYS], { minLength: 1 }),
      clock,
      clock,
      instants,
      (zone, days, from, to, moments) => {
        const text = ([hour, minute]: readonly [number, number]): string =>
          `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`
        const isOn = compileSchedule({ days, hours: [`${text(from)}-${text(to)}`], zone })
        for (const moment of moments) {
          const there = Temporal.Instant.fromEpochMilliseconds(moment).toZonedDateTimeISO(zone)
          const minute = there.hour * 60 + there.minute
          const begin = from[0] * 60 + from[1]
          const end = to[0] * 60 + to[1]
          const today = days.includes(DAYS[there.dayOfWeek - 1] ?? 'mon')
          const yesterday = days.includes(DAYS[(there.dayOfWeek + 5) % 7] ?? 'mon')
          const expected =
            begin < end
              ? today && minute >= begin && minute < end
              : (today && minute >= begin) || (yesterday && minute < end)
          assert.equal(isOn(moment), expected, `${moment} ${zone}`)
        }
      },
    ),
    { numRuns: 500 },
  )
})

test('a zone is one of the data base', () => {
  assert.equal(isTimeZone('Africa/Nairobi'), true)
  assert.equal(isTimeZone('Mars/Base'), false)
})

function minutesOf(from: string, count: number): readonly number[] {
  return Array.from({ length: count }, (_, minute) => at(from) + minute * 60_000)
}
