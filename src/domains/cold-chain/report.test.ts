import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../kernel/time.ts'
import { meanKineticTemperatureC } from './mean-kinetic-temperature.ts'
import { builtInProfiles, findProfile, type GoodsProfile } from './profiles.ts'
import { coldChainReport, gapLimitMs, type ReportReading, reportBuilder } from './report.ts'

const START_MS = Date.UTC(2026, 0, 1)

function profileNamed(name: string): GoodsProfile {
  const profile = findProfile(builtInProfiles, name)
  assert.ok(profile)
  return profile
}

/** Readings every `stepMs` from the start, one a temperature. */
function every(stepMs: number, temperatures: readonly number[]): ReportReading[] {
  return temperatures.map((temperatureC, index) => ({
    recordedAtMs: START_MS + index * stepMs,
    temperatureC,
    zone: null,
  }))
}

const report = (name: string, readings: readonly ReportReading[], toMs?: number) =>
  coldChainReport(readings, { profile: profileNamed(name), fromMs: START_MS, toMs })

const steady = (count: number, temperatureC: number): number[] => Array(count).fill(temperatureC)

describe('mean kinetic temperature', () => {
  const check = (entries: readonly (readonly [number, number])[], expectedC: number): void => {
    const means = entries.map(([temperatureC, weight]) => ({ temperatureC, weight }))
    const title = entries.map(([temperature, weight]) => `${weight} at ${temperature}`).join(', ')
    it(`of ${title} is ${expectedC} °C`, () => {
      assert.equal(meanKineticTemperatureC(means)?.toFixed(4), expectedC.toFixed(4))
    })
  }
  check(
    [
      [5, 1],
      [5, 1],
      [5, 1],
      [15, 1],
    ],
    8.7859,
  )
  check(
    [
      [2, 1],
      [8, 1],
    ],
    5.5364,
  )
  check(
    [
      [5, 18],
      [14, 6],
    ],
    8.2852,
  )

  it('of nothing is unknown', () => {
    assert.equal(meanKineticTemperatureC([]), undefined)
  })
})

describe('the gap limit', () => {
  it('is three intervals, between 5 minutes and 2 hours', () => {
    const profile = profileNamed('default')
    assert.equal(gapLimitMs(profile, 10 * MINUTE_MS), 30 * MINUTE_MS)
    assert.equal(gapLimitMs(profile, 1_000), 5 * MINUTE_MS)
    assert.equal(gapLimitMs(profile, DAY_MS), 2 * HOUR_MS)
    assert.equal(
      gapLimitMs({ ...profile, nominalIntervalMs: 20 * MINUTE_MS }, 1_000),
      60 * MINUTE_MS,
    )
  })
})

