import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryReferences } from '../../test/simulation/memory-references.ts'
import {
  FIRST_SILENCE_MS,
  GAUGES_TABLE,
  probePipeline,
} from '../../test/simulation/probe-pipeline.ts'
import { SimulatedDatabase, simulatedStore } from '../../test/simulation/simulated-database.ts'
import { SimulatedLogDisk, simulatedLog } from '../../test/simulation/simulated-log.ts'
import { VirtualClock } from '../../test/simulation/virtual-clock.ts'
import { PlatformError } from '../kernel/errors.ts'
import { MINUTE_MS, SECOND_MS } from '../kernel/time.ts'
import type { Alert } from '../ports/alert.ts'
import type { CheckpointStore } from '../ports/checkpoint-store.ts'
import type { Log } from '../ports/log.ts'
import type { ViewEntry } from '../ports/views.ts'
import { OPEN_WINDOWS_VIEW, openWindowsOf } from './open-windows.ts'
import { ReferenceTables } from './shared-feeds.ts'
import { SnapshotBudget, type SnapshotPart } from './snapshot-budget.ts'
import {
  BACKLOG_AGE_MS,
  BACKLOG_VIEW_INTERVAL_MS,
  BUSY_RECORDS,
  BUSY_VIEW_INTERVAL_MS,
  SNAPSHOT_INTERVAL_MS,
  SNAPSHOT_STEP_KEYS,
  STOP_PATIENCE_MS,
  type TaskEnd,
  TaskRunner,
  TICK_GRACE_MS,
  VIEW_BATCH_KEYS,
  VIEW_INTERVAL_MS,
} from './task-runner.ts'
import { IDLE_TIMEOUT_MS } from './window-eras.ts'

const PARTITIONS = 8
const LIMIT_MS = 60 * MINUTE_MS

/** A log, a database and a speed layer, and runners on them. */
function deployment() {
  const clock = new VirtualClock()
  const disk = new SimulatedLogDisk()
  const database = new SimulatedDatabase()
  const pipeline = probePipeline({ broadcast: false })
  const empty = () => ({ startOffset: 0, records: [], waiters: [] })
  disk.topics.set('probes', Array.from({ length: PARTITIONS }, empty))
  const log = simulatedLog(disk, clock)
  const store = simulatedStore(database)
  const referenceStore = memoryReferences()
  const references = new ReferenceTables(referenceStore)
  const told: { readonly atMs: number; readonly alert: Alert }[] = []
  const shown: ViewEntry[] = []
  const openWindows: ViewEntry[] = []
  const publishFailures: unknown[] = []
  const start = (
    partition: number,
    more: {
      readonly log?: Partial<Log>
      readonly store?: Partial<CheckpointStore>
      readonly snapshots?: SnapshotBudget
      failPut?: boolean
      failTell?: boolean
    } = {},
  ) => {
    const stop = new AbortController()
    let failPut = more.failPut === true
    let failTell = more.failTell === true
    const runner = new TaskRunner({
      pipeline,
      topic: 'probes',
      partition,
      log: { ...log, ...more.log },
      store: { ...store, ...more.store },
      speedLayer: {
        async put(entries) {
          if (failPut) {
            failPut = false
            throw new PlatformError('views-unavailable', 'No.', { retry: 'later' })
          }
          openWindows.push(...entries.filter(({ view }) => view === OPEN_WINDOWS_VIEW))
          shown.push(...entries.filter(({ view }) => view !== OPEN_WINDOWS_VIEW))
        },
        async publishAlerts(alerts) {
          if (failTell) {
            failTell = false
            throw new PlatformError('views-unavailable', 'No.', { retry: 'later' })
          }
          for (const alert of alerts) told.push({ atMs: clock.nowMs(), alert })
        },
      },
      references,
      snapshots: more.snapshots ?? new SnapshotBudget(),
      clock,
      observer: {
        taskStarted() {},
        taskFenced() {},
        batchProcessed() {},
        publishFailed: (_, error) => publishFailures.push(error),
        committed() {},
        snapshotSaved() {},
        commitRetried() {},
      },
    })
    return { runner, ended: runner.run(stop.signal), stop: () => stop.abort() }
  }
  const send = (partition: number, key: string, level: number, lagMs = 0): void => {
    const receivedAtMs = clock.nowMs()
    const wire = { probeId: key, recordedAt: receivedAtMs - lagMs, level }
    const place = disk.partition('probes', partition)
    const value = Buffer.from(JSON.stringify(wire))
    const offset = place.startOffset + place.records.length
    place.records.push({ key, value, receivedAtMs, tenantId: 'default', offset })
    for (const waiter of place.waiters.splice(0)) waiter.wake()
  }
  const task = (partition: number) => database.taskOf({ pipeline: pipeline.name, partition })
  const during = <T>(work: () => Promise<T>): Promise<T> => clock.run(work(), LIMIT_MS)
  return {
    ...{ clock, disk, database, references, start, send, task, during, told, shown },
    ...{ publishFailures, openWindows },
  }
}

