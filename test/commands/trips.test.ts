// Trips through the whole program: real New York taxi trips by `outrider import`, trips over HTTP, and their
// sums, held against the table itself for ranges that end anywhere.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createCheckpointStore } from '../../src/adapters/postgres/checkpoint-store.ts'
import type { PostgresDatabase } from '../../src/adapters/postgres/database.ts'
import { tripTotals } from '../../src/domains/trips/queries.ts'
import { type TripRow, tripTable } from '../../src/domains/trips/trip.ts'
import { columnValues } from '../../src/streams/event-values.ts'
import { testPostgres } from '../postgres-server.ts'
import { type Program, runCommand, startProgram, temporaryDataDir } from '../program.ts'
import { sharedDataOrSkip } from '../requirements.ts'

const WAIT_MS = 30_000

interface Summary {
  readonly trips: number
  readonly revenue: number
  readonly currency: string | null
  readonly averageDistanceKm: number | null
  readonly byStatus: Readonly<Record<string, number>>
  readonly byPaymentMethod: Readonly<Record<string, number>>
  readonly revenueByCurrency: readonly {
    readonly revenue: string
    readonly byPaymentMethod: Readonly<Record<string, string>>
  }[]
}

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

async function summaryOf(program: Program, trips: number, query = ''): Promise<Summary> {
  const deadline = performance.now() + WAIT_MS
  for (;;) {
    const summary = await get<Summary>(program, `/trips/summary${query}`)
    if (summary.trips >= trips || performance.now() > deadline) return summary
  }
}

async function imported(program: Program, file: string, mapping: string): Promise<void> {
  const command = ['import', file, '--mapping', mapping, '--to', program.address]
  const { code, stderr } = await runCommand(command)
  assert.equal(code, 0, stderr)
}

async function flagged(program: Program, anomaly: string): Promise<readonly { tripId: string }[]> {
  const path = `/trips?anomaly=${anomaly}&limit=1000`
  return (await get<{ items: readonly { tripId: string }[] }>(program, path)).items
}

/** Of all trips, page by page. */
async function faresOf(program: Program): Promise<readonly string[]> {
  const fares: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const page: TripPage = await get(program, `/trips?limit=1000${cursor}`)
    fares.push(...page.items.map(({ fare }) => String(fare)))
    cursor = page.next === null ? null : `&cursor=${encodeURIComponent(page.next)}`
  }
  return fares
}

interface TripPage {
  readonly items: readonly { readonly fare: string | number | null }[]
  readonly next: string | null
}

test('the green taxi trips of New York add up to the cent, and the odd ones are flagged', async (t) => {
  const file = sharedDataOrSkip(t, 'nyc-green-taxi-2025-11/trips.csv.gz')
  if (file === undefined) return
  const program = await started(t)
  await imported(program, file, 'nyc-green-taxi')
  const summary = await summaryOf(program, 23_800)
  assert.equal(summary.trips, 23_800)
  assert.equal(summary.revenue, 418_173.57)
  assert.equal(summary.currency, 'USD')
  assert.equal(summary.revenueByCurrency[0]?.byPaymentMethod.card, '297417.55')
  assert.deepEqual(summary.byStatus, { completed: 23_800 })
  assert.deepEqual(summary.byPaymentMethod, {
    card: 16_026,
    cash: 4_727,
    'no-charge': 145,
    dispute: 40,
    unknown: 2,
    'not-recorded': 2_860,
  })
  const backwards = await flagged(program, 'dropoff-before-pickup')
  assert.deepEqual(
    backwards.map(({ tripId }) => tripId.slice(6, 25)),
    ['2025-11-08 14:55:10', '2025-11-02 01:58:21', '2025-11-02 01:51:52'],
  )
  assert.equal((await faresOf(program)).filter((fare) => fare.startsWith('-')).length, 71)
  // All pickups between one and two that night, whichever of the two hours they mean.
  const night = '?from=2025-11-02T05:00:00Z&to=2025-11-02T07:00:00Z'
  assert.equal((await summaryOf(program, 0, night)).trips, 55)
})

test('yellow and green trips in one table are all taken', async (t) => {
  const file = sharedDataOrSkip(t, 'nyc-taxi-mixed-2019-03/trips.csv.gz')
  if (file === undefined) return
  const program = await started(t)
  await imported(program, file, 'nyc-taxi-mixed')
  const { trips, byPaymentMethod } = await summaryOf(program, 4_507)
  assert.equal(trips, 4_507)
  assert.deepEqual(byPaymentMethod, { card: 3_226, cash: 1_245, 'no-charge': 22, dispute: 14 })
})

