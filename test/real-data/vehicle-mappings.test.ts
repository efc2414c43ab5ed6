// The mappings of vehicle data on the files that they were made for. Figures are counted from the files by
// other means, and stand in their README.

import { deepEqual, equal } from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { vehiclesPipeline } from '../../src/domains/vehicles/pipeline.ts'
import { toIso } from '../../src/kernel/time.ts'
import type { WindowResult } from '../../src/ports/checkpoint-store.ts'
import { type MappedEvent, mapFile, processEvents } from '../mapped-file.ts'
import { sharedDataOrSkip } from '../requirements.ts'

test('five drives of the OBD kit keep every row that has a speed, in local time of its date', async (t) => {
  const drives: readonly (readonly [string, number, number, string])[] = [
    ['2017-07-05_Seat_Leon_RT_S_Stau', 46_346, 2_200, '2017-07-05T05:16:30.716Z'],
    ['2017-07-06_Seat_Leon_KA_RT_Normal', 57_246, 14_780, '2017-07-06T16:54:28.809Z'],
    ['2017-07-11_Seat_Leon_S_RT_Frei', 28_111, 2_090, '2017-07-11T16:34:06.548Z'],
    ['2017-07-13_Seat_Leon_RT_KA_Stau_Messfehler', 59_631, 13_670, '2017-07-13T05:00:41.622Z'],
    ['2018-02-17_Seat_Leon_BB_RT_Normal_Glatteis', 41_608, 0, '2018-02-17T13:15:47.480Z'],
  ]
  for (const [drive, rows, fast, firstAt] of drives) {
    const file = sharedDataOrSkip(t, `obd-seat-leon-2017-2018/${drive}.csv.gz`)
    if (file === undefined) return
    const { events, skipped, refused } = await mapFile(file, 'obd-kit')
    const first = events[0]?.event
    deepEqual([events.length, skipped, refused], [rows, 3, []], drive)
    deepEqual([first?.vehicleId, first?.recordedAt], ['Seat_Leon', firstAt], drive)
    equal(events.filter(({ event }) => Number(event.speedKmh) > 120).length, fast, drive)
  }
})

const DODGE = '58395f40e4b0a979d45bd61b'
const RECEIVED_MS = Date.UTC(2026, 0, 5)

/** Values of the windows that begin there, put together over groups, partitions and eras. */
function windowAt(windows: readonly WindowResult[], startsAt: string) {
  const found = windows.filter(
    (each) => each.window === 'vehicles-15m-1m' && toIso(each.startMs) === startsAt,
  )
  const value = (name: string) => found.map(({ values }) => Number(values[name] ?? 0))
  const total = (name: string) => value(name).reduce((sum, each) => sum + each, 0)
  return {
    readings: total('readings'),
    vehicles: total('activeVehicles'),
    maxSpeedKmh: Math.max(...value('maxSpeedKmh')),
    revisions: new Set(found.map(({ revision }) => revision)),
  }
}

test('1,407 enviroCar readings are 1,308 events, and tumbling maxima of 5 March are theirs', async (t) => {
  const file = sharedDataOrSkip(t, 'envirocar-muenster-2020/readings.ndjson.gz')
  if (file === undefined) return
  const { events, refused } = await mapFile(file, 'envirocar')
  deepEqual([events.length, refused], [1_407, []])
  // The one track that is there twice repeats itself id by id.
  const byId = new Map(events.map(({ event }) => [event.eventId, event]))
  equal(byId.size, 1_308)
  const unique = [...byId.values()]
  const fast = unique.filter(({ speedKmh }) => Number(speedKmh) > 120)
  deepEqual([fast.length, new Set(fast.map(({ vehicleId }) => vehicleId))], [27, new Set([DODGE])])

  const { alerts, windows } = processEvents(
    vehiclesPipeline,
    events.map(({ event }) => event),
    { receivedAtMs: RECEIVED_MS },
  )
  const speeding = alerts.filter(({ rule }) => rule === 'high-speed')
  equal(
    speeding.reduce((sum, { count }) => sum + count, 0),
    27,
  )
  const maxima = ['13:15', '13:30', '13:45'].map((at) =>
    windowAt(windows, `2020-03-05T${at}:00.000Z`).maxSpeedKmh.toFixed(1),
  )
  deepEqual(maxima, ['129.0', '127.0', '60.0'])
})

