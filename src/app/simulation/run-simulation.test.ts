import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { truckFleet } from '../../domains/cold-chain/simulate.ts'
import { tripFleet } from '../../domains/trips/simulate.ts'
import { vehicleFleet } from '../../domains/vehicles/simulate.ts'
import { HOUR_MS, MINUTE_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import {
  MAX_BATCH_EVENTS,
  runSimulation,
  type SimulationRun,
  SPEEDUP_LOOKBACK_MS,
} from './run-simulation.ts'

const START_MS = Date.UTC(2026, 2, 2, 6)

/** Time passes only where somebody sleeps. */
function sleepersClock(): Clock {
  let passedMs = 0
  return {
    nowMs: () => START_MS + passedMs,
    monotonicMs: () => passedMs,
    async sleep(durationMs) {
      passedMs += durationMs
      await setImmediate()
    },
  }
}

interface Reading {
  readonly truckId: string
  readonly recordedAt: string
}

interface Sent {
  readonly atMs: number
  readonly readings: readonly Reading[]
}

/** Runs for a span of the clock's time and returns what was sent, and when. */
async function record(lengthMs: number, run: Partial<SimulationRun>): Promise<readonly Sent[]> {
  const clock = sleepersClock()
  const stop = new AbortController()
  const sent: Sent[] = []
  await runSimulation({
    clock,
    fleets: [truckFleet],
    seed: 3,
    failures: false,
    signal: stop.signal,
    async send(_topic, ndjsonBatch, count) {
      const lines = ndjsonBatch.split('\n')
      assert.equal(lines.pop(), '')
      assert.equal(lines.length, count)
      sent.push({ atMs: clock.nowMs(), readings: lines.map((line): Reading => JSON.parse(line)) })
      if (clock.monotonicMs() >= lengthMs) stop.abort()
      return { accepted: count, rejected: 0 }
    },
    ...run,
  })
  return sent
}

const lastMs = ({ readings }: Sent): number => Date.parse(readings.at(-1)?.recordedAt ?? '')
const amount = (sent: readonly Sent[]): number =>
  sent.reduce((sum, { readings }) => sum + readings.length, 0)

test('a live fleet sends what is due, with the clock and never ahead of it', async () => {
  const sent = await record(MINUTE_MS, { vehicles: 60 })
  assert.ok(Math.abs(amount(sent) - 1_200) < 30, `${amount(sent)} readings in a minute`)
  for (const batch of sent) {
    assert.ok(lastMs(batch) <= batch.atMs)
    assert.ok(lastMs(batch) > batch.atMs - 1_200)
  }
})

test('a rate is that of the whole fleet on the wall clock, also with a speed-up', async () => {
  for (const speedup of [1, 10]) {
    const sent = await record(MINUTE_MS, { rate: 50, vehicles: 100, speedup })
    assert.ok(Math.abs(amount(sent) - 3_000) < 60, `${amount(sent)} with ${speedup}`)
  }
})

test('a speed-up starts a day ago, catches up with the clock and then runs with it', async () => {
  const sent = await record(30 * MINUTE_MS, { vehicles: 5, speedup: 60 })
  const behindMs = sent.map((batch) => batch.atMs - lastMs(batch))
  assert.ok(Math.abs((behindMs[0] ?? 0) - SPEEDUP_LOOKBACK_MS) < MINUTE_MS)
  assert.ok(behindMs.every((ms) => ms >= 0))
  assert.ok((behindMs.at(-1) ?? HOUR_MS) < 3_000)
  const caughtUp = sent.findIndex((_, index) => (behindMs[index] ?? 0) < 3_000)
  const takenMs = (sent[caughtUp]?.atMs ?? 0) - START_MS
  assert.ok(
    Math.abs(takenMs - SPEEDUP_LOOKBACK_MS / 59) < MINUTE_MS,
    `caught up after ${takenMs} ms`,
  )
})

test('batches are handed over one at a time and in the order of each truck', async () => {
  let underWay = 0
  const last = new Map<string, string>()
  const totals = await runSimulation({
    clock: sleepersClock(),
    fleets: [truckFleet],
    seed: 1,
    vehicles: 500,
    count: 20_000,
    pace: 'unpaced',
    startMs: START_MS,
    async send(_topic, ndjsonBatch, count) {
      underWay += 1
      assert.equal(underWay, 1)
      await setImmediate()
      for (const line of ndjsonBatch.split('\n').slice(0, -1)) {
        const { truckId, recordedAt }: Reading = JSON.parse(line)
        assert.ok((last.get(truckId) ?? '') < recordedAt)
        last.set(truckId, recordedAt)
      }
      underWay -= 1
      return { accepted: count - 1, rejected: 1 }
    },
  })
  assert.equal(totals.sent, 20_000)
  assert.equal(totals.accepted + totals.rejected, 20_000)
  assert.equal(totals.rejected, 20_000 / MAX_BATCH_EVENTS)
})

test('a sender that fails ends the run with its error', async () => {
  const run = runSimulation({
    clock: sleepersClock(),
    fleets: [truckFleet],
    seed: 1,
    send: async () => {
      throw new Error('the door is shut')
    },
  })
  await assert.rejects(run, /the door is shut/)
})

test('what was handed over when the signal came, and failed, is counted as unsent', async () => {
  const stop = new AbortController()
  const totals = await runSimulation({
    clock: sleepersClock(),
    fleets: [truckFleet],
    seed: 1,
    vehicles: 100,
    pace: 'unpaced',
    signal: stop.signal,
    async send(_topic, _batch, count) {
      if (stop.signal.aborted) return { accepted: count, rejected: 0 }
      stop.abort()
      throw new Error('cut off')
    },
  })
  assert.deepEqual([totals.sent, totals.unsent], [0, MAX_BATCH_EVENTS])
})

test('on the signal everything under way is ended, where that is asked for', async () => {
  const lastLines = async (run: Partial<SimulationRun>): Promise<readonly string[]> => {
    const stop = new AbortController()
    let last: readonly string[] = []
    await runSimulation({
      clock: sleepersClock(),
      fleets: [tripFleet],
      seed: 1,
      startMs: START_MS,
      pace: 'unpaced',
      signal: stop.signal,
      async send(_topic, ndjsonBatch, count) {
        last = ndjsonBatch.trimEnd().split('\n')
        if (count === MAX_BATCH_EVENTS) stop.abort()
        return { accepted: count, rejected: 0 }
      },
      ...run,
    })
    return last
  }
  const statuses = (lines: readonly string[]): readonly string[] =>
    lines.map((line): { status: string } => JSON.parse(line)).map(({ status }) => status)
  const ended = statuses(await lastLines({ finishes: true }))
  assert.ok(ended.length > 50)
  assert.ok(!ended.includes('in-progress'))
  assert.ok(statuses(await lastLines({})).includes('in-progress'))
})

test('several fleets share rate and count, each to its own topic, in turns of simulated time', async () => {
  const sent = new Map<string, number>()
  const spans: (readonly [number, number])[] = []
  const totals = await runSimulation({
    clock: sleepersClock(),
    fleets: [truckFleet, vehicleFleet],
    seed: 1,
    rate: 800,
    count: 8_000,
    pace: 'unpaced',
    startMs: START_MS,
    async send(topic, ndjsonBatch, count) {
      sent.set(topic, (sent.get(topic) ?? 0) + count)
      const times = ndjsonBatch
        .trimEnd()
        .split('\n')
        .map((line): Reading => JSON.parse(line))
        .map(({ recordedAt }) => Date.parse(recordedAt))
      spans.push([Math.min(...times), Math.max(...times)])
      return { accepted: count, rejected: 0 }
    },
  })
  assert.equal(totals.sent, 8_000)
  assert.ok(spans.every(([from, to]) => to - from <= 1_000))
  // 60 trucks every 3 s and 60 cars every second are 20 and 60 events a second.
  const trucks = sent.get('truck-readings') ?? 0
  assert.ok(Math.abs(trucks - 2_000) < 250, `${trucks} of 8,000 are of trucks`)
})
