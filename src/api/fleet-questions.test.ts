// Every question of TSBS's «iot» use case, asked of the API and of the SQL views over two days of a generated
// fleet that went through the pipeline, and worked out beside them from the plain readings.

import { deepEqual, equal, ok } from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { startApiServer } from '../../test/api-server.ts'
import { testPostgres } from '../../test/postgres-server.ts'
import { createCheckpointStore } from '../adapters/postgres/checkpoint-store.ts'
import { seededRandom } from '../adapters/random/seeded-random.ts'
import { truckReadings } from '../domains/cold-chain/events.ts'
import { coldChainPipeline } from '../domains/cold-chain/pipeline.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, toIso } from '../kernel/time.ts'
import type { RowChange } from '../ports/row-table.ts'
import { NO_INPUTS } from '../streams/batch.ts'
import { Task } from '../streams/task.ts'

const T0 = Date.UTC(2026, 0, 5)
const END_MS = T0 + 2 * DAY_MS
const PERIOD_MS = 10 * MINUTE_MS

interface Member {
  readonly entityId: string
  readonly fleet: string
  readonly driver: string
  readonly model: string
  readonly loadCapacityKg: number
  readonly fuelCapacityLitres: number
  readonly nominalLitresPer100Km: number
}

const member = (
  entityId: string,
  [fleet, driver, model]: readonly [string, string, string],
  fuelCapacityLitres = 600,
): Member => ({
  ...{ entityId, fleet, driver, model, fuelCapacityLitres },
  ...{ loadCapacityKg: 2_000, nominalLitresPer100Km: 28 },
})

const FLEET: readonly Member[] = [
  member('T1', ['East', 'Amina', 'F-150'], 200),
  member('T2', ['East', 'Brian', 'G-2000']),
  member('T3', ['West', 'Chebet', 'G-2000']),
  member('T4', ['West', 'Daudi', 'H-2']),
]
const TRUCKS = [...FLEET.map(({ entityId }) => entityId), 'T5']

/** Hours of the day in which a truck drives. */
const DRIVEN: Readonly<Record<string, (hour: number) => boolean>> = {
  // Four and a half hours without a rest.
  T1: (hour) => hour >= 6 && hour < 10.5,
  // Fourteen hours, with half an hour of rest in every two and a half: nearly twelve at the wheel.
  T2: (hour) => hour >= 5 && hour < 19 && (hour - 5) % 2.5 < 2,
  T3: () => false,
  T4: (hour) => (hour >= 8 && hour < 10) || (hour >= 12 && hour < 14),
  T5: (hour) => hour >= 9 && hour < 9.5,
}
/** Minutes from the start in which T4 says that it is broken down: long, for three minutes, long. */
const BROKEN: readonly (readonly [number, number])[] = [
  [600, 690],
  [1_200, 1_203],
  [2_640, 2_660],
]
const LITRES_PER_100_KM = 30

interface Reading {
  readonly truckId: string
  readonly atMs: number
  readonly speedKmh: number
  readonly odometerKm: number
  readonly fuelPercent: number
  readonly loadKg: number
  readonly brokenDown: boolean
  readonly lat: number
  readonly lon: number
}

function readingsOf(truckId: string, seed: number): readonly Reading[] {
  const random = seededRandom(seed)
  const capacity = FLEET.find(({ entityId }) => entityId === truckId)?.fuelCapacityLitres ?? 600
  let odometerKm = 1_000
  const readings: Reading[] = []
  // T5 fell silent after the first day.
  const minutes = truckId === 'T5' ? 1_440 : 2_880
  for (let minute = 0; minute < minutes; minute++) {
    const hour = (minute / 60) % 24
    const speedKmh = DRIVEN[truckId]?.(hour) === true ? 60 + 20 * random.next() : 0
    odometerKm += speedKmh / 60
    const used = ((odometerKm - 1_000) / 100) * LITRES_PER_100_KM
    readings.push({
      ...{ truckId, speedKmh, odometerKm },
      atMs: T0 + minute * MINUTE_MS,
      fuelPercent: 99 - (100 * used) / capacity,
      loadKg: truckId === 'T3' ? 1_900 : 800 + 400 * random.next(),
      brokenDown: truckId === 'T4' && BROKEN.some(([from, to]) => minute >= from && minute < to),
      lat: -1.3 + minute / 100_000,
      lon: 36.8,
    })
  }
  return readings
}