const setReference = (references: ReferenceTables, factor: number): Promise<void> =>
  references.refresh(
    {
      load: async () => ({
        documents: [{ name: GAUGES_TABLE, content: { all: factor }, tag: String(factor) }],
        problems: [],
      }),
    },
    () => undefined,
    { referenceChanged() {}, referenceProblem() {} },
  )

const flagsIn = (database: SimulatedDatabase) =>
  [...database.archive.values()].filter(({ flags }) => flags !== null)

test('a partition that falls silent among eight finishes its windows by the time that passes', async () => {
  const world = deployment()
  await world.during(async () => {
    const tasks = Array.from({ length: PARTITIONS }, (_, partition) => world.start(partition))
    const silent = 3
    for (let second = 0; second < 300; second++) {
      for (let partition = 0; partition < PARTITIONS; partition++) {
        if (partition !== silent || second < 30) {
          world.send(partition, `p${partition}`, 10, (second * 7_919) % 25_000)
        }
      }
      await world.clock.sleep(SECOND_MS)
    }
    const before = world.database.windows.size
    const finalOf = (partition: number) =>
      [...world.database.windows].filter(
        ([name, { window }]) => window === 'probe-minute' && name.endsWith(`,${partition}]`),
      )
    // Its last event came at second 30; a minute of idleness, the allowance and the grace are over.
    assert.deepEqual(
      finalOf(silent)
        .map(([, { values }]) => values.events)
        .reduce<number>((sum, each) => sum + Number(each), 0),
      30,
    )
    assert.ok(before > 0)
    // Coming back, it is not late: ticks moved the partition no further than a minute behind the wall.
    for (let second = 0; second < 20; second++) {
      world.send(silent, 'p3', 10, (second * 7_919) % 25_000)
      await world.clock.sleep(SECOND_MS)
    }
    for (const task of tasks) task.stop()
    await Promise.all(tasks.map(({ ended }) => ended))
  })
  assert.deepEqual(flagsIn(world.database), [])
  for (const { revision } of world.database.windows.values()) assert.equal(revision, 1)
})

test('time does not pass for a task that has not read what came before', async () => {
  const world = deployment()
  await world.during(async () => {
    for (let event = 0; event < 60; event++) {
      world.send(0, `p${event % 3}`, 10)
      await world.clock.sleep(5 * SECOND_MS)
    }
    await world.clock.sleep(20 * SECOND_MS)
    // A log that brings one record in ten seconds, and nothing at all every other time.
    let reads = 0
    const slow: Partial<Log> = {
      async read(topic, partition, fromOffset, limit) {
        await world.clock.sleep(5 * SECOND_MS)
        if (++reads % 2 === 0) return { records: [], nextOffset: fromOffset }
        return simulatedLog(world.disk, world.clock).read(topic, partition, fromOffset, {
          ...limit,
          records: 1,
        })
      },
    }
    const { ended, stop } = world.start(0, { log: slow })
    while (world.task(0).nextOffset < 60) {
      assert.deepEqual(world.told, [])
      await world.clock.sleep(SECOND_MS)
    }
    assert.deepEqual([...world.task(0).journal.values()], [])
    await world.clock.sleep(MINUTE_MS)
    // Now it has caught up: the silences of all three are told, and the windows end.
    assert.deepEqual(
      new Set(world.told.map(({ alert }) => alert.entityId)),
      new Set(['p0', 'p1', 'p2']),
    )
    stop()
    await ended
  })
  assert.deepEqual(flagsIn(world.database), [])
  for (const { revision } of world.database.windows.values()) assert.equal(revision, 1)
})

