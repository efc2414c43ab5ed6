import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MINUTE_MS } from '../../kernel/time.ts'
import { fuelDropPercent, newFuel } from './fuel.ts'

interface Sample {
  readonly minute: number
  readonly percent?: number
  readonly litres?: number
  readonly speedKmh: number | null
}

/** The largest drop seen over the samples, in percent of the tank. */
function largestDrop(samples: readonly Sample[]): number {
  const state = newFuel()
  return Math.max(
    ...samples.map(({ minute, percent, litres, speedKmh }) =>
      fuelDropPercent(state, {
        atMs: minute * MINUTE_MS,
        fuelPercent: percent ?? null,
        fuelLitres: litres ?? null,
        speedKmh,
      }),
    ),
  )
}

const resting = (from: number, percents: readonly number[]): Sample[] =>
  percents.map((percent, index) => ({ minute: from + index, percent, speedKmh: 0 }))

test('a theft at rest is seen in full once the median has followed', () => {
  const drop = largestDrop(resting(0, [60, 60, 60, 60, 60, 45, 45, 45, 45, 45]))
  assert.equal(drop, 15)
})

test('one wild reading is no drop', () => {
  assert.equal(largestDrop(resting(0, [60, 60, 60, 5, 60, 60, 60])), 0)
})

test('what a moving truck burns or spills about is no drop', () => {
  const driving = [60, 55, 62, 50, 40, 30].map((percent, minute) => ({
    minute,
    percent,
    speedKmh: 70,
  }))
  assert.equal(largestDrop(driving), 0)
})

test('what the reefer burns in a night is no drop', () => {
  const night = Array.from({ length: 480 }, (_, minute) => 60 - minute / 60)
  assert.ok(largestDrop(resting(0, night)) < 1)
})

test('a refuel at rest raises the level that a later drop is measured from', () => {
  const drop = largestDrop(resting(0, [40, 40, 40, 80, 80, 80, 80, 80, 70, 70, 70, 70]))
  assert.equal(drop, 10)
})

test('litres are judged against the fullest that the tank was seen', () => {
  const samples = [400, 400, 400, 400, 300, 300, 300, 300].map((litres, minute) => ({
    minute,
    litres,
    speedKmh: 0,
  }))
  assert.equal(largestDrop(samples), 25)
})

test('without a speed nobody can tell rest from motion', () => {
  const samples = [60, 60, 60, 20, 20, 20].map((percent, minute) => ({
    minute,
    percent,
    speedKmh: null,
  }))
  assert.equal(largestDrop(samples), 0)
})
