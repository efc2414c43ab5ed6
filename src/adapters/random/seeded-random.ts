// Chance that repeats: the same seed gives the same numbers on every machine.

import type { Random } from '../../ports/random.ts'

/**
 * xoshiro128** of Blackman and Vigna (period 2^128 − 1), its state filled from the seed by
 * SplitMix32, so that neighbouring seeds give unrelated streams.
 * Takes any integer; only its low 32 bits count. Each number carries 32 random bits.
 */
export function seededRandom(seed: number): Random {
  const fill = splitMix32(seed)
  let a = fill()
  let b = fill()
  let c = fill()
  let d = fill()
  return {
    next() {
      const drawn = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0
      const shifted = b << 9
      c ^= a
      d ^= b
      b ^= c
      a ^= d
      c ^= shifted
      d = rotateLeft(d, 11)
      return drawn / 4_294_967_296
    },
  }
}

function splitMix32(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return mixed ^ (mixed >>> 15)
  }
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}
