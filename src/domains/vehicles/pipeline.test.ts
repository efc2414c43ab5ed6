import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import type { ArchiveEncoder } from '../../ports/archive.ts'
import type { LogRecord } from '../../ports/log.ts'
import { type BatchOutput, NO_INPUTS } from '../../streams/batch.ts'
import { Task } from '../../streams/task.ts'
import { type VehicleTelemetry, vehicleTelemetry } from './events.ts'
import { type VehicleState, vehiclesPipeline } from './pipeline.ts'
import {
  COLORS_TABLE,
  checkColors,
  checkModels,
  checkVehicles,
  MODELS_TABLE,
  VEHICLES_TABLE,
} from './reference.ts'

const START_MS = Date.UTC(2026, 0, 5, 6)

interface Reading {
  /** Seconds after the start. */
  readonly atS: number
  readonly vehicleId?: string
  readonly [field: string]: unknown
}

const FLEET = [
  { vehicleId: 'V1', modelId: 1, colorId: 'r' },
  { vehicleId: 'V2', modelId: 1, colorId: 'b' },
  { vehicleId: 'EV', modelId: 2, colorId: 'gone' },
]
const MODELS = [
  { modelId: 1, brand: 'Vela', model: 'Corsa' },
  { modelId: 2, model: 'Volt', expectedGear: [{ fromKmh: 0, gear: 1 }] },
]
const COLORS = [
  { colorId: 'r', color: 'red' },
  { colorId: 'b', color: 'blue' },
]

class Drive {
  readonly task: Task<VehicleTelemetry, VehicleState>
  #offset = 0

  constructor(pipeline = vehiclesPipeline) {
    const encoder: ArchiveEncoder<VehicleTelemetry> = {
      pendingBytes: 0,
      add() {},
      take: () => ({ table: '', rows: 0, bytes: 0, payload: [] }),
    }
    const topic = vehicleTelemetry.name
    this.task = new Task({ pipeline, topic, partition: 0, encoder })
  }

