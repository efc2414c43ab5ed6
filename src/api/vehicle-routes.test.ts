// The routes of vehicles against a real database, with windows as several tasks leave them behind.

import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { startApiServer } from '../../test/api-server.ts'
import { testPostgres } from '../../test/postgres-server.ts'
import { createCheckpointStore } from '../adapters/postgres/checkpoint-store.ts'
import { createMemoryViews } from '../adapters/views/memory-views.ts'
import { vehicleTelemetry } from '../domains/vehicles/events.ts'
import { UNKNOWN_VEHICLE } from '../domains/vehicles/reference.ts'
import { vehicleDocument } from '../domains/vehicles/views.ts'
import { DEFAULT_WINDOW_SPANS, type WindowSpan } from '../domains/vehicles/windows.ts'
import { DAY_MS, MINUTE_MS } from '../kernel/time.ts'
import type { WindowResult } from '../ports/checkpoint-store.ts'
import { openWindowEntries } from '../streams/open-windows.ts'

const T0 = Date.UTC(2026, 0, 5, 8)

interface Part {
  readonly minute: number
  readonly model?: string
  readonly era?: number
  readonly readings?: number
  readonly maxSpeedKmh?: number
  readonly vehicles?: number
  readonly colors?: Readonly<Record<string, number>>
  readonly keysHash?: number
  readonly revision?: number
  readonly final?: boolean
}

function windowOf(part: Part): WindowResult {
  const { minute, model = 'Corolla', era = 0, readings = 10, maxSpeedKmh = 50 } = part
  const { vehicles = 2, colors = { red: 2 }, keysHash = 1, revision = 1, final = true } = part
  const startMs = T0 + minute * MINUTE_MS
  return {
    window: 'vehicles-15m-1m',
    era,
    group: model,
    tenantId: 'default',
    startMs,
    endMs: startMs + 15 * MINUTE_MS,
    values: { readings, maxSpeedKmh, activeVehicles: vehicles, colors },
    keysHash,
    revision,
    final,
  }
}

async function open(
  t: Parameters<typeof testPostgres>[0],
  vehicleWindows: readonly WindowSpan[] = DEFAULT_WINDOW_SPANS,
) {
  const { address, database, tenantDatabase } = await testPostgres(t)
  const store = createCheckpointStore({ address })
  await store.ensureArchive(vehicleTelemetry.archive)
  const views = createMemoryViews('run1')
  const server = await startApiServer({ database, tenantDatabase, views, vehicleWindows })
  t.after(async () => {
    await server.close()
    await store.close()
  })
  const get = async (path: string) => {
    const response = await fetch(`${server.url}/api/v1${path}`)
    return { status: response.status, body: JSON.parse(await response.text()) }
  }
  return {
    views,
    store,
    get,
    async record(partition: number, parts: readonly Part[]) {
      const task = { pipeline: 'vehicles', partition }
      const { epoch, nextOffset: fromOffset } = await store.claim(task)
      await store.commit({
        ...{
          task,
          epoch,
          fromOffset,
          toOffset: fromOffset + 1,
          watermarkMs: T0,
          archive: [],
          alerts: [],
        },
        ...{ untold: [], deadLetters: [], outbox: [], rows: [], journal: [], bytes: 0 },
        windows: parts.map(windowOf),
      })
    },
    async windows(query: string) {
      const from = query.includes('from=') ? '' : `from=${T0}&`
      const { status, body } = await get(`/vehicles/windows?${from}${query}`)
      equal(status, 200, JSON.stringify(body))
      return body.items.map((item: Record<string, unknown>) => [
        (Date.parse(String(item.windowStart)) - T0) / MINUTE_MS,
        item.model,
        item.readings,
        item.maxSpeedKmh,
        item.activeVehicles,
        item.colors,
        item.revision,
        item.final,
      ])
    },
  }
}

const TO = `to=${T0 + 60 * MINUTE_MS}`

