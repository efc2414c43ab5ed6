// What must hold for every history, with histories drawn at random.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Alert } from '../../src/ports/alert.ts'
import type { OutboxEntry } from '../../src/ports/checkpoint-store.ts'
import type { NewRecord } from '../../src/ports/log.ts'
import { DISORDER_ALLOWANCE_MS } from '../../src/streams/key-slot.ts'
import { PARTITION_KEY } from '../../src/streams/task-snapshot.ts'
import { Crank, type CrankResult, flagsOf } from './crank.ts'
import {
  anyHistory,
  eventsOnly,
  HISTORY_START_MS,
  rawRecord,
  runStep,
  type Step,
  stepsOf,
} from './probe-history.ts'
import { type Probe, probePipeline } from './probe-pipeline.ts'

const RUNS = Number(process.env.OUTRIDER_PROPERTY_RUNS ?? 150)
const SHUFFLES = Math.max(1_000, RUNS)

type Interruption =
  | 'none'
  | 'cut'
  | 'snapshot'
  | 'slow snapshot'
  | 'restart'
  | 'snapshot-and-restart'

async function runHistory(
  steps: readonly Step[],
  after: (index: number) => Interruption,
  broadcast = true,
): Promise<CrankResult> {
  const crank = new Crank(probePipeline({ broadcast }))
  for (const [index, step] of steps.entries()) {
    await runStep(crank, step)
    const interruption = after(index)
    if (interruption === 'none') continue
    crank.turn()
    if (interruption.startsWith('snapshot')) crank.snapshot()
    if (interruption === 'slow snapshot') crank.beginSnapshot()
    if (interruption.endsWith('restart')) await crank.restart()
  }
  crank.turn()
  return crank.result()
}

const interruptions = fc.array(
  fc.constantFrom<Interruption>(
    'none',
    'none',
    'none',
    'cut',
    'snapshot',
    'slow snapshot',
    'restart',
    'snapshot-and-restart',
  ),
  { minLength: 90, maxLength: 90 },
)

test('a batch split anywhere gives the same alerts, archive, windows and state', async () => {
  await fc.assert(
    fc.asyncProperty(
      anyHistory,
      fc.array(fc.boolean(), { minLength: 90, maxLength: 90 }),
      async (drawn, cuts) => {
        const steps = stepsOf(drawn)
        const whole = await runHistory(steps, () => 'none')
        const split = await runHistory(steps, (index) => (cuts[index] === true ? 'cut' : 'none'))
        assert.deepEqual(split, whole)
      },
    ),
    { numRuns: RUNS },
  )
})

test('a snapshot taken while events go on holds every key as it was when it was begun', async () => {
  await fc.assert(
    fc.asyncProperty(
      anyHistory,
      fc.boolean(),
      fc.nat(),
      fc.nat({ max: 3 }),
      async (drawn, broadcast, at, keys) => {
        const steps = stepsOf(drawn.filter(({ kind }) => broadcast || kind !== 'broadcast'))
        const begin = steps.length === 0 ? 0 : at % steps.length
        const whole = new Crank(probePipeline({ broadcast }))
        for (const step of steps.slice(0, begin)) await runStep(whole, step)
        const slow = new Crank(probePipeline({ broadcast }))
        for (const step of steps.slice(0, begin)) await runStep(slow, step)
        slow.task.beginSnapshot()
        let entries = slow.task.snapshotSome(0)
        for (const step of steps.slice(begin)) {
          await runStep(slow, step)
          slow.turn()
          entries ??= slow.task.snapshotSome(keys)
        }
        entries ??= slow.task.snapshotSome(Number.POSITIVE_INFINITY)
        const stateOf = (taken: typeof entries): ReadonlyMap<string, string | null> =>
          new Map([...(taken ?? [])].map(({ key, state }) => [key, state] as const).sort())
        whole.task.beginSnapshot()
        const atOnce = whole.task.snapshotSome(Number.POSITIVE_INFINITY)
        assert.deepEqual(stateOf(entries), stateOf(atOnce))
      },
    ),
    { numRuns: RUNS },
  )
})

