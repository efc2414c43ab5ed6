// Chance for one actor of a simulation: a stream of its own, so that its story does not depend on who else acts.

import type { Random } from '../ports/random.ts'

/** A Random that is one small object of plain numbers: 100,000 of them cost little. */
export interface Dice extends Random {
  /** Uniform in [minimum, maximum). */
  between(minimum: number, maximum: number): number
  /** True with the given probability. */
  chance(probability: number): boolean
  /** Exponential with the given mean: the wait until something that happens now and then. */
  wait(mean: number): number
  pick<T>(choices: readonly [T, ...T[]]): T
  /** Picks with the weight that each choice carries. */
  weighted<T extends { readonly weight: number }>(choices: readonly [T, ...T[]]): T
}

const UINT32 = 4_294_967_296

/** Mulberry32: 32 bits of state, which is plenty for the few million draws of one actor. */
class Mulberry implements Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / UINT32
  }

  between(minimum: number, maximum: number): number {
    return minimum + this.next() * (maximum - minimum)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  wait(mean: number): number {
    return -Math.log(1 - this.next()) * mean
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[Math.floor(this.next() * choices.length)] ?? choices[0]
  }

  weighted<T extends { readonly weight: number }>(choices: readonly [T, ...T[]]): T {
    let left = this.next() * choices.reduce((sum, choice) => sum + choice.weight, 0)
    for (const choice of choices) {
      left -= choice.weight
      if (left < 0) return choice
    }
    return choices[0]
  }
}

/** A stream of its own, seeded by one draw from `random`. */
export function diceFrom(random: Random): Dice {
  return new Mulberry(Math.floor(random.next() * UINT32))
}
