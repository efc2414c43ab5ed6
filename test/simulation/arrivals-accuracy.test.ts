// Estimates of arrival over some hours of the simulated city, held against the arrivals: the probabilities are what
// they say. Seeded, so that the figures are the same each time.

import { ok } from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { createPool } from '../../src/adapters/postgres/database.ts'
import { writeRows } from '../../src/adapters/postgres/durable-rows.ts'
import { runSimulation } from '../../src/app/simulation/run-simulation.ts'
import { accuracyOf } from '../../src/domains/arrivals/accuracy.ts'
import { journeyPositions } from '../../src/domains/arrivals/events.ts'
import { journeyPipeline } from '../../src/domains/arrivals/pipeline.ts'
import { journeyPlans, wirePlan } from '../../src/domains/arrivals/plans.ts'
import { ROAD_TABLE } from '../../src/domains/arrivals/roads/road-document.ts'
import { arrivalFleets, ORDERS } from '../../src/domains/arrivals/simulate.ts'
import { traffic } from '../../src/domains/arrivals/traffic.ts'
import { sketchOfCity } from '../../src/domains/arrivals/world/city.ts'
import { MINUTE_MS } from '../../src/kernel/time.ts'
import type { RowChange } from '../../src/ports/row-table.ts'
import { NO_INPUTS } from '../../src/streams/batch.ts'
import { Task } from '../../src/streams/task.ts'
import { testPostgres } from '../postgres-server.ts'
import { memoryEncoder } from './memory-encoder.ts'

const START_MS = Date.UTC(2026, 0, 5, 8)
const EVENTS = 40_000

/** The rows of all journeys of the simulated city, by a task with nothing else around it. */
async function simulatedRows(): Promise<readonly RowChange[]> {
  const task = new Task({
    pipeline: journeyPipeline,
    topic: journeyPositions.name,
    partition: 0,
    encoder: memoryEncoder(journeyPositions.archive),
  })
  const rows: RowChange[] = []
  const reached = new Map([traffic.name, journeyPlans.name].map((topic) => [topic, 0]))
  let offset = 0
  let nowMs = START_MS
  let tickMs = START_MS
  const broadcast = (topic: string, key: string, value: unknown): void => {
    const there = reached.get(topic) ?? 0
    reached.set(topic, there + 1)
    const record = { offset: there, key, tenantId: 'default', receivedAtMs: nowMs, value }
    const broadcasts = [{ topic, records: [record], nextOffset: there + 1 }]
    rows.push(...task.process([], offset, { ...NO_INPUTS, broadcasts }).rows)
  }
  const take = (topic: string, event: Readonly<Record<string, unknown>>): void => {
    if (topic === ORDERS) {
      const { appointment, journey }: Record<string, unknown> = event
      const { appointmentId, title, startsAt, lat, lon, onlineUrl } = Object(appointment)
      const { journeyId } = Object(journey)
      const plan = wirePlan({
        ...{
          journeyId,
          appointmentId,
          title,
          lat,
          lon,
          mode: 'car',
          online: onlineUrl !== undefined,
        },
        ...{ over: false, recordedAtMs: nowMs, eventId: null, travelTime: null },
        startsAtMs: Date.parse(startsAt),
      })
      broadcast(journeyPlans.name, journeyId, plan)
    } else if (topic === traffic.name) {
      nowMs = Math.max(nowMs, Date.parse(String(event.observedAt)))
      broadcast(topic, String(event.segmentId), event)
    } else {
      nowMs = Math.max(nowMs, Date.parse(String(event.recordedAt)))
      const value = Buffer.from(JSON.stringify(event))
      const key = String(event.journeyId)
      const record = { offset, key, value, receivedAtMs: nowMs, tenantId: 'default' }
      offset++
      rows.push(...task.process([record], offset, NO_INPUTS).rows)
    }
    if (nowMs - tickMs < MINUTE_MS) return
    tickMs = nowMs
    rows.push(...task.process([], offset, { ...NO_INPUTS, tickMs }).rows)
  }
  const references = [{ name: ROAD_TABLE, version: 1, content: sketchOfCity() }]
  task.process([], 0, { ...NO_INPUTS, references })
  await runSimulation({
    ...{ fleets: arrivalFleets, seed: 7, startMs: START_MS, pace: 'unpaced', count: EVENTS },
    clock: systemClock(),
    async send(topic, ndjson) {
      const events = ndjson.trimEnd().split('\n')
      for (const event of events) take(topic, JSON.parse(event))
      return { accepted: events.length, rejected: 0 }
    },
  })
  return rows
}

test('over hours of the simulated city, estimates of arrival are as good as they say', async (t) => {
  const { address, database } = await testPostgres(t)
  const rows = await simulatedRows()
  const pool = createPool({ address, maxConnections: 1 })
  t.after(() => pool.end())
  const client = await pool.connect()
  await writeRows(client, [{ partition: 0, rows }])
  client.release()
  const found = await accuracyOf(database, { tenantId: 'default' })
  const { estimates, journeys, horizons, calibration, brierScore } = found
  t.diagnostic(`${estimates} estimates of ${journeys} journeys, Brier score ${brierScore}`)
  ok(journeys >= 50 && estimates >= 5_000)
  ok((brierScore ?? 1) < 0.1, 'far better than a coin')
  // Classes with few estimates are of few journeys, each of which is late or is not.
  const sure = calibration.filter((each) => each.estimates >= 200)
  for (const { from, meanProbability, lateShare } of sure) {
    const off = Math.abs(meanProbability - lateShare)
    ok(off <= 0.2, `from ${from}: said ${meanProbability}, were ${lateShare}`)
  }
  ok((calibration[0]?.lateShare ?? 1) < 0.05 && (calibration.at(-1)?.lateShare ?? 0) > 0.95)
  const near = horizons.filter(({ toMin }) => toMin !== null && toMin <= 20)
  ok(near.length === 3 && near.every(({ withinP90 }) => withinP90 >= 0.8))
  const errors = near.map(({ meanAbsoluteErrorS }) => meanAbsoluteErrorS)
  ok(
    errors.every((each, at) => each >= (errors[at - 1] ?? 0) && each < 180),
    `${errors}`,
  )
})
