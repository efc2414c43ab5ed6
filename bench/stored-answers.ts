// How long the API takes over what is kept ready: sliding windows of a day, and the sums of very many trips.

import pg from 'pg'
import { embeddedAddress } from '../src/adapters/postgres/embedded-server.ts'
import { DEFAULT_WINDOW_SPANS, vehicleWindow } from '../src/domains/vehicles/windows.ts'
import { COLORS, MODELS } from '../src/domains/vehicles/world/fleet.ts'
import { DAY_MS } from '../src/kernel/time.ts'
import { PARTITIONS } from './fleet.ts'
import { percentile } from './samples.ts'

const START_MS = Date.UTC(2026, 0, 5)
const VEHICLES = 10_000
const TRIPS_OF_ONE_INSERT = 50_000
/** The first ones open connections and let the database read its pages. */
const WARM_UP = 5
const REQUESTS = 40

export interface AnswerTimes {
  readonly p50Ms: number
  readonly p95Ms: number
}

/** Times one question after the other, by whoever has the token; rejects where one is not answered. */
export async function timeAnswers(url: string, path: string, token?: string): Promise<AnswerTimes> {
  const headers: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` }
  const times: number[] = []
  for (let request = 0; request < WARM_UP + REQUESTS; request++) {
    const startedMs = performance.now()
    const response = await fetch(`${url}/api/v1${path}`, { headers })
    await response.arrayBuffer()
    if (!response.ok) throw new Error(`${path} was answered with ${response.status}`)
    if (request >= WARM_UP) times.push(performance.now() - startedMs)
  }
  return { p50Ms: percentile(times, 0.5), p95Ms: percentile(times, 0.95) }
}

/** A day as the dashboard asks for it, and as many single windows of it as one page gives. */
export const WINDOW_QUESTIONS = {
  quarterHours: `/vehicles/windows?from=${START_MS}&to=${START_MS + DAY_MS}&slide=15m&limit=1000`,
  page: `/vehicles/windows?from=${START_MS}&to=${START_MS + DAY_MS}&limit=1000`,
}

/** Final windows of a day of the fleet, as the tasks of all partitions leave them. */
export async function fillWindows(dataDir: string): Promise<void> {
  const [window] = DEFAULT_WINDOW_SPANS.map(vehicleWindow)
  if (window === undefined) return
  await withDatabase(dataDir, async (client) => {
    await client.query(
      `INSERT INTO window_kpi (window_name, log_partition, era, group_key, tenant_id, window_start,
         window_end, values, keys_hash, revision, final)
       SELECT $1, partition, 0, model, 'default', at, at + $2 * interval '1 ms', jsonb_build_object(
           'readings', 180 * cars, 'maxSpeedKmh', 80 + (hashtext(model || at) % 500) / 10.0,
           'activeVehicles', cars, 'colors', (SELECT jsonb_object_agg(color, 1 + cars / $6::int)
             FROM jsonb_array_elements_text($4) AS color)),
         partition, 1, true
       FROM generate_series(0, $3::int - 1) AS partition,
         jsonb_array_elements_text($5) AS model,
         generate_series($7::timestamptz, $7::timestamptz + interval '1 day' - $8 * interval '1 ms',
           $8 * interval '1 ms') AS at,
         (SELECT $9::int / $3::int / jsonb_array_length($5) AS cars) AS each`,
      [
        window.name,
        window.sizeMs,
        PARTITIONS,
        JSON.stringify(COLORS.map(([color]) => color)),
        JSON.stringify([...MODELS.map(({ model }) => model), 'unknown']),
        COLORS.length,
        new Date(START_MS),
        window.slideMs,
        VEHICLES,
      ],
    )
    await client.query('ANALYZE window_kpi')
  })
}

/** Trips of a year, with the sums that the database keeps of them. */
export async function fillTrips(dataDir: string, trips: number): Promise<void> {
  await withDatabase(dataDir, async (client) => {
    for (let from = 0; from < trips; from += TRIPS_OF_ONE_INSERT) {
      await client.query(
        `INSERT INTO trip (tenant_id, trip_id, pickup_time, dropoff_time, distance, fare, currency,
           payment_method, status, recorded_at, log_partition, log_offset)
         SELECT 'default', 'T' || number, at, at + interval '10 minutes', (number % 200) / 10.0,
           (number % 5000) / 100.0, 'USD', (array['card', 'cash', 'wallet', NULL])[1 + number % 4],
           (array['completed', 'completed', 'completed', 'canceled'])[1 + number / 7 % 4],
           at + interval '10 minutes', number % $4::int, number
         FROM generate_series($1::int, $2::int - 1) AS number,
           LATERAL (SELECT $3::timestamptz + number * interval '31 seconds' AS at) AS moment`,
        [from, Math.min(trips, from + TRIPS_OF_ONE_INSERT), new Date(START_MS), PARTITIONS],
      )
    }
    await client.query('ANALYZE trip, trip_total')
  })
}

/** Questions of a merchant about its own, filtered and sorted both ways, and its figures. */
export const SHIPMENT_QUESTIONS = {
  recent: '/shipments?status=InTransit,Exception&limit=100',
  due: '/shipments?promise=late,at-risk&sort=promise&limit=100',
  region: '/shipments?region=region-3&limit=100',
  summary: '/shipments/summary',
} as const

const MERCHANT = 'merchant-7'
const MERCHANTS = 200
/** Of the shipment whose page is asked for; the others have one each. */
const TRACKED = 'SH7'
const TRACKED_EVENTS = 12

/**
 * Shipments of a year and what is added up of them, with an event of each in the archive; of most merchants few
 * are not delivered.
 */
export async function fillShipments(dataDir: string, shipments: number): Promise<void> {
  await withDatabase(dataDir, async (client) => {
    for (let from = 0; from < shipments; from += TRIPS_OF_ONE_INSERT) {
      await client.query(
        `INSERT INTO shipment (tenant_id, shipment_id, merchant_id, status, state, promise, promised_at,
           region, mode, carrier, recorded_at, log_partition, log_offset)
         SELECT 'default', 'SH' || number, 'merchant-' || number % $5::int,
           (array['Delivered', 'Delivered', 'Delivered', 'InTransit', 'Exception'])[1 + number / 200 % 5],
           'in-transit', (array['kept', 'late', 'on-track', 'at-risk'])[1 + number / 1000 % 4],
           at + interval '3 days', 'region-' || number / 400 % 6, 'truck', 'Twiga Express', at,
           number % $4::int, number
         FROM generate_series($1::int, $2::int - 1) AS number,
           LATERAL (SELECT $3::timestamptz + number * interval '31 seconds' AS at) AS moment`,
        [
          from,
          Math.min(shipments, from + TRIPS_OF_ONE_INSERT),
          new Date(START_MS),
          PARTITIONS,
          MERCHANTS,
        ],
      )
    }
    await addEvents(client, shipments)
    await client.query('ANALYZE shipment, shipment_total, shipment_event')
  })
}

async function addEvents(client: pg.Client, shipments: number): Promise<void> {
  const from = `INSERT INTO shipment_event (log_partition, log_offset, received_at, tenant_id, shipment_id,
     recorded_at, type, timing, merchant_id, location, region)
   SELECT number % $3::int, number, $2::timestamptz, 'default', shipment, $2::timestamptz + number * interval '31 s',
     'departed', 'actual', merchant, 'hub ' || number % 40, 'region-' || number % 6`
  await client.query(
    `${from} FROM (SELECT number, 'SH' || number AS shipment, 'merchant-' || number % $4::int AS merchant
     FROM generate_series(0, $1::int - 1) AS number) AS each`,
    [shipments, new Date(START_MS), PARTITIONS, MERCHANTS],
  )
  await client.query(
    `${from} FROM (SELECT number, '${TRACKED}' AS shipment, '${MERCHANT}' AS merchant
     FROM generate_series($1::int, $1::int + ${TRACKED_EVENTS}) AS number) AS each`,
    [shipments, new Date(START_MS), PARTITIONS],
  )
}

/** A merchant's token, and the way to the page of one of its shipments: both made as an operator makes them. */
export async function letMerchantIn(
  url: string,
): Promise<{ readonly token: string; readonly trackingPage: string }> {
  const made = async (path: string, body: object): Promise<string> => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const answer: unknown = await response.json()
    const token = typeof answer === 'object' && answer !== null && Reflect.get(answer, 'token')
    if (typeof token === 'string') return token
    throw new Error(`${path} was answered with ${response.status}`)
  }
  const token = await made('/tokens', { role: 'merchant', merchantId: MERCHANT })
  const link = await made(`/shipments/${TRACKED}/tracking-links`, { days: 1 })
  return { token, trackingPage: `/track/${link}` }
}

async function withDatabase(
  dataDir: string,
  work: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const client = new pg.Client(embeddedAddress(dataDir))
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
