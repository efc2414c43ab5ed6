// Estimates of arrival a task makes: positions of travellers in a city through the whole pipeline of journeys,
// and how many journeys one change of traffic touches.

import { CopyEncoder } from '../src/adapters/postgres/copy-encoder.ts'
import { seededRandom } from '../src/adapters/random/seeded-random.ts'
import { journeyPositions } from '../src/domains/arrivals/events.ts'
import { journeyPipeline } from '../src/domains/arrivals/pipeline.ts'
import { journeyPlans, wirePlan } from '../src/domains/arrivals/plans.ts'
import { ROAD_TABLE } from '../src/domains/arrivals/roads/road-document.ts'
import { arrivalFleets, ORDERS } from '../src/domains/arrivals/simulate.ts'
import { traffic } from '../src/domains/arrivals/traffic.ts'
import { sketchOfCity } from '../src/domains/arrivals/world/city.ts'
import type { SimulatedFleet } from '../src/domains/simulation.ts'
import { HOUR_MS, parseInstant } from '../src/kernel/time.ts'
import type { LogRecord } from '../src/ports/log.ts'
import { type BroadcastProgress, NO_INPUTS } from '../src/streams/batch.ts'
import { Task } from '../src/streams/task.ts'

const TRAVELLERS = 2_000
const START_MS = Date.UTC(2026, 0, 5, 6)
const SEED = 1
const BATCH_RECORDS = 1_000
const CHANGES = 400

export interface EtaRate {
  /** Positions a second that became an estimate, routes of new journeys included. */
  readonly estimatesPerSecond: number
  readonly positions: number
  readonly journeys: number
  /** Journeys estimated anew after one change of traffic, on average; of all under way. */
  readonly touchedPerChange: number
  readonly changesPerSecond: number
}

export function etaRate(positions: number): EtaRate {
  const task = new Task({
    pipeline: journeyPipeline,
    topic: journeyPositions.name,
    partition: 0,
    encoder: new CopyEncoder(journeyPositions.archive),
  })
  const references = [{ name: ROAD_TABLE, version: 1, content: sketchOfCity() }]
  task.process([], 0, { ...NO_INPUTS, references, broadcasts: [plansOfAll()] })
  const records = recordsOf(fleetOf(journeyPositions.name), positions)
  const begunMs = performance.now()
  let estimates = 0
  for (let from = 0; from < records.length; from += BATCH_RECORDS) {
    const batch = records.slice(from, from + BATCH_RECORDS)
    const { rows } = task.process(batch, (batch.at(-1)?.offset ?? 0) + 1, NO_INPUTS)
    estimates += rows.filter(({ table }) => table.name === 'eta_estimate').length
  }
  const seconds = (performance.now() - begunMs) / 1_000
  const changes = trafficChanges()
  const changedMs = performance.now()
  let touched = 0
  for (const progress of changes) {
    const { rows } = task.process([], records.length, { ...NO_INPUTS, broadcasts: [progress] })
    touched += rows.filter(({ table }) => table.name === 'eta_estimate').length
  }
  const changeSeconds = (performance.now() - changedMs) / 1_000
  return {
    estimatesPerSecond: estimates / seconds,
    positions,
    journeys: task.keys,
    touchedPerChange: touched / changes.length,
    changesPerSecond: changes.length / changeSeconds,
  }
}

function fleetOf(topic: string): SimulatedFleet {
  const fleet = arrivalFleets.find((each) => each.topic === topic)
  if (fleet === undefined) throw new Error(`No simulated fleet sends ${topic}.`)
  return fleet
}

function linesOf(fleet: SimulatedFleet, count: number, intervalMs = fleet.defaultIntervalMs) {
  const options = {
    vehicles: TRAVELLERS,
    random: seededRandom(SEED),
    startMs: START_MS,
    intervalMs,
  }
  const batch = fleet.create(options).take({ untilMs: START_MS + HOUR_MS, maxEvents: count })
  return Buffer.from(batch.ndjson).toString('utf8').trimEnd().split('\n')
}

function recordsOf(fleet: SimulatedFleet, count: number): readonly LogRecord[] {
  return linesOf(fleet, count).map((line, offset) => {
    const { journeyId, recordedAt } = JSON.parse(line)
    return {
      offset,
      key: String(journeyId),
      value: Buffer.from(line),
      receivedAtMs: parseInstant(recordedAt) ?? START_MS,
      tenantId: 'default',
    }
  })
}

function plansOfAll(): BroadcastProgress {
  const records = linesOf(fleetOf(ORDERS), TRAVELLERS).map((line, offset) => {
    const { appointment, journey } = JSON.parse(line)
    const value = wirePlan({
      journeyId: journey.journeyId,
      recordedAtMs: START_MS,
      eventId: null,
      appointmentId: appointment.appointmentId,
      title: appointment.title,
      startsAtMs: parseInstant(appointment.startsAt) ?? START_MS,
      lat: appointment.lat,
      lon: appointment.lon,
      mode: 'car',
      online: false,
      over: false,
      travelTime: null,
    })
    return { offset, key: journey.journeyId, tenantId: 'default', receivedAtMs: START_MS, value }
  })
  return { topic: journeyPlans.name, records, nextOffset: records.length }
}

function trafficChanges(): readonly BroadcastProgress[] {
  return linesOf(fleetOf(traffic.name), CHANGES).map((line, offset) => {
    const value: unknown = JSON.parse(line)
    const key = String(Object(value).segmentId)
    const record = { offset, key, tenantId: 'default', receivedAtMs: START_MS + HOUR_MS, value }
    return { topic: traffic.name, records: [record], nextOffset: offset + 1 }
  })
}