test('157 of 34,025 Twizy records have impossible dates, and 1,522 of all exceed the posted limit', async (t) => {
  const folder = sharedDataOrSkip(t, 'ev-twizy-rabat-2021')
  if (folder === undefined) return
  const events: MappedEvent[] = []
  const refused: MappedEvent[] = []
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.csv.gz'))) {
    const mapped = await mapFile(`${folder}/${name}`, 'twizy')
    events.push(...mapped.events.map(({ event }) => event))
    refused.push(...mapped.refused.map(({ event }) => event))
    equal(mapped.skipped, 0)
  }
  deepEqual([events.length + refused.length, refused.length], [34_025, 157])
  equal(new Set(events.map(({ vehicleId }) => vehicleId)).size, 11)
  const exceeds = ({ speedKmh, postedLimitKmh }: MappedEvent): boolean =>
    Number(speedKmh) > Number(postedLimitKmh)
  // Of all records, before the dead letters are taken out: 1,491 events and 31 dead letters.
  deepEqual([events.filter(exceeds).length, refused.filter(exceeds).length], [1_491, 31])
  const { alerts } = processEvents(vehiclesPipeline, events, { receivedAtMs: RECEIVED_MS })
  const counted = alerts
    .filter(({ rule, withdrawn }) => rule === 'posted-limit' && !withdrawn)
    .reduce((sum, { count }) => sum + count, 0)
  equal(counted, 1_491)
})

test('stragglers at the head of the AIS file disturb no window', async (t) => {
  const file = sharedDataOrSkip(t, 'ais-us-2022-01-03/positions.csv.gz')
  if (file === undefined) return
  const { events, refused } = await mapFile(file, 'ais')
  deepEqual([events.length, refused], [70_140, []])
  equal(new Set(events.map(({ event }) => event.vehicleId)).size, 7_454)
  for (const partitions of [1, 8]) {
    const { windows } = processEvents(
      vehiclesPipeline,
      events.map(({ event }) => event),
      { partitions, receivedAtMs: RECEIVED_MS },
    )
    const figures = ['00:00', '00:15'].map((at) => windowAt(windows, `2022-01-03T${at}:00.000Z`))
    deepEqual(
      figures.map(({ readings, vehicles }) => [readings, vehicles]),
      [
        [47_813, 7_307],
        [21_935, 6_643],
      ],
    )
    // The stragglers have windows of their own.
    deepEqual(windowAt(windows, '2022-01-03T23:45:00.000Z').readings, 259)
    deepEqual(windowAt(windows, '2022-01-03T14:15:00.000Z').readings, 8)
  }
})

test('car-sensors reads a location as text or object, from CSV or NDJSON', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'outrider-sensors-'))
  t.after(() => rm(folder, { recursive: true }))
  const csv = join(folder, 'a.csv')
  await writeFile(
    csv,
    'car_id,speed,rpm,gear,location,timestamp\n' +
      'C1,50.5,2100,4,"-1.28, 36.82",2026-01-05 06:00:00\n' +
      'C2,10,900,1,,1767592800\n' +
      'C3,,900,1,,1767592800\n',
  )
  const ndjson = join(folder, 'b.json')
  const row = { car_id: 'C1', speed: 50.5, rpm: 2_100, gear: 4, timestamp: 1_767_592_800_000 }
  await writeFile(ndjson, JSON.stringify({ ...row, location: { lat: -1.28, lon: 36.82 } }))
  const fromCsv = await mapFile(csv, 'car-sensors')
  deepEqual(fromCsv.events.map(({ event }) => event)[0], {
    vehicleId: 'C1',
    recordedAt: '2026-01-05T06:00:00.000Z',
    speedKmh: 50.5,
    rpm: 2_100,
    gear: 4,
    lat: -1.28,
    lon: 36.82,
  })
  deepEqual([fromCsv.events.length, fromCsv.refused.map(({ row: number }) => number)], [2, [3]])
  deepEqual((await mapFile(ndjson, 'car-sensors')).events[0]?.event, fromCsv.events[0]?.event)
})
