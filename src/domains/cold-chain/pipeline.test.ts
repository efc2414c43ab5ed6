import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Alert } from '../../ports/alert.ts'
import type { ArchiveEncoder } from '../../ports/archive.ts'
import type { LogRecord } from '../../ports/log.ts'
import { NO_INPUTS } from '../../streams/batch.ts'
import { Task } from '../../streams/task.ts'
import type { TruckReading } from './events.ts'
import { checkProfileTable, coldChainPipeline, PROFILE_TABLE } from './pipeline.ts'

const START_MS = Date.UTC(2026, 0, 5, 6)
const LOGGER_FILE = fileURLToPath(
  new URL('../../../../shared/data/cold-chain-logger-leg-2021/readings.csv', import.meta.url),
)

interface Reading {
  /** Seconds after the start. */
  readonly atS: number
  readonly [field: string]: unknown
}

type TruckTask = Task<TruckReading, ReturnType<typeof coldChainPipeline.newState>>

function newTask(pipeline = coldChainPipeline): TruckTask {
  const encoder: ArchiveEncoder<TruckReading> = {
    pendingBytes: 0,
    add() {},
    take: () => ({ table: '', rows: 0, bytes: 0, payload: [] }),
  }
  return new Task({ pipeline, topic: 'truck-readings', partition: 0, encoder })
}

function recordsOf(readings: readonly Reading[]): readonly LogRecord[] {
  return readings.map(({ atS, ...fields }, offset) => ({
    offset,
    key: 'T1',
    tenantId: 'default',
    receivedAtMs: START_MS + atS * 1_000,
    value: Buffer.from(
      JSON.stringify({
        truckId: 'T1',
        recordedAt: START_MS + atS * 1_000,
        temperatureC: 4,
        ...fields,
      }),
    ),
  }))
}

/** The last revision of each alert, as `rule status start–end` in seconds after the start. */
function alertsOf(readings: readonly Reading[]): readonly string[] {
  const { alerts } = newTask().process(recordsOf(readings), readings.length, NO_INPUTS)
  return summary(alerts)
}

function summary(alerts: readonly Alert[]): readonly string[] {
  const seconds = (atMs: number): number => (atMs - START_MS) / 1_000
  const newest = new Map(alerts.map((alert) => [alert.id, alert]))
  return [...newest.values()].map(
    ({ rule, status, startsAtMs, endsAtMs, labels }) =>
      `${rule}${labels.zone === undefined ? '' : `[${labels.zone}]`} ${status} ` +
      `${seconds(startsAtMs)}–${endsAtMs === null ? '' : seconds(endsAtMs)}`,
  )
}

test('the first reading above 7 °C fires, and one alert lasts until the goods are cold again', () => {
  const temperatures = [6.9, 7.1, 9, 6.8, 7.4, 6.5, 5]
  const readings = temperatures.map((temperatureC, index) => ({ atS: index * 10, temperatureC }))
  assert.deepEqual(alertsOf(readings), ['temperature-excursion resolved 10–50'])
})

test('the peak is the worst reading, on either side', () => {
  const readings = [8, 11, 9].map((temperatureC, index) => ({ atS: index * 10, temperatureC }))
  const { alerts } = newTask().process(recordsOf(readings), 3, NO_INPUTS)
  assert.equal(alerts.at(-1)?.peak.temperatureC, 11)
  assert.equal(alerts[0]?.value.temperatureC, 8)
})

test('compartments are judged apart, and each has its own alert', () => {
  const readings = [
    { atS: 0, zone: 'front', temperatureC: 9 },
    { atS: 1, zone: 'rear', temperatureC: -20, profile: 'frozen' },
    { atS: 10, zone: 'front', temperatureC: 9 },
    { atS: 11, zone: 'rear', temperatureC: -10, profile: 'frozen' },
    { atS: 20, zone: 'front', temperatureC: 4 },
  ]
  assert.deepEqual(alertsOf(readings), [
    'temperature-excursion[front] resolved 0–20',
    'temperature-excursion[rear] firing 11–',
  ])
})

test('a door that is open for ten seconds on the move is an alert, one that is shut at once is none', () => {
  const shut = [
    { atS: 0, doorOpen: true, speedKmh: 30 },
    { atS: 8, doorOpen: false, speedKmh: 30 },
  ]
  assert.deepEqual(alertsOf(shut), [])
  const open = [
    { atS: 0, doorOpen: true, speedKmh: 30 },
    { atS: 6, doorOpen: true, speedKmh: 35 },
    { atS: 12, doorOpen: true, speedKmh: 40 },
    { atS: 18, doorOpen: true, speedKmh: 4 },
    { atS: 24, doorOpen: true, speedKmh: 0 },
  ]
  assert.deepEqual(alertsOf(open), ['door-open-moving resolved 0–24'])
})

