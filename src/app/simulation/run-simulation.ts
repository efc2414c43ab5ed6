// Drives the synthetic world by the clock, or as fast as it goes, and hands what it yields to a sender.

import { setImmediate } from 'node:timers/promises'
import { seededRandom } from '../../adapters/random/seeded-random.ts'
import type { Fault } from '../../domains/faults.ts'
import type { SimulatedBatch, SimulatedFleet, Simulation } from '../../domains/simulation.ts'
import { assert } from '../../kernel/errors.ts'
import { DAY_MS, type DurationMs, type EpochMs, HOUR_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'

export const MAX_INTERVAL_MS = HOUR_MS
/** A rate alone asks for no more vehicles than this. */
const LARGEST_DEFAULT_FLEET = 100_000
/** Events in one hand-over: some 1.5 MB. */
export const MAX_BATCH_EVENTS = 5_000
/** How far in the past a simulation with a speed-up starts. */
export const SPEEDUP_LOOKBACK_MS = DAY_MS
/** Several fleets running as fast as they go are taken in turns of this span of simulated time. */
const TURN_MS = 1_000
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

/** `keys` are those of the lines, in their order. */
export type Send = (
  topic: string,
  ndjsonBatch: string,
  count: number,
  keys: readonly string[],
) => Promise<Delivered>

export interface SimulationRun {
  readonly clock: Clock
  /** What drives; they share the clock and the seed. */
  readonly fleets: readonly SimulatedFleet[]
  /**
   * Takes NDJSON of one topic, one line break after each event. Retries by itself; a rejection ends the
   * run. The next batch is generated meanwhile but handed over only afterwards: each key's order is kept.
   */
  readonly send: Send
  readonly seed: number
  /** Of each fleet. */
  readonly vehicles?: number
  readonly speedup?: number
  readonly faults?: readonly Fault[]
  /** Events a second of wall time, over all fleets, shared out as they would send by themselves. */
  readonly rate?: number
  readonly startMs?: EpochMs
  readonly pace?: Pace
  /** Ends after so many events; without it only the signal ends the run. */
  readonly count?: number
  readonly eventIds?: boolean
  readonly failures?: boolean
  /** See `SimulationOptions`. */
  readonly variability?: number
  readonly tables?: ReadonlyMap<string, unknown>
  readonly signal?: AbortSignal
  /** When the signal came, everything is ended that the fleets have under way. */
  readonly finishes?: true
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
  const running = plannedFleets({ ...run, speedup }).map((plan) => ({
    topic: plan.fleet.topic,
    simulation: worldOf(plan, run, startMs),
  }))
  const target = pacer({ clock, startMs, speedup, pace: run.pace ?? 'live' })
  const totals = { sent: 0, accepted: 0, rejected: 0, unsent: 0, simulatedMs: startMs }
  let taken = 0
  let pending: Promise<void> = Promise.resolve()

  while (taken < count && signal?.aborted !== true) {
    const nextDueMs = Math.min(...running.map(({ simulation }) => simulation.nextDueMs))
    const dueMs = target()
    const untilMs = running.length > 1 ? Math.min(dueMs, nextDueMs + TURN_MS) : dueMs
    if (nextDueMs > untilMs) {
      await pending
      const napMs = (nextDueMs - untilMs) / speedup
      await clock.sleep(Math.min(LONGEST_NAP_MS, Math.max(COLLECT_MS, napMs)), signal)
      continue
    }
    for (const { topic, simulation } of running) {
      const maxEvents = Math.min(MAX_BATCH_EVENTS, count - taken)
      const batch = simulation.take({ untilMs, maxEvents })
      if (batch.count === 0) continue
      taken += batch.count
      // The next one may be written over its bytes.
      const text = Buffer.from(batch.ndjson).toString('utf8')
      await pending
      // Signals and closed pipes are noticed between two batches.
      await setImmediate()
      pending = handOver(topic, text, batch)
    }
  }
  await pending
  if (run.finishes === true && signal?.aborted === true) await finish()
  return totals

  async function finish(): Promise<void> {
    const atMs = Math.min(target(), ...running.map(({ simulation }) => simulation.nextDueMs))
    for (const { topic, simulation } of running) {
      const batch = simulation.finish?.(atMs)
      if (batch === undefined || batch.count === 0) continue
      await handOver(topic, Buffer.from(batch.ndjson).toString('utf8'), batch)
    }
  }

  async function handOver(
    topic: string,
    text: string,
    { count: events, keys, atMs }: Pick<SimulatedBatch, 'count' | 'keys' | 'atMs'>,
  ): Promise<void> {
    totals.unsent = events
    try {
      const delivered = await send(topic, text, events, keys)
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

export interface FleetPlan {
  readonly fleet: SimulatedFleet
  readonly vehicles: number
  /** Between two events of one member, on the simulated clock. */
  readonly intervalMs: DurationMs
}

/** Each fleet with its share of the rate; without a number, as many vehicles as keep their usual interval. */
export function plannedFleets(order: {
  readonly fleets: readonly SimulatedFleet[]
  readonly vehicles?: number | undefined
  readonly speedup: number
  readonly rate?: number | undefined
}): readonly FleetPlan[] {
  const { fleets, rate, speedup } = order
  const usualRates = fleets.map((each) => (each.defaultVehicles * 1_000) / each.defaultIntervalMs)
  const usualRate = usualRates.reduce((sum, each) => sum + each, 0)
  return fleets.map((fleet, index) => {
    const { defaultVehicles, defaultIntervalMs, maxVehicles } = fleet
    if (rate === undefined) {
      const vehicles = order.vehicles ?? defaultVehicles
      return { fleet, vehicles, intervalMs: defaultIntervalMs }
    }
    const share = (rate * (usualRates[index] ?? 0)) / usualRate
    const enough = Math.max(1, Math.ceil((share * defaultIntervalMs) / 1_000))
    const vehicles = order.vehicles ?? Math.min(LARGEST_DEFAULT_FLEET, maxVehicles, enough)
    return { fleet, vehicles, intervalMs: (vehicles * 1_000 * speedup) / share }
  })
}

function worldOf(plan: FleetPlan, run: SimulationRun, startMs: EpochMs): Simulation {
  const { fleet, vehicles, intervalMs } = plan
  assert(intervalMs >= 1 && intervalMs <= MAX_INTERVAL_MS, `An interval of ${intervalMs} ms.`)
  return fleet.create({
    vehicles,
    random: seededRandom(run.seed),
    startMs,
    intervalMs,
    failures: run.failures ?? true,
    faults: run.faults ?? [],
    eventIds: run.eventIds ?? false,
    ...(run.variability === undefined ? {} : { variability: run.variability }),
    ...(run.tables === undefined ? {} : { tables: run.tables }),
  })
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
