import assert from 'node:assert/strict'
import { test } from 'node:test'
import { age, duration, formatter } from './format.ts'

const metric = formatter({ temperature: 'C', distance: 'km', timeZone: 'Africa/Nairobi' })
const imperial = formatter({ temperature: 'F', distance: 'mi', timeZone: 'UTC' })
const AT = Date.UTC(2026, 0, 1, 22, 5, 9)

test('a quantity is never shown without its unit, and an unknown one is a dash', () => {
  assert.equal(metric.temperature(4.25), '4.3 °C')
  assert.equal(metric.temperature(-18), '−18.0 °C')
  assert.equal(metric.temperature(-0.04), '0.0 °C')
  assert.equal(metric.temperature(null), '–')
  assert.equal(metric.speed(54.4), '54 km/h')
  assert.equal(metric.distance(405_911), '405,911 km')
  assert.equal(metric.distance(-1_234.5, 1), '−1,234.5 km')
  assert.equal(metric.percent(94.31, 1), '94.3 %')
})

test('who prefers Fahrenheit and miles gets them everywhere', () => {
  assert.equal(imperial.temperature(4), '39.2 °F')
  assert.equal(imperial.speed(100), '62 mph')
  assert.equal(imperial.distance(482), '300 mi')
  assert.equal(imperial.limits({ minC: 2, maxC: 7 }), '35.6 to 44.6 °F')
})

test('limits that are open on one side say on which', () => {
  assert.equal(metric.limits({ minC: null, maxC: -18 }), '≤ −18 °C')
  assert.equal(metric.limits({ minC: 2, maxC: null }), '≥ 2 °C')
  assert.equal(metric.limits(null), '–')
})

test('a field of an event takes its unit from the end of its name', () => {
  const check = (name: string, value: unknown, expected: string) =>
    assert.equal(metric.field(name, value), expected)
  check('temperatureC', 9.4, '9.4 °C')
  check('speedKmh', 42, '42 km/h')
  check('fuelDropPercent', 49.7, '49.7 %')
  check('fuelLitres', 120, '120 L')
  check('silentForS', 600, '10 min')
  check('lastHeardMs', AT, '2 Jan 01:05:09')
  check('promisedAt', '2026-01-01T22:05:09.926Z', '2 Jan 01:05:09')
  check('seenAt', 'the gate', 'the gate')
  check('lateByMinutes', -4, '−4 min')
  check('lateByMin', 12, '12 min')
  check('doorOpen', true, 'yes')
  check('profile', 'default', 'default')
  check('temperatureC', null, '–')
})

test('instants are shown in the chosen zone, with the day where it is another', () => {
  assert.equal(metric.instant(AT, AT), '01:05')
  assert.equal(metric.instant(AT, AT + 86_400_000), '2 Jan 01:05')
  assert.equal(imperial.full(AT), '1 Jan 2026, 22:05:09 UTC')
})

test('a date field goes there and back in every zone, across a change of the clock too', () => {
  for (const timeZone of ['UTC', 'Africa/Nairobi', 'America/New_York', 'Asia/Kathmandu']) {
    const { fieldText, fromFieldText } = formatter({
      temperature: 'C',
      distance: 'km',
      timeZone,
    })
    for (const ms of [
      Date.UTC(2026, 2, 8, 12, 30),
      Date.UTC(2026, 10, 1, 14),
      Date.UTC(2026, 6, 1),
    ]) {
      assert.equal(fromFieldText(fieldText(ms)), ms, `${timeZone} ${ms}`)
    }
    assert.equal(fromFieldText(''), undefined)
  }
})

test('spans and ages use the units that a person would', () => {
  assert.equal(duration(45_000), '45 s')
  assert.equal(duration(13_900_000), '3 h 51 min')
  assert.equal(duration(7_200_000), '2 h')
  assert.equal(duration(2 * 86_400_000), '2 d')
  assert.equal(age(AT - 1_000, AT), 'now')
  assert.equal(age(AT - 61_000, AT), '1 min')
  assert.equal(age(AT + 5_000, AT), 'now')
  assert.equal(age(null, AT), '–')
})
