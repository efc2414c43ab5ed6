import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { seededRandom } from '../../adapters/random/seeded-random.ts'
import { checkFleetTable, fleetRowOf } from '../../driving/fleet-table.ts'
import { distanceM } from '../../kernel/geo.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../kernel/time.ts'
import { diceFrom } from '../dice.ts'
import { DISORDER_BOUND_MS, FAULT_SHARES, FAULTS, type Fault } from '../faults.ts'
import { truckReadings } from './events.ts'
import { builtInProfiles } from './profiles.ts'
import { places, simulateTrucks, TruckSimulation, type WireTruckReading } from './simulate.ts'
import { corridors } from './world/corridors.ts'
import { BREAKAGES, broken } from './world/faults.ts'

const MORNING_MS = Date.UTC(2026, 2, 2, 6)

interface World {
  readonly seed?: number
  readonly vehicles?: number
  readonly startMs?: number
  readonly intervalMs?: number
  readonly failures?: boolean
}

function options(world: World & { readonly faults?: readonly Fault[] }) {
  return {
    vehicles: world.vehicles ?? 60,
    random: seededRandom(world.seed ?? 1),
    startMs: world.startMs ?? MORNING_MS,
    intervalMs: world.intervalMs ?? 3_000,
    failures: world.failures ?? true,
    faults: world.faults ?? [],
  }
}

const recordedAtMs = (event: WireTruckReading): number => Date.parse(String(event.recordedAt))

/** All readings up to the end of the span, by truck, in order of arrival. */
function watch(lengthMs: number, world: World = {}): ReadonlyMap<string, WireTruckReading[]> {
  const setting = options(world)
  const trucks = new Map<string, WireTruckReading[]>()
  for (const { atMs, events } of simulateTrucks(setting)) {
    for (const event of events) {
      const known = trucks.get(event.truckId)
      if (known === undefined) trucks.set(event.truckId, [event])
      else known.push(event)
    }
    if (atMs - setting.startMs >= lengthMs) return trucks
  }
  return trucks
}

function pairs<T>(list: readonly T[]): readonly (readonly [T, T])[] {
  return list.slice(1).map((item, index) => [list[index] ?? item, item] as const)
}

function lines(simulation: TruckSimulation, events: number, batch: number): string {
  let text = ''
  for (let left = events; left > 0; ) {
    const taken = simulation.take({ untilMs: Infinity, maxEvents: Math.min(batch, left) })
    assert.equal(taken.ends.length, taken.count)
    assert.equal(taken.ends.at(-1), taken.ndjson.length)
    text += Buffer.from(taken.ndjson).toString('latin1')
    left -= taken.count
  }
  return text
}

test('the trucks of the usual seed are in the example table of fleets, and what they carry fits in', () => {
  const path = fileURLToPath(new URL('../../../examples/reference/fleet.json', import.meta.url))
  const table: unknown = JSON.parse(readFileSync(path, 'utf8'))
  assert.equal(checkFleetTable(table), undefined)
  for (const [truckId, [reading]] of watch(0)) {
    const row = fleetRowOf(table, truckId)
    const { loadKg = 0, fuelLitres = 0, fuelPercent = 0 } = reading ?? {}
    assert.ok(Number(loadKg) > 1_000 && Number(loadKg) <= (row?.loadCapacityKg ?? 0), truckId)
    const tankLitres = (100 * Number(fuelLitres)) / Number(fuelPercent)
    assert.ok(Math.abs(tankLitres - (row?.fuelCapacityLitres ?? 0)) < 5, truckId)
  }
})

test('a truck breaks down now and then, stands for it, and drives on', () => {
  const brokenReadings = [
    ...watch(40 * HOUR_MS, { vehicles: 40, intervalMs: 60_000 }).values(),
  ].map((readings) => readings.map(({ brokenDown, speedKmh }) => ({ brokenDown, speedKmh })))
  const stands = brokenReadings.flat().filter(({ brokenDown }) => brokenDown === true)
  assert.ok(stands.length > 35 && stands.every(({ speedKmh }) => speedKmh === 0))
  const recovered = brokenReadings.filter((readings) => {
    const last = readings.findLastIndex(({ brokenDown }) => brokenDown === true)
    return last >= 0 && readings.slice(last).some(({ speedKmh }) => Number(speedKmh) > 20)
  })
  assert.ok(recovered.length > 0)
})

