// What rules cost: the same events through a task with five rules and with a hundred, everything else left out.

import { vehicles } from '../src/domains/vehicles/index.ts'
import { assert } from '../src/kernel/errors.ts'
import { ok } from '../src/kernel/result.ts'
import type { LogRecord } from '../src/ports/log.ts'
import { definitionOf, type RuleDocument } from '../src/rules/rule-document.ts'
import { fixedRules, type RuleTopic } from '../src/rules/rule-source.ts'
import { NO_INPUTS } from '../src/streams/batch.ts'
import { Task } from '../src/streams/task.ts'

const VEHICLES = 1_000
const BATCH = 5_000
const START_MS = Date.UTC(2026, 0, 5)
const ROUNDS = 5

export interface RuleCost {
  /** Processor time for an event with a hundred rules, over that with five. */
  readonly ratio: number
  readonly fewUs: number
  readonly manyUs: number
}

/** Rules as operators write them: limits, two fields, what changed, durations; a twentieth of them fires now and then. */
function rulesOf(count: number): readonly RuleDocument[] {
  const conditions = [
    (limit: number) => `event.speedKmh > ${120 + limit}`,
    (limit: number) => `event.rpm > ${5_000 + 10 * limit} && event.gear < 3`,
    (limit: number) => `event.speedKmh - last.speedKmh > ${30 + limit}`,
    (limit: number) => `derived.gearsApart >= ${3 + (limit % 3)} && event.speedKmh > 60`,
    (limit: number) => `event.fuelLph > ${40 + limit} || event.stateOfChargePercent < 5`,
  ]
  return Array.from({ length: count }, (_, index) => ({
    name: `rule-${index}`,
    topic: 'vehicle-telemetry',
    when: (conditions[index % conditions.length] ?? conditions[0])?.(index) ?? 'true',
    ...(index % 3 === 0 ? { for: '10s' } : {}),
    severity: 'warning' as const,
    summary: 'It holds',
  }))
}

export function measureRuleCost(events: number): RuleCost {
  const records = recordsOf(events)
  const few: number[] = []
  const many: number[] = []
  // In turn, so that what the machine does meanwhile falls on both.
  for (let round = 0; round <= ROUNDS; round++) {
    const fewUs = run(rulesOf(5), records)
    const manyUs = run(rulesOf(100), records)
    if (round === 0) continue
    few.push(fewUs)
    many.push(manyUs)
  }
  const fewUs = Math.min(...few)
  const manyUs = Math.min(...many)
  return { ratio: manyUs / fewUs, fewUs, manyUs }
}

interface TypedRecord extends LogRecord {
  readonly event: unknown
}

function run(documents: readonly RuleDocument[], records: readonly TypedRecord[]): number {
  const definitionsOf = (topic: RuleTopic) =>
    documents.map((document) =>
      definitionOf(document, { version: 1, entityType: topic.entityType }),
    )
  const [pipeline] = vehicles.pipelinesWith((topic) => fixedRules(topic, definitionsOf(topic)))
  assert(pipeline !== undefined, 'Vehicles have a pipeline.')
  const task = new Task({
    pipeline,
    topic: pipeline.topic.name,
    partition: 0,
    encoder: {
      pendingBytes: 0,
      add() {},
      take: () => ({ table: '', rows: 0, bytes: 0, payload: [] }),
    },
    decode: (record) => ok(records[record.offset]?.event),
  })
  const before = process.threadCpuUsage()
  for (let from = 0; from < records.length; from += BATCH) {
    const batch = records.slice(from, from + BATCH)
    task.process(batch, from + batch.length, NO_INPUTS)
    task.takeViews(batch.length)
  }
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / records.length
}

/** Cars that speed up and slow down, each once a second. */
function recordsOf(count: number): readonly TypedRecord[] {
  const [pipeline] = vehicles.pipelines
  assert(pipeline !== undefined, 'Vehicles have a pipeline.')
  return Array.from({ length: count }, (_, offset) => {
    const vehicle = offset % VEHICLES
    const second = Math.floor(offset / VEHICLES)
    const speedKmh = 70 + 65 * Math.sin((second + vehicle) / 40)
    const recordedAtMs = START_MS + second * 1_000
    const parsed = pipeline.topic.parse({
      vehicleId: `car-${vehicle}`,
      recordedAt: recordedAtMs,
      speedKmh,
      rpm: 900 + 30 * speedKmh,
      gear: 1 + Math.floor(speedKmh / 25),
      fuelLph: speedKmh / 10,
      stateOfChargePercent: 60,
      lat: -1.29,
      lon: 36.82,
    })
    assert(parsed.ok, 'The events of the benchmark are good.')
    const value = new Uint8Array(0)
    return {
      offset,
      key: '',
      value,
      receivedAtMs: recordedAtMs,
      tenantId: 'default',
      event: parsed.value,
    }
  })
}