test('a trip counts once, as it is now; a canceled one brings no revenue', async (t) => {
  const program = await started(t)
  const send = async (events: readonly object[]): Promise<void> => {
    const response = await fetch(`${program.address}/api/v1/events/trips`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(events),
    })
    assert.equal(response.status, 202, await response.text())
  }
  const pickupAt = '2026-01-31T08:00:00Z'
  const ride = { pickupAt, currency: 'EUR', distanceKm: 4 }
  await send([
    {
      ...ride,
      tripId: 'a',
      recordedAt: '2026-01-31T08:10:00Z',
      status: 'completed',
      fare: '12.345',
    },
    { ...ride, tripId: 'a', recordedAt: pickupAt, status: 'in-progress', fare: 1 },
    { ...ride, tripId: 'b', recordedAt: pickupAt, status: 'in-progress', fare: 99 },
    { ...ride, tripId: 'c', recordedAt: pickupAt, status: 'in-progress', fare: 0.1 },
  ])
  await summaryOf(program, 3)
  await send([{ ...ride, tripId: 'b', recordedAt: '2026-01-31T08:02:00Z', status: 'canceled' }])
  const deadline = performance.now() + WAIT_MS
  let summary = await summaryOf(program, 3)
  while (summary.byStatus.canceled === undefined && performance.now() < deadline) {
    summary = await summaryOf(program, 3)
  }
  assert.deepEqual(summary.byStatus, { canceled: 1, completed: 1, 'in-progress': 1 })
  assert.equal(summary.revenueByCurrency[0]?.revenue, '12.445')
  assert.equal(summary.averageDistanceKm, 4)
})

test('sums of any range are those of the trips themselves, however trips changed', async (t) => {
  const { address, database } = await testPostgres(t)
  const store = createCheckpointStore({ address })
  t.after(() => store.close())
  const task = { pipeline: 'trips', partition: 3 }
  const { epoch } = await store.claim(task)
  const startMs = Date.UTC(2026, 0, 30, 22)
  for (let round = 0; round < 4; round++) {
    const rows = Array.from({ length: 400 }, (_, index) => changeOf(tripAt(startMs, index, round)))
    const nothing = {
      archive: [],
      alerts: [],
      untold: [],
      deadLetters: [],
      outbox: [],
      windows: [],
      journal: [],
    }
    const part = { fromOffset: round, toOffset: round + 1, watermarkMs: 0, bytes: 0 }
    assert.equal(await store.commit({ task, epoch, ...part, ...nothing, rows }), 'committed')
  }
  await database.query('DELETE FROM trip WHERE trip_id = $1', ['t7'])
  for (const [fromMs, toMs] of [
    [undefined, undefined],
    [startMs + 12_345, startMs + 99_999_999],
    [startMs + 60_000, startMs + 61_000],
    [startMs + 7_200_000, undefined],
    [undefined, startMs + 8_000_001],
  ] as const) {
    const totals = await tripTotals(database, { tenantId: 'default', fromMs, toMs })
    assert.deepEqual(
      [totals.trips, totals.revenue, totals.byStatus],
      await scanned(database, fromMs ?? 0, toMs ?? 1e14),
    )
  }
})

function tripAt(startMs: number, index: number, round: number): TripRow {
  return {
    anomalies: [],
    trip: {
      tripId: `t${index}`,
      recordedAtMs: startMs + round,
      status:
        (['in-progress', 'completed', 'canceled'] as const)[(index + round) % 3] ?? 'completed',
      pickupAtMs: startMs + index * 331_337 + (round === 2 ? 5_000 : 0),
      dropoffAtMs: null,
      pickupLocation: null,
      dropoffLocation: null,
      distanceKm: index / 10,
      fare: `${index}.${round}05`,
      currency: 'EUR',
      paymentMethod: index % 5 === 0 ? null : 'card',
      paymentMethodOriginal: null,
      vehicleId: null,
      driverId: null,
      dropoffClockBeforePickup: false,
    },
  }
}

function changeOf(row: TripRow) {
  const values = columnValues(tripTable, row)
  const key = JSON.stringify(values.slice(0, 1))
  return { table: tripTable, tenantId: 'default', key, offset: 0, values }
}

async function scanned(database: PostgresDatabase, fromMs: number, toMs: number) {
  const rows = await database.query(
    `SELECT status, count(*) AS trips, sum(fare) FILTER (WHERE status <> 'canceled') AS revenue
     FROM trip WHERE pickup_time >= $1 AND pickup_time < $2
     GROUP BY ROLLUP (status) ORDER BY status NULLS FIRST`,
    [new Date(fromMs), new Date(toMs)],
  )
  const [whole, ...byStatus] = rows
  const counts = byStatus.map((row) => [row.status, Number(row.trips)])
  return [Number(whole?.trips), whole?.revenue ?? '0', Object.fromEntries(counts)]
}