test('the same seed gives the same bytes, however they are taken', () => {
  const run = (seed: number, batch: number): string =>
    lines(new TruckSimulation(options({ seed, vehicles: 20, faults: FAULTS })), 8_000, batch)
  const whole = run(1, 8_000)
  assert.equal(run(1, 1), whole)
  assert.equal(run(1, 777), whole)
  assert.notEqual(run(2, 8_000), whole)
})

test('taking by time yields what is due and nothing of the future', () => {
  const simulation = new TruckSimulation(options({ vehicles: 10 }))
  for (let untilMs = MORNING_MS; untilMs < MORNING_MS + MINUTE_MS; untilMs += 700) {
    const { atMs } = simulation.take({ untilMs, maxEvents: 1_000 })
    assert.ok(atMs <= untilMs)
    assert.ok(simulation.nextDueMs > untilMs)
  }
})

test('every reading is accepted by the topic, whatever the interval', () => {
  for (const intervalMs of [1, 250, 3_000, 60_000]) {
    const simulation = new TruckSimulation(options({ vehicles: 30, intervalMs }))
    for (const line of lines(simulation, 3_000, 1_000).split('\n').slice(0, -1)) {
      const parsed = truckReadings.parse(JSON.parse(line))
      assert.ok(parsed.ok, `${line}: ${JSON.stringify(parsed)}`)
    }
  }
})

test('trucks, boxes and tanks stay within what is physically plausible', () => {
  for (const [truckId, readings] of watch(3 * HOUR_MS)) {
    for (const [before, after] of pairs(readings)) {
      const seconds = (recordedAtMs(after) - recordedAtMs(before)) / 1_000
      const speedMps = Number(after.speedKmh) / 3.6
      const km = Number(after.odometerKm) - Number(before.odometerKm)
      const seen = `${truckId} ${JSON.stringify(after)}`
      assert.ok(speedMps * 3.6 <= 100, seen)
      assert.ok(km >= 0 && km <= (seconds / 3_600) * 100 + 0.02, seen)
      assert.ok(after.temperatureC > -30 && after.temperatureC < 35, seen)
      assert.ok(Number(after.fuelPercent) > 0 && Number(after.fuelPercent) <= 100, seen)
      assert.match(truckId, /^K[BCD][A-Z] \d{3}[A-Z]$/)
      if (seconds > 5) continue
      const accelerationMps2 = (speedMps - Number(before.speedKmh) / 3.6) / seconds
      assert.ok(accelerationMps2 < 1 && accelerationMps2 > -2.2, `${accelerationMps2} ${seen}`)
      assert.ok(Math.abs(after.temperatureC - before.temperatureC) < 3, seen)
    }
  }
})

test('the odometer agrees with the positions within three percent', () => {
  for (const [truckId, readings] of watch(3 * HOUR_MS, { failures: false })) {
    const walkedM = pairs(readings)
      .filter(([before, after]) => before.speedKmh !== 0 || after.speedKmh !== 0)
      .reduce((sum, [before, after]) => sum + distanceM(position(before), position(after)), 0)
    const drivenM = (Number(readings.at(-1)?.odometerKm) - Number(readings[0]?.odometerKm)) * 1_000
    assert.ok(
      Math.abs(walkedM - drivenM) <= 0.03 * drivenM + 200,
      `${truckId}: ${walkedM} ${drivenM}`,
    )
  }
})

test('positions lie on a corridor', () => {
  const roads = corridors().flatMap(({ lat, lon }) =>
    Array.from(lat, (value, index) => ({ lat: value, lon: lon[index] ?? 0 })),
  )
  for (const readings of watch(20 * MINUTE_MS).values()) {
    for (const reading of readings.filter((_, index) => index % 100 === 0)) {
      const here = position(reading)
      const near = roads.some(
        (point) => Math.abs(point.lat - here.lat) < 0.003 && Math.abs(point.lon - here.lon) < 0.003,
      )
      assert.ok(near, JSON.stringify(reading))
    }
  }
})

function position(event: WireTruckReading) {
  return { lat: Number(event.lat), lon: Number(event.lon) }
}