test('a silence is told soon after it is due, and its tick is in the journal', async () => {
  const world = deployment()
  await world.during(async () => {
    const { ended, stop } = world.start(0)
    world.send(0, 'p0', 10)
    const sentMs = world.clock.nowMs()
    await world.clock.sleep(FIRST_SILENCE_MS + TICK_GRACE_MS + 2 * SECOND_MS)
    const [first] = world.told
    assert.equal(first?.alert.rule, 'quiet')
    assert.equal(first?.alert.startsAtMs, sentMs + FIRST_SILENCE_MS)
    assert.ok(first.atMs <= sentMs + FIRST_SILENCE_MS + TICK_GRACE_MS + SECOND_MS)
    assert.equal(world.task(0).journal.size, 1)
    stop()
    await ended
  })
})

test('ticks that decide nothing leave nothing in the journal', async () => {
  const world = deployment()
  await world.during(async () => {
    const { ended, stop } = world.start(0)
    for (let second = 0; second < 200; second++) {
      world.send(0, `p${second % 5}`, 10)
      await world.clock.sleep(1_500)
    }
    assert.equal(world.task(0).journal.size, 0)
    stop()
    await ended
  })
})

test('after hours in which nobody could be heard, nobody is told to be silent at once', async () => {
  const world = deployment()
  await world.during(async () => {
    const first = world.start(0)
    for (const key of ['p0', 'p1', 'p2']) world.send(0, key, 10)
    await world.clock.sleep(SECOND_MS)
    first.stop()
    await first.ended
    await world.clock.sleep(30 * MINUTE_MS)
    const second = world.start(0)
    await world.clock.sleep(5 * SECOND_MS)
    world.send(0, 'p0', 10)
    await world.clock.sleep(5 * SECOND_MS)
    world.send(0, 'p1', 10)
    await world.clock.sleep(5 * SECOND_MS)
    assert.equal(world.told.length, 0)
    // Who stays away is told after its time, counted from when it could be heard again.
    for (let second = 0; second < 60; second++) {
      world.send(0, 'p0', 10)
      world.send(0, 'p1', 10)
      await world.clock.sleep(SECOND_MS)
    }
    assert.deepEqual(
      world.told.map(({ alert }) => `${alert.rule} ${alert.entityId}`),
      ['quiet p2'],
    )
    second.stop()
    await second.ended
  })
})

test('a new reference table applies between two commits, and the journal says where', async () => {
  const world = deployment()
  await world.during(async () => {
    await setReference(world.references, 1)
    const { ended, stop } = world.start(0)
    world.send(0, 'p0', 55)
    await world.clock.sleep(SECOND_MS)
    assert.deepEqual(
      world.told.map(({ alert }) => alert.rule),
      [],
    )
    await setReference(world.references, 2)
    await world.clock.sleep(2 * SECOND_MS)
    world.send(0, 'p0', 55)
    await world.clock.sleep(SECOND_MS)
    assert.deepEqual(
      world.told.map(({ alert }) => alert.rule),
      ['high'],
    )
    const journal = [...world.task(0).journal.values()]
    assert.deepEqual(
      journal.map(({ offset, references }) => [offset, references]),
      [
        [0, { [GAUGES_TABLE]: 1 }],
        [1, { [GAUGES_TABLE]: 2 }],
      ],
    )
    stop()
    await ended
  })
})

test('while the database is away warnings go on, under the tables that were in force', async () => {
  const world = deployment()
  await world.during(async () => {
    await setReference(world.references, 1)
    let away = false
    const store = simulatedStore(world.database)
    const { ended, stop } = world.start(0, {
      store: {
        commit: async (checkpoint) => {
          if (away) throw new PlatformError('database-unavailable', 'Away.', { retry: 'later' })
          return store.commit(checkpoint)
        },
      },
    })
    world.send(0, 'p0', 10)
    await world.clock.sleep(SECOND_MS)
    away = true
    world.send(0, 'p0', 11)
    await world.clock.sleep(SECOND_MS)
    await setReference(world.references, 5)
    world.send(0, 'p0', 61)
    await world.clock.sleep(SECOND_MS)
    assert.deepEqual(
      world.told.map(({ alert }) => [alert.rule, alert.value.adjusted]),
      [['high', 61]],
    )
    assert.equal(world.task(0).nextOffset, 1)
    away = false
    await world.clock.sleep(10 * SECOND_MS)
    assert.equal(world.task(0).nextOffset, 3)
    assert.equal(world.database.alerts.size, 1)
    stop()
    await ended
  })
})