test('windows of partitions and eras are put together, page by page, in both orders', async (t) => {
  const { record, windows, get } = await open(t)
  await record(0, [
    { minute: 0, maxSpeedKmh: 90, revision: 3 },
    { minute: 0, model: 'Polo', vehicles: 1, colors: { blue: 1 } },
    { minute: 7 },
    { minute: 15 },
  ])
  await record(1, [
    { minute: 0, maxSpeedKmh: 70, colors: { red: 1, white: 1 } },
    // The same history told twice, and another vehicle of long ago.
    { minute: 0, era: 40, maxSpeedKmh: 70, colors: { red: 1, white: 1 } },
    {
      minute: 0,
      era: 90,
      maxSpeedKmh: 95,
      vehicles: 1,
      readings: 4,
      colors: { black: 1 },
      keysHash: 9,
    },
  ])
  const first = [0, 'Corolla', 24, 95, 5, { red: 3, white: 1, black: 1 }, 5, true]
  const polo = [0, 'Polo', 10, 50, 1, { blue: 1 }, 1, true]
  const seventh = [7, 'Corolla', 10, 50, 2, { red: 2 }, 1, true]
  const last = [15, 'Corolla', 10, 50, 2, { red: 2 }, 1, true]
  deepEqual(await windows(TO), [first, polo, seventh, last])
  deepEqual(await windows(`${TO}&order=desc`), [last, seventh, polo, first])
  deepEqual(await windows(`${TO}&size=15m&slide=15m`), [first, polo, last])
  deepEqual(await windows(`to=${T0 + MINUTE_MS}`), [first, polo])
  for (const order of ['asc', 'desc']) {
    const starts: string[] = []
    let cursor = ''
    do {
      const path = `/vehicles/windows?from=${T0}&${TO}&order=${order}&limit=1${cursor}`
      const { body } = await get(path)
      starts.push(...body.items.map((item: { windowStart: string }) => item.windowStart))
      cursor = body.next === null ? '' : `&cursor=${body.next}`
    } while (cursor !== '')
    equal(starts.length, 4, order)
  }
})

test('open windows are in the answer while they fill, and give way to the record of them', async (t) => {
  const { record, windows, views } = await open(t)
  const version = { partition: 0, offset: 5, clockMs: 0 }
  await views.put(
    openWindowEntries(
      'vehicles',
      version,
      [
        { minute: 0, maxSpeedKmh: 60 },
        { minute: 20, maxSpeedKmh: 61, final: false },
      ].map(windowOf),
    ),
  )
  const open20 = [20, 'Corolla', 10, 61, 2, { red: 2 }, 1, false]
  deepEqual(await windows(TO), [[0, 'Corolla', 10, 60, 2, { red: 2 }, 1, true], open20])
  await record(0, [{ minute: 0, maxSpeedKmh: 66, revision: 2 }])
  deepEqual(await windows(TO), [[0, 'Corolla', 10, 66, 2, { red: 2 }, 2, true], open20])
})

test('what was read before is read again once a late event changes it, and only then', async (t) => {
  const { record, windows, get } = await open(t)
  await record(0, [{ minute: 0 }, { minute: 90, maxSpeedKmh: 40 }])
  const day = `to=${T0 + DAY_MS}`
  const before = [
    [0, 'Corolla', 10, 50, 2, { red: 2 }, 1, true],
    [90, 'Corolla', 10, 40, 2, { red: 2 }, 1, true],
  ]
  deepEqual(await windows(day), before)
  deepEqual(await windows(day), before)
  await record(0, [{ minute: 90, maxSpeedKmh: 44, revision: 2 }])
  await record(1, [{ minute: 91, model: 'Polo' }])
  deepEqual(await windows(day), [
    before[0],
    [90, 'Corolla', 10, 44, 2, { red: 2 }, 2, true],
    [91, 'Polo', 10, 50, 2, { red: 2 }, 1, true],
  ])
  // From the middle of an hour, and in other steps, what is kept of the hour is not in the way.
  deepEqual(await windows(`from=${T0 + 91 * MINUTE_MS}&${day}`), [
    [91, 'Polo', 10, 50, 2, { red: 2 }, 1, true],
  ])
  equal((await windows(`${day}&slide=15m`)).length, 2)
  equal((await get(`/vehicles/windows?from=${T0}&${day}&limit=2`)).body.items.length, 2)
})