test('a fleet starts in the middle of its day: spread over the country and mostly moving', () => {
  for (const seed of [1, 2, 3]) {
    const trucks = [...watch(MINUTE_MS, { seed }).values()]
    assert.equal(trucks.length, 60)
    const moving = trucks.filter((readings) => Number(readings.at(-1)?.speedKmh) > 10)
    assert.ok(moving.length >= 35, `seed ${seed}: ${moving.length} move`)
    const cells = new Set(
      trucks.map(
        ([first]) => first && `${Math.round(Number(first.lat))},${Math.round(Number(first.lon))}`,
      ),
    )
    assert.ok(cells.size >= 8, `seed ${seed}: ${cells.size} cells`)
  }
})

const maximumC = (profile: string | undefined): number =>
  builtInProfiles.find(({ name }) => name === profile)?.maxC ?? Number.NaN

test('within two minutes, for any seed, a box gets too warm and is cold again', () => {
  for (let seed = 0; seed < 20; seed++) {
    const startMs = MORNING_MS + seed * 7 * HOUR_MS
    const intervalMs = 2_000 + (seed % 4) * 1_000
    const vehicles = seed % 3 === 0 ? 1 : 60
    const recovered = [
      ...watch(2 * MINUTE_MS, { seed, startMs, intervalMs, vehicles }).values(),
    ].some((readings) => {
      const limitC = maximumC(readings[0]?.profile)
      const warm = readings.findIndex((reading) => reading.temperatureC > limitC)
      return (
        warm > 0 && readings.slice(warm).some(({ temperatureC }) => temperatureC <= limitC - 0.5)
      )
    })
    assert.ok(recovered, `seed ${seed}`)
  }
})

test('in the first minutes a unit fails for long, fuel is stolen, a door is forgotten and a truck falls silent', () => {
  const trucks = [...watch(35 * MINUTE_MS, { seed: 4 }).values()]
  const failing = trucks.filter((readings) => {
    const off = readings.filter(({ reeferOn }) => reeferOn === false)
    return off.length > 200 && off.some((event) => event.temperatureC > maximumC(event.profile))
  })
  assert.ok(failing.length > 0, 'no unit failed')

  const stolen = trucks.some((readings) => {
    const still = readings.slice(0, 200).filter(({ speedKmh }) => speedKmh === 0)
    return Number(still[0]?.fuelPercent) - Number(still.at(-1)?.fuelPercent) > 8
  })
  assert.ok(stolen, 'no fuel was stolen')

  const openWhileMoving = trucks.some(
    (readings) =>
      readings.filter((event) => event.doorOpen === true && Number(event.speedKmh) > 5).length > 8,
  )
  assert.ok(openWhileMoving, 'no door was left open')

  const silent = trucks.some((readings) =>
    pairs(readings).some(([a, b]) => recordedAtMs(b) - recordedAtMs(a) > 11 * MINUTE_MS),
  )
  assert.ok(silent, 'no truck fell silent')
})

test('without failures only doors disturb a box, and no reading is missing', () => {
  for (const readings of watch(2 * HOUR_MS, { failures: false }).values()) {
    assert.ok(readings.every(({ reeferOn }) => reeferOn === true))
    assert.ok(pairs(readings).every(([a, b]) => recordedAtMs(b) - recordedAtMs(a) <= 3_001))
  }
})

interface Arrival {
  readonly atMs: number
  readonly truckId: string
  readonly line: string
}

function arrivals(
  lengthMs: number,
  faults: readonly Fault[],
  failures: boolean,
): readonly Arrival[] {
  const simulation = new TruckSimulation(options({ faults, failures, seed: 9 }))
  const found: Arrival[] = []
  for (;;) {
    const batch = simulation.take({ untilMs: Infinity, maxEvents: 1 })
    if (batch.atMs > MORNING_MS + lengthMs) return found
    const line = Buffer.from(batch.ndjson).toString('latin1').trimEnd()
    found.push({ atMs: batch.atMs, truckId: batch.keys[0] ?? '', line })
  }
}

const read = (line: string): WireTruckReading => JSON.parse(line)

test('a truck without coverage uploads what it kept, late but in order and complete', () => {
  let uploads = 0
  const lastMs = new Map<string, number>()
  for (const { atMs, line } of arrivals(4 * HOUR_MS, [], true)) {
    const event = read(line)
    const before = lastMs.get(event.truckId)
    assert.ok(before === undefined || recordedAtMs(event) > before)
    lastMs.set(event.truckId, recordedAtMs(event))
    if (atMs - recordedAtMs(event) > 30 * SECOND_MS) uploads += 1
  }
  assert.ok(uploads > 100, `${uploads} late readings`)
})

