import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedDatabase, simulatedStore } from '../../test/simulation/simulated-database.ts'
import { VirtualClock } from '../../test/simulation/virtual-clock.ts'
import { PlatformError } from '../kernel/errors.ts'
import type { Checkpoint, CheckpointStore, CommitOutcome } from '../ports/checkpoint-store.ts'
import { type BatchOutput, noCounts } from './batch.ts'
import {
  CommitQueue,
  LONGEST_RETRY_MS,
  MAX_CHECKPOINT_BYTES,
  MAX_CHECKPOINT_ROWS,
  MAX_QUEUED_BYTES,
} from './commit-queue.ts'

const task = { pipeline: 'things', partition: 0 }
const away = () =>
  new PlatformError('database-unavailable', 'The database does not answer.', { retry: 'later' })

function output(
  fromOffset: number,
  toOffset: number,
  more: Partial<BatchOutput> = {},
): BatchOutput {
  return {
    fromOffset,
    toOffset,
    watermarkMs: toOffset,
    archive: [],
    alerts: [],
    deadLetters: [],
    outbox: [],
    windows: [],
    rows: [],
    journal: [],
    counts: noCounts(),
    causedByTick: false,
    ...more,
  }
}

const rows = (count: number, bytes: number): BatchOutput['archive'] => [
  { table: 'thing', rows: count, bytes, payload: [] },
]

/** A queue on a store whose every commit is answered by hand. */
function queueByHand() {
  const clock = new VirtualClock()
  const pending: {
    readonly checkpoint: Checkpoint
    answer(outcome: CommitOutcome): void
    fail(error: Error): void
  }[] = []
  const snapshots: number[] = []
  let retries = 0
  let hurries = 0
  const store: CheckpointStore = {
    ...simulatedStore(new SimulatedDatabase()),
    hurry() {
      hurries++
    },
    commit: (checkpoint) =>
      new Promise((resolve, reject) => {
        pending.push({ checkpoint, answer: resolve, fail: reject })
      }),
    saveSnapshot: async (snapshot) => {
      snapshots.push(snapshot.offset)
      return 'committed'
    },
  }
  const queue = new CommitQueue({
    task,
    epoch: 1,
    nextOffset: 0,
    store,
    clock,
    untold: () => [],
    observer: {
      committed() {},
      snapshotSaved() {},
      commitRetried() {
        retries++
      },
    },
  })
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  const next = async () => {
    await turn()
    const taken = pending.shift()
    assert.ok(taken !== undefined, 'nothing is being committed')
    return taken
  }
  return {
    queue,
    clock,
    next,
    turn,
    pending,
    snapshots,
    retries: () => retries,
    hurries: () => hurries,
  }
}

test('what waits is merged into one commit, in the order in which it came', async () => {
  const { queue, next } = queueByHand()
  const journal = (offset: number) => ({
    offset,
    step: 0,
    broadcasts: {},
    references: {},
    tickMs: offset,
  })
  queue.add(output(0, 2, { journal: [journal(0)] }), null)
  queue.add(output(2, 2, { journal: [journal(2)], archive: rows(1, 10) }), null)
  queue.add(output(2, 5, { journal: [journal(2)], archive: rows(2, 10) }), null)
  const first = await next()
  assert.deepEqual([first.checkpoint.fromOffset, first.checkpoint.toOffset], [0, 2])
  first.answer('committed')
  const { checkpoint, answer } = await next()
  assert.deepEqual([checkpoint.fromOffset, checkpoint.toOffset, checkpoint.watermarkMs], [2, 5, 5])
  assert.deepEqual(
    checkpoint.archive.map((chunk) => chunk.rows),
    [1, 2],
  )
  assert.deepEqual(
    checkpoint.journal.map(({ tickMs }) => tickMs),
    [2, 2],
  )
  answer('committed')
  await queue.drained()
  assert.equal(queue.bytes, 0)
  assert.equal(queue.committedOffset, 5)
})

test('one commit takes no more than its limits in rows and in bytes', async () => {
  const { queue, next } = queueByHand()
  queue.add(output(0, 1), null)
  queue.add(output(1, 2, { archive: rows(MAX_CHECKPOINT_ROWS, 10) }), null)
  queue.add(output(2, 3, { archive: rows(1, MAX_CHECKPOINT_BYTES) }), null)
  queue.add(output(3, 4), null)
  const reached: number[] = []
  for (let commit = 0; commit < 4; commit++) {
    const { checkpoint, answer } = await next()
    reached.push(checkpoint.toOffset)
    answer('committed')
  }
  assert.deepEqual(reached, [1, 2, 3, 4])
})

test('a commit that found no database is tried again with the same content, waiting ever longer', async () => {
  const { queue, next, clock, retries, pending } = queueByHand()
  queue.add(output(0, 3, { archive: rows(3, 30) }), null)
  const first = await next()
  queue.add(output(3, 9), null)
  first.fail(away())
  const waits: number[] = []
  await clock.run(
    (async () => {
      for (let attempt = 1; attempt <= 8; attempt++) {
        const failedAtMs = clock.nowMs()
        while (pending.length === 0) await clock.sleep(10)
        waits.push(clock.nowMs() - failedAtMs)
        const { checkpoint, fail, answer } = await next()
        assert.deepEqual(checkpoint, first.checkpoint)
        if (attempt < 8) fail(away())
        else answer('committed')
      }
    })(),
    60_000,
  )
  assert.deepEqual(waits, [50, 100, 200, 400, 800, 1_600, 2_000, 2_000])
  assert.equal(retries(), 8)
  const { checkpoint, answer } = await next()
  assert.deepEqual([checkpoint.fromOffset, checkpoint.toOffset], [3, 9])
  answer('committed')
  await queue.drained()
})

