// Shipments through the whole program: real deliveries by `outrider import`, and a journey and stock over HTTP.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Program, runCommand, startProgram, temporaryDataDir } from '../program.ts'
import { sharedDataOrSkip } from '../requirements.ts'

const WAIT_MS = 30_000

async function started(t: TestContext): Promise<Program> {
  const program = await startProgram(temporaryDataDir(t), ['--no-simulate'])
  t.after(() => program.kill())
  return program
}

async function get<T>({ address }: Program, path: string): Promise<T> {
  const response = await fetch(`${address}/api/v1${path}`)
  assert.equal(response.status, 200, await response.clone().text())
  return (await response.json()) as T
}

/** Asks again until it is as expected, or the time is up. */
async function until<T>(ask: () => Promise<T>, isDone: (found: T) => boolean): Promise<T> {
  const deadline = performance.now() + WAIT_MS
  for (;;) {
    const found = await ask()
    if (isDone(found) || performance.now() > deadline) return found
  }
}

async function send({ address }: Program, topic: string, events: readonly object[]): Promise<void> {
  const response = await fetch(`${address}/api/v1/events/${topic}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(events),
  })
  assert.equal(response.status, 202, await response.clone().text())
}

interface Summary {
  readonly shipments: number
  readonly late: number
  readonly lateByMode: Readonly<Record<string, number>>
  readonly byStatus: Readonly<Record<string, number>>
  readonly freight: readonly object[]
}

test('the SCMS deliveries are late by mode, and their freight adds up to the cent', async (t) => {
  const file = sharedDataOrSkip(t, 'scms-deliveries-2006-2015/deliveries.csv.gz')
  if (file === undefined) return
  const program = await started(t)
  const command = ['import', file, '--mapping', 'scms', '--to', program.address]
  const { code, stdout, stderr } = await runCommand(command)
  assert.equal(code, 0, stderr)
  assert.match(stdout, /accepted +7,110/)
  assert.match(stdout, /rejected +0/)
  assert.match(stdout, /createdAt of 2,681/)
  assert.match(stdout, /orderedAt of 4,404/)
  assert.match(stdout, /freightCost of 2,592/)
  const summary = await until(
    () => get<Summary>(program, '/shipments/summary'),
    ({ shipments }) => shipments >= 7_110,
  )
  assert.equal(summary.shipments, 7_110)
  assert.deepEqual(summary.byStatus, { Delivered: 7_110 })
  assert.equal(summary.late, 681)
  assert.deepEqual(summary.lateByMode, {
    Air: 374,
    'Air Charter': 56,
    Truck: 182,
    Ocean: 65,
    'not-stated': 4,
  })
  assert.deepEqual(summary.freight, [{ currency: 'USD', cost: '44932083.73', shipments: 4_518 }])
  const page = await get<{
    words: Readonly<Record<string, string>>
    timeline: readonly object[]
    promise: string
    freightCost: string | null
  }>(program, '/shipments/scms-11667')
  assert.equal(page.promise, 'kept')
  assert.equal(page.freightCost, '7445.8')
  assert.deepEqual(page.words, { createdAt: 'Date Not Captured', orderedAt: 'N/A - From RDC' })
  assert.equal(page.timeline.length, 1)
})

const START_MS = Date.now() - 6 * 3_600_000
const at = (hours: number): string => new Date(START_MS + hours * 3_600_000).toISOString()

test('a journey shows its timeline, who had it, and the temperature aboard', async (t) => {
  const program = await started(t)
  const common = { shipmentId: 'S/1', merchantId: 'acme', recordedAt: at(0) }
  await send(program, 'truck-readings', [
    ...Array.from({ length: 60 }, (_, minute) => ({
      truckId: 'KCA 001A',
      recordedAt: at(1 + minute / 60),
      temperatureC: minute === 30 ? 9 : 5,
    })),
  ])
  await send(program, 'shipment-events', [
    { ...common, type: 'created', promisedAt: at(9), customerName: 'Ada' },
    { ...common, type: 'departed', timing: 'planned', milestoneAt: at(1), location: 'Nairobi' },
    { ...common, type: 'delivered', timing: 'planned', milestoneAt: at(8) },
    {
      ...common,
      recordedAt: at(2),
      type: 'arrived',
      location: 'Voi',
      warehouseId: 'VOI',
      region: 'coast',
    },
    { ...common, recordedAt: at(1), type: 'departed', location: 'Nairobi', truckId: 'KCA 001A' },
  ])
  await send(program, 'warehouse-events', [
    {
      warehouseId: 'VOI',
      recordedAt: at(2),
      type: 'received',
      sku: 'TEA',
      quantity: 4,
      merchantId: 'acme',
      region: 'coast',
    },
    {
      warehouseId: 'VOI',
      recordedAt: at(3),
      type: 'dispatched',
      sku: 'TEA',
      quantity: 6,
      merchantId: 'acme',
      region: 'coast',
    },
  ])
  interface Page {
    readonly status: string
    readonly promise: string
    readonly warehouseId: string | null
    readonly timeline: readonly {
      readonly type: string
      readonly plannedAt: string | null
      readonly actualAt: string | null
    }[]
    readonly custody: readonly { readonly kind: string; readonly id: string | null }[]
  }
  const { items } = await until(
    () =>
      get<{ items: readonly { warehouseId: string | null }[] }>(
        program,
        '/shipments?merchant=acme',
      ),
    (found) => found.items[0]?.warehouseId === 'VOI',
  )
  assert.equal(items.length, 1)
  const page = await get<Page>(program, '/shipments/S%2F1')
  assert.equal(page.status, 'InTransit')
  assert.equal(page.promise, 'on-track')
  assert.deepEqual(
    page.timeline.map(({ type, plannedAt, actualAt }) => [type, plannedAt, actualAt]),
    [
      ['created', null, at(0)],
      ['departed', at(1), at(1)],
      ['arrived', null, at(2)],
      ['delivered', at(8), null],
    ],
  )
  assert.deepEqual(
    page.custody.map(({ kind, id }) => [kind, id]),
    [
      ['truck', 'KCA 001A'],
      ['warehouse', 'VOI'],
    ],
  )
  interface Temperature {
    readonly legs: readonly {
      readonly truckId: string
      readonly report: { readonly readings: number; readonly excursions: readonly object[] } | null
    }[]
  }
  const { legs } = await until(
    () => get<Temperature>(program, '/shipments/S%2F1/temperature'),
    (found) => found.legs[0]?.report !== null,
  )
  assert.equal(legs[0]?.report?.readings, 60)
  assert.equal(legs[0]?.report?.excursions.length, 1)
  interface Stock {
    readonly items: readonly { readonly onHand: number; readonly negative: boolean }[]
  }
  const stock = await until(
    () => get<Stock>(program, '/warehouses/VOI/stock?attention=true'),
    (found) => found.items[0]?.onHand === -2,
  )
  assert.equal(stock.items[0]?.negative, true)
  const regions = await get<{
    items: readonly { readonly region: string; readonly shipments: number }[]
  }>(program, '/regions')
  assert.equal(regions.items.find(({ region }) => region === 'coast')?.shipments, 1)
  const absent = await fetch(`${program.address}/api/v1/shipments/none`)
  assert.equal(absent.status, 404)
})