for (const broadcast of [true, false]) {
  const what = broadcast ? 'whole state is saved' : 'state is worked out again from its base'
  test(`a restart from any checkpoint gives the same output as none, where the ${what}`, async () => {
    await fc.assert(
      fc.asyncProperty(anyHistory, interruptions, async (drawn, drawnInterruptions) => {
        const steps = stepsOf(drawn.filter(({ kind }) => broadcast || kind !== 'broadcast'))
        const whole = await runHistory(steps, () => 'none', broadcast)
        const interrupt = (index: number): Interruption => drawnInterruptions[index] ?? 'none'
        assert.deepEqual(await runHistory(steps, interrupt, broadcast), whole)
      }),
      { numRuns: RUNS },
    )
  })
}

test('history run again from the archive gives the alerts and windows that were recorded', async () => {
  await fc.assert(
    fc.asyncProperty(anyHistory, async (drawn) => {
      const crank = new Crank(probePipeline({ broadcast: true }))
      for (const step of stepsOf(drawn)) await runStep(crank, step)
      crank.turn()
      const { alerts, windows } = crank.result()
      const byRevision = (all: readonly Alert[]) =>
        new Map(all.map((alert) => [`${alert.id} ${alert.revision}`, alert]))
      const again = await crank.history()
      assert.deepEqual(byRevision(again.alerts), byRevision(alerts))
      assert.deepEqual(again.windows, windows)
    }),
    { numRuns: RUNS },
  )
})

test('an alert counts its revisions from 1, and an effect is asked for once', async () => {
  await fc.assert(
    fc.asyncProperty(anyHistory, async (drawn) => {
      const crank = new Crank(probePipeline({ broadcast: true }))
      for (const step of stepsOf(drawn)) await runStep(crank, step)
      crank.turn()
      const revisions = new Map<string, number>()
      for (const { id, revision } of crank.result().alerts) {
        assert.equal(revision, (revisions.get(id) ?? 0) + 1)
        revisions.set(id, revision)
      }
      const effects = crank.outputs.flatMap(({ outbox }) => outbox.map(({ id }) => id))
      assert.equal(new Set(effects).size, effects.length)
    }),
    { numRuns: RUNS },
  )
})

/** Arrival after the event, in a history whose disorder stays within the allowance. */
const MOST_DELAY_MS = DISORDER_ALLOWANCE_MS

interface Timed {
  readonly probeId: string
  readonly recordedAtMs: number
  readonly level: number
  readonly side: string | null
  readonly delayMs: number
}

const timedHistory = fc
  .array(
    fc.record({
      probe: fc.nat(2),
      gapMs: fc.oneof(
        { weight: 8, arbitrary: fc.integer({ min: 1_000, max: 9_000 }) },
        fc.integer({ min: 9_000, max: 90_000 }),
      ),
      level: fc.integer({ min: -20, max: 100 }),
      side: fc.constantFrom(null, null, 'left', 'right'),
      delayMs: fc.oneof(fc.nat(2_000), fc.nat(MOST_DELAY_MS)),
    }),
    { minLength: 1, maxLength: 80, size: 'max' },
  )
  .map((drawn): readonly Timed[] => {
    let atMs = HISTORY_START_MS
    return drawn.map(({ probe, gapMs, ...rest }) => {
      atMs += gapMs
      return { probeId: `p${probe}`, recordedAtMs: atMs, ...rest }
    })
  })

function timedRecord(event: Timed, receivedAtMs: number): NewRecord {
  const { probeId, recordedAtMs, level, side } = event
  const wire = { probeId, recordedAt: recordedAtMs, level, ...(side === null ? {} : { side }) }
  return rawRecord(probeId, JSON.stringify(wire), receivedAtMs)
}

