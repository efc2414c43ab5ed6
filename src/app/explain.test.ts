// What is told of one entity is the same whether its own events are run or all of its partition.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testPostgres } from '../../test/postgres-server.ts'
import { simulatedRecords } from '../../test/simulation/simulated-records.ts'
import { createCheckpointStore } from '../adapters/postgres/checkpoint-store.ts'
import { createReferenceStore } from '../adapters/postgres/reference-store.ts'
import { seededRandom } from '../adapters/random/seeded-random.ts'
import { coldChain } from '../domains/cold-chain/index.ts'
import { FAULTS } from '../domains/faults.ts'
import { MINUTE_MS, SECOND_MS } from '../kernel/time.ts'
import type { Checkpoint, TaskId } from '../ports/checkpoint-store.ts'
import type { LogRecord } from '../ports/log.ts'
import type { RuleDocument } from '../rules/rule-document.ts'
import { decodeRecord } from '../streams/decode.ts'
import type { BroadcastLog } from '../streams/shared-feeds.ts'
import { type ExplainRequest, type Explanation, explain } from './explain.ts'
import { type PartitionRange, partitionsOf, partitionsOfEntity } from './replay.ts'

const EVENTS = 6_000
const PARTITIONS = 2
const START_MS = Date.UTC(2026, 2, 29, 0, 30)
const [pipeline] = coldChain.pipelines
const [fleet] = coldChain.fleets
assert.ok(pipeline !== undefined && fleet !== undefined)
const { topic } = pipeline

const WRITTEN: RuleDocument = {
  name: 'often-warm',
  topic: 'truck-readings',
  when: 'event.temperatureC > 6.0 && event.temperatureC >= last.temperatureC',
  count: 3,
  within: '10m',
  keepFiringFor: '2m',
  severity: 'minor',
  summary: '{temperatureC} °C',
  fields: ['temperatureC'],
}

const noBroadcasts: BroadcastLog = {
  bounds: async () => assert.fail('Trucks read no broadcast.'),
  read: async () => assert.fail('Trucks read no broadcast.'),
}

test('of one entity its own events are run, and tell what all of the partition would', async (t) => {
  const { address, database } = await testPostgres(t)
  const store = createCheckpointStore({ address })
  t.after(() => store.close())
  await store.ensureArchive(topic.archive)
  const keys = new Set<string>()
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const records = recordsOf(partition)
    for (const { key } of records) keys.add(key)
    const task: TaskId = { pipeline: pipeline.name, partition }
    const { epoch } = await store.claim(task)
    const encoder = store.archiveEncoder(topic.archive)
    for (const record of records) {
      const decoded = decodeRecord(record, topic)
      if (!decoded.ok) continue
      const { offset, receivedAtMs, tenantId } = record
      const { eventId } = decoded.value
      const meta = { partition, offset, receivedAtMs, tenantId, eventId, flags: null }
      encoder.add(meta, decoded.value)
    }
    assert.equal(
      await store.commit({ ...EMPTY, task, epoch, archive: [encoder.take()] }),
      'committed',
    )
  }

  let events = 0
  const told = async (
    request: ExplainRequest,
    partitions: () => Promise<readonly PartitionRange[]>,
  ): Promise<Explanation | undefined> => {
    const options = {
      ...{ topic: topic.name, store, partitions, log: noBroadcasts },
      references: createReferenceStore(database),
      progress: (done: number) => {
        events = done
      },
    }
    return explain(options, request)
  }
  const rules = [WRITTEN, ...coldChain.rules.flatMap(({ documents }) => documents)]
  const seen = new Set<string>()
  for (const [index, entityId] of [...keys].entries()) {
    const document = rules[index % rules.length]
    assert.ok(document !== undefined)
    for (const minutes of [2, 11, 60]) {
      const atMs = START_MS + minutes * MINUTE_MS
      const request = { document, entityId, tenantId: 'default', atMs }
      const own = await told(request, () => partitionsOfEntity(database, pipeline, entityId))
      assert.ok(events < EVENTS / 4, `${events} events were run`)
      const whole = await told(request, () => partitionsOf(database, pipeline.name))
      assert.deepEqual(own, whole, `${document.name} of ${entityId} after ${minutes} min`)
      seen.add(own?.state ?? '')
    }
  }
  assert.ok(seen.size >= 3, `rules were in several states: ${[...seen].join(', ')}`)
  for (const entityId of ['nobody', 'no\u0000body']) {
    const request = { document: WRITTEN, entityId, tenantId: 'default', atMs: START_MS }
    const none = await told(request, () => partitionsOfEntity(database, pipeline, entityId))
    assert.equal(none?.state, 'no-events')
  }
})

const EMPTY: Omit<Checkpoint, 'task' | 'epoch' | 'archive'> = {
  ...{ fromOffset: 0, toOffset: EVENTS, watermarkMs: START_MS, bytes: 1 },
  ...{ alerts: [], untold: [], deadLetters: [], outbox: [], windows: [], rows: [], journal: [] },
}

/** What simulated trucks send at their worst: late, twice, out of order. */
function recordsOf(partition: number): readonly LogRecord[] {
  assert.ok(fleet !== undefined)
  const world = fleet.create({
    vehicles: 12,
    random: seededRandom(partition + 3),
    startMs: START_MS,
    intervalMs: 10 * SECOND_MS,
    faults: FAULTS,
  })
  return simulatedRecords(world, EVENTS, () => 200)
}
