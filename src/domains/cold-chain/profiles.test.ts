import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { builtInProfiles, findProfile, parseGoodsProfile, sideOutside } from './profiles.ts'

const named = (name: string) => {
  const profile = findProfile(builtInProfiles, name)
  assert.ok(profile, `${name} is built in`)
  return profile
}

describe('goods profiles', () => {
  it('every built-in profile fits its own schema and survives JSON', () => {
    assert.equal(builtInProfiles.length, 6)
    for (const profile of builtInProfiles) {
      assert.deepEqual(parseGoodsProfile(JSON.parse(JSON.stringify(profile))), {
        ok: true,
        value: profile,
      })
    }
  })

  const outside = (name: string, temperatureC: number, expected: string | undefined): void => {
    it(`${name} judges ${temperatureC} °C as ${expected ?? 'inside'}`, () => {
      assert.equal(sideOutside(named(name), temperatureC), expected)
    })
  }
  outside('default', 7, undefined)
  outside('default', 7.01, 'above')
  outside('default', 2, undefined)
  outside('default', 1.99, 'below')
  outside('frozen', -18, undefined)
  outside('frozen', -17.9, 'above')
  outside('who-type-1', 29.9, undefined)
  outside('who-type-1', 30, 'above')
  outside('who-type-1', -0.5, 'below')
  outside('who-type-2', 10, 'above')

  const refused = (title: string, change: object, path: string): void => {
    it(`a profile is refused where ${title}`, () => {
      const result = parseGoodsProfile({ ...named('default'), ...change })
      assert.ok(!result.ok)
      assert.ok(result.error.startsWith(path), result.error)
    })
  }
  const limit = named('default').limits[0]
  refused('the range is upside down', { minC: 9 }, '/minC')
  refused('a field is unknown', { maxc: 7 }, '/maxc')
  refused('a limit lies inside the range', { limits: [{ ...limit, thresholdC: 5 }] }, '/limits/0')
  refused('an instant limit has a duration', { limits: [{ ...limit, durationMs: 1 }] }, '/limits/0')
  refused(
    'a cumulative limit has none',
    { limits: [{ ...limit, mode: 'cumulative' }] },
    '/limits/0/durationMs',
  )
  refused(
    'the permitted range is narrower than the range',
    { permitted: { minC: 3, maxC: 9, durationMs: 1 } },
    '/permitted',
  )
  refused('it is not an object', { limits: 1 }, '/limits')
})
