// A simulation of actors that report in turn, each at its own moment of the interval. What an actor says
// is its domain's affair; who is late, repeats itself or sends rubbish is decided here, for all alike.

import type { DurationMs, EpochMs } from '../kernel/time.ts'
import { type Dice, diceFrom } from './dice.ts'
import {
  brokenBy,
  disorderedByMs,
  FAULT_SHARES,
  type Fault,
  lateByMs,
  MAX_HELD_LINES,
  repeatedAfterMs,
  type Spoil,
} from './faults.ts'
import { HeldLines } from './held-lines.ts'
import type { SimulatedBatch, Simulation, SimulationOptions } from './simulation.ts'

export interface Actor {
  /**
   * What it sends at this moment, as JSON in one line; null where it has nothing to say. `eventId` goes into
   * the event where it is given.
   */
  report(atMs: EpochMs, eventId: string | null): ActorLine | null
  /** Ends what it has under way; null where that is nothing. Absent: it never has. */
  finish?(atMs: EpochMs, eventId: string | null): ActorLine | null
}

export interface ActorLine {
  /** Key of the event. */
  readonly key: string
  readonly line: string
}

/** A larger world leaves open what it has under way: ending it would hold up whoever stops it. */
export const MAX_FINISHED_ACTORS = 5_000

export class ActorSimulation implements Simulation {
  readonly #actors: readonly Actor[]
  readonly #startMs: EpochMs
  readonly #intervalMs: DurationMs
  readonly #faults: ReadonlySet<Fault>
  readonly #spoils: readonly Spoil[]
  readonly #chance: Dice
  /** What event ids begin with; null where events carry none. */
  readonly #idStart: string | null
  readonly #held = new HeldLines()
  #sequence = 0
  #round = 0
  #next = 0

  constructor(actors: readonly Actor[], spoils: readonly Spoil[], options: SimulationOptions) {
    const { random, startMs, intervalMs, eventIds = false } = options
    this.#actors = actors
    this.#spoils = spoils
    this.#startMs = startMs
    this.#intervalMs = intervalMs
    this.#faults = new Set(options.faults)
    this.#chance = diceFrom(random)
    const run = `${Math.floor(random.next() * 0x7fff_ffff).toString(36)}${startMs.toString(36)}`
    this.#idStart = eventIds || this.#faults.has('duplicate') ? `${run}-` : null
  }

  get nextDueMs(): EpochMs {
    return Math.min(this.#held.dueMs, this.#nextReportMs())
  }

  take({
    untilMs,
    maxEvents,
  }: {
    readonly untilMs: EpochMs
    readonly maxEvents: number
  }): SimulatedBatch {
    const lines: ActorLine[] = []
    let atMs = this.#startMs
    while (lines.length < maxEvents) {
      const dueMs = this.nextDueMs
      if (dueMs > untilMs) break
      const held = this.#held.dueMs <= dueMs ? this.#held.take() : undefined
      const line = held ?? this.#report(dueMs)
      if (line === null) continue
      atMs = dueMs
      lines.push(line)
    }
    return batchOf(atMs, lines)
  }

  finish(atMs: EpochMs): SimulatedBatch {
    const finished = this.#actors.length > MAX_FINISHED_ACTORS ? [] : this.#actors
    const lines = finished.map((actor) => actor.finish?.(Math.floor(atMs), this.#nextId()) ?? null)
    return batchOf(
      atMs,
      lines.filter((line) => line !== null),
    )
  }

  #nextReportMs(): EpochMs {
    return this.#startMs + (this.#round + this.#next / this.#actors.length) * this.#intervalMs
  }

  /** The next actor's line, unless it is held back. */
  #report(dueMs: EpochMs): ActorLine | null {
    const actor = this.#actors[this.#next]
    this.#next += 1
    if (this.#next >= this.#actors.length) {
      this.#next = 0
      this.#round += 1
    }
    const said = actor?.report(Math.floor(dueMs), this.#nextId()) ?? null
    return said === null || this.#faults.size === 0 ? said : this.#disturb(said, dueMs)
  }

  #nextId(): string | null {
    return this.#idStart === null ? null : this.#idStart + (this.#sequence++).toString(36)
  }

  /** Held back, repeated, or with a broken twin, as asked for. */
  #disturb(said: ActorLine, dueMs: EpochMs): ActorLine | null {
    const chance = this.#chance
    const room = this.#held.size < MAX_HELD_LINES
    const befalls = (fault: Fault): boolean =>
      this.#faults.has(fault) && chance.chance(FAULT_SHARES[fault])
    const bad = befalls('bad') && room
    const repeated = befalls('duplicate') && room
    const late = befalls('late') && room
    const disordered = befalls('disorder') && room
    const delayMs = late ? lateByMs(chance) : disordered ? disorderedByMs(chance) : 0
    if (repeated) {
      this.#held.add({ dueMs: dueMs + delayMs + repeatedAfterMs(chance), ...said })
    }
    if (bad) this.#held.add({ ...said, dueMs, line: brokenBy(this.#spoils, said.line, chance) })
    if (delayMs === 0) return said
    this.#held.add({ dueMs: dueMs + delayMs, ...said })
    return null
  }
}

function batchOf(atMs: EpochMs, lines: readonly ActorLine[]): SimulatedBatch {
  const ndjson = Buffer.from(lines.map(({ line }) => `${line}\n`).join(''))
  const ends: number[] = []
  let end = 0
  for (const { line } of lines) {
    end += Buffer.byteLength(line) + 1
    ends.push(end)
  }
  return { atMs, count: lines.length, ndjson, ends, keys: lines.map(({ key }) => key) }
}
