// A synthetic world as the platform drives it: who is in it, and what they send, in order of time. Pure:
// the same random stream and start give the same bytes, however they are taken.

import type { DurationMs, EpochMs } from '../kernel/time.ts'
import type { Random } from '../ports/random.ts'
import type { Fault } from './faults.ts'

export interface SimulationOptions {
  /** How many move in it. */
  readonly vehicles: number
  readonly random: Random
  readonly startMs: EpochMs
  /** Between two events of one of them, on the simulated clock. */
  readonly intervalMs: DurationMs
  /** What goes wrong by itself, such as a unit that fails; on by default. */
  readonly failures?: boolean
  /** How much they differ from each other and from one time to the next, 0 to 1, where a world has such a thing. */
  readonly variability?: number
  readonly faults?: readonly Fault[]
  /** Reference tables of the operator, by name: a world that has such a thing is made of them, such as roads. */
  readonly tables?: ReadonlyMap<string, unknown>
  /** Whether events carry an `eventId`; always so where duplicates are asked for. */
  readonly eventIds?: boolean
}

export interface SimulatedBatch {
  /** When the last of them leaves, on the simulated clock. */
  readonly atMs: EpochMs
  readonly count: number
  /** One line an event, each ended by a line break. Valid until the next `take`. */
  readonly ndjson: Uint8Array
  /** Where each line ends in `ndjson`, its line break included. */
  readonly ends: readonly number[]
  /** Whose line it is; also of a line too broken to say so. */
  readonly keys: readonly string[]
}

export interface Simulation {
  /** When the next line leaves, on the simulated clock. */
  readonly nextDueMs: EpochMs
  /** Everything that leaves up to and including `untilMs`, but no more than `maxEvents`. */
  take(limit: { readonly untilMs: EpochMs; readonly maxEvents: number }): SimulatedBatch
  /**
   * The end of all that is under way, so that nobody waits for a world that is no more; absent where nothing
   * outlasts an event. Nothing is taken afterwards.
   */
  finish?(atMs: EpochMs): SimulatedBatch
}

/** One kind of synthetic sender that a domain has. */
export interface SimulatedFleet {
  /** Topic of its events, by our name. */
  readonly topic: string
  /** What moves in it, such as `trucks`. */
  readonly members: string
  /** How many, unless asked for others. */
  readonly defaultVehicles: number
  readonly maxVehicles: number
  /** Between two events of one member, unless a rate is asked for. */
  readonly defaultIntervalMs: DurationMs
  /** Mean time from one trip of a member to its next, where it makes trips. */
  readonly meanTripMs?: DurationMs
  create(options: SimulationOptions): Simulation
}