test('fuel that vanishes at rest is an alert until the truck drives on', () => {
  const levels = [60, 60, 60, 60, 60, 48, 48, 48, 48]
  const readings = [
    ...levels.map((fuelPercent, index) => ({ atS: index * 30, fuelPercent, speedKmh: 0 })),
    { atS: 400, fuelPercent: 48, speedKmh: 50 },
  ]
  assert.deepEqual(alertsOf(readings), ['fuel-drop resolved 210–400'])
})

test('a truck that falls silent is missed after ten minutes, and found again when it speaks', () => {
  const task = newTask()
  const first = recordsOf([{ atS: 0 }, { atS: 10 }])
  assert.deepEqual(task.process(first, 2, NO_INPUTS).alerts, [])
  const at = (atS: number) => ({ ...NO_INPUTS, tickMs: START_MS + atS * 1_000 })
  assert.deepEqual(task.process([], 2, at(609)).alerts, [])
  assert.deepEqual(summary(task.process([], 2, at(611)).alerts), ['reefer-silent firing 610–'])
  const [back] = recordsOf([{ atS: 900 }]).map((record) => ({ ...record, offset: 2 }))
  assert.ok(back !== undefined)
  assert.deepEqual(summary(task.process([back], 3, NO_INPUTS).alerts), [
    'reefer-silent resolved 610–900',
  ])
})

test('history that is imported is missed by nobody', () => {
  const task = newTask()
  const old = recordsOf([{ atS: 0 }]).map((record) => ({
    ...record,
    receivedAtMs: START_MS + 86_400_000,
  }))
  task.process(old, 1, NO_INPUTS)
  const dayLater = { ...NO_INPUTS, tickMs: START_MS + 2 * 86_400_000 }
  assert.deepEqual(task.process([], 1, dayLater).alerts, [])
})

test("the operator's profile takes the place of the built-in one from the next batch on", () => {
  const task = newTask()
  const records = recordsOf([{ atS: 0, temperatureC: 7.5 }])
  const strictly = [
    {
      name: 'default',
      title: 'Bananas',
      minC: 6,
      maxC: 14,
      hysteresisC: 0,
      limits: [
        {
          side: 'above',
          thresholdC: 14,
          inclusive: false,
          mode: 'instant',
          durationMs: 0,
          severity: 'minor',
        },
      ],
    },
  ]
  assert.equal(checkProfileTable(strictly), undefined)
  const references = [{ name: PROFILE_TABLE, version: 1, content: strictly }]
  assert.deepEqual(task.process(records, 1, { ...NO_INPUTS, references }).alerts, [])
})

test('a table of profiles that is wrong is refused with the place', () => {
  assert.match(String(checkProfileTable({})), /list/)
  assert.match(String(checkProfileTable([{ name: 'x' }])), /profile 0/)
})

test('the real logger leg gives one excursion above 25 °C', (t) => {
  if (!existsSync(LOGGER_FILE)) {
    t.skip('the logger data is not in ../shared/data')
    return
  }
  const lines = readFileSync(LOGGER_FILE, 'utf8').trim().split('\n').slice(1)
  const readings = lines.map((line) => {
    const [time = '', temperature = ''] = line.split(',')
    const atS = (Date.parse(time) - START_MS) / 1_000
    return { atS, temperatureC: Number(temperature), profile: 'pharma' }
  })
  const imported = recordsOf(readings).map((record) => ({ ...record, receivedAtMs: START_MS }))
  const { alerts } = newTask().process(imported, readings.length, NO_INPUTS)
  const last = alerts.at(-1)
  assert.equal(new Set(alerts.map(({ id }) => id)).size, 1)
  assert.equal(last?.startsAtMs, Date.UTC(2021, 10, 9, 14, 58, 16))
  assert.equal(last?.count, 14)
  assert.equal(last?.peak.temperatureC, 27)
  assert.equal(last?.status, 'resolved')
})

test('what is fetched ahead of a reading is left as it is, and nothing else comes of it', () => {
  const readings = Array.from({ length: 90 }, (_, index) => ({
    atS: index * 10,
    temperatureC: index % 40 < 20 ? 4 : 9,
    ...(index < 30 ? {} : { speedKmh: index % 7 === 0 ? 0 : 60, lat: -1 - index / 1e3, lon: 37 }),
    ...(index < 60 ? {} : { fuelPercent: 80 - index / 10 }),
  }))
  const { prefetch, ...without } = coldChainPipeline
  assert.ok(prefetch !== undefined)
  let fetched = 0
  const watched: typeof coldChainPipeline = {
    ...without,
    prefetch(state) {
      const before = structuredClone(state)
      assert.equal(typeof prefetch(state), 'number')
      assert.deepEqual(state, before)
      return ++fetched
    },
  }
  // In halves, so that some are fetched that the key has a state for.
  const outputs = [watched, without].map((pipeline) => {
    const task = newTask(pipeline)
    const records = recordsOf(readings)
    return [45, 90].map((to) => task.process(records.slice(to - 45, to), to, NO_INPUTS))
  })
  assert.deepEqual(outputs[0], outputs[1])
  assert.ok(fetched >= 45)
})