test('a stop commits what was processed, and does not wait for a database that is away', async () => {
  const world = deployment()
  let ends: readonly (TaskEnd | number)[] = []
  await world.during(async () => {
    const first = world.start(0)
    world.send(0, 'p0', 10)
    await world.clock.sleep(10)
    first.stop()
    ends = [await first.ended, world.task(0).nextOffset, world.task(0).snapshotOffset]
    const second = world.start(0, {
      store: {
        commit: () =>
          Promise.reject(new PlatformError('database-unavailable', 'Away.', { retry: 'later' })),
      },
    })
    world.send(0, 'p0', 10)
    await world.clock.sleep(SECOND_MS)
    const stoppedMs = world.clock.nowMs()
    second.stop()
    assert.equal(await second.ended, 'stopped')
    assert.ok(world.clock.nowMs() - stoppedMs <= STOP_PATIENCE_MS + SECOND_MS)
  })
  assert.deepEqual(ends, ['stopped', 1, 1])
})

test('a snapshot is paid for key by key, those included that events were about to change', async () => {
  const world = deployment()
  const keys = Array.from({ length: 5 * SNAPSHOT_STEP_KEYS }, (_, index) => `p${index}`)
  const sendAll = (): void => {
    for (const key of keys) world.send(0, key, 10)
  }
  const parts: SnapshotPart[] = []
  class WatchedBudget extends SnapshotBudget {
    override spend(nowMs: number, part: SnapshotPart): void {
      super.spend(nowMs, part)
      parts.push(part)
      if (parts.length === 2) sendAll()
    }
  }
  await world.during(async () => {
    const { stop, ended } = world.start(0, { snapshots: new WatchedBudget() })
    sendAll()
    await world.clock.sleep(SNAPSHOT_INTERVAL_MS + SECOND_MS)
    stop()
    await ended
  })
  const [begun, step, next] = parts.map(({ keys, ahead }) => [keys, ahead])
  assert.deepEqual(begun, [0, 0])
  assert.deepEqual(step, [SNAPSHOT_STEP_KEYS, 0])
  assert.deepEqual(next, [0, keys.length - SNAPSHOT_STEP_KEYS])
})

test('who is fenced stops, and what it held is not written', async () => {
  const world = deployment()
  await world.during(async () => {
    const first = world.start(0)
    world.send(0, 'p0', 10)
    await world.clock.sleep(SECOND_MS)
    const second = world.start(0)
    await world.clock.sleep(SECOND_MS)
    world.send(0, 'p0', 11)
    assert.equal(await first.ended, 'fenced')
    await world.clock.sleep(SECOND_MS)
    assert.equal(world.task(0).nextOffset, 2)
    second.stop()
    assert.equal(await second.ended, 'stopped')
  })
})

test('a log that ends before what is committed is refused, instead of swallowing new events', async () => {
  const world = deployment()
  await world.during(async () => {
    const first = world.start(0)
    for (let event = 0; event < 5; event++) world.send(0, 'p0', 10)
    await world.clock.sleep(SECOND_MS)
    first.stop()
    await first.ended
    world.disk.topics.set('probes', [{ startOffset: 0, records: [], waiters: [] }])
    world.send(0, 'p0', 10)
    await assert.rejects(world.start(0).ended, { code: 'log-corrupt' })
  })
})

test('views that could not be put are put again', async () => {
  const world = deployment()
  await world.during(async () => {
    const { ended, stop } = world.start(0, { failPut: true })
    world.send(0, 'p0', 10)
    await world.clock.sleep(3 * SECOND_MS)
    assert.equal(world.publishFailures.length, 1)
    assert.deepEqual(
      world.shown.map(({ key }) => key),
      ['p0'],
    )
    stop()
    await ended
  })
})

test('views of a busy task wait longer, and show the last state all the same', async () => {
  const sendAll = (world: ReturnType<typeof deployment>, round: number): void => {
    for (let event = 0; event < BUSY_RECORDS; event++) world.send(0, 'p0', round)
  }
  const world = deployment()
  await world.during(async () => {
    const { ended, stop } = world.start(0)
    const rounds = 20
    for (let round = 0; round < rounds; round++) {
      sendAll(world, round)
      await world.clock.sleep(VIEW_INTERVAL_MS)
    }
    const puts = world.shown.length
    assert.ok(puts <= (rounds * VIEW_INTERVAL_MS) / BUSY_VIEW_INTERVAL_MS + 1, `${puts} puts`)
    await world.clock.sleep(SECOND_MS)
    assert.equal(world.shown.at(-1)?.version.offset, rounds * BUSY_RECORDS - 1)
    stop()
    await ended
  })
})

