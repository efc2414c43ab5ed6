import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import type { RowTable } from '../ports/row-table.ts'
import type { Drive } from './drives.ts'
import {
  copyDriving,
  type DrivingSample,
  drive,
  newDriving,
  putOpen,
  restoreDriving,
} from './driving.ts'
import type { DrivingPeriod } from './period.ts'

const START_MS = Date.UTC(2026, 0, 31, 8)
const still: DrivingSample = {
  speedKmh: 0,
  lat: null,
  lon: null,
  headingDeg: null,
  odometerKm: null,
}

type Sent = Partial<DrivingSample> & { readonly at: number }

/** Periods of a vehicle that sends these, each at so many seconds. */
function periodsOf(sent: readonly Sent[]): readonly DrivingPeriod[] {
  const state = newDriving()
  const periods = new Map<number, DrivingPeriod>()
  const put = <R>(table: RowTable<R>, row: R): void => {
    if (table.name !== 'driving_period') return
    const period = row as unknown as DrivingPeriod
    periods.set(period.startsAtMs, { ...period })
  }
  for (const { at, ...rest } of sent) {
    const now: DrivingSample = { ...still, ...rest }
    const context = {
      key: 't',
      eventTimeMs: START_MS + at * 1_000,
      put,
      reference: () => undefined,
    }
    drive(state, { entityType: 'truck', now }, context)
  }
  putOpen(state, put)
  return [...periods.values()]
}

const sum = (periods: readonly DrivingPeriod[], of: (period: DrivingPeriod) => number): number =>
  periods.reduce((total, period) => total + of(period), 0)

test('the way between two readings belongs to the ten minutes of the later one, and is there once', () => {
  const sent = Array.from({ length: 200 }, (_, index) => ({
    at: index * 10,
    speedKmh: 60,
    odometerKm: 100 + index / 6,
  }))
  const periods = periodsOf(sent)
  deepEqual(
    periods.map(({ startsAtMs }) => (startsAtMs - START_MS) / 60_000),
    [0, 10, 20, 30],
  )
  ok(Math.abs(sum(periods, ({ distanceKm }) => distanceKm) - 199 / 6) < 1e-9)
  equal(
    sum(periods, ({ movingMs }) => movingMs),
    1_990_000,
  )
})

test('a jump of the odometer or of a fix is no way', () => {
  const jumps: readonly Sent[] = [
    { at: 0, odometerKm: 10, lat: -1.28, lon: 36.82 },
    { at: 10, odometerKm: 900, lat: -1.28, lon: 36.82 },
    { at: 20, odometerKm: 5, lat: 1, lon: 30, speedKmh: 50 },
  ]
  equal(
    sum(periodsOf(jumps), ({ distanceKm }) => distanceKm),
    0,
  )
})

test('harsh are braking, acceleration and corners between fixes that are close', () => {
  const harsh = (...sent: readonly Sent[]) => {
    const [period] = periodsOf(sent)
    return [period?.harshBraking, period?.harshAcceleration, period?.harshCornering]
  }
  deepEqual(harsh({ at: 0, speedKmh: 80 }, { at: 2, speedKmh: 40 }), [1, 0, 0])
  deepEqual(harsh({ at: 0, speedKmh: 80 }, { at: 4, speedKmh: 0 }), [0, 0, 0])
  deepEqual(harsh({ at: 0, speedKmh: 20 }, { at: 1, speedKmh: 40 }), [0, 1, 0])
  deepEqual(
    harsh({ at: 0, speedKmh: 50, headingDeg: 350 }, { at: 2, speedKmh: 50, headingDeg: 50 }),
    [0, 0, 1],
  )
})

/** A tank that is driven down, filled up, driven down, robbed, and driven again; a reading every 30 s. */
const level = (minute: number): number => {
  if (minute < 60) return 60 - minute / 6
  if (minute < 120) return 90 - (minute - 60) / 6
  if (minute < 130) return 80
  if (minute < 140) return 65
  return 65 - (minute - 140) / 6
}

function tank(noise: (index: number) => number): readonly Sent[] {
  return Array.from({ length: 400 }, (_, index) => {
    const minute = index / 2
    const resting = minute >= 118 && minute < 142
    const fuelPercent = level(minute) + noise(index)
    return { at: index * 30, speedKmh: resting ? 0 : 60, fuelPercent, fuelLitres: fuelPercent * 4 }
  })
}

test('refuels and thefts are told apart from what was used, and all three fit the level', () => {
  for (const noise of [() => 0, (index: number) => ((index * 7) % 5) / 4 - 0.5]) {
    const periods = periodsOf(tank(noise))
    const used = sum(periods, ({ usedPercent }) => usedPercent ?? 0)
    const refuelled = sum(periods, ({ refuelledPercent }) => refuelledPercent)
    const stolen = sum(periods, ({ stolenPercent }) => stolenPercent)
    ok(Math.abs(refuelled - 40) < 2, `refuelled ${refuelled}`)
    ok(Math.abs(stolen - 15) < 2, `stolen ${stolen}`)
    ok(Math.abs(used - 30) < 3, `used ${used}`)
    const litres = sum(periods, ({ usedLitres }) => usedLitres ?? 0)
    ok(Math.abs(litres - 4 * used) < 1e-6)
  }
})

