// Seeded chance: the same seed gives the same order of faults and the same readings.

export interface Dice {
  /** From 0 to below `sides`. */
  roll(sides: number): number
  pick<T>(choices: readonly T[]): T
}

/** Source: mulberry32, Tommy Ettinger. */
export function seededDice(seed: number): Dice {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  return {
    roll: (sides) => Math.floor(next() * sides),
    pick(choices) {
      const [first, ...rest] = choices
      if (first === undefined) throw new Error('There is nothing to pick from.')
      return [first, ...rest][Math.floor(next() * choices.length)] ?? first
    },
  }
}
