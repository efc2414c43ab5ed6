// Drives and stops over HTTP, against a real database with rows as tasks leave them behind.

import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { startApiServer } from '../../test/api-server.ts'
import { testPostgres } from '../../test/postgres-server.ts'
import { HOUR_MS, MINUTE_MS, toIso } from '../kernel/time.ts'

const T0 = Date.UTC(2026, 0, 5, 8)
const at = (minute: number): string => toIso(T0 + minute * MINUTE_MS)

test('drives are told newest first, each with the stop after it', async (t) => {
  const { database } = await testPostgres(t)
  const server = await startApiServer({ database })
  t.after(() => server.close())
  const put = (entityId: string, from: number, to: number, underWay: boolean) =>
    database.query(
      `INSERT INTO drive (tenant_id, entity_type, entity_id, starts_at, start_lat, start_lon, ends_at,
         distance_km, max_speed_kmh, under_way, log_partition, log_offset)
       VALUES ('default', 'truck', $1, $2, -1.3, 36.8, $3, 12.34567, 80, $4, 0, 1)`,
      [entityId, at(from), at(to), underWay],
    )
  await put('KDA 1', 0, 20, false)
  await put('KDA 1', 50, 70, true)
  await put('KDB 2', 10, 30, false)
  const ask = async (query: string) => {
    const response = await fetch(`${server.url}/api/v1/fleet/drives?${query}`)
    return { status: response.status, body: JSON.parse(await response.text()) }
  }
  const range = `from=${at(-1)}&to=${at(90)}`
  const { body } = await ask(range)
  deepEqual(
    body.items.map((item: Record<string, unknown>) => [
      item.entityId,
      item.startsAt,
      item.endsAt,
      item.underWay,
      item.stop,
    ]),
    [
      ['KDA 1', at(50), at(70), true, null],
      ['KDB 2', at(10), at(30), false, { startsAt: at(30), endsAt: null }],
      ['KDA 1', at(0), at(20), false, { startsAt: at(20), endsAt: at(50) }],
    ],
  )
  const [newest] = body.items
  deepEqual([newest.distanceKm, newest.start, newest.end], [12.346, { lat: -1.3, lon: 36.8 }, null])
  equal((await ask(`${range}&type=truck&entity=KDB%202`)).body.items.length, 1)
  equal((await ask(`${range}&type=vehicle`)).body.items.length, 0)
  // A drive belongs to every range that it touches.
  equal((await ask(`from=${at(60)}&to=${at(61)}`)).body.items.length, 1)
  const tooLong = `from=${toIso(T0 - 401 * 24 * HOUR_MS)}&to=${at(0)}`
  equal((await ask(tooLong)).status, 400)
})

test('the longest drive of a range is that of the drives that began in it', async (t) => {
  const { database } = await testPostgres(t)
  const server = await startApiServer({ database })
  t.after(() => server.close())
  await database.query(
    `INSERT INTO driving_period (tenant_id, entity_type, entity_id, starts_at, last_at, readings, distance_km,
       moving_s, idle_s, speeding_s, harsh_braking, harsh_acceleration, harsh_cornering, refuelled_percent,
       stolen_percent, log_partition, log_offset)
     SELECT 'default', 'vehicle', 'V1', at, at, 60, 8, 600, 0, 0, 1, 0, 0, 0, 0, 0, 1
     FROM unnest($1::timestamptz[]) AS at`,
    [[at(0), at(10), at(20)]],
  )
  await database.query(
    `INSERT INTO drive (tenant_id, entity_type, entity_id, starts_at, ends_at, distance_km, max_speed_kmh,
       under_way, log_partition, log_offset)
     VALUES ('default', 'vehicle', 'V1', $1, $2, 24, 60, false, 0, 1)`,
    [at(2), at(27)],
  )
  const drivers = async (from: number) => {
    const path = `/api/v1/fleet/drivers?from=${at(from)}&to=${at(30)}`
    const response = await fetch(`${server.url}${path}`)
    const { items } = JSON.parse(await response.text())
    return items.map((row: Record<string, unknown>) => [
      row.distanceKm,
      row.longestDriveS,
      row.harshBraking,
      row.score,
    ])
  }
  // Three harsh events on 24 km are 12.5 on 100; 16 km are too few to judge.
  deepEqual(await drivers(0), [[24, 1_500, 3, 50]])
  deepEqual(await drivers(10), [[16, 0, 2, null]])
})