const readings = TRUCKS.flatMap((truckId, index) => readingsOf(truckId, index + 1))

/** What the tables of the program hold after these readings, some of which come a minute late. */
async function open(t: TestContext) {
  const { address, database, tenantDatabase } = await testPostgres(t)
  const store = createCheckpointStore({ address })
  t.after(() => store.close())
  await store.ensureArchive(truckReadings.archive)
  const noChunk = { table: '', rows: 0, bytes: 0, payload: [] }
  const encoder = { pendingBytes: 0, add() {}, take: () => noChunk }
  const topic = truckReadings.name
  const task = new Task({ pipeline: coldChainPipeline, topic, partition: 0, encoder })
  const references = [{ name: 'fleet', version: 1, content: FLEET }]
  task.process([], 0, { ...NO_INPUTS, references })
  const random = seededRandom(99)
  const sent = readings
    .map((reading) => ({ reading, at: reading.atMs + (random.next() < 0.1 ? 90_000 : 0) }))
    .sort((a, b) => a.at - b.at)
    .map(({ reading: { truckId, atMs, ...fields }, at }, offset) => ({
      ...{ offset, key: truckId, tenantId: 'default', receivedAtMs: at },
      value: Buffer.from(JSON.stringify({ truckId, recordedAt: atMs, temperatureC: 4, ...fields })),
    }))
  const rows: RowChange[] = []
  for (let from = 0; from < sent.length; from += 2_000) {
    const batch = sent.slice(from, from + 2_000)
    rows.push(...task.process(batch, from + batch.length, NO_INPUTS).rows)
  }
  const id = { pipeline: 'cold-chain', partition: 0 }
  const { epoch } = await store.claim(id)
  await store.commit({
    ...{ task: id, epoch, fromOffset: 0, toOffset: sent.length, watermarkMs: END_MS, rows },
    ...{ archive: [], alerts: [], untold: [], deadLetters: [], outbox: [], windows: [] },
    ...{ journal: [], bytes: 0 },
  })
  const server = await startApiServer({ database, tenantDatabase })
  t.after(() => server.close())
  const ask = async (path: string): Promise<readonly Record<string, unknown>[]> => {
    const range = path.startsWith('latest') ? '' : `from=${toIso(T0)}&to=${toIso(END_MS)}&`
    const [route, query = ''] = path.split('?')
    const response = await fetch(`${server.url}/api/v1/fleet/${route}?${range}${query}`)
    const body = JSON.parse(await response.text())
    equal(response.status, 200, JSON.stringify(body))
    return body.items
  }
  const sql = (text: string) => database.query(text, [])
  return { ask, sql, server }
}

// The plain computation.