/** What an episode is, apart from who told it and when. */
function episodesOf(alerts: readonly Alert[]): readonly unknown[] {
  const newest = new Map(alerts.map((alert) => [alert.id, alert]))
  return [...newest.values()]
    .filter(({ withdrawn, rule }) => !withdrawn && rule !== 'quiet' && rule !== 'lost')
    .map(
      ({ rule, entityId, labels, startsAtMs, endsAtMs, status, severity, value, peak, count }) => ({
        ...{ rule, entityId, labels, startsAtMs, endsAtMs, status, severity, value, peak },
        count: status === 'resolved' ? count : null,
      }),
    )
    .map((episode) => JSON.stringify(episode))
    .sort()
}

/** Durable rows but the last of each probe, which is open still and need not be written. */
function finishedRows({ rows }: CrankResult): readonly string[] {
  const last = new Map(rows.map(([name, values]) => [name.slice(0, name.lastIndexOf(',')), values]))
  return rows.map(([, values]) => values).filter((values) => ![...last.values()].includes(values))
}

test('arrival order within the allowance changes neither episodes, windows, effects nor rows', async () => {
  await fc.assert(
    fc.asyncProperty(timedHistory, async (events) => {
      const run = async (records: readonly NewRecord[]) => {
        const crank = new Crank(probePipeline({ broadcast: false }))
        for (const record of records) crank.append(record)
        const output = crank.turn()
        const result = crank.result()
        const { alerts, windows, outbox } = result
        return {
          episodes: episodesOf(alerts),
          windows,
          rows: finishedRows(result),
          open: crank.task.openWindows(),
          effects: outbox.map((entry) => JSON.stringify((entry as OutboxEntry).payload)).sort(),
          late: output?.counts.late ?? 0,
        }
      }
      const inOrder = await run(
        events.map((event) => timedRecord(event, event.recordedAtMs + MOST_DELAY_MS)),
      )
      const shuffled = await run(
        events
          .map((event) => timedRecord(event, event.recordedAtMs + event.delayMs))
          .sort((a, b) => a.receivedAtMs - b.receivedAtMs),
      )
      assert.equal(shuffled.late, 0)
      assert.deepEqual(shuffled, inOrder)
    }),
    { numRuns: SHUFFLES },
  )
})

const NOBODY = 'nobody'

/**
 * Takes the place of another record, so that all the rest keep their offsets and arrival times: an event
 * of somebody else's whose clock is not believed, so that it moves nothing.
 */
function nothing({ receivedAtMs }: NewRecord): NewRecord {
  const wire = { probeId: NOBODY, recordedAt: Date.UTC(2099, 0, 1), level: 0 }
  return { ...rawRecord(NOBODY, JSON.stringify(wire), receivedAtMs), tenantId: NOBODY }
}

/** A result as if nobody had sent anything. */
function withoutNobody(result: CrankResult): CrankResult {
  return {
    ...result,
    archive: result.archive.filter(({ tenantId }) => tenantId !== NOBODY),
    alerts: result.alerts.filter(({ tenantId }) => tenantId !== NOBODY),
    rows: result.rows.filter(([name]) => !name.includes(NOBODY)),
    state: new Map([...result.state].filter(([key]) => !key.endsWith(NOBODY))),
  }
}

async function runRecords(records: readonly NewRecord[]): Promise<CrankResult> {
  const crank = new Crank(probePipeline({ broadcast: false }))
  for (const record of records) crank.append(record)
  crank.turn()
  return crank.result()
}