test('consumption is added up over the time that it lasted', () => {
  const sent = Array.from({ length: 61 }, (_, index) => ({
    at: index * 60,
    speedKmh: 60,
    fuelLph: 8,
  }))
  const litres = sum(periodsOf(sent), ({ consumedLitres }) => consumedLitres ?? 0)
  ok(Math.abs(litres - 8) < 1e-9)
})

/** Drives of a vehicle that sends these, as they were told last, with times in minutes. */
function drivesOf(sent: readonly Sent[]) {
  const state = newDriving()
  const told = new Map<number, Drive>()
  const put = <R>(table: RowTable<R>, row: R): void => {
    if (table.name !== 'drive') return
    const drive = row as unknown as Drive
    told.set(drive.startsAtMs, { ...drive })
  }
  for (const { at, ...rest } of sent) {
    const now: DrivingSample = { ...still, ...rest }
    drive(
      state,
      { entityType: 'truck', now },
      { key: 't', eventTimeMs: START_MS + at * 1_000, put, reference: () => undefined },
    )
  }
  const minute = (atMs: number): number => (atMs - START_MS) / 60_000
  return [...told.values()].map((each) => [
    minute(each.startsAtMs),
    minute(each.endsAtMs),
    Math.round(each.distanceKm * 10) / 10,
    each.underWay,
  ])
}

/** Readings every 30 s from one minute to another. */
const every30S = (fromMinute: number, toMinute: number, speedKmh: number): readonly Sent[] =>
  Array.from({ length: (toMinute - fromMinute) * 2 }, (_, index) => ({
    at: fromMinute * 60 + index * 30,
    speedKmh,
  }))

test('a stop of five minutes ends a drive, one at the lights does not', () => {
  const morning = [
    ...every30S(0, 10, 0),
    ...every30S(10, 20, 60),
    ...every30S(20, 23, 0),
    ...every30S(23, 30, 60),
  ]
  // Under way it is told every five minutes.
  deepEqual(drivesOf(morning), [[9.5, 25, 12.3, true]])
  deepEqual(drivesOf([...morning, ...every30S(30, 36, 0)]), [[9.5, 29.5, 17, false]])
  deepEqual(drivesOf([...morning, ...every30S(30, 40, 0), ...every30S(40, 50, 30)]), [
    [9.5, 29.5, 17, false],
    [39.5, 45, 2.6, true],
  ])
})

test('an hour of silence ends a drive, and moving about in a yard is none', () => {
  const drive = every30S(0, 10, 60)
  deepEqual(drivesOf([...drive, ...every30S(80, 81, 0)]), [[0, 9.5, 9.5, false]])
  deepEqual(drivesOf([...every30S(0, 2, 10), ...every30S(2, 10, 0)]), [])
})

test('the period that goes on is told every minute', () => {
  const periods = periodsOf(every30S(0, 3, 60).slice(0, 5))
  equal(
    sum(periods, ({ readings }) => readings),
    5,
  )
  const state = newDriving()
  let told = 0
  const put = <R>(table: RowTable<R>): void => {
    if (table.name === 'driving_period') told++
  }
  for (const { at } of every30S(0, 9, 50)) {
    const now: DrivingSample = { ...still, speedKmh: 50 }
    drive(
      state,
      { entityType: 'truck', now },
      { key: 't', eventTimeMs: START_MS + at * 1_000, put, reference: () => undefined },
    )
  }
  equal(told, 9)
})

test('a state is the same after JSON, and a copy over a spare one shares nothing', () => {
  const readings: readonly Sent[] = [
    ...tank(() => 0).slice(0, 60),
    { at: 1_800, lat: -1.28, lon: 36.82, speedKmh: 40 },
    { at: 1_810, lat: -1.281, lon: 36.82, headingDeg: 90, odometerKm: 7 },
    { at: 2_500, speedKmh: null, fuelLitres: 100 },
  ]
  const state = newDriving()
  let spare = newDriving()
  let copied = structuredClone(spare)
  let drove = false
  for (const { at, ...rest } of readings) {
    deepEqual(spare, copied)
    const context = {
      key: 't',
      eventTimeMs: START_MS + at * 1_000,
      put() {},
      reference: () => undefined,
    }
    drive(state, { entityType: 'truck', now: { ...still, ...rest } }, context)
    deepEqual(restoreDriving(JSON.parse(JSON.stringify(state))), state)
    drove ||= state.drive !== null
    spare = copyDriving(state, spare)
    copied = structuredClone(state)
  }
  deepEqual(spare, state)
  ok(drove && state.fuel !== null)
})
