// What enrichment, rules and windows of vehicles cost: the same telemetry through a task of the whole
// pipeline, and through one that only archives and shows it.

import { CopyEncoder } from '../src/adapters/postgres/copy-encoder.ts'
import { seededRandom } from '../src/adapters/random/seeded-random.ts'
import { type VehicleTelemetry, vehicleTelemetry } from '../src/domains/vehicles/events.ts'
import { vehiclesPipeline, vehiclesPipelineWith } from '../src/domains/vehicles/pipeline.ts'
import {
  COLORS_TABLE,
  MODELS_TABLE,
  UNKNOWN_VEHICLE,
  VEHICLES_TABLE,
} from '../src/domains/vehicles/reference.ts'
import { vehicleRules } from '../src/domains/vehicles/rules.ts'
import { simulateVehicles } from '../src/domains/vehicles/simulate.ts'
import { vehicleDocument } from '../src/domains/vehicles/views.ts'
import { exampleTables } from '../src/domains/vehicles/world/fleet.ts'
import type { LogRecord } from '../src/ports/log.ts'
import { EVERYTHING } from '../src/rules/rule-scope.ts'
import { liveRules } from '../src/rules/rule-source.ts'
import { NO_INPUTS } from '../src/streams/batch.ts'
import type { AnyPipeline, Pipeline } from '../src/streams/pipeline.ts'
import { Task } from '../src/streams/task.ts'
import { median } from './samples.ts'

/** Vehicles of one partition of eight, of a fleet of 10,000. */
const VEHICLES = 1_250
const INTERVAL_MS = 5_000
const BATCH_RECORDS = 5_000
const VIEW_KEYS = 100
const START_MS = Date.UTC(2026, 0, 5, 6)
/** Both are measured in turns, so that whatever else the machine does meets both. */
const TURNS = 5

/** Archives and shows each event, and judges nothing. */
export const bareVehicles: Pipeline<VehicleTelemetry, { last: VehicleTelemetry | null }> = {
  name: 'bare',
  topic: vehicleTelemetry,
  stateFormat: 1,
  forgetAfterMs: vehiclesPipeline.forgetAfterMs,
  newState: () => ({ last: null }),
  copyState: ({ last }) => ({ last }),
  onEvent(state, event) {
    state.last = event
  },
  onTimer() {
    // It sets none.
  },
  openEpisodes: () => [],
  silences: [],
  windows: [],
  broadcasts: [],
  view: {
    name: 'vehicles',
    document: ({ last }, _key, facts) =>
      last === null ? undefined : vehicleDocument({ ...facts, last, profile: UNKNOWN_VEHICLE }),
  },
}

/** Enriches, judges by all rules and fills the windows; makes no fleet reports. */
export const judgedVehicles = vehiclesPipelineWith({
  ...liveRules(vehicleRules),
  scope: { ...EVERYTHING, alertsOnly: true },
})

/** What telemetry of a simulated fleet is joined with. */
export function vehicleTables(
  count: number,
): readonly { readonly name: string; readonly content: unknown }[] {
  const { vehicles, models, colors } = exampleTables(count)
  return [
    { name: VEHICLES_TABLE, content: vehicles },
    { name: MODELS_TABLE, content: models },
    { name: COLORS_TABLE, content: colors },
  ]
}

export interface VehicleCosts {
  readonly bareEventsPerSecond: number
  readonly eventsPerSecond: number
}

export function vehicleCosts(events: number): VehicleCosts {
  const records = telemetry(events)
  // The compiler sees both before anything counts.
  rateOf(bareVehicles, records)
  rateOf(vehiclesPipeline, records)
  const rates = { bare: [] as number[], whole: [] as number[] }
  for (let turn = 0; turn < TURNS; turn++) {
    rates.bare.push(rateOf(bareVehicles, records))
    rates.whole.push(rateOf(vehiclesPipeline, records))
  }
  return {
    bareEventsPerSecond: median(rates.bare),
    eventsPerSecond: median(rates.whole),
  }
}

function telemetry(events: number): readonly LogRecord[] {
  const fleet = simulateVehicles({
    vehicles: VEHICLES,
    random: seededRandom(1),
    startMs: START_MS,
    intervalMs: INTERVAL_MS,
  })
  const batch = fleet.take({ untilMs: Number.POSITIVE_INFINITY, maxEvents: events })
  const bytes = Buffer.from(batch.ndjson)
  let from = 0
  return batch.ends.map((end, offset): LogRecord => {
    const value = bytes.subarray(from, end - 1)
    from = end
    const receivedAtMs = Math.floor(START_MS + (offset * INTERVAL_MS) / VEHICLES) + 200
    return { offset, key: batch.keys[offset] ?? '', value, receivedAtMs, tenantId: 'default' }
  })
}

/** Events a second of processor time of one task: read, judged, encoded for the archive, shown. */
function rateOf(pipeline: AnyPipeline, records: readonly LogRecord[]): number {
  const task = new Task({
    pipeline,
    topic: vehicleTelemetry.name,
    partition: 0,
    encoder: new CopyEncoder(vehicleTelemetry.archive),
  })
  const references = vehicleTables(VEHICLES).map((table) => ({ ...table, version: 1 }))
  task.process([], 0, { ...NO_INPUTS, references })
  const before = process.cpuUsage()
  for (let from = 0; from < records.length; from += BATCH_RECORDS) {
    const batch = records.slice(from, from + BATCH_RECORDS)
    task.process(batch, from + batch.length, NO_INPUTS)
    task.takeViews(VIEW_KEYS)
  }
  const { user, system } = process.cpuUsage(before)
  return (records.length * 1_000_000) / (user + system)
}
