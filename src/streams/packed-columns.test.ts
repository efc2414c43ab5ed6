import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { packColumns, packedBytes, unpackColumns } from './packed-columns.ts'

function pack(numbers: Float64Array, size: { rows: number; columns: number }): Buffer {
  const bytes = Buffer.alloc(packedBytes(size))
  return bytes.subarray(0, packColumns(numbers, size, bytes))
}

const awkward = [0, -0, 1e-7, 0.1 + 0.2, 2 ** 50, -(2 ** 50), 2 ** 53, 1e300, 5e-324, Infinity]

test('rows come back bit for bit, whatever their numbers are', () => {
  const decimals = fc
    .tuple(fc.integer({ min: -(10 ** 9), max: 10 ** 9 }), fc.integer({ min: 0, max: 8 }))
    .map(([units, places]) => units / 10 ** places)
  const column = (rows: number): fc.Arbitrary<number[]> => {
    const of = (values: fc.Arbitrary<number>) =>
      fc.array(values, { minLength: rows, maxLength: rows })
    return fc.oneof(
      of(fc.oneof(decimals, fc.constant(Number.NaN))),
      of(fc.maxSafeInteger()),
      of(fc.double()),
      of(fc.constantFrom(...awkward)),
      fc.oneof(decimals, fc.double()).map((value) => Array(rows).fill(value)),
    )
  }
  const tables = fc
    .tuple(fc.nat({ max: 20 }), fc.integer({ min: 1, max: 12 }))
    .chain(([rows, columns]) => fc.tuple(...Array.from({ length: columns }, () => column(rows))))
  fc.assert(
    fc.property(tables, (table) => {
      const size = { rows: table[0]?.length ?? 0, columns: table.length }
      const numbers = new Float64Array(size.rows * size.columns)
      for (const [at] of numbers.entries()) {
        numbers[at] = table[at % size.columns]?.[Math.floor(at / size.columns)] ?? Number.NaN
      }
      const back = unpackColumns(pack(numbers, size), size)
      assert.equal(back.length, numbers.length)
      for (const [at, value] of back.entries()) {
        assert.ok(Object.is(value, numbers[at]), `${value} for ${numbers[at]}`)
      }
    }),
    { numRuns: 500 },
  )
})

test('a measurement takes a byte or two, a column that stands still takes what one of it takes', () => {
  const rows = 13
  const changing = Float64Array.from({ length: rows }, (_, row) => (450 + (row % 5)) / 100)
  assert.equal(pack(changing, { rows, columns: 1 }).length, 1 + 2 + (rows - 1))
  assert.deepEqual(
    [...pack(new Float64Array(rows).fill(Number.NaN), { rows, columns: 1 })],
    [16, 0],
  )
  const times = Float64Array.from({ length: rows }, (_, row) => 1_795_935_600_000 + row * 3_000)
  assert.equal(pack(times, { rows, columns: 1 }).length, 1 + 6 + 2 * (rows - 1))
})
