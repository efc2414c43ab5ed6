import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../../adapters/random/seeded-random.ts'
import { HOUR_MS } from '../../../kernel/time.ts'
import { assemble } from './fleet.ts'
import { type Activity, stepTruck } from './truck.ts'
import { outsideC, skyAt } from './weather.ts'

const START_MS = Date.UTC(2026, 2, 2, 6)
const STEP_MS = 3_000

interface Day {
  km: number
  litres: number
  refuels: number
  readonly hours: Map<Activity, number>
}

function liveThrough(hours: number): readonly Day[] {
  const fleet = assemble({
    vehicles: 40,
    random: seededRandom(11),
    startMs: START_MS,
    failures: false,
  })
  return fleet.map(({ truck }) => {
    const day: Day = { km: -truck.odometerM / 1_000, litres: 0, refuels: 0, hours: new Map() }
    let wasRefuelling = false
    for (let nowMs = START_MS; nowMs < START_MS + hours * HOUR_MS; nowMs += STEP_MS) {
      const levelL = truck.tank.levelL
      stepTruck(truck, nowMs, { stepS: STEP_MS / 1_000, sky: skyAt(nowMs), thefts: false })
      assert.ok(truck.tank.levelL > 0)
      day.litres += Math.max(0, levelL - truck.tank.levelL)
      const refuelling = truck.fillsUp
      if (refuelling && !wasRefuelling) day.refuels += 1
      wasRefuelling = refuelling
      day.hours.set(truck.activity, (day.hours.get(truck.activity) ?? 0) + STEP_MS / HOUR_MS)
    }
    day.km += truck.odometerM / 1_000
    return day
  })
}

test('over two days trucks drive, deliver, rest, are weighed and refuel as trucks do', () => {
  const days = liveThrough(48)
  for (const { km, litres } of days) {
    const per100Km = (litres / km) * 100
    assert.ok(km > 700 && km < 2_400, `${km} km in two days`)
    assert.ok(per100Km > 19 && per100Km < 42, `${per100Km} L/100 km`)
  }
  const hoursOf = (activity: Activity): number =>
    days.reduce((sum, { hours }) => sum + (hours.get(activity) ?? 0), 0)
  const all = days.length * 48
  const driving = hoursOf('driving') / all
  assert.ok(driving > 0.35 && driving < 0.6, `driving ${driving}`)
  for (const activity of [
    'delivery',
    'rest',
    'night-rest',
    'weighbridge',
    'refuel',
    'depot',
  ] as const) {
    assert.ok(hoursOf(activity) > 0, activity)
  }
  assert.ok(days.reduce((sum, { refuels }) => sum + refuels, 0) > 30)
})

test('it is warmer by the sea than in the highlands, and in the afternoon than before dawn', () => {
  const at = (hourUtc: number, altitudeM: number): number =>
    outsideC(skyAt(Date.UTC(2026, 2, 2, hourUtc)), altitudeM)
  for (const hour of [2, 8, 12, 20]) assert.ok(at(hour, 20) > at(hour, 1_700) + 4)
  assert.ok(at(11.5, 1_700) > at(2, 1_700) + 8)
  assert.ok(at(11.5, 20) > at(2, 20) + 3)
  assert.ok(at(11.5, 20) < 35 && at(2, 2_700) > 3)
})