test('windows of former settings are still told, beside those that are computed now', async (t) => {
  const { record, windows, get } = await open(t, [
    { sizeMs: 60 * MINUTE_MS, slideMs: 5 * MINUTE_MS },
  ])
  await record(0, [{ minute: 0 }])
  deepEqual((await get('/vehicles/windows/sizes')).body, {
    items: [{ size: '1h', slide: '5m', sizeS: 3_600, slideS: 300 }],
  })
  equal((await windows(TO)).length, 0)
  equal((await windows(`${TO}&size=15m`)).length, 1)
  const { status, body } = await get('/vehicles/windows?size=20m')
  equal(status, 400)
  match(body.detail, /there are windows of 1h\/5m, 15m\/1m/)
})

test('a size that is not computed is refused with those that are', async (t) => {
  const { get } = await open(t)
  const { status, body } = await get('/vehicles/windows?size=20m')
  equal(status, 400)
  match(body.detail, /size: there are windows of 15m\/1m \(size\/slide\)/)
  equal((await get('/vehicles/windows?slide=90s')).status, 400)
  equal((await get('/vehicles/windows?size=soon')).status, 400)
  equal((await get('/vehicles/windows?from=2020-01-01T00:00:00Z')).status, 400)
})

const idsOf = ({ items }: { readonly items: readonly { readonly vehicleId: string }[] }) =>
  items.map(({ vehicleId }) => vehicleId)

function documentOf(vehicleId: string): string {
  const last = vehicleTelemetry.parse({ vehicleId, recordedAt: T0, speedKmh: 40 })
  if (!last.ok) throw new Error(last.error.message)
  const facts = { receivedAtMs: T0, open: [], profile: UNKNOWN_VEHICLE }
  return JSON.stringify(vehicleDocument({ ...facts, last: last.value }))
}

test('vehicles are listed by name, and one that is not there is not found', async (t) => {
  const { views, get } = await open(t)
  await views.put(
    ['B', 'A', 'C'].map((key, offset) => ({
      view: 'vehicles',
      key,
      tenantId: key === 'C' ? 'other' : 'default',
      version: { partition: 0, offset, clockMs: 0 },
      json: documentOf(key),
    })),
  )
  const { body } = await get('/vehicles?limit=1')
  deepEqual(idsOf(body), ['A'])
  const rest = (await get(`/vehicles?cursor=${body.next}`)).body
  deepEqual([idsOf(rest), rest.next], [['B'], null])
  deepEqual((await get('/vehicles/A')).body, { ...JSON.parse(documentOf('A')), openAlerts: [] })
  equal((await get('/vehicles/C')).status, 404)
})

test('a curve has the expected gear beside the gear, and breaks where nothing came', async (t) => {
  const { store, get } = await open(t)
  const encoder = store.archiveEncoder(vehicleTelemetry.archive)
  const readings = [
    { atS: 0, speedKmh: 20, gear: 2, rpm: 1_600 },
    { atS: 10, speedKmh: 55, gear: 2, rpm: 5_000 },
    { atS: 400, speedKmh: 60, gear: 4, rpm: 2_500 },
  ]
  readings.forEach(({ atS, ...fields }, offset) => {
    const recordedAt = T0 + atS * 1_000
    const parsed = vehicleTelemetry.parse({ vehicleId: 'V', recordedAt, ...fields })
    if (!parsed.ok) throw new Error(parsed.error.message)
    const place = { partition: 0, offset, receivedAtMs: recordedAt, tenantId: 'default' }
    encoder.add({ ...place, eventId: null, flags: null }, parsed.value)
  })
  const task = { pipeline: 'vehicles', partition: 0 }
  const { epoch } = await store.claim(task)
  await store.commit({
    ...{ task, epoch, fromOffset: 0, toOffset: 3, watermarkMs: T0, archive: [encoder.take()] },
    ...{
      alerts: [],
      untold: [],
      deadLetters: [],
      outbox: [],
      windows: [],
      rows: [],
      journal: [],
      bytes: 0,
    },
  })
  const { body } = await get(`/vehicles/V/series?from=${T0}&to=${T0 + 420_000}`)
  const { gear, expectedGear, rpm } = body.channels
  deepEqual(gear.values, [2, 2, null, 4])
  deepEqual(expectedGear.values, [2, 4, null, 4])
  deepEqual(rpm.values, [1_600, 5_000, null, 2_500])
  equal(body.gaps.length, 1)
})
