// Jams that come and go: each has a place, a time and a depth, and what flows through it flows slower.

import { type Coordinates, distanceM } from '../../../kernel/geo.ts'
import { type DurationMs, type EpochMs, MINUTE_MS } from '../../../kernel/time.ts'
import { type Dice, diceFrom } from '../../dice.ts'
import type { RoadGraph } from '../roads/road-graph.ts'

const SPELL_MS: DurationMs = 20 * MINUTE_MS
const JAMS_A_SPELL = 4
const RADIUS_M = 1_100

interface Jam {
  readonly centre: Coordinates
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
  /** Share of the speed that is left in its midst. */
  readonly depth: number
}

/** What a world of one seed is like; the same whoever asks. */
export class Jams {
  readonly #graph: RoadGraph
  readonly #startMs: EpochMs
  readonly #seed: number
  readonly #spells = new Map<number, readonly Jam[]>()

  constructor(
    graph: RoadGraph,
    { startMs, seed }: { readonly startMs: EpochMs; readonly seed: number },
  ) {
    this.#graph = graph
    this.#startMs = startMs
    this.#seed = seed
  }

  /** Share of the usual speed that an edge has at an instant. */
  shareOf(edge: number, atMs: EpochMs): number {
    const node = this.#graph.endOf(edge)
    const place = { lat: this.#graph.latOf(node), lon: this.#graph.lonOf(node) }
    const spell = Math.floor((atMs - this.#startMs) / SPELL_MS)
    let share = 1
    for (const jam of [...this.#jamsOf(spell), ...this.#jamsOf(spell - 1)]) {
      share = Math.min(share, shareIn(jam, place, atMs))
    }
    return share
  }

  #jamsOf(spell: number): readonly Jam[] {
    const known = this.#spells.get(spell)
    if (known !== undefined) return known
    const dice = diceOf(this.#seed, spell)
    const jams = Array.from({ length: JAMS_A_SPELL }, () => this.#draw(dice, spell))
    if (this.#spells.size > 4) this.#spells.clear()
    this.#spells.set(spell, jams)
    return jams
  }

  #draw(dice: Dice, spell: number): Jam {
    const node = Math.floor(dice.next() * this.#graph.nodeCount)
    const fromMs = this.#startMs + spell * SPELL_MS + dice.between(0, 0.5) * SPELL_MS
    return {
      centre: { lat: this.#graph.latOf(node), lon: this.#graph.lonOf(node) },
      fromMs,
      toMs: fromMs + dice.between(8, 18) * MINUTE_MS,
      depth: dice.between(0.12, 0.45),
    }
  }
}

/** It grows for three minutes, and dissolves as slowly. */
function shareIn({ centre, fromMs, toMs, depth }: Jam, place: Coordinates, atMs: EpochMs): number {
  if (atMs < fromMs || atMs > toMs) return 1
  const nearness = 1 - distanceM(centre, place) / RADIUS_M
  if (nearness <= 0) return 1
  const grown = Math.min(1, (atMs - fromMs) / (3 * MINUTE_MS), (toMs - atMs) / (3 * MINUTE_MS))
  return 1 - (1 - depth) * grown * Math.min(1, 2 * nearness)
}

/** A stream of its own for each number: what was drawn before changes nothing. */
export function diceOf(seed: number, ...numbers: readonly number[]): Dice {
  let mixed = seed
  for (const number of numbers)
    mixed = (Math.imul(mixed ^ (number + 0x9e3779b9), 0x85ebca6b) ^ (mixed >>> 13)) >>> 0
  return diceFrom({ next: () => mixed / 4_294_967_296 })
}