test('views of a task that works off a backlog wait longest, and show the last state all the same', async () => {
  const world = deployment()
  await world.during(async () => {
    const rounds = 100
    for (let event = 0; event < rounds * BUSY_RECORDS; event++) world.send(0, 'p0', 10)
    await world.clock.sleep(BACKLOG_AGE_MS)
    const slow: Partial<Log> = {
      async read(topic, partition, fromOffset, limit) {
        await world.clock.sleep(VIEW_INTERVAL_MS)
        const disk = simulatedLog(world.disk, world.clock)
        return disk.read(topic, partition, fromOffset, { ...limit, records: BUSY_RECORDS })
      },
    }
    const { ended, stop } = world.start(0, { log: slow })
    await world.clock.sleep(rounds * VIEW_INTERVAL_MS)
    const puts = world.shown.length
    assert.ok(puts >= 2, 'it shows how far it got')
    assert.ok(puts <= (rounds * VIEW_INTERVAL_MS) / BACKLOG_VIEW_INTERVAL_MS + 1, `${puts} puts`)
    await world.clock.sleep(SECOND_MS)
    assert.equal(world.shown.at(-1)?.version.offset, rounds * BUSY_RECORDS - 1)
    stop()
    await ended
  })
})

test('until a backlog is archived, few of its keys are shown, and then all of them', async () => {
  const world = deployment()
  await world.during(async () => {
    const keys = 3 * VIEW_BATCH_KEYS
    for (let key = 0; key < keys; key++) world.send(0, `p${key}`, 10)
    await world.clock.sleep(BACKLOG_AGE_MS)
    const store = simulatedStore(world.database)
    const archivedMs = 1.5 * SECOND_MS
    const slow: Partial<CheckpointStore> = {
      async commit(checkpoint) {
        await world.clock.sleep(archivedMs)
        return store.commit(checkpoint)
      },
    }
    const { ended, stop } = world.start(0, { store: slow })
    await world.clock.sleep(archivedMs)
    assert.equal(world.shown.length, 2 * VIEW_BATCH_KEYS)
    await world.clock.sleep(BUSY_VIEW_INTERVAL_MS)
    assert.equal(world.shown.length, keys)
    stop()
    await ended
  })
})

test('open windows are shown once a second while something changes in them', async () => {
  const world = deployment()
  await world.during(async () => {
    const { ended, stop } = world.start(0)
    for (let second = 0; second < 5; second++) {
      world.send(0, 'p0', 10)
      await world.clock.sleep(SECOND_MS)
    }
    await world.clock.sleep(10 * SECOND_MS)
    const shown = world.openWindows
    assert.ok(shown.length >= 3 && shown.length <= 6, `${shown.length} times`)
    const [open] = openWindowsOf(shown.at(-1) ?? { json: null })
    assert.deepEqual([open?.final, open?.values.events], [false, 5])
    stop()
    await ended
  })
})

test('an alert that could not be told is told again, and those that follow come after it', async () => {
  const world = deployment()
  await world.during(async () => {
    const { ended, stop } = world.start(0, { failTell: true })
    world.send(0, 'p0', 70)
    await world.clock.sleep(100)
    assert.deepEqual(world.told.length, 0)
    world.send(0, 'p0', 80)
    await world.clock.sleep(3 * SECOND_MS)
    assert.deepEqual(
      world.told.map(({ alert }) => alert.revision),
      [1, 2],
    )
    stop()
    await ended
  })
})

test('the idle timeout counts from the last record, not from the last tick', async () => {
  const world = deployment()
  await world.during(async () => {
    const { ended, stop } = world.start(0)
    const keys = ['p0', 'p1', 'p2', 'p3']
    // Each falls silent at another time, so that ticks decide something now and then.
    for (const key of keys) {
      world.send(0, key, 10)
      await world.clock.sleep(14 * SECOND_MS)
    }
    const lastMs = world.clock.nowMs() - 14 * SECOND_MS
    const final = () => [...world.database.windows.values()].some(({ endMs }) => endMs > lastMs)
    while (!final()) await world.clock.sleep(SECOND_MS)
    const [window] = [...world.database.windows.values()].filter(({ endMs }) => endMs > lastMs)
    const dueMs = (window?.endMs ?? 0) + 30 * SECOND_MS + IDLE_TIMEOUT_MS + TICK_GRACE_MS
    assert.ok(world.clock.nowMs() <= Math.max(dueMs, lastMs + IDLE_TIMEOUT_MS) + 5 * SECOND_MS)
    stop()
    await ended
  })
})
