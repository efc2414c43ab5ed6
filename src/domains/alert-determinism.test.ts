// The same log and the same rules give the same alerts, byte for byte: however the log is cut into batches,
// live and over the archive, and where one rule is run alone and only what it looks at is read.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { simulatedRecords } from '../../test/simulation/simulated-records.ts'
import { seededRandom } from '../adapters/random/seeded-random.ts'
import { MINUTE_MS, SECOND_MS } from '../kernel/time.ts'
import type { Alert } from '../ports/alert.ts'
import type { ArchivedEvent, ArchiveEncoder } from '../ports/archive.ts'
import type { LogRecord } from '../ports/log.ts'
import { definitionOf } from '../rules/rule-document.ts'
import { recordedRules, triedRules } from '../rules/rule-source.ts'
import { NO_INPUTS } from '../streams/batch.ts'
import { decodeRecord } from '../streams/decode.ts'
import { columnValues, fromColumnValues } from '../streams/event-values.ts'
import type { AnyPipeline } from '../streams/pipeline.ts'
import { Task } from '../streams/task.ts'
import type { Domain } from './domain.ts'
import { FAULTS } from './faults.ts'
import { domains } from './registry.ts'
import type { SimulatedFleet } from './simulation.ts'

const EVENTS = 8_000
const MEMBERS = 40
const START_MS = Date.UTC(2026, 2, 29, 0, 30)

for (const domain of domains) {
  for (const fleet of selfContained(domain)) {
    test(`${fleet.topic}: alerts are the same whatever the batches, live and over history`, () => {
      const pipeline = pipelineOf(domain.pipelines, fleet)
      const records = recordsOf(fleet)
      const whole = live(pipeline, records, [records.length])
      assert.ok(whole.length > 0, 'there are alerts to compare')
      const hash = hashOf(whole)
      for (const seed of [1, 2, 3]) {
        assert.equal(hashOf(live(pipeline, records, splitOf(records.length, seed))), hash)
      }
      assert.equal(
        hashOf(
          live(
            pipeline,
            records,
            records.map(() => 1),
          ),
        ),
        hash,
      )
      const recorded = pipelineOf(
        domain.pipelinesWith((topic) => recordedRules(topic, [])),
        fleet,
      )
      const events = archivedOf(recorded, records)
      for (const seed of [4, 5]) {
        assert.equal(hashOf(history(recorded, events, splitOf(events.length, seed))), hash)
      }
    })

    test(`${fleet.topic}: a rule that is tried alone says what it says among the others`, () => {
      const pipeline = pipelineOf(domain.pipelines, fleet)
      const records = recordsOf(fleet)
      const among = live(pipeline, records, [records.length])
      const names = rulesOf(domain, fleet).map(({ name }) => name)
      for (const name of names) {
        const alone = trialOf(domain, fleet, name)
        const events = archivedOf(alone, records)
        const alerts = history(alone, events, splitOf(events.length, 6))
        const expected = among.filter(({ rule }) => rule === name)
        assert.deepEqual(alerts, expected, name)
      }
    })
  }
}

test('over history the archive is read only as far as some rule ever looked', () => {
  const columns = new Map(
    domains.flatMap((domain) =>
      domain
        .pipelinesWith((topic) => recordedRules(topic, []))
        .map((each) => [each.topic.name, each.archiveColumns]),
    ),
  )
  for (const { topic } of domains.flatMap(({ rules }) => rules)) {
    assert.notEqual(columns.get(topic.name), undefined, `${topic.name} says what it reads`)
  }
  for (const unread of ['customer_email', 'items', 'words', 'freight_cost']) {
    assert.equal(columns.get('shipment-events')?.includes(unread), false, unread)
  }
  const written = { name: 'heavy', topic: 'shipment-events', when: 'event.weightKg > 100' }
  const document = { ...written, severity: 'info', summary: 'x', fields: [], labels: {} }
  const table = { rules: [{ version: 1, source: 'api', document }] }
  const [shipments] = domains
    .flatMap((domain) => domain.pipelinesWith((topic) => recordedRules(topic, [table])))
    .filter((each) => each.topic.name === 'shipment-events')
  assert.equal(shipments?.archiveColumns?.includes('weight_kg'), true, 'what was once in force')
})

