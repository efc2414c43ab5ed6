// Every query of docs/sql.md runs, as the login that the page makes, over data as the program writes it,
// and finds something.

import { deepEqual, equal, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import pg from 'pg'
import { testPostgres } from '../../../test/postgres-server.ts'
import { type TruckReading, truckReadings } from '../../domains/cold-chain/events.ts'
import { tripTable } from '../../domains/trips/trip.ts'
import { drivingPeriods } from '../../driving/period.ts'
import { derivedId } from '../../kernel/ids.ts'
import type { EventFlag } from '../../ports/archive.ts'
import type { CheckpointStore } from '../../ports/checkpoint-store.ts'
import type { RowChange } from '../../ports/row-table.ts'
import { systemClock } from '../clock/system-clock.ts'
import { createCheckpointStore } from './checkpoint-store.ts'

const PAGE = new URL('../../../docs/sql.md', import.meta.url)
const READINGS = 40
const LOGIN = /CREATE ROLE (\w+) LOGIN PASSWORD '([^']+)'/

interface Block {
  readonly isAdmin: boolean
  readonly sql: string
}

function blocks(): readonly Block[] {
  const found = readFileSync(PAGE, 'utf8').matchAll(/```sql( admin)?\n(.*?)```/gs)
  return [...found].map(([, admin, sql = '']) => ({ isAdmin: admin !== undefined, sql }))
}

/** What Grafana puts in their place. */
function withoutMacros(sql: string): string {
  return sql
    .replaceAll(
      /\$__timeGroupAlias\((\w+), \$__interval\)/g,
      'floor(extract(epoch from $1) / 60) * 60 AS "time"',
    )
    .replaceAll(/\$__timeFilter\((\w+)\)/g, "$1 BETWEEN now() - interval '6 hours' AND now()")
}

function rowsAt(nowMs: number): readonly RowChange[] {
  const trip = [
    'T-1',
    nowMs,
    'completed',
    nowMs - 600_000,
    nowMs,
    'A',
    'B',
    4.2,
    '12.345',
    'EUR',
    'card',
  ]
  const driven = [120, 64, 82, 10.5, 560, 0, 0, 1, 0, 0, 8.5, 1.2, 0, 0]
  const period = ['truck', 'KDA 123A', nowMs - (nowMs % 600_000), nowMs, ...driven]
  return [
    { table: tripTable, tenantId: 'default', key: '["T-1"]', offset: 0, values: trip },
    {
      table: drivingPeriods,
      tenantId: 'default',
      key: JSON.stringify(period.slice(0, 3)),
      offset: 0,
      values: period,
    },
  ]
}

async function writeExamples(store: CheckpointStore): Promise<void> {
  const nowMs = systemClock().nowMs()
  await store.ensureArchive(truckReadings.archive)
  const task = { pipeline: 'cold-chain', partition: 0 }
  const { epoch } = await store.claim(task)
  const encoder = store.archiveEncoder(truckReadings.archive)
  for (let offset = 0; offset < READINGS; offset++) {
    const receivedAtMs = nowMs - (READINGS - offset) * 10_000
    const flags: readonly EventFlag[] | null = offset % 10 === 9 ? ['late', 'duplicate'] : null
    const own = { partition: 0, offset, receivedAtMs, tenantId: 'default', eventId: null, flags }
    encoder.add(own, readingAt(offset, receivedAtMs - 1_500))
  }
  const position = { topic: truckReadings.name, partition: 0, offset: 3 }
  const outcome = await store.commit({
    task,
    epoch,
    fromOffset: 0,
    untold: [],
    toOffset: READINGS,
    watermarkMs: nowMs,
    archive: [encoder.take()],
    alerts: [
      {
        id: derivedId('example'),
        tenantId: 'default',
        rule: 'temperature-excursion',
        ruleVersion: 1,
        severity: 'major',
        entityType: 'truck',
        entityId: 'KDA 123A',
        status: 'firing',
        startsAtMs: nowMs,
        endsAtMs: null,
        updatedAtMs: nowMs + 60_000,
        revision: 1,
        summary: 'KDA 123A is at 9.5 °C',
        labels: {},
        value: { temperatureC: 9.5 },
        peak: { temperatureC: 11 },
        count: 4,
        withdrawn: false,
        position,
        changedBy: position,
        receivedAtMs: nowMs,
      },
    ],
    deadLetters: [
      {
        id: derivedId('letter'),
        topic: truckReadings.name,
        receivedAtMs: nowMs,
        tenantId: 'default',
        door: 'http',
        code: 'missing-field',
        message: 'temperatureC is missing',
        path: '/temperatureC',
        raw: '{}',
        rawEncoding: 'text',
        position: null,
      },
    ],
    outbox: [],
    rows: rowsAt(nowMs),
    windows: [
      {
        window: 'vehicles-15m-1m',
        era: 0,
        group: 'Corolla',
        tenantId: 'default',
        startMs: Math.floor(nowMs / 900_000) * 900_000 - 900_000,
        endMs: Math.floor(nowMs / 900_000) * 900_000,
        values: { readings: 9, maxSpeedKmh: 91.5, activeVehicles: 2, colors: { red: 2 } },
        keysHash: 8,
        revision: 1,
        final: true,
      },
      {
        window: 'cold-chain-fleet',
        era: 0,
        keysHash: 7,
        group: 'default',
        tenantId: 'default',
        startMs: nowMs - 300_000,
        endMs: nowMs,
        values: { readings: 40, activeTrucks: 2, minimumC: 3.5, maximumC: 11 },
        revision: 1,
        final: true,
      },
    ],
    journal: [],
    bytes: 0,
  })
  equal(outcome, 'committed')
}

function readingAt(offset: number, recordedAtMs: number): TruckReading {
  return {
    truckId: offset % 2 === 0 ? 'KDA 123A' : 'KDB 456B',
    recordedAtMs,
    eventId: null,
    temperatureC: 4 + offset / 10,
    fuelPercent: 60,
    fuelLitres: null,
    lat: -1.28,
    lon: 36.82,
    speedKmh: 55,
    headingDeg: null,
    odometerKm: null,
    doorOpen: false,
    reeferOn: true,
    loadKg: 9_350,
    brokenDown: false,
    zone: null,
    shipmentId: null,
    profile: null,
  }
}

test('every query of the page about SQL runs as its own login, and finds something', async (t) => {
  const { address, database } = await testPostgres(t)
  const store = createCheckpointStore({ address })
  t.after(() => store.close())
  await writeExamples(store)
  const [admin, ...queries] = blocks()
  ok(admin?.isAdmin)
  const [, user, password] = LOGIN.exec(admin.sql) ?? []
  ok(user !== undefined && password !== undefined)
  for (const statement of admin.sql.trim().split('\n')) await database.query(statement)
  const reader = new pg.Client({ ...address, user, password })
  await reader.connect()
  try {
    ok(queries.length >= 9, `${queries.length} queries on the page`)
    for (const { isAdmin, sql } of queries) {
      ok(!isAdmin)
      const { rows } = await reader.query(withoutMacros(sql))
      ok(rows.length > 0, `found nothing: ${sql}`)
    }
    const { rows } = await reader.query(
      "SELECT current_setting('statement_timeout') AS timeout, current_setting('transaction_read_only') AS read_only",
    )
    deepEqual(rows, [{ timeout: '1min', read_only: 'on' }])
  } finally {
    await reader.end()
    await database.query(`DROP ROLE ${user}`)
  }
})
