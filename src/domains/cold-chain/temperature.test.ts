import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HOUR_MS, MINUTE_MS } from '../../kernel/time.ts'
import { builtInProfiles, findProfile } from './profiles.ts'
import { judgeTemperature, LONGEST_STAND_MS, newCompartment } from './temperature.ts'

/** Feeds `[minutes, °C]` readings and returns the minutes of those that breached, with the limit. */
function breaches(
  profileName: string,
  readings: readonly (readonly [number, number])[],
): readonly (readonly [number, number | null])[] {
  const profile = findProfile(builtInProfiles, profileName)
  const state = newCompartment('')
  return readings.flatMap(([minute, temperatureC]) => {
    const judged = judgeTemperature(
      state,
      { atMs: minute * MINUTE_MS, temperatureC, shipmentId: null },
      profile,
    )
    return judged.breached ? [[minute, judged.limitC] as const] : []
  })
}

/** A reading every ten minutes. */
function steady(fromMinute: number, toMinute: number, temperatureC: number): [number, number][] {
  const count = (toMinute - fromMinute) / 10
  return Array.from({ length: count }, (_, index) => [fromMinute + index * 10, temperatureC])
}

test('an instant limit is breached by the first reading beyond it, and not at it', () => {
  assert.deepEqual(
    breaches('default', [
      [0, 7],
      [1, 7.1],
      [2, 2],
      [3, 1.9],
    ]),
    [
      [1, 7],
      [3, 2],
    ],
  )
})

test('a consecutive limit is breached once the temperature has been beyond it for so long', () => {
  const readings = steady(0, 90, 45)
  assert.deepEqual(
    breaches('who-type-1', readings).map(([minute]) => minute),
    [60, 70, 80],
  )
})

test('a single reading inside begins a consecutive limit anew', () => {
  const readings = [...steady(0, 50, 45), [50, 20] as const, ...steady(60, 120, 45)]
  assert.deepEqual(breaches('who-type-1', readings), [])
})

test('the thresholds of WHO indicators are part of the alarm', () => {
  assert.equal(breaches('who-type-1', steady(0, 70, -0.5)).length, 1)
  assert.equal(breaches('who-type-1', steady(0, 70, -0.4)).length, 0)
})

test('a cumulative limit adds up what is beyond, with breaks between', () => {
  const hours = (count: number, from: number): [number, number][] =>
    steady(from * 60, (from + count) * 60, 31)
  const readings = [...hours(6, 0), ...steady(360, 720, 20), ...hours(5, 12)]
  const found = breaches('who-type-1', readings)
  // Six hours of readings stand until 06:00, when 20 °C begins; four more are full at 16:00.
  assert.deepEqual(found[0], [16 * 60, 30])
})

test('a gap counts towards a cumulative limit for so long and no longer', () => {
  const gap: [number, number][] = [
    [0, 31],
    [20 * 60, 31],
  ]
  assert.deepEqual(breaches('who-type-1', gap), [])
  assert.ok(LONGEST_STAND_MS < 10 * HOUR_MS)
})

test('the gravest limit that is breached gives side and severity', () => {
  const state = newCompartment('')
  const vaccine = findProfile(builtInProfiles, 'vaccine')
  const judge = (temperatureC: number) =>
    judgeTemperature(state, { atMs: 0, temperatureC, shipmentId: null }, vaccine)
  assert.deepEqual(pick(judge(9)), ['above', 'major', 8])
  assert.deepEqual(pick(judge(16)), ['above', 'critical', 15])
  assert.deepEqual(pick(judge(1)), ['below', 'critical', 2])
})

function pick(judged: ReturnType<typeof judgeTemperature>): unknown[] {
  return [judged.side, judged.severity, judged.limitC]
}

test('other goods begin with a clean record', () => {
  const state = newCompartment('')
  const profile = findProfile(builtInProfiles, 'who-type-1')
  const judge = (minute: number, shipmentId: string) =>
    judgeTemperature(state, { atMs: minute * MINUTE_MS, temperatureC: 45, shipmentId }, profile)
  for (let minute = 0; minute < 60; minute += 10) assert.equal(judge(minute, 'A').breached, false)
  assert.equal(judge(60, 'B').breached, false, 'the hour belonged to shipment A')
  assert.equal(judge(110, 'B').breached, false)
  assert.equal(judge(120, 'B').breached, true)
})

test('a profile that nobody knows is judged by nothing', () => {
  assert.deepEqual(breaches('no-such-profile', [[0, 50]]), [])
})