/** Those whose alerts follow from their own events, and from nothing that is broadcast. */
function selfContained({ fleets, pipelines, rules }: Domain): readonly SimulatedFleet[] {
  return fleets.filter(({ topic: name }) => {
    const pipeline = pipelines.find(({ topic }) => topic.name === name)
    const hasRules = rules.some(({ topic }) => topic.name === name)
    return hasRules && pipeline?.broadcasts.length === 0
  })
}

function pipelineOf(pipelines: readonly AnyPipeline[], fleet: SimulatedFleet): AnyPipeline {
  const pipeline = pipelines.find(({ topic }) => topic.name === fleet.topic)
  assert.ok(pipeline !== undefined, `No pipeline reads ${fleet.topic}.`)
  return pipeline
}

function rulesOf(domain: Domain, fleet: SimulatedFleet) {
  return domain.rules
    .filter(({ topic }) => topic.name === fleet.topic)
    .flatMap(({ documents }) => documents)
    .filter(({ disabled }) => disabled !== true)
}

function trialOf(domain: Domain, fleet: SimulatedFleet, name: string): AnyPipeline {
  const pipelines = domain.pipelinesWith((topic) => {
    const definitions = topic.documents
      .filter((document) => document.name === name)
      .map((document) => definitionOf(document, { version: 1, entityType: topic.entityType }))
    return triedRules(topic, definitions, null)
  })
  return pipelineOf(pipelines, fleet)
}

/** What simulated senders do at their worst: late, twice, out of order, broken. */
function recordsOf(fleet: SimulatedFleet): readonly LogRecord[] {
  const world = fleet.create({
    vehicles: MEMBERS,
    random: seededRandom(7),
    startMs: START_MS,
    intervalMs: 10 * SECOND_MS,
    faults: FAULTS,
  })
  // Now and then everything is held up, so that some fall silent.
  return simulatedRecords(world, EVENTS, (offset) => (offset > EVENTS / 2 ? 30 * MINUTE_MS : 200))
}

/** As the archive gives them back: the columns that the pipeline needs, without what was refused. */
function archivedOf(
  { topic, archiveColumns }: AnyPipeline,
  records: readonly LogRecord[],
): readonly ArchivedEvent<unknown>[] {
  return records.flatMap((record) => {
    const decoded = decodeRecord(record, topic)
    if (!decoded.ok) return []
    const { eventId } = decoded.value
    const values = columnValues(topic.archive, decoded.value).map((value, index) => {
      const name = topic.archive.columns[index]?.name ?? ''
      return archiveColumns === undefined || archiveColumns.includes(name) ? value : null
    })
    const event = { ...fromColumnValues(topic.archive, values), eventId }
    const { offset, receivedAtMs, tenantId } = record
    return [{ partition: 0, offset, receivedAtMs, tenantId, eventId, flags: null, event }]
  })
}

function live(
  pipeline: AnyPipeline,
  records: readonly LogRecord[],
  sizes: readonly number[],
): readonly Alert[] {
  const task = taskOf(pipeline)
  let from = 0
  return sizes.flatMap((size) => {
    const batch = records.slice(from, from + size)
    from += size
    return task.process(batch, from, NO_INPUTS).alerts
  })
}

function history(
  pipeline: AnyPipeline,
  events: readonly ArchivedEvent<unknown>[],
  sizes: readonly number[],
): readonly Alert[] {
  const task = taskOf(pipeline)
  let from = 0
  return sizes.flatMap((size) => {
    const batch = events.slice(from, from + size)
    from += size
    return task.processArchived(batch).alerts
  })
}

function taskOf(pipeline: AnyPipeline) {
  const encoder: ArchiveEncoder<unknown> = {
    pendingBytes: 0,
    add() {},
    take: () => ({ table: '', rows: 0, bytes: 0, payload: [] }),
  }
  return new Task({ pipeline, topic: pipeline.topic.name, partition: 3, encoder })
}

function splitOf(length: number, seed: number): readonly number[] {
  const random = seededRandom(seed)
  const sizes: number[] = []
  for (let left = length; left > 0; ) {
    const size = Math.min(left, 1 + Math.floor(random.next() ** 3 * 2_000))
    sizes.push(size)
    left -= size
  }
  return sizes
}

function hashOf(alerts: readonly Alert[]): string {
  return createHash('sha256').update(JSON.stringify(alerts)).digest('hex')
}
