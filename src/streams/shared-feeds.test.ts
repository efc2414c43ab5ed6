import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryReferences } from '../../test/simulation/memory-references.ts'
import { SimulatedLogDisk, simulatedLog } from '../../test/simulation/simulated-log.ts'
import { systemClock } from '../adapters/clock/system-clock.ts'
import type { ReferenceDocument, ReferenceSource } from '../ports/reference-source.ts'
import { MAX_BROADCAST_RECORDS, ReferenceTables, readBroadcast } from './shared-feeds.ts'

function tables() {
  const store = memoryReferences()
  const references = new ReferenceTables(store)
  const reports: string[] = []
  const refresh = (documents: readonly ReferenceDocument[], problems: readonly string[] = []) => {
    const source: ReferenceSource = {
      load: async () => ({
        documents,
        problems: problems.map((name) => ({ name, message: 'not JSON' })),
      }),
    }
    return references.refresh(
      source,
      (_, content) => (typeof content === 'number' ? undefined : 'must be a number'),
      {
        referenceChanged: (name, version) => reports.push(`${name} ${version}`),
        referenceProblem: (name, message) => reports.push(`${name}: ${message}`),
      },
    )
  }
  const table = (name: string, content: unknown): ReferenceDocument => ({
    name,
    content,
    tag: String(content),
  })
  return { references, refresh, table, reports }
}

test('each new content of a table is a new version, told once', async () => {
  const { references, refresh, table, reports } = tables()
  await refresh([table('a', 1), table('b', 5)])
  await refresh([table('a', 1), table('b', 5)])
  await refresh([table('a', 2)])
  assert.deepEqual(reports, ['a 1', 'b 1', 'a 2'])
  assert.deepEqual(references.current(), [
    { name: 'a', version: 2, content: 2 },
    { name: 'b', version: 1, content: 5 },
  ])
})

test('a malformed document leaves the last good version in force, and is told once until it is mended', async () => {
  const { references, refresh, table, reports } = tables()
  await refresh([table('a', 1)])
  for (let time = 0; time < 3; time++) await refresh([table('a', 'x')], ['b'])
  assert.deepEqual(references.current(), [{ name: 'a', version: 1, content: 1 }])
  assert.deepEqual(references.problems(), [
    { name: 'b', message: 'not JSON' },
    { name: 'a', message: 'must be a number' },
  ])
  await refresh([table('a', 2)])
  assert.deepEqual(references.problems(), [])
  assert.deepEqual(reports, ['a 1', 'b: not JSON', 'a: must be a number', 'a 2'])
})

test('versions that a journal names come from the store where they are no longer in force', async () => {
  const { references, refresh, table } = tables()
  await refresh([table('a', 1)])
  await refresh([table('a', 2)])
  assert.deepEqual(await references.at({ a: 1 }), [{ name: 'a', version: 1, content: 1 }])
  assert.deepEqual(await references.at({ a: 2 }), [{ name: 'a', version: 2, content: 2 }])
  await assert.rejects(references.at({ a: 3 }), { code: 'not-found' })
})

async function broadcastLog(values: readonly string[]) {
  const log = simulatedLog(new SimulatedLogDisk(), systemClock())
  await log.ensureTopic('news', { partitions: 1 })
  const records = values.map((value, index) => ({
    key: `k${index}`,
    value: Buffer.from(value),
    receivedAtMs: index,
    tenantId: 'default',
  }))
  await log.append('news', records)
  return log
}

test('a broadcast is read on from where a task stands, up to where it is told to stop', async () => {
  const log = await broadcastLog(['1', 'no JSON', '3', '4'])
  assert.deepEqual(await readBroadcast(log, 'news', 1, 3), {
    topic: 'news',
    records: [
      { offset: 1, key: 'k1', tenantId: 'default', receivedAtMs: 1, value: undefined },
      { offset: 2, key: 'k2', tenantId: 'default', receivedAtMs: 2, value: 3 },
    ],
    nextOffset: 3,
  })
  assert.deepEqual(await readBroadcast(log, 'news', 4), {
    topic: 'news',
    records: [],
    nextOffset: 4,
  })
})

test('a broadcast whose beginning was dropped is read from the first record kept', async () => {
  const log = await broadcastLog(['1', '2', '3'])
  await log.retain('news', 0, { keepFromOffset: 2, olderThanMs: 100, maxBytes: 0 })
  const { records, nextOffset } = await readBroadcast(log, 'news', 0)
  assert.deepEqual([records.map(({ offset }) => offset), nextOffset], [[2], 3])
})

test('one look at a broadcast takes no more than its limit', async () => {
  const log = await broadcastLog(Array.from({ length: MAX_BROADCAST_RECORDS + 10 }, () => '1'))
  const { records, nextOffset } = await readBroadcast(log, 'news', 0)
  assert.equal(records.length, MAX_BROADCAST_RECORDS)
  assert.equal(nextOffset, MAX_BROADCAST_RECORDS)
})
