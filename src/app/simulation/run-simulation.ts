// Drives the synthetic world by the clock, or as fast as it goes, and hands what it yields to a sender.

import { setImmediate } from 'node:timers/promises'
import { seededRandom } from '../../adapters/random/seeded-random.ts'
import { type Fault, TruckSimulation } from '../../domains/cold-chain/simulate.ts'
import { assert } from '../../kernel/errors.ts'
import { DAY_MS, type DurationMs, type EpochMs, HOUR_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'

export const DEFAULT_VEHICLES = 60
/** Without a rate each truck reports this often. */
export const DEFAULT_INTERVAL_MS = 3_000
export const MAX_INTERVAL_MS = HOUR_MS
/** Events in one hand-over: some 1.5 MB. */
export const MAX_BATCH_EVENTS = 5_000
/** How far in the past a simulation with a speed-up starts. */
export const SPEEDUP_LOOKBACK_MS = DAY_MS
/** Due readings are collected this long, so that a small fleet is not sent line by line. */
const COLLECT_MS = 100
const LONGEST_NAP_MS = 1_000

/**
 * - `live`: simulated time passes `speedup` times as fast as the wall clock, and never overtakes it;
 *   from where it catches up it runs with it.
 * - `paced`: the same without regard to what time it is.
 * - `unpaced`: as fast as it goes.
 */
export type Pace = 'live' | 'paced' | 'unpaced'

/** What became of a batch. */
export interface Delivered {
  readonly accepted: number
  readonly rejected: number
}

export interface SimulationRun {
  readonly clock: Clock
  /**
   * Takes NDJSON, one line break after each event. Retries by itself; a rejection ends the run. The
   * next batch is generated meanwhile but handed over only afterwards: each truck's order is kept.
   */
  readonly send: (ndjsonBatch: string, count: number) => Promise<Delivered>
  readonly seed: number
  readonly vehicles?: number
  readonly speedup?: number
  readonly faults?: readonly Fault[]
  /** Events a second of wall time, over the whole fleet. */
  readonly rate?: number
  readonly startMs?: EpochMs
  readonly pace?: Pace
  /** Ends after so many events; without it only the signal ends the run. */
  readonly count?: number
  readonly eventIds?: boolean
  readonly failures?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (totals: SimulationTotals) => void
}

export interface SimulationTotals {
  readonly sent: number
  readonly accepted: number
  readonly rejected: number
  /** Handed over when the signal came, and not known to have arrived. */
  readonly unsent: number
  readonly simulatedMs: EpochMs
}

/**
 * Runs until `count` events have left or the signal comes, and resolves with what became of them.
 * Rejects with what `send` rejects with, unless the signal came first.
 */
export async function runSimulation(run: SimulationRun): Promise<SimulationTotals> {
  const { clock, send, signal, count = Number.POSITIVE_INFINITY } = run
  const speedup = run.speedup ?? 1
  const startMs = run.startMs ?? clock.nowMs() - (speedup > 1 ? SPEEDUP_LOOKBACK_MS : 0)
  const simulation = world(run, startMs, speedup)
  const target = pacer({ clock, startMs, speedup, pace: run.pace ?? 'live' })
  const totals = { sent: 0, accepted: 0, rejected: 0, unsent: 0, simulatedMs: startMs }
  let taken = 0
  let pending: Promise<void> = Promise.resolve()

  while (taken < count && signal?.aborted !== true) {
    const untilMs = target()
    const maxEvents = Math.min(MAX_BATCH_EVENTS, count - taken)
    const batch = simulation.take({ untilMs, maxEvents })
    if (batch.count === 0) {
      await pending
      const napMs = (simulation.nextDueMs - untilMs) / speedup
      await clock.sleep(Math.min(LONGEST_NAP_MS, Math.max(COLLECT_MS, napMs)), signal)
      continue
    }
    taken += batch.count
    const text = Buffer.from(batch.ndjson).toString('latin1')
    await pending
    // Signals and closed pipes are noticed between two batches.
    await setImmediate()
    pending = handOver(text, batch.count, batch.atMs)
  }
  await pending
  return totals

  async function handOver(text: string, events: number, atMs: EpochMs): Promise<void> {
    totals.unsent = events
    try {
      const delivered = await send(text, events)
      totals.accepted += delivered.accepted
      totals.rejected += delivered.rejected
    } catch (error) {
      if (signal?.aborted === true) return
      throw error
    }
    totals.sent += events
    totals.unsent = 0
    totals.simulatedMs = Math.max(totals.simulatedMs, atMs)
    run.onProgress?.(totals)
  }
}

function world(run: SimulationRun, startMs: EpochMs, speedup: number): TruckSimulation {
  const vehicles = run.vehicles ?? defaultVehicles(run.rate)
  const intervalMs = intervalOf({ vehicles, speedup, rate: run.rate })
  assert(intervalMs >= 1 && intervalMs <= MAX_INTERVAL_MS, `An interval of ${intervalMs} ms.`)
  return new TruckSimulation({
    vehicles,
    random: seededRandom(run.seed),
    startMs,
    intervalMs,
    failures: run.failures ?? true,
    faults: run.faults ?? [],
    eventIds: run.eventIds ?? false,
  })
}

/** So many trucks that each reports at its usual interval. */
export function defaultVehicles(rate: number | undefined): number {
  if (rate === undefined) return DEFAULT_VEHICLES
  return Math.min(100_000, Math.max(1, Math.ceil((rate * DEFAULT_INTERVAL_MS) / 1_000)))
}

/** Between two readings of one truck, on the simulated clock. */
export function intervalOf(fleet: {
  readonly vehicles: number
  readonly speedup: number
  readonly rate: number | undefined
}): DurationMs {
  if (fleet.rate === undefined) return DEFAULT_INTERVAL_MS
  return (fleet.vehicles * 1_000 * fleet.speedup) / fleet.rate
}

interface Pacing {
  readonly clock: Clock
  readonly startMs: EpochMs
  readonly speedup: number
  readonly pace: Pace
}

/** Up to which simulated instant readings are due now. */
function pacer({ clock, startMs, speedup, pace }: Pacing): () => EpochMs {
  const begunMs = clock.nowMs()
  const begunMonotonicMs = clock.monotonicMs()
  switch (pace) {
    case 'unpaced':
      return () => Number.POSITIVE_INFINITY
    case 'paced':
      return () => startMs + (clock.monotonicMs() - begunMonotonicMs) * speedup
    case 'live':
      return () => {
        const nowMs = clock.nowMs()
        return Math.min(nowMs, startMs + (nowMs - begunMs) * speedup)
      }
  }
}
