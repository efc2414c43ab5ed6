import { deepEqual, equal, ok } from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import pg from 'pg'
import { testPostgres } from '../../../test/postgres-server.ts'
import type { SnapshotEntry, TaskId } from '../../ports/checkpoint-store.ts'
import {
  MAX_GROWTH,
  MAX_RUNS,
  prepareSnapshot,
  readSnapshot,
  SNAPSHOT_BUCKETS,
  writeSnapshot,
} from './snapshot-runs.ts'

let tasks = 0
const newTask = (): TaskId => ({ pipeline: `runs-${++tasks}`, partition: 3 })

async function connected(t: TestContext): Promise<pg.Client> {
  const { address } = await testPostgres(t)
  const client = new pg.Client(address)
  client.on('error', () => undefined)
  await client.connect()
  t.after(() => client.end())
  return client
}

async function save(
  client: pg.Client,
  task: TaskId,
  entries: readonly SnapshotEntry[],
): Promise<void> {
  await writeSnapshot(client, task, await prepareSnapshot(client, task, entries))
}

async function load(client: pg.Client, task: TaskId): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  for await (const page of readSnapshot(client, task)) {
    for (const { key, state } of page) {
      ok(state !== null && !found.has(key), `"${key}" is there, once`)
      found.set(key, state)
    }
  }
  return found
}

async function stored(
  client: pg.Client,
  task: TaskId,
): Promise<{ readonly runs: number; readonly most: number; readonly bytes: number }> {
  const { rows } = await client.query<{ runs: number; most: number; bytes: number }>(
    `SELECT coalesce(sum(runs), 0)::int AS runs, coalesce(max(runs), 0)::int AS most,
       coalesce(sum(bytes), 0)::float8 AS bytes
     FROM (SELECT count(*) AS runs, sum(raw_bytes) AS bytes FROM task_snapshot
       WHERE pipeline = $1 GROUP BY bucket)`,
    [task.pipeline],
  )
  return rows[0] ?? { runs: 0, most: 0, bytes: 0 }
}

const entries = (count: number, state: (index: number) => string | null): SnapshotEntry[] =>
  Array.from({ length: count }, (_, index) => ({ key: `key-${index}`, state: state(index) }))

test('after any sequence of snapshots each key has its latest state', async (t) => {
  const client = await connected(t)
  const key = fc.oneof(
    fc.integer({ min: 0, max: 40 }).map((number) => `key-${number}`),
    fc.string({ unit: 'binary', maxLength: 3 }),
  )
  const state = fc.option(fc.string({ maxLength: 200 }).map((text) => JSON.stringify(text)))
  const snapshot = fc.array(fc.record({ key, state }), { maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(fc.array(snapshot, { maxLength: 12 }), async (snapshots) => {
      const task = newTask()
      const expected = new Map<string, string>()
      for (const each of snapshots) {
        await save(client, task, each)
        for (const { key, state } of each) {
          if (state === null) expected.delete(key)
          else expected.set(key, state)
        }
      }
      const found = await load(client, task)
      deepEqual([...found].sort(), [...expected].sort())
    }),
    { numRuns: 25 },
  )
})

test('what is stored stays within a few times of the state, however often it is saved', async (t) => {
  const client = await connected(t)
  const task = newTask()
  const state = (index: number): string => JSON.stringify({ index, text: 'x'.repeat(100) })
  await save(client, task, entries(640, state))
  const { bytes } = await stored(client, task)
  for (let save_ = 0; save_ < 3 * MAX_RUNS; save_++) {
    await save(client, task, entries(640, state))
    const now = await stored(client, task)
    ok(now.bytes <= MAX_GROWTH * bytes, `${now.bytes} of ${bytes}`)
  }
  const one = [{ key: 'key-1', state: '"small"' }]
  for (let save_ = 0; save_ < 3 * MAX_RUNS; save_++) {
    await save(client, task, one)
    ok((await stored(client, task)).most <= MAX_RUNS)
  }
  equal((await load(client, task)).get('key-1'), '"small"')
  equal((await load(client, task)).size, 640)
})

test('a snapshot of one key touches one bucket, and of no keys none', async (t) => {
  const client = await connected(t)
  const task = newTask()
  await save(client, task, [])
  equal((await stored(client, task)).runs, 0)
  await save(client, task, [{ key: 'only', state: '1' }])
  equal((await stored(client, task)).runs, 1)
  await save(
    client,
    task,
    entries(5_000, () => '1'),
  )
  equal((await stored(client, task)).runs, SNAPSHOT_BUCKETS)
})

test('a task whose keys are all forgotten keeps nothing of them for long', async (t) => {
  const client = await connected(t)
  const task = newTask()
  await save(
    client,
    task,
    entries(100, () => '1'),
  )
  for (let save_ = 0; save_ <= MAX_RUNS; save_++) {
    await save(
      client,
      task,
      entries(100, () => null),
    )
  }
  equal((await load(client, task)).size, 0)
  equal((await stored(client, task)).bytes, 0)
})

test('the same snapshot written again, after an unclear end, changes nothing', async (t) => {
  const client = await connected(t)
  const task = newTask()
  await save(
    client,
    task,
    entries(50, () => '1'),
  )
  const again = await prepareSnapshot(
    client,
    task,
    entries(50, () => '2'),
  )
  await writeSnapshot(client, task, again)
  const before = await stored(client, task)
  await writeSnapshot(client, task, again)
  deepEqual(await stored(client, task), before)
  equal((await load(client, task)).get('key-49'), '2')
})