describe('the cold-chain report', () => {
  it('finds a day inside the range conformant and wholly covered', () => {
    const found = report('default', every(5 * MINUTE_MS, steady(288, 4)), START_MS + DAY_MS)
    assert.equal(found.verdict, 'conformant')
    assert.equal(found.coveragePercent, 100)
    assert.deepEqual(found.gaps, [])
    assert.equal(found.meanC, 4)
    assert.equal(found.meanKineticTemperatureC, 4)
  })

  it('takes an excursion from the first reading outside to the first back inside', () => {
    const found = report('default', every(MINUTE_MS, [7, 7.1, 9, 8, 7, 4]))
    assert.deepEqual(found.excursions, [
      {
        startsAt: '2026-01-01T00:01:00.000Z',
        endsAt: '2026-01-01T00:04:00.000Z',
        durationS: 180,
        side: 'above',
        maximumC: 9,
        readings: 3,
        zone: null,
      },
    ])
    assert.equal(found.readingsAbove, 3)
    assert.equal(found.verdict, 'non-conformant')
  })

  it('closes one excursion and opens another where the temperature changes sides', () => {
    const found = report('default', every(MINUTE_MS, [9, 1, 4]))
    assert.deepEqual(
      found.excursions.map(({ side, durationS }) => [side, durationS]),
      [
        ['above', 60],
        ['below', 60],
      ],
    )
    assert.equal(found.excursions[1]?.minimumC, 1)
  })

  it('leaves an excursion open that has not ended, and counts it to the end of coverage', () => {
    const found = report('default', every(MINUTE_MS, [4, 4, 9]), START_MS + HOUR_MS)
    assert.equal(found.excursions[0]?.endsAt, null)
    assert.equal(found.excursions[0]?.durationS, 300)
  })

  it('counts a silence as a gap, and does not call the rest conformant', () => {
    const readings = every(5 * MINUTE_MS, steady(12, 4))
    const found = report('default', readings, START_MS + DAY_MS)
    assert.equal(found.verdict, 'insufficient-data')
    assert.equal(found.gapLimitS, 900)
    assert.deepEqual(found.gaps, [
      {
        startsAt: '2026-01-01T01:10:00.000Z',
        endsAt: '2026-01-02T00:00:00.000Z',
        durationS: 82_200,
        zone: null,
      },
    ])
    assert.equal(found.coveragePercent, 4.8)
  })

  it('says so where there are no readings', () => {
    const found = report('default', [], START_MS + DAY_MS)
    assert.equal(found.verdict, 'insufficient-data')
    assert.equal(found.coveragePercent, 0)
    assert.equal(found.minimumC, null)
  })

  it('judges each zone by itself and reports the worst', () => {
    const front = every(MINUTE_MS, steady(60, 4)).map((reading) => ({ ...reading, zone: 'front' }))
    const rear = every(MINUTE_MS, steady(60, 9)).map((reading) => ({ ...reading, zone: 'rear' }))
    const both = [...front, ...rear].sort((a, b) => a.recordedAtMs - b.recordedAtMs)
    const found = report('default', both)
    assert.equal(found.readings, 120)
    assert.equal(found.excursionCount, 1)
    assert.equal(found.excursions[0]?.zone, 'rear')
    assert.equal(found.meanKineticTemperatureC, 9)
    assert.equal(found.coveragePercent, 100)
  })

  describe('limits', () => {
    const hours = (name: string, temperatures: readonly number[], expected: string): void => {
      it(`${name}: ${temperatures.join(', ')} °C, an hour each, is ${expected}`, () => {
        const readings = every(HOUR_MS, temperatures)
        const toMs = START_MS + temperatures.length * HOUR_MS
        assert.equal(report(name, readings, toMs).verdict, expected)
      })
    }
    hours('who-type-1', [5, 45, 5], 'non-conformant')
    hours('who-type-1', [5, 44.9, 5], 'excursion-within-allowance')
    hours('who-type-1', [5, -0.5, 5], 'non-conformant')
    hours('who-type-1', [...steady(9, 30), 5], 'excursion-within-allowance')
    hours('who-type-1', [...steady(5, 30), 5, ...steady(5, 30), 5], 'non-conformant')
    hours('who-type-2', [...steady(19, 10), 5], 'excursion-within-allowance')
    hours('who-type-2', [...steady(20, 10), 5], 'non-conformant')
    hours('frozen', [-20, -17, -20], 'non-conformant')
    hours('frozen', [-20, -14, -20], 'non-conformant')
    hours('vaccine', [5, 12, 5, 5, 5, 5, 5], 'excursion-within-allowance')
    hours('vaccine', [...steady(18, 5), ...steady(6, 14)], 'non-conformant')
    hours('vaccine', [5, 1.9, 5, 5], 'non-conformant')
    hours('vaccine', [5, 15.1, 5, 5], 'non-conformant')
    hours('vaccine', [...steady(25, 8.1), 5], 'non-conformant')
    hours('pharma', [22, 26, 22, 22], 'excursion-within-allowance')
    hours('pharma', [22, 14.9, 22, 22], 'non-conformant')

    it('bears a short rise of frozen goods', () => {
      const readings = every(10 * MINUTE_MS, [-20, -17, -17, -20, -20])
      assert.equal(report('frozen', readings).verdict, 'excursion-within-allowance')
    })

    it('names the instant at which a cumulative limit was reached', () => {
      const readings = every(HOUR_MS, [...steady(6, 31), 5, ...steady(6, 31), 5])
      const breach = report('who-type-1', readings).breaches.find(
        ({ mode }) => mode === 'cumulative',
      )
      assert.equal(breach?.at, '2026-01-01T11:00:00.000Z')
      assert.equal(breach?.reachedS, 12 * 3_600)
      assert.equal(breach?.excused, false)
    })
  })

  it('finds the worst window of 24 hours inside a longer range', () => {
    const warm = [...steady(18, 5), ...steady(6, 14)]
    const found = report('vaccine', every(HOUR_MS, [...steady(72, 5), ...warm, ...steady(72, 5)]))
    assert.equal(found.mkt?.worstC, 8.2852)
    assert.equal(found.mkt?.windowComplete, true)
    assert.ok((found.meanKineticTemperatureC ?? 9) < 8)
    assert.equal(found.verdict, 'non-conformant')
  })

  it('refuses readings out of order', () => {
    const profile = profileNamed('default')
    const scope = { profile, fromMs: 0, toMs: DAY_MS, gapLimitMs: HOUR_MS }
    const builder = reportBuilder(scope)
    builder.add({ recordedAtMs: 2_000, temperatureC: 4, zone: null })
    assert.throws(() => builder.add({ recordedAtMs: 1_000, temperatureC: 4, zone: null }), {
      code: 'invariant-broken',
    })
  })

  it('holds its invariants for any readings', () => {
    const reading = fc.record({
      recordedAtMs: fc.integer({ min: START_MS, max: START_MS + DAY_MS - 1 }),
      temperatureC: fc.integer({ min: -30, max: 60 }),
      zone: fc.constantFrom(null, 'rear'),
    })
    const names = builtInProfiles.map((profile) => profile.name)
    fc.assert(
      fc.property(fc.array(reading), fc.constantFrom(...names), (readings, name) => {
        const ordered = readings.sort((a, b) => a.recordedAtMs - b.recordedAtMs)
        const found = report(name, ordered, START_MS + DAY_MS)
        assert.ok(found.coveragePercent >= 0 && found.coveragePercent <= 100)
        const outside = found.excursions.reduce((sum, excursion) => sum + excursion.readings, 0)
        assert.equal(outside, found.readingsAbove + found.readingsBelow)
        const kinetic = found.meanKineticTemperatureC ?? 0
        assert.ok(kinetic <= (found.maximumC ?? 0) + 0.001)
        assert.ok(kinetic >= (found.minimumC ?? 0) - 0.001)
        for (const { durationS, startsAt, endsAt } of found.excursions) {
          assert.ok(durationS >= 0)
          if (endsAt === null) continue
          assert.equal((Date.parse(endsAt) - Date.parse(startsAt)) / 1_000, durationS)
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe('the real logger leg of November 2021', () => {
  const file = new URL(
    '../../../../shared/data/cold-chain-logger-leg-2021/readings.csv',
    import.meta.url,
  )
  const skip = existsSync(file) ? false : 'the folder shared/data is not beside this checkout'

  it('has 64 readings, 14 above 25 °C, in one excursion of 13,900 s up to 27 °C', { skip }, () => {
    const lines = readFileSync(file, 'utf8').trim().split('\n').slice(1)
    const readings = lines.map((line) => {
      const [time = '', temperature] = line.split(',')
      return { recordedAtMs: Date.parse(time), temperatureC: Number(temperature), zone: null }
    })
    const found = coldChainReport(readings, { profile: profileNamed('pharma') })
    assert.equal(found.readings, 64)
    assert.equal(found.readingsAbove, 14)
    assert.equal(found.readingsBelow, 0)
    assert.deepEqual(found.excursions, [
      {
        startsAt: '2021-11-09T14:58:16.000Z',
        endsAt: '2021-11-09T18:49:56.000Z',
        durationS: 13_900,
        side: 'above',
        maximumC: 27,
        readings: 14,
        zone: null,
      },
    ])
    assert.equal(found.verdict, 'excursion-within-allowance')
    assert.equal(found.gapLimitS, 2_571)
    assert.equal(found.coveragePercent, 89.4)
  })
})