  load(version: number, tables: Readonly<Record<string, unknown>>): void {
    const references = Object.entries(tables).map(([name, content]) => ({ name, version, content }))
    this.task.process([], this.#offset, { ...NO_INPUTS, references })
  }

  send(readings: readonly Reading[]): BatchOutput {
    const records = readings.map(({ atS, ...fields }): LogRecord => {
      const recordedAt = START_MS + atS * 1_000
      const value = Buffer.from(JSON.stringify({ vehicleId: 'V1', recordedAt, ...fields }))
      return {
        offset: this.#offset++,
        key: String(fields.vehicleId ?? 'V1'),
        tenantId: 'default',
        receivedAtMs: recordedAt,
        value,
      }
    })
    return this.task.process(records, this.#offset, NO_INPUTS)
  }
}

/** The last revision of each alert, as `rule status start–end count` in seconds after the start. */
function alertsOf(...readings: readonly Reading[]): readonly string[] {
  const { alerts } = new Drive().send(readings)
  const seconds = (atMs: number): number => (atMs - START_MS) / 1_000
  return [...new Map(alerts.map((alert) => [alert.id, alert])).values()].map(
    ({ rule, status, startsAtMs, endsAtMs, count }) =>
      `${rule} ${status} ${seconds(startsAtMs)}–${endsAtMs === null ? '' : seconds(endsAtMs)} ${count}`,
  )
}

test('a speed above 120 km/h is one alert until the vehicle is at 115 again', () => {
  deepEqual(
    alertsOf(
      { atS: 0, speedKmh: 120 },
      { atS: 1, speedKmh: 120.1 },
      { atS: 2, speedKmh: 118 },
      { atS: 3, speedKmh: 140 },
      { atS: 4, lat: 1, lon: 2 },
      { atS: 5, speedKmh: 115 },
    ),
    ['high-speed resolved 1–5 2'],
  )
})

test('more than 6,000 revolutions a minute are engine stress', () => {
  deepEqual(alertsOf({ atS: 0, speedKmh: 50, rpm: 6_000 }), [])
  deepEqual(alertsOf({ atS: 0, speedKmh: 50, rpm: 6_001 }), ['engine-stress firing 0– 1'])
})

test('a wrong gear counts after two seconds, so that changing gear is none', () => {
  const changing = [
    { atS: 0, speedKmh: 29, gear: 2 },
    { atS: 1, speedKmh: 31, gear: 2 },
    { atS: 2, speedKmh: 32, gear: 2 },
    { atS: 3, speedKmh: 33, gear: 3 },
  ]
  deepEqual(alertsOf(...changing), [])
  deepEqual(alertsOf(...changing.slice(0, 3), { atS: 3, speedKmh: 33, gear: 2 }), [
    'gear-mismatch firing 1– 3',
  ])
})

test('a speed above the posted limit is an alert, and one without a posted limit is none', () => {
  deepEqual(alertsOf({ atS: 0, speedKmh: 80 }), [])
  deepEqual(alertsOf({ atS: 0, speedKmh: 50, postedLimitKmh: 50 }), [])
  deepEqual(alertsOf({ atS: 0, speedKmh: 50.5, postedLimitKmh: 50 }), ['posted-limit firing 0– 1'])
})

test('reference data gives model, colour and gears; what is missing is marked, not dropped', () => {
  const drive = new Drive()
  drive.load(1, { [VEHICLES_TABLE]: FLEET, [MODELS_TABLE]: MODELS, [COLORS_TABLE]: COLORS })
  drive.send([
    { atS: 0, vehicleId: 'V1', speedKmh: 40, gear: 3 },
    { atS: 1, vehicleId: 'EV', speedKmh: 40, gear: 1 },
    { atS: 2, vehicleId: 'X', speedKmh: 40, gear: 3 },
  ])
  const documents = drive.task.takeViews(10).map(({ json }) => JSON.parse(json ?? 'null'))
  deepEqual(
    documents.map(({ vehicleId, known, brand, model, color, expectedGear }) => [
      vehicleId,
      known,
      brand,
      model,
      color,
      expectedGear,
    ]),
    [
      ['V1', true, 'Vela', 'Corsa', 'red', 3],
      ['EV', true, null, 'Volt', 'unknown', 1],
      ['X', false, null, 'unknown', 'unknown', 3],
    ],
  )
})

test('an alert carries what the reference data says, in the version of its event', () => {
  const drive = new Drive()
  drive.load(1, { [VEHICLES_TABLE]: FLEET, [MODELS_TABLE]: MODELS, [COLORS_TABLE]: COLORS })
  const [first] = drive.send([{ atS: 0, vehicleId: 'V1', speedKmh: 130 }]).alerts
  deepEqual([first?.value.model, first?.value.color], ['Corsa', 'red'])
  drive.load(2, { [COLORS_TABLE]: [{ colorId: 'b', color: 'navy' }] })
  const [second] = drive.send([{ atS: 60, vehicleId: 'V2', speedKmh: 130 }]).alerts
  deepEqual([second?.value.model, second?.value.color], ['Corsa', 'navy'])
})

test('windows give the maximum speed, the vehicles and their colours of each model; a position alone does not count', () => {
  const drive = new Drive()
  drive.load(1, { [VEHICLES_TABLE]: FLEET, [MODELS_TABLE]: MODELS, [COLORS_TABLE]: COLORS })
  drive.send([
    { atS: 0, vehicleId: 'V1', speedKmh: 40 },
    { atS: 5, vehicleId: 'V2', speedKmh: 90 },
    { atS: 9, vehicleId: 'V1', speedKmh: 60 },
    { atS: 10, vehicleId: 'X', speedKmh: 30 },
    { atS: 11, vehicleId: 'Y', lat: 1, lon: 2 },
  ])
  const { windows } = drive.send([{ atS: 1_000, vehicleId: 'V1', speedKmh: 20 }])
  const whole = windows.filter(({ startMs }) => startMs === START_MS)
  deepEqual(
    whole.map(({ group, values }) => [group, values]),
    [
      ['Corsa', { readings: 3, maxSpeedKmh: 90, activeVehicles: 2, colors: { blue: 1, red: 1 } }],
      ['unknown', { readings: 1, maxSpeedKmh: 30, activeVehicles: 1, colors: { unknown: 1 } }],
    ],
  )
})

test('an event needs a speed or a whole position', () => {
  const parse = (fields: object): string => {
    const parsed = vehicleTelemetry.parse({ vehicleId: 'V', recordedAt: START_MS, ...fields })
    return parsed.ok ? 'ok' : `${parsed.error.code} ${parsed.error.path}`
  }
  equal(parse({ speedKmh: 0 }), 'ok')
  equal(parse({ lat: 1, lon: 2 }), 'ok')
  equal(parse({ lat: 1 }), 'missing-field /speedKmh')
  equal(parse({ rpm: 900 }), 'missing-field /speedKmh')
  equal(parse({ speedKmh: 401 }), 'bad-value /speedKmh')
  equal(parse({ speedKmh: 4, gear: 2.5 }), 'wrong-type /gear')
})

test('a malformed table says what is wrong and where', () => {
  equal(checkVehicles(FLEET), undefined)
  equal(checkModels(MODELS), undefined)
  equal(checkColors(COLORS), undefined)
  equal(checkVehicles({}), 'must be a list')
  ok(checkVehicles([{ modelId: 1 }])?.startsWith('/0/vehicleId'))
  equal(checkColors([COLORS[0], COLORS[0]]), '/1/colorId: "r" is there twice')
  const gears = [
    { fromKmh: 10, gear: 1 },
    { fromKmh: 10, gear: 2 },
  ]
  equal(
    checkModels([{ modelId: 1, model: 'M', expectedGear: gears }]),
    '/0/expectedGear/1/fromKmh: must be above the one before it',
  )
})

test('what is fetched ahead of a reading is left as it is, and nothing else comes of it', () => {
  const { prefetch, ...without } = vehiclesPipeline
  ok(prefetch !== undefined)
  let fetched = 0
  const watched: typeof vehiclesPipeline = {
    ...without,
    prefetch(state) {
      const before = structuredClone(state)
      equal(typeof prefetch(state), 'number')
      deepEqual(state, before)
      return ++fetched
    },
  }
  const readings = Array.from({ length: 90 }, (_, index) => ({
    atS: index * 10,
    ...(index < 30 ? {} : { speedKmh: index % 40 < 20 ? 60 : 130, lat: index / 1e3, lon: 37 }),
    ...(index < 60 ? {} : { fuelPercent: 80 - index / 10, rpm: 2_000 }),
  }))
  // In halves, so that some are fetched that the key has a state for.
  const outputs = [watched, without].map((pipeline) => {
    const drive = new Drive(pipeline)
    return [readings.slice(0, 45), readings.slice(45)].map((half) => drive.send(half))
  })
  deepEqual(outputs[0], outputs[1])
  ok(fetched >= 45)
})