interface Period {
  readonly truckId: string
  readonly startMs: number
  readonly averageKmh: number
  readonly drivenMinutes: number
  readonly km: number
  readonly loadShare: number
  readonly broken: boolean
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

const periods: readonly Period[] = [
  ...Map.groupBy(
    readings,
    ({ truckId, atMs }) => `${truckId} ${Math.floor(atMs / PERIOD_MS)}`,
  ).values(),
].map((inside) => {
  const { truckId = '', atMs = 0 } = inside[0] ?? {}
  return {
    truckId,
    startMs: atMs,
    averageKmh: mean(inside.map(({ speedKmh }) => speedKmh)),
    drivenMinutes: inside.filter(({ speedKmh }) => speedKmh > 0).length,
    km: inside.reduce((sum, { speedKmh }) => sum + speedKmh / 60, 0),
    loadShare: mean(inside.map(({ loadKg }) => loadKg)) / 2_000,
    broken: 2 * inside.filter(({ brokenDown }) => brokenDown).length >= inside.length,
  }
})

const memberOf = (truckId: string) => FLEET.find(({ entityId }) => entityId === truckId)
const lastOf = (truckId: string) => readings.findLast((each) => each.truckId === truckId)
const dayOf = (atMs: number): string => toIso(atMs).slice(0, 10)

/** Median of a level that only falls, over five readings: the one two readings before. */
function usedLitres(truckId: string, startMs: number): number {
  const { fuelCapacityLitres = 0 } = memberOf(truckId) ?? {}
  const own = readings.filter((each) => each.truckId === truckId)
  const from = own.findIndex(({ atMs }) => atMs === startMs)
  const levelAt = (index: number): number => own[Math.max(0, index - 2)]?.fuelPercent ?? 0
  return ((levelAt(from - 1) - levelAt(from + 9)) * fuelCapacityLitres) / 100
}

/** The most periods above 1 km/h in so long a time. */
function mostDriven(truckId: string, spanMs: number): number {
  const driven = periods.filter((each) => each.truckId === truckId && each.averageKmh > 1)
  return Math.max(
    0,
    ...driven.map(
      ({ startMs }) =>
        driven.filter((each) => each.startMs <= startMs && each.startMs > startMs - spanMs).length,
    ),
  )
}

/** Lengths in hours of the sessions above 5 km/h, by the day on which they begin. */
function sessionsOf(truckId: string): ReadonlyMap<string, readonly number[]> {
  const sessions = new Map<string, number[]>()
  let lastMs = Number.NaN
  let day = ''
  for (const { startMs, averageKmh } of periods.filter((each) => each.truckId === truckId)) {
    if (averageKmh <= 5) continue
    if (startMs !== lastMs + PERIOD_MS) {
      day = dayOf(startMs)
      sessions.set(day, [...(sessions.get(day) ?? []), 0])
    }
    lastMs = startMs
    const today = sessions.get(day) ?? []
    today.push((today.pop() ?? 0) + PERIOD_MS / HOUR_MS)
  }
  return sessions
}

const near = (found: unknown, expected: number): void =>
  ok(Math.abs(Number(found) - expected) <= 0.001, `${found} is not ${expected}`)

const column = (rows: readonly Readonly<Record<string, unknown>>[], name: string) =>
  rows.map((row) => row[name])

test('every question of TSBS has the answer that the plain readings give, by route and by view', async (t) => {
  const { ask, sql, server } = await open(t)

  await t.test('last position of a fleet, and of given trucks, with name and driver', async () => {
    const expected = ['T1', 'T2'].map((truckId) => [truckId, memberOf(truckId)?.driver])
    for (const query of ['fleet=East', 'entity=T2,T1']) {
      const rows = await ask(`latest?${query}`)
      deepEqual(
        rows.map(({ entityId, driver }) => [entityId, driver]),
        expected,
      )
      for (const { entityId, lat, lon, recordedAt } of rows) {
        const last = lastOf(String(entityId))
        deepEqual([lat, lon, recordedAt], [last?.lat, last?.lon, toIso(last?.atMs ?? 0)])
      }
    }
    const view = await sql(`SELECT entity_id, driver, lat FROM fleet_latest WHERE fleet = 'East'`)
    deepEqual(
      view.map(({ entity_id, driver, lat }) => [entity_id, driver, lat]),
      expected.map(([truckId, driver]) => [truckId, driver, lastOf(truckId ?? '')?.lat]),
    )
    equal((await ask('latest')).length, TRUCKS.length)
  })

  await t.test('low fuel, and high load', async () => {
    const low = TRUCKS.filter((truckId) => (lastOf(truckId)?.fuelPercent ?? 100) < 10)
    deepEqual(low, ['T1'])
    deepEqual(column(await ask('latest?fuelBelow=10'), 'entityId'), low)
    const fuel = await sql('SELECT entity_id FROM fleet_latest WHERE fuel_percent < 10')
    deepEqual(column(fuel, 'entity_id'), low)
    const high = FLEET.filter(({ entityId, loadCapacityKg }) => {
      const { loadKg = 0 } = lastOf(entityId) ?? {}
      return loadKg / loadCapacityKg > 0.9
    }).map(({ entityId }) => entityId)
    deepEqual(high, ['T3'])
    deepEqual(column(await ask('latest?loadAbove=90'), 'entityId'), high)
    const load = await sql('SELECT entity_id FROM fleet_latest WHERE load_share > 0.9')
    deepEqual(column(load, 'entity_id'), high)
  })

  await t.test('stationary trucks', async () => {
    const expected = TRUCKS.map((truckId) => [
      truckId,
      periods.filter((each) => each.truckId === truckId && each.averageKmh < 1).length,
    ])
    const route = await ask('stationary')
    deepEqual(
      route.map(({ entityId, periods: count }) => [entityId, count]).sort(),
      expected.toSorted(),
    )
    const view = await sql(
      'SELECT entity_id, count(*)::int AS periods FROM fleet_stationary GROUP BY 1 ORDER BY 1',
    )
    deepEqual(
      view.map((row) => [row.entity_id, row.periods]),
      expected,
    )
  })

  await t.test('long driving sessions, and long daily sessions', async () => {
    const counts = TRUCKS.map((truckId) => ({
      truckId,
      of4h: mostDriven(truckId, 4 * HOUR_MS),
      of24h: mostDriven(truckId, DAY_MS),
    }))
    const expected = counts.filter(({ of4h, of24h }) => of4h > 22 || of24h > 60)
    deepEqual(column(expected, 'truckId'), ['T1', 'T2'])
    deepEqual(
      (await ask('long-driving'))
        .map((row) => [
          row.entityId,
          row.periodsOf4h,
          row.periodsOf24h,
          row.withoutRest,
          row.longDay,
        ])
        .sort(),
      expected.map(({ truckId, of4h, of24h }) => [truckId, of4h, of24h, of4h > 22, of24h > 60]),
    )
    const view = await sql(
      `SELECT entity_id, max(periods_of_4h)::int AS of4h, max(periods_of_24h)::int AS of24h
       FROM fleet_long_driving GROUP BY 1 ORDER BY 1`,
    )
    deepEqual(
      view.map((row) => ({ truckId: row.entity_id, of4h: row.of4h, of24h: row.of24h })),
      expected,
    )
  })

  await t.test('average against projected fuel consumption', async () => {
    const route = await ask('consumption')
    const view = await sql(
      `SELECT fleet, sum(distance_km) AS km, sum(used_litres) AS litres, sum(nominal_litres) AS nominal
       FROM fleet_consumption GROUP BY 1 ORDER BY 1`,
    )
    deepEqual(column(route, 'fleet'), ['East', 'West'])
    for (const [index, fleet] of ['East', 'West'].entries()) {
      const moved = periods.filter(
        ({ truckId, averageKmh }) => memberOf(truckId)?.fleet === fleet && averageKmh > 1,
      )
      const km = moved.reduce((sum, each) => sum + each.km, 0)
      const [row = {}, stored = {}] = [route[index], view[index]]
      near(row.distanceKm, km)
      near(row.nominalLitresPer100Km, 28)
      const litres = moved.reduce(
        (sum, { truckId, startMs }) => sum + usedLitres(truckId, startMs),
        0,
      )
      near(row.litresPer100Km, (100 * litres) / km)
      near(stored.km, km)
      near(stored.nominal, 0.28 * km)
      near(Number(stored.litres), Number(row.usedLitres))
    }
  })

  await t.test('average daily driving duration and session of each driver', async () => {
    const route = await ask('driving-time')
    const view = await sql(
      `SELECT driver, avg(driven_h) AS hours, avg(average_session_h) AS session
       FROM driver_daily WHERE driven_h > 0 GROUP BY 1 ORDER BY 1`,
    )
    deepEqual(column(route, 'driver').toSorted(), ['Amina', 'Brian', 'Daudi'])
    for (const { driver, hoursADay, hoursASession, sessions } of route) {
      const { entityId = '' } = FLEET.find((each) => each.driver === driver) ?? {}
      const driven = periods.filter(({ truckId }) => truckId === entityId)
      const hours = driven.reduce((sum, each) => sum + each.drivenMinutes, 0) / 60 / 2
      const days = [...sessionsOf(entityId).values()]
      const session = mean(days.map(mean))
      near(hoursADay, hours)
      near(hoursASession, session)
      equal(sessions, days.flat().length)
      const stored = view.find((row) => row.driver === driver) ?? {}
      near(stored.hours, hours)
      near(stored.session, session)
    }
  })

  await t.test('average load, by fleet and model', async () => {
    const route = await ask('load')
    const view = await sql(
      `SELECT fleet, model, 100 * avg(average_load_share) AS percent FROM fleet_load
       GROUP BY 1, 2 ORDER BY 1, 2`,
    )
    const groups = FLEET.toSorted((a, b) => (a.fleet + a.model < b.fleet + b.model ? -1 : 1))
    equal(route.length, groups.length)
    for (const [index, { entityId, fleet, model }] of groups.entries()) {
      const share = mean(
        periods.filter(({ truckId }) => truckId === entityId).map(({ loadShare }) => loadShare),
      )
      const [row = {}, stored = {}] = [route[index], view[index]]
      deepEqual([row.fleet, row.model, row.vehicles], [fleet, model, 1])
      near(row.averageLoadPercent, 100 * share)
      near(stored.percent, 100 * share)
    }
  })

  await t.test('daily activity, by fleet and model', async () => {
    const view = await sql(
      `SELECT to_char(day AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, model, avg(share_in_service) AS share
       FROM fleet_daily WHERE model IS NOT NULL GROUP BY 1, 2`,
    )
    const route = (await ask('activity')).filter(({ model }) => model !== null)
    equal(route.length, 2 * FLEET.length)
    for (const { day, fleet, model, inServicePercent, drivenPercent } of route) {
      const { entityId } = FLEET.find((each) => each.fleet === fleet && each.model === model) ?? {}
      const today = periods.filter(
        ({ truckId, startMs }) => truckId === entityId && dayOf(startMs) === day,
      )
      near(inServicePercent, (100 * today.filter(({ broken }) => !broken).length) / 144)
      near(drivenPercent, (100 * today.filter(({ averageKmh }) => averageKmh > 1).length) / 144)
    }
    const stored = view.find((row) => row.model === 'H-2' && row.day === '2026-01-05')
    near(stored?.share, (144 - 9) / 144)
  })

  await t.test('breakdown frequency of each model', async () => {
    const ups = periods.filter(({ truckId, startMs, broken }) => {
      const before = periods.find(
        (each) => each.truckId === truckId && each.startMs === startMs - PERIOD_MS,
      )
      return broken && before?.broken === false
    })
    equal(ups.length, 2)
    const route = await ask('breakdowns')
    deepEqual(
      route.filter(({ breakdowns }) => breakdowns !== 0),
      [{ model: 'H-2', vehicles: 1, breakdowns: ups.length }],
    )
    const view = await sql(
      'SELECT model, count(*)::int AS breakdowns FROM fleet_breakdown GROUP BY 1',
    )
    deepEqual(view, [{ model: 'H-2', breakdowns: ups.length }])
  })

  await t.test(
    'a part of the range gives the part of the answer; too long a range is refused',
    async () => {
      const at = async (path: string) => {
        const response = await fetch(`${server.url}/api/v1/fleet/${path}`)
        return { status: response.status, body: JSON.parse(await response.text()) }
      }
      const second = `from=${toIso(T0 + DAY_MS)}&to=${toIso(END_MS)}`
      // Less than 50 km say nothing of consumption.
      const short = `from=${toIso(T0 + 6 * HOUR_MS)}&to=${toIso(T0 + 6 * HOUR_MS + PERIOD_MS)}`
      const [east] = (await at(`consumption?${short}&fleet=East`)).body.items
      ok(east.distanceKm > 15 && east.distanceKm < 30)
      equal(east.litresPer100Km, null)
      equal((await at(`breakdowns?${second}&fleet=West`)).body.items[0].breakdowns, 1)
      equal((await at(`long-driving?${second}&type=vehicle`)).body.items.length, 0)
      equal((await at(`load?from=${toIso(T0 - 100 * DAY_MS)}&to=${toIso(END_MS)}`)).status, 400)
      equal((await at('latest?fuelBelow=low')).status, 400)
      equal(
        (await at(`latest?entity=${Array.from({ length: 101 }, () => 'T1').join(',')}`)).status,
        400,
      )
    },
  )
})