function near(found: number, expected: number, subject: string): void {
  assert.ok(
    found > expected * 0.7 && found < expected * 1.3,
    `${subject}: ${found}, expected about ${expected}`,
  )
}

test('late readings come minutes after their time, at the documented rate', () => {
  const all = arrivals(90 * MINUTE_MS, ['late'], false)
  const late = all.filter(({ atMs, line }) => atMs - recordedAtMs(read(line)) > 90 * SECOND_MS)
  near(late.length, all.length * FAULT_SHARES.late, 'late')
})

test('disordered readings come at most the bound after their time, at the documented rate', () => {
  const all = arrivals(HOUR_MS, ['disorder'], false)
  const delays = all.map(({ atMs, line }) => atMs - recordedAtMs(read(line)))
  const disordered = delays.filter((delayMs) => delayMs > 900)
  near(disordered.length, all.length * FAULT_SHARES.disorder, 'disordered')
  assert.ok(Math.max(...delays) <= DISORDER_BOUND_MS + 1)
})

test('duplicates repeat a reading and its event id, at the documented rate', () => {
  const all = arrivals(90 * MINUTE_MS, ['duplicate'], false)
  const lineOf = new Map<string, string>()
  let repeated = 0
  for (const { line } of all) {
    const { eventId } = read(line)
    assert.ok(eventId !== undefined)
    const first = lineOf.get(eventId)
    if (first === undefined) lineOf.set(eventId, line)
    else repeated += 1
    assert.ok(first === undefined || first === line)
  }
  // Those that are repeated only hours later are not there yet.
  near(repeated, all.length * FAULT_SHARES.duplicate * 0.88, 'repeated')
})

test('bad events come beside the good ones, at the documented rate', () => {
  const good = arrivals(HOUR_MS, [], false).map(({ line }) => line)
  const mixed = arrivals(HOUR_MS, ['bad'], false)
  const goodLines = new Set(good)
  const bad = mixed.filter(({ line }) => !goodLines.has(line))
  near(bad.length, mixed.length * FAULT_SHARES.bad, 'bad')
  assert.equal(mixed.length - bad.length, good.length)
  assert.ok(bad.every(({ truckId }) => truckId !== ''))
})

test('every way of breaking an event is refused, but for a clock that is wrong by years', () => {
  const [sample] = arrivals(MINUTE_MS, ['duplicate'], false)
  assert.ok(sample !== undefined)
  for (const [name, spoil] of Object.entries(BREAKAGES)) {
    const spoilt = spoil(sample.line)
    assert.notEqual(spoilt, sample.line, name)
    assert.equal(isAccepted(spoilt), name === 'clock in 2099', name)
  }
  const dice = diceFrom(seededRandom(1))
  const seen = new Set(Array.from({ length: 500 }, () => broken(sample.line, dice)))
  assert.equal(seen.size, Object.keys(BREAKAGES).length)
})

function isAccepted(line: string): boolean {
  try {
    return truckReadings.parse(JSON.parse(line)).ok
  } catch {
    return false
  }
}

test('places lie in Kenya and have names of their own', () => {
  assert.ok(places.length > 50)
  assert.equal(new Set(places.map(({ name }) => name)).size, places.length)
  for (const { lat, lon, name } of places) {
    assert.ok(lat > -4.7 && lat < 1.5 && lon > 33.9 && lon < 41, name)
  }
})

const towns = fileURLToPath(
  new URL(
    '../../../../shared/data/geo-natural-earth-osm/ne_10m_populated_places_east_africa.geojson',
    import.meta.url,
  ),
)

test('towns lie where Natural Earth has them', {
  skip: existsSync(towns) ? false : 'the shared map data is not here',
}, () => {
  const atlas: {
    features: { properties: { name: string }; geometry: { coordinates: [number, number] } }[]
  } = JSON.parse(readFileSync(towns, 'utf8'))
  const known = new Map(
    atlas.features.map((town) => [town.properties.name, town.geometry.coordinates]),
  )
  let compared = 0
  for (const place of places) {
    const there = known.get(place.name)
    if (there === undefined) continue
    compared += 1
    const offM = distanceM(place, { lat: there[1], lon: there[0] })
    assert.ok(offM < 5_000, `${place.name} is ${offM} m off`)
  }
  assert.ok(compared >= 15, `${compared} towns compared`)
})
