// Every domain whose rules look at reference tables says which rows of them an alert was judged by.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testPostgres } from '../../test/postgres-server.ts'
import { createReferenceStore } from '../adapters/postgres/reference-store.ts'
import { toIso } from '../kernel/time.ts'
import { createAlertEvidence } from './alert-evidence.ts'
import { allDomains, allPipelines } from './topics.ts'

const ROADS = {
  ...{ name: 'Nairobi', version: 'r1', attribution: 'surveyed' },
  nodes: [36_800_000, -1_280_000, 36_810_000, -1_280_000],
  segments: [
    {
      ...{ id: 's1', from: 0, to: 1, lengthM: 1_100, freeFlowKmh: 50 },
      ...{ along: 7, against: 7, shape: [] },
    },
  ],
}

const TABLES: Readonly<Record<string, unknown>> = {
  'goods-profiles': [],
  fleet: [],
  vehicles: [{ vehicleId: 'V-1', modelId: 1, colorId: 2 }],
  'vehicle-models': [{ modelId: 1, model: 'Probox', brand: 'Toyota' }],
  'vehicle-colors': [{ colorId: 2, color: 'white' }],
  'trip-tariffs': { KES: { base: 200, perKm: 60, perMinute: 5 } },
  'reorder-points': {
    default: 5,
    items: [{ sku: 'TEA-1', merchantId: 'acme', reorderPoint: 40 }],
  },
  roads: ROADS,
}

interface Asked {
  readonly pipeline: string
  readonly topic: string
  readonly event: Readonly<Record<string, unknown>>
  readonly value?: Readonly<Record<string, string | null>>
}

const CASES: readonly (Asked & { readonly rows: readonly unknown[] })[] = [
  {
    ...{ pipeline: 'vehicles', topic: 'vehicle-telemetry', event: { vehicleId: 'V-1' } },
    rows: [
      { table: 'vehicles', version: 1, row: { vehicleId: 'V-1', modelId: 1, colorId: 2 } },
      {
        table: 'vehicle-models',
        version: 1,
        row: { modelId: 1, model: 'Probox', brand: 'Toyota' },
      },
      { table: 'vehicle-colors', version: 1, row: { colorId: 2, color: 'white' } },
    ],
  },
  {
    ...{ pipeline: 'trips', topic: 'trips', event: { tripId: 'T-1', currency: 'KES' } },
    rows: [
      {
        ...{ table: 'trip-tariffs', version: 1 },
        row: { currency: 'KES', base: 200, perKm: 60, perMinute: 5 },
      },
    ],
  },
  {
    // The last event left the currency out: the alert shows what an earlier one said.
    ...{ pipeline: 'trips', topic: 'trips', event: { tripId: 'T-1', currency: null } },
    value: { currency: 'USD' },
    rows: [
      {
        ...{ table: 'trip-tariffs', version: 1 },
        row: { currency: 'USD', base: 3, perKm: 1.9, perMinute: 0.7 },
      },
    ],
  },
  {
    ...{ pipeline: 'warehouses', topic: 'warehouse-events' },
    event: { warehouseId: 'hall-1', merchantId: 'acme', sku: 'TEA-1' },
    rows: [
      {
        ...{ table: 'reorder-points', version: 1 },
        row: { sku: 'TEA-1', merchantId: 'acme', reorderPoint: 40 },
      },
    ],
  },
  {
    ...{ pipeline: 'warehouses', topic: 'warehouse-events' },
    event: { warehouseId: 'hall-1', merchantId: 'other', sku: 'TEA-1' },
    rows: [{ table: 'reorder-points', version: 1, row: { default: true, reorderPoint: 5 } }],
  },
  {
    ...{ pipeline: 'shipments', topic: 'shipment-events', event: { shipmentId: 'S-1' } },
    rows: [],
  },
  {
    ...{ pipeline: 'journeys', topic: 'journeys', event: { journeyId: 'J-1' } },
    rows: [
      {
        ...{ table: 'roads', version: 1 },
        row: { name: 'Nairobi', version: 'r1', attribution: 'surveyed', segments: 1 },
      },
    ],
  },
]

test('an alert shows the reference rows that it was judged by, in the version of its moment', async (t) => {
  const { database } = await testPostgres(t)
  const references = createReferenceStore(database)
  for (const { referenceTables } of allDomains) {
    for (const { name, check } of referenceTables) {
      assert.equal(check(TABLES[name]), undefined, `${name} fits`)
      await references.register({ name, content: TABLES[name], tag: 'first' })
    }
  }
  const versions = Object.fromEntries(Object.keys(TABLES).map((name) => [name, 1]))
  for (const { name } of allPipelines) {
    await database.query(
      `INSERT INTO task_journal (pipeline, log_partition, log_offset, step, tick_ms, reference_versions, broadcast_offsets)
       VALUES ($1, 0, 10, 0, 0, $2, '{}'), ($1, 0, 90, 0, 0, $3, '{}')`,
      [name, JSON.stringify(versions), JSON.stringify({ ...versions, 'trip-tariffs': 2 })],
    )
  }
  const evidence = createAlertEvidence({
    settings: { topicNames: new Map() },
    ...{ database, references },
  })
  const rowsAt = ({ topic, event, value = {} }: Asked, offset: number) =>
    evidence.referenceRows(
      { position: { topic, partition: 0, offset }, value },
      { ...META, offset, ...event },
    )
  for (const { rows, ...asked } of CASES) {
    assert.deepEqual(
      await rowsAt(asked, 20),
      rows,
      `${asked.pipeline} ${JSON.stringify(asked.event)}`,
    )
  }
  const dearer = { KES: { base: 900, perKm: 60, perMinute: 5 } }
  await references.register({ name: 'trip-tariffs', content: dearer, tag: 'second' })
  const trip = { pipeline: 'trips', topic: 'trips', event: { currency: 'KES' } }
  const baseAt = async (offset: number) => (await rowsAt(trip, offset))[0]?.row.base
  assert.equal(await baseAt(89), 200)
  assert.equal(await baseAt(90), 900)
})

const META = {
  ...{ partition: 0, receivedAt: toIso(0), eventId: null, flags: [] },
}