test('a fenced commit ends the queue: nothing more is written', async () => {
  const { queue, next, turn, pending } = queueByHand()
  queue.add(output(0, 1), null)
  const first = await next()
  queue.add(output(1, 2), null)
  first.answer('fenced')
  await queue.drained()
  assert.equal(queue.fenced, true)
  queue.add(output(2, 3), null)
  await turn()
  assert.equal(pending.length, 0)
})

test('a commit that the database refuses ends the queue with that error', async () => {
  const { queue, next } = queueByHand()
  queue.add(output(0, 1), null)
  const { fail } = await next()
  fail(new PlatformError('database-failed', 'No.', { retry: 'never' }))
  await queue.drained()
  assert.throws(() => queue.check(), { code: 'database-failed' })
})

test('what only a tick decided is told once it is recorded', async () => {
  const { queue, next } = queueByHand()
  const told: string[] = []
  queue.add(output(0, 0), () => told.push('tick'))
  const { answer } = await next()
  assert.deepEqual(told, [])
  answer('committed')
  await queue.drained()
  assert.deepEqual(told, ['tick'])
})

test('what waits for its record is told as soon as the database is away, once', async () => {
  const { queue, next, clock } = queueByHand()
  const told: string[] = []
  queue.add(output(0, 0), () => told.push('first'))
  const first = await next()
  queue.add(output(0, 0), () => told.push('second'))
  first.fail(away())
  await clock.run(
    (async () => {
      await clock.sleep(1)
      assert.deepEqual(told, ['first', 'second'])
      queue.add(output(0, 0), () => told.push('third'))
      assert.deepEqual(told, ['first', 'second', 'third'])
      await clock.sleep(LONGEST_RETRY_MS)
      ;(await next()).answer('committed')
      ;(await next()).answer('committed')
      await queue.drained()
    })(),
    60_000,
  )
  assert.deepEqual(told, ['first', 'second', 'third'])
})

test('the queue asks for a pause at its limit, and ends it when there is room or on abort', async () => {
  const { queue, next, turn } = queueByHand()
  const stop = new AbortController()
  await queue.room(stop.signal)
  queue.add(output(0, 1, { archive: rows(1, MAX_QUEUED_BYTES) }), null)
  queue.add(output(1, 2, { archive: rows(1, MAX_QUEUED_BYTES) }), null)
  const paused = { room: true, abort: true }
  const room = queue.room(new AbortController().signal).then(() => {
    paused.room = false
  })
  const aborted = queue.room(stop.signal).then(() => {
    paused.abort = false
  })
  await turn()
  assert.deepEqual(paused, { room: true, abort: true })
  stop.abort()
  await aborted
  assert.deepEqual(paused, { room: true, abort: false })
  ;(await next()).answer('committed')
  ;(await next()).answer('committed')
  await room
  assert.equal(queue.bytes, 0)
})

test('a snapshot is saved after the commits that lead to it', async () => {
  const { queue, next, turn, snapshots } = queueByHand()
  queue.add(output(0, 4), null)
  queue.addSnapshot({ task, epoch: 1, offset: 4, entries: [] })
  queue.add(output(4, 5), null)
  const { answer } = await next()
  assert.equal(queue.snapshotWaits, true)
  assert.deepEqual(snapshots, [])
  answer('committed')
  await turn()
  assert.deepEqual(snapshots, [4])
  assert.equal(queue.snapshotWaits, false)
  const last = await next()
  assert.equal(last.checkpoint.fromOffset, 4)
  last.answer('committed')
  await queue.drained()
})

test('whoever asks whether all is committed hears no while the database is away', async () => {
  const { queue, next, clock } = queueByHand()
  assert.equal(await queue.settled(), true)
  queue.add(output(0, 1), null)
  const settled = queue.settled()
  ;(await next()).fail(away())
  assert.equal(await settled, false)
  await clock.run(clock.sleep(LONGEST_RETRY_MS), 60_000)
  const again = await next()
  again.answer('committed')
  await queue.drained()
  assert.equal(await queue.settled(), true)
})

test('a commit that somebody waits for is not to wait for others', async () => {
  const { queue, next, hurries } = queueByHand()
  queue.add(output(0, 1), null)
  assert.equal(hurries(), 0)
  const settled = queue.settled()
  assert.equal(hurries(), 1)
  queue.add(output(1, 2), null)
  ;(await next()).answer('committed')
  ;(await next()).answer('committed')
  assert.equal(await settled, true)
  assert.ok(hurries() > 1, 'the second was to hurry too')
})

test('a queue that is stopped gives up what waits for the database', async () => {
  const { queue, next, pending } = queueByHand()
  queue.add(output(0, 1), null)
  ;(await next()).fail(away())
  await queue.stop()
  assert.equal(pending.length, 0)
})
