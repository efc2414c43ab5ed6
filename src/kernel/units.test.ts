import { equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { convert, dimensionOf, isUnitName, UNIT_NAMES, unitOfField } from './units.ts'

function check(value: number, from: string, to: string, expected: number): void {
  ok(isUnitName(from) && isUnitName(to))
  equal(convert(value, from, to), expected)
}

test('known values come out exactly, with no noise behind the decimal point', () => {
  check(44.6, 'F', 'C', 7)
  check(32, 'F', 'C', 0)
  check(-40, 'F', 'C', -40)
  check(212, 'F', 'C', 100)
  check(280.15, 'K', 'C', 7)
  check(7, 'C', 'C', 7)
  check(10, 'knots', 'km/h', 18.52)
  check(100, 'mph', 'km/h', 160.9344)
  check(10, 'm/s', 'km/h', 36)
  check(120, 'km/h', 'm/s', 33.3333333333)
  check(26.2, 'mi', 'km', 42.1648128)
  check(1, 'nmi', 'km', 1.852)
  check(100, 'ft', 'm', 30.48)
  check(1, 'gal', 'L', 3.785411784)
  check(1, 'gal-uk', 'L', 4.54609)
  check(0.42, 'fraction', '%', 42)
  check(90, 'min', 'h', 1.5)
  check(1, 'lb', 'kg', 0.45359237)
  check(2.5, 'bar', 'kPa', 250)
})

test('a conversion and its inverse give the value back to eleven digits', () => {
  const names = UNIT_NAMES.filter(isUnitName)
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      fc.constantFrom(...names),
      fc.integer({ min: -1e9, max: 1e9 }).map((thousandths) => thousandths / 1_000),
      (from, to, value) => {
        fc.pre(dimensionOf(from) === dimensionOf(to))
        const back = convert(convert(value, from, to), to, from)
        // Temperatures keep nine decimals whatever their size.
        const allowed = Math.max(
          1e-10 * Math.abs(value),
          dimensionOf(from) === 'temperature' ? 1e-8 : 0,
        )
        ok(Math.abs(back - value) <= allowed, `${value} ${from} -> ${to} -> ${back}`)
      },
    ),
    { numRuns: 500 },
  )
})

test('the end of a field name says its unit', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['speedKmh', 'km/h'],
    ['postedLimitKmh', 'km/h'],
    ['temperatureC', 'C'],
    ['fuelPercent', '%'],
    ['stateOfChargePercent', '%'],
    ['fuelLitres', 'L'],
    ['fuelLph', 'L/h'],
    ['odometerKm', 'km'],
    ['accuracyM', 'm'],
    ['headingDeg', 'deg'],
    ['lat', 'deg'],
    ['pickupLon', 'deg'],
    ['durationS', 's'],
    ['truckId', undefined],
    ['rpm', undefined],
    ['zone', undefined],
  ]
  for (const [field, unit] of cases) equal(unitOfField(field), unit, field)
})