test('a repeat of an event changes nothing but that it is archived with its flag', async () => {
  await fc.assert(
    fc.asyncProperty(eventsOnly, async (drawn) => {
      const seen = new Set<string>()
      const records = stepsOf(drawn).flatMap((step) =>
        step.kind === 'record' ? [step.record] : [],
      )
      const repeats = records.map(({ value, tenantId }) => {
        const name = `${tenantId} ${Buffer.from(value).toString()}`
        const repeat = name.includes('eventId') && seen.has(name)
        seen.add(name)
        return repeat
      })
      const withRepeats = await runRecords(records)
      const without = withoutNobody(
        await runRecords(
          records.map((record, index) => (repeats[index] === true ? nothing(record) : record)),
        ),
      )
      for (const row of withRepeats.archive) {
        assert.equal(row.flags?.includes('duplicate') === true, repeats[row.offset])
      }
      assert.deepEqual(withRepeats.alerts, without.alerts)
      assert.deepEqual(withRepeats.windows, without.windows)
      assert.deepEqual(withRepeats.outbox, without.outbox)
      assert.deepEqual(withRepeats.state, without.state)
    }),
    { numRuns: RUNS },
  )
})

test('a device in 2099 and one in 1970 change nothing for the others', async () => {
  const lost = { future: Date.UTC(2099, 0, 1), past: Date.UTC(1970, 0, 2) }
  await fc.assert(
    fc.asyncProperty(
      eventsOnly,
      fc.array(fc.constantFrom(null, null, 'future' as const, 'past' as const), {
        minLength: 90,
        maxLength: 90,
      }),
      async (drawn, clocks) => {
        const records = stepsOf(drawn).flatMap((step) =>
          step.kind === 'record' ? [step.record] : [],
        )
        const strange = records.map((record, index): NewRecord => {
          const clock = clocks[index] ?? null
          if (clock === null) return record
          const wire = { probeId: clock, recordedAt: lost[clock] + index * 60_000, level: -1 }
          return rawRecord(clock, JSON.stringify(wire), record.receivedAtMs)
        })
        const without = strange.map((record) => (record.key in lost ? nothing(record) : record))
        const others = ({ archive, alerts, windows, state }: CrankResult) => ({
          archive: archive.filter(({ event }) => !((event as Probe).probeId in lost)),
          alerts: alerts.filter(({ entityId }) => !(entityId in lost)),
          windows: windows.filter(({ group }) => group === 'positive'),
          state: [...state].filter(([key]) => !(key in lost) && key !== PARTITION_KEY),
        })
        // Levels of the others are kept out of the group that the two are counted in.
        const positive = (all: readonly NewRecord[]): readonly NewRecord[] =>
          all.map((record) => ({
            ...record,
            value: record.key in lost ? record.value : withoutMinus(record.value),
          }))
        assert.deepEqual(
          others(await runRecords(positive(strange))),
          others(withoutNobody(await runRecords(positive(without)))),
        )
      },
    ),
    { numRuns: RUNS },
  )
})

function withoutMinus(value: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(value).toString().replace('"level":-', '"level":'))
}

test('a device that was away for an hour and sends it all in order is not late', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 60 }),
      fc.nat(60),
      async (gapsS, at) => {
        const crank = new Crank(probePipeline({ broadcast: false }))
        const backMs = HISTORY_START_MS + 3_600_000
        const send = (probeId: string, recordedAtMs: number, receivedAtMs: number): void => {
          const event = { probeId, recordedAtMs, level: 10, side: null, delayMs: 0 }
          crank.append(timedRecord(event, receivedAtMs))
        }
        send('away', HISTORY_START_MS - 1_000, HISTORY_START_MS)
        for (let minute = 0; minute < 60; minute++) {
          const nowMs = HISTORY_START_MS + minute * 60_000
          send('here', nowMs, nowMs)
        }
        let recordedAtMs = HISTORY_START_MS
        for (const [index, gapS] of gapsS.entries()) {
          recordedAtMs = Math.min(backMs, recordedAtMs + gapS * 1_000)
          if (index === at) send('here', backMs + index, backMs + index)
          send('away', recordedAtMs, backMs + index)
        }
        const output = crank.turn()
        assert.equal(output?.counts.late, 0)
        for (const flags of flagsOf(output)) assert.equal(flags, null)
      },
    ),
    { numRuns: RUNS },
  )
})
