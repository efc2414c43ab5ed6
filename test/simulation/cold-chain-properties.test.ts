// The same for cold chain as it ships: its own rules, profiles, windows and views.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { coldChainPipeline, PROFILE_TABLE } from '../../src/domains/cold-chain/pipeline.ts'
import { builtInProfiles } from '../../src/domains/cold-chain/profiles.ts'
import type { Alert } from '../../src/ports/alert.ts'
import type { NewRecord } from '../../src/ports/log.ts'
import { DISORDER_ALLOWANCE_MS } from '../../src/streams/key-slot.ts'
import { Crank, type CrankResult } from './crank.ts'
import { HISTORY_START_MS, rawRecord } from './probe-history.ts'

const RUNS = Number(process.env.OUTRIDER_PROPERTY_RUNS ?? 100)
const SHUFFLES = Math.max(300, RUNS)
const LENGTH = 80

const drawnReading = fc.record({
  truck: fc.nat(2),
  gapMs: fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 1_000, max: 15_000 }) },
    fc.integer({ min: 15_000, max: 700_000 }),
  ),
  delayMs: fc.oneof(fc.nat(2_000), fc.nat(DISORDER_ALLOWANCE_MS)),
  lateMs: fc.oneof({ weight: 15, arbitrary: fc.constant(0) }, fc.nat(1_200_000)),
  temperatureC: fc.oneof(
    fc.integer({ min: 20, max: 70 }).map((tenths) => tenths / 10),
    fc.integer({ min: -300, max: 400 }).map((tenths) => tenths / 10),
  ),
  fuelPercent: fc.option(fc.integer({ min: 40, max: 100 })),
  fuelLitres: fc.option(fc.integer({ min: 0, max: 300 })),
  speedKmh: fc.option(fc.constantFrom(0, 2, 4, 40, 80)),
  doorOpen: fc.option(fc.boolean()),
  zone: fc.constantFrom(null, null, 'front', 'rear'),
  profile: fc.constantFrom(null, null, null, 'frozen', 'pharma', 'who-type-2', 'own', 'unknown'),
  shipmentId: fc.constantFrom(null, null, 'S-1', 'S-2'),
  step: fc.constantFrom('none', 'none', 'none', 'cut', 'snapshot', 'restart', 'tick', 'profiles'),
})

type DrawnReading = typeof drawnReading extends fc.Arbitrary<infer T> ? T : never

const readings = fc.array(drawnReading, { minLength: 1, maxLength: LENGTH, size: 'max' })

interface Reading {
  readonly drawn: DrawnReading
  readonly recordedAtMs: number
  readonly record: NewRecord
}

/** In event time; each reading of a truck has a moment of its own. */
function timed(drawn: readonly DrawnReading[]): readonly Reading[] {
  let atMs = HISTORY_START_MS
  return drawn.map((reading) => {
    atMs += reading.gapMs
    const { truck, gapMs: _, delayMs, lateMs, step: __, ...fields } = reading
    const truckId = `T-${truck}`
    const text = JSON.stringify({ truckId, recordedAt: atMs - lateMs, ...fields })
    return { drawn: reading, recordedAtMs: atMs, record: rawRecord(truckId, text, atMs + delayMs) }
  })
}

const ownProfile = { ...builtInProfiles[0], name: 'own', maxC: 9, limits: [] }

async function run(
  history: readonly Reading[],
  interrupt: (crank: Crank, step: DrawnReading['step']) => Promise<void>,
): Promise<CrankResult> {
  const crank = new Crank(coldChainPipeline)
  for (const { drawn, record } of history) {
    crank.append(record)
    if (drawn.step === 'tick') {
      crank.turn()
      crank.tick(record.receivedAtMs)
    } else if (drawn.step === 'profiles') {
      crank.turn()
      await crank.reference(PROFILE_TABLE, [ownProfile])
    } else await interrupt(crank, drawn.step)
  }
  crank.turn()
  return crank.result()
}

test('cold chain gives the same whatever the batches, and wherever it restarts', async () => {
  await fc.assert(
    fc.asyncProperty(readings, async (drawn) => {
      const history = timed(drawn)
        .slice()
        .sort((a, b) => a.record.receivedAtMs - b.record.receivedAtMs)
      const whole = await run(history, async () => {})
      const broken = await run(history, async (crank, step) => {
        if (step === 'none') return
        crank.turn()
        if (step === 'snapshot') crank.beginSnapshot()
        if (step === 'restart') await crank.restart()
      })
      assert.deepEqual(broken, whole)
    }),
    { numRuns: RUNS },
  )
})

function episodesOf(alerts: readonly Alert[]): readonly string[] {
  const newest = new Map(alerts.map((alert) => [alert.id, alert]))
  return [...newest.values()]
    .filter(({ withdrawn, rule }) => !withdrawn && rule !== 'reefer-silent')
    .map(({ rule, entityId, labels, startsAtMs, endsAtMs, status, severity, value, peak, count }) =>
      JSON.stringify({
        ...{ rule, entityId, labels, startsAtMs, endsAtMs, status, severity, value, peak },
        count: status === 'resolved' ? count : null,
      }),
    )
    .sort()
}

test('cold chain finds the same excursions in whatever order readings arrive within the allowance', async () => {
  await fc.assert(
    fc.asyncProperty(readings, async (drawn) => {
      const inTime = timed(drawn.map((each) => ({ ...each, lateMs: 0, step: 'none' as const })))
      const inOrder = await run(inTime, async () => {})
      const shuffled = await run(
        inTime.slice().sort((a, b) => a.record.receivedAtMs - b.record.receivedAtMs),
        async () => {},
      )
      assert.deepEqual(episodesOf(shuffled.alerts), episodesOf(inOrder.alerts))
      assert.deepEqual(shuffled.windows, inOrder.windows)
    }),
    { numRuns: SHUFFLES },
  )
})
