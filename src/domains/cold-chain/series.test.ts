import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Channel } from '../min-max-channel.ts'
import type { StoredReading } from './queries.ts'
import { seriesBuilder } from './series.ts'

const HOUR_MS = 3_600_000
const GAP_MS = 60_000

const reading = (recordedAtMs: number, more: Partial<StoredReading> = {}): StoredReading => ({
  recordedAtMs,
  temperatureC: 4,
  zone: null,
  fuelPercent: null,
  speedKmh: null,
  doorOpen: null,
  ...more,
})

function seriesOf(readings: readonly StoredReading[], points = 100) {
  const scope = { fromMs: 0, toMs: HOUR_MS, points, gapLimitMs: GAP_MS }
  const builder = seriesBuilder(scope)
  for (const each of readings) builder.add(each)
  return builder.finish()
}

const known = (channel: Channel): number[] => channel.values.filter((value) => value !== null)

describe('a series', () => {
  it('of nothing is one gap and empty lines', () => {
    const series = seriesOf([])
    assert.deepEqual(series.gaps, [
      { from: '1970-01-01T00:00:00.000Z', to: '1970-01-01T01:00:00.000Z' },
    ])
    assert.deepEqual(series.channels.temperatureC, { recordedAtMs: [], values: [] })
  })

  it('breaks its lines where silence begins, and goes on after it', () => {
    const { channels, gaps } = seriesOf([reading(0), reading(30_000), reading(HOUR_MS - 1_000)])
    assert.deepEqual(channels.temperatureC, {
      recordedAtMs: [0, 30_000, 90_000, HOUR_MS - 1_000],
      values: [4, 4, null, 4],
    })
    assert.equal(gaps.length, 1)
  })

  it('leaves out what was not measured instead of drawing zero', () => {
    const { channels } = seriesOf([reading(0, { fuelPercent: 50 }), reading(10_000)])
    assert.deepEqual(known(channels.fuelPercent), [50])
    assert.deepEqual(known(channels.speedKmh), [])
  })

  it('does not claim an open door through a silence', () => {
    const { doorOpen } = seriesOf([
      reading(0, { doorOpen: true }),
      reading(HOUR_MS / 2, { doorOpen: false }),
    ])
    assert.deepEqual(doorOpen, [
      { from: '1970-01-01T00:00:00.000Z', to: '1970-01-01T00:01:00.000Z' },
    ])
  })

  it('keeps every extreme, both ends and the order, within its points, for any readings', () => {
    const readings = fc.uniqueArray(fc.integer({ min: 0, max: HOUR_MS - 1 }), { minLength: 1 })
    fc.assert(
      fc.property(readings, fc.integer({ min: 2, max: 50 }), (times, points) => {
        const ordered = times
          .sort((a, b) => a - b)
          .map((atMs) => reading(atMs, { temperatureC: (atMs * 7_919) % 101 }))
        const { channels, gaps } = seriesOf(ordered, points)
        const { recordedAtMs } = channels.temperatureC
        const values = known(channels.temperatureC)
        const all = ordered.map(({ temperatureC }) => temperatureC)
        assert.equal(Math.max(...values), Math.max(...all))
        assert.equal(Math.min(...values), Math.min(...all))
        assert.equal(values[0], all[0])
        assert.equal(values.at(-1), all.at(-1))
        assert.ok(recordedAtMs.every((atMs, at) => at === 0 || atMs > (recordedAtMs[at - 1] ?? 0)))
        // Each gap ends a line, and a line adds its two ends and may cut a bucket in two.
        assert.ok(values.length <= points + 2 + 4 * (gaps.length + 1))
      }),
      { numRuns: 300 },
    )
  })
})
