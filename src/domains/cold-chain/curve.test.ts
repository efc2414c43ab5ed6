import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Curve, curveBuilder } from './curve.ts'
import { builtInProfiles } from './profiles.ts'

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
const COLUMNS = 60
const [profile = assert.fail('there is a default profile')] = builtInProfiles

type Reading = readonly [atMs: number, temperatureC: number]

function curveOf(readings: readonly Reading[]): Curve {
  const builder = curveBuilder({
    profile,
    fromMs: 0,
    toMs: HOUR_MS,
    gapLimitMs: 2 * MINUTE_MS,
    columns: COLUMNS,
  })
  for (const [atMs, temperatureC] of readings) builder.add(atMs, temperatureC)
  return builder.finish()
}

const points = ({ lines }: Curve): Reading[] =>
  lines.flatMap((line) =>
    line.points.map(({ atMs, temperatureC }) => [atMs, temperatureC] as const),
  )

describe('a curve for paper', () => {
  it('of nothing is one gap', () => {
    const curve = curveOf([])
    assert.deepEqual(curve.gaps, [{ startMs: 0, endMs: HOUR_MS }])
    assert.deepEqual(curve.lines, [])
    assert.equal(curve.highest, undefined)
  })

  it('breaks where silence is longer than the gap limit, and says how long a reading stood', () => {
    const { lines, gaps } = curveOf([
      [0, 4],
      [MINUTE_MS, 5],
      [30 * MINUTE_MS, 4],
    ])
    assert.equal(lines.length, 2)
    assert.equal(lines[0]?.heldUntilMs, 3 * MINUTE_MS)
    assert.deepEqual(gaps, [
      { startMs: 3 * MINUTE_MS, endMs: 30 * MINUTE_MS },
      { startMs: 32 * MINUTE_MS, endMs: HOUR_MS },
    ])
  })

  it('shades an excursion from the first reading outside to the first one back inside', () => {
    const { excursions } = curveOf([
      [0, 4],
      [MINUTE_MS, 8],
      [2 * MINUTE_MS, 9],
      [3 * MINUTE_MS, 7],
      [4 * MINUTE_MS, 1],
    ])
    assert.deepEqual(excursions, [
      { startMs: MINUTE_MS, endMs: 3 * MINUTE_MS },
      { startMs: 4 * MINUTE_MS, endMs: 6 * MINUTE_MS },
    ])
  })

  it('keeps every peak, and stays within its columns whatever comes', () => {
    const histories = fc.array(
      fc.tuple(fc.integer({ min: 0, max: HOUR_MS - 1 }), fc.integer({ min: -20, max: 40 })),
      { minLength: 1, maxLength: 2_000 },
    )
    fc.assert(
      fc.property(histories, (history) => {
        const readings = [...history].sort((a, b) => a[0] - b[0])
        const curve = curveOf(readings)
        const drawn = points(curve)
        const columnOf = ([atMs]: Reading): number => Math.floor(atMs / MINUTE_MS)
        assert.ok(drawn.length <= 4 * COLUMNS)
        assert.ok(curve.gaps.length <= COLUMNS + 1)
        assert.ok(curve.excursions.length <= COLUMNS + 1)
        for (let column = 0; column < COLUMNS; column++) {
          const all = readings.filter((each) => columnOf(each) === column).map(([, each]) => each)
          const kept = drawn.filter((each) => columnOf(each) === column).map(([, each]) => each)
          assert.equal(Math.max(...kept), Math.max(...all))
          assert.equal(Math.min(...kept), Math.min(...all))
        }
        const times = drawn.map(([atMs]) => atMs)
        assert.deepEqual(
          times,
          [...times].sort((a, b) => a - b),
        )
        assert.equal(curve.readings, readings.length)
      }),
      { numRuns: 100 },
    )
  })
})
