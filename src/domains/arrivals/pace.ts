// A traveller's own pace: time taken over time expected, on the way so far. What was long ago counts less, and
// nobody is judged by a minute: the pace begins at 1 and moves as there is more to go by.

/** Plain data; weights are seconds of expected travel. */
export interface Pace {
  readonly weightS: number
  /** Weighted sums of the logarithm of the ratio, and of its square. */
  readonly sum: number
  readonly squares: number
  /** Of the stretch under way, not judged yet. */
  readonly takenS: number
  readonly expectedS: number
}

export const NO_PACE: Pace = { weightS: 0, sum: 0, squares: 0, takenS: 0, expectedS: 0 }

/** A stretch is judged once it is this long, by one or the other. */
const STRETCH_S = 45
/** Beyond that somebody made a stop, or the road is another. */
const LARGEST_RATIO = 5
/** So much travel at pace 1 is taken to have come before. */
const PRIOR_S = 240
const PRIOR_SPREAD = 0.18
/** What lies so far back counts for a third. */
const MEMORY_S = 900

export function paceAfter(pace: Pace, takenS: number, expectedS: number): Pace {
  const taken = pace.takenS + takenS
  const expected = pace.expectedS + expectedS
  if (taken < STRETCH_S && expected < STRETCH_S) {
    return { ...pace, takenS: taken, expectedS: expected }
  }
  const ratio = Math.min(LARGEST_RATIO, Math.max(1 / LARGEST_RATIO, taken / Math.max(1, expected)))
  const logarithm = Math.log(ratio)
  const weightS = Math.min(MEMORY_S, Math.max(taken, expected))
  const kept = Math.exp(-weightS / MEMORY_S)
  return {
    weightS: pace.weightS * kept + weightS,
    sum: pace.sum * kept + weightS * logarithm,
    squares: pace.squares * kept + weightS * logarithm * logarithm,
    takenS: 0,
    expectedS: 0,
  }
}

/** Above 1 is slower than expected. */
export function paceRatio({ weightS, sum }: Pace): number {
  return Math.exp(sum / (weightS + PRIOR_S))
}

/** Standard deviation of the logarithm. */
export function paceSpread({ weightS, sum, squares }: Pace): number {
  const mean = sum / (weightS + PRIOR_S)
  const total = squares - 2 * mean * sum + mean * mean * weightS
  const prior = PRIOR_S * (PRIOR_SPREAD * PRIOR_SPREAD + mean * mean)
  return Math.sqrt(Math.max(0, (total + prior) / (weightS + PRIOR_S)))
}
