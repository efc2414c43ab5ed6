import { deepEqual, equal, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { memoryEncoder } from '../../../test/simulation/memory-encoder.ts'
import { seededRandom } from '../../adapters/random/seeded-random.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../kernel/time.ts'
import { NO_INPUTS } from '../../streams/batch.ts'
import { Task } from '../../streams/task.ts'
import { FAULTS } from '../faults.ts'
import type { SimulationOptions } from '../simulation.ts'
import { type VehicleTelemetry, vehicleTelemetry } from './events.ts'
import { DEFAULT_GEARS, expectedGear } from './gears.ts'
import { vehiclesPipeline } from './pipeline.ts'
import {
  COLORS_TABLE,
  checkColors,
  checkModels,
  checkVehicles,
  MODELS_TABLE,
  VEHICLES_TABLE,
} from './reference.ts'
import { EXAMPLE_VEHICLES, simulateVehicles, vehicleFleet } from './simulate.ts'
import { exampleTables, modelOf } from './world/fleet.ts'

const START_MS = Date.UTC(2026, 2, 2, 6)

function linesOf(change: Partial<SimulationOptions>, untilMs: number, maxEvents = 1_000): string[] {
  const simulation = simulateVehicles({
    vehicles: 20,
    random: seededRandom(7),
    startMs: START_MS,
    intervalMs: SECOND_MS,
    ...change,
  })
  const lines: string[] = []
  for (;;) {
    const batch = simulation.take({ untilMs, maxEvents })
    if (batch.count === 0) return lines
    const text = Buffer.from(batch.ndjson).toString()
    batch.ends.forEach((end, index) => {
      lines.push(text.slice(batch.ends[index - 1] ?? 0, end - 1))
    })
  }
}

function eventsOf(lines: readonly string[]): readonly VehicleTelemetry[] {
  return lines.map((line) => {
    const parsed = vehicleTelemetry.parse(JSON.parse(line))
    ok(parsed.ok, line)
    return parsed.value
  })
}

test('the same seed gives the same bytes, however they are taken', () => {
  const change = (batch: number): string[] =>
    linesOf({ random: seededRandom(3), faults: FAULTS }, START_MS + 600_000, batch)
  deepEqual(change(1), change(777))
})

test('two hours of cars are driven as cars are, with a few that speed, overrev or forget a gear', () => {
  const events = eventsOf(linesOf({ vehicles: 40, intervalMs: 2_000 }, START_MS + 2 * HOUR_MS))
  const shares = (holds: (event: VehicleTelemetry) => boolean): number =>
    events.filter(holds).length / events.length
  ok(events.every(({ lat, lon }) => lat !== null && lon !== null && lat < -1 && lon > 36))
  const fast = shares(({ speedKmh }) => (speedKmh ?? 0) > 120)
  const stressed = shares(({ rpm }) => (rpm ?? 0) > 6_000)
  const standing = shares(({ speedKmh }) => speedKmh === 0)
  const odd = shares(
    ({ vehicleId, speedKmh, gear }) =>
      !modelOf(Number(vehicleId.slice(4)) - 1).electric &&
      gear !== expectedGear(speedKmh ?? 0, DEFAULT_GEARS),
  )
  ok(fast > 0.001 && fast < 0.03, `${fast} above 120 km/h`)
  ok(stressed > 0.0001 && stressed < 0.02, `${stressed} above 6,000 a minute`)
  ok(standing > 0.02 && standing < 0.4, `${standing} standing`)
  ok(odd > 0.0003 && odd < 0.05, `${odd} in another gear`)
})

/** Alerts that the fleet raises, by id. */
function alertsOf(lines: readonly string[]): ReadonlySet<string> {
  const task = new Task({
    pipeline: vehiclesPipeline,
    topic: vehicleTelemetry.name,
    partition: 0,
    encoder: memoryEncoder(vehicleTelemetry.archive),
  })
  const { vehicles, models, colors } = exampleTables(EXAMPLE_VEHICLES)
  const tables = { [VEHICLES_TABLE]: vehicles, [MODELS_TABLE]: models, [COLORS_TABLE]: colors }
  const references = Object.entries(tables).map(([name, content]) => ({
    name,
    version: 1,
    content,
  }))
  task.process([], 0, { ...NO_INPUTS, references })
  const records = eventsOf(lines).map(({ recordedAtMs, vehicleId }, offset) => ({
    offset,
    key: vehicleId,
    value: Buffer.from(lines[offset] ?? ''),
    receivedAtMs: recordedAtMs + 200,
    tenantId: 'default',
  }))
  const { alerts } = task.process(records, records.length, NO_INPUTS)
  return new Set(alerts.map(({ rule, id }) => `${rule} ${id}`))
}

/** How often cars brake and corner harder than 4.4 and 5.5 m/s², and how far they drive for it. */
function harshOf(events: readonly VehicleTelemetry[]) {
  let [braking, cornering, km] = [0, 0, 0]
  for (const own of Map.groupBy(events, ({ vehicleId }) => vehicleId).values()) {
    for (const [index, now] of own.entries()) {
      const last = own[index - 1]
      if (last === undefined) continue
      const [before, after] = [(last.speedKmh ?? 0) / 3.6, (now.speedKmh ?? 0) / 3.6]
      const seconds = (now.recordedAtMs - last.recordedAtMs) / 1_000
      const turnedDeg = (((now.headingDeg ?? 0) - (last.headingDeg ?? 0) + 540) % 360) - 180
      const across = ((before + after) / 2) * ((Math.abs(turnedDeg) * Math.PI) / 180 / seconds)
      if ((before - after) / seconds >= 4.4) braking++
      if (across >= 5.5) cornering++
      km += (now.odometerKm ?? 0) - (last.odometerKm ?? 0)
    }
  }
  return { braking, cornering, km }
}

test('who keeps to the limits turns without harm; harsh braking is seldom, and happens', () => {
  const drivenFor = (failures: boolean) =>
    harshOf(
      eventsOf(linesOf({ failures, vehicles: 60, intervalMs: 1_000 }, START_MS + 60 * 60_000)),
    )
  const careful = drivenFor(false)
  ok(careful.km > 1_500, `${careful.km} km`)
  deepEqual([careful.braking, careful.cornering], [0, 0])
  const usual = drivenFor(true)
  const per100Km = (100 * (usual.braking + usual.cornering)) / usual.km
  ok(usual.braking > 0 && per100Km < 4, `${per100Km} on 100 km`)
})

test('without failures nobody breaks a rule', () => {
  const lines = linesOf({ failures: false, vehicles: 60 }, START_MS + 20 * MINUTE_MS)
  deepEqual([...alertsOf(lines)], [])
})

test('two minutes of the usual fleet raise a handful of alerts: exceptions come first', () => {
  const { defaultVehicles: vehicles, defaultIntervalMs: intervalMs } = vehicleFleet
  const counts = [1, 2, 3, 4, 5].map((seed) => {
    const options = { vehicles, intervalMs, random: seededRandom(seed) }
    return alertsOf(linesOf(options, START_MS + 2 * MINUTE_MS)).size
  })
  ok(Math.max(...counts) <= 9, `${counts} alerts`)
  ok(Math.max(...counts) > 0, 'none at all')
})

test('broken lines are refused, all but a clock in 2099', () => {
  const lines = linesOf({ faults: ['bad'], vehicles: 100 }, START_MS + 200_000)
  const refused = lines.filter((line) => {
    try {
      return !vehicleTelemetry.parse(JSON.parse(line)).ok
    } catch {
      return true
    }
  })
  const future = lines.filter((line) => line.includes('"2099'))
  ok(refused.length > 40, `${refused.length} refused`)
  equal(lines.length - refused.length - future.length, 100 * 201 - (100 - 1))
})

test('the example tables are well-formed, list most of the fleet, and are those that are shipped', () => {
  const { vehicles, models, colors } = exampleTables(EXAMPLE_VEHICLES)
  const shipped = (name: string): unknown =>
    JSON.parse(
      readFileSync(new URL(`../../../examples/reference/${name}.json`, import.meta.url), 'utf8'),
    )
  deepEqual(shipped(VEHICLES_TABLE), vehicles)
  deepEqual(shipped(MODELS_TABLE), models)
  deepEqual(shipped(COLORS_TABLE), colors)
  deepEqual(
    [checkVehicles(vehicles), checkModels(models), checkColors(colors)],
    [undefined, undefined, undefined],
  )
  equal(vehicles.length, 975)
  equal(new Set(vehicles.map(({ modelId }) => modelId)).size, 8)
  equal(new Set(vehicles.map(({ colorId }) => colorId)).size, 7)
})
