// When somebody arrives, as a distribution: the time still to travel is taken to be log-normal, its median
// what the way takes at the traveller's pace, its spread from traffic, pace, and how long nothing was heard.

import type { EpochMs } from '../../kernel/time.ts'

/** The 90th percentile of the normal distribution. */
const Z90 = 1.2815515594
/** Finding the door, parking, a red light: what no way ever takes less of, s. */
const FLOOR_S = 25
/** Of the time since the last position, so much is taken to have been spent moving on as expected. */
const MOVED_SHARE = 0.8
/** Standard deviation, per second that nothing was heard. */
const SILENCE_SPREAD = 0.5
/** However long nothing was heard, so much of the way is taken to be left. */
const LEAST_LEFT_SHARE = 0.05

export interface EtaFacts {
  readonly nowMs: EpochMs
  /** When the traveller was where the rest of the way begins. */
  readonly positionAtMs: EpochMs
  readonly startsAtMs: EpochMs
  /** The rest of the way from there, s, at the traveller's pace. */
  readonly remainingS: number
  /** Standard deviation of the logarithm, of traffic and of pace. */
  readonly trafficSpread: number
  readonly paceSpread: number
}

export interface Eta {
  readonly p50Ms: EpochMs
  readonly p90Ms: EpochMs
  readonly lateProbability: number
  /** Still to travel, at the median. */
  readonly expectedS: number
}

export function etaOf(facts: EtaFacts): Eta {
  const { nowMs, positionAtMs, startsAtMs, remainingS, trafficSpread, paceSpread } = facts
  const silentS = Math.max(0, (nowMs - positionAtMs) / 1_000)
  const leastS = Math.max(1, LEAST_LEFT_SHARE * remainingS)
  const leftS = Math.max(leastS, remainingS - MOVED_SHARE * silentS)
  const spreadS = Math.hypot(
    FLOOR_S,
    remainingS * trafficSpread,
    remainingS * paceSpread,
    silentS * SILENCE_SPREAD,
  )
  // The spread of the logarithm that gives this deviation to a log-normal with this median.
  const relative = spreadS / leftS
  const sigma = Math.sqrt(Math.log((1 + Math.sqrt(1 + 4 * relative * relative)) / 2))
  const untilStartS = (startsAtMs - nowMs) / 1_000
  const lateProbability =
    untilStartS <= 0 ? 1 : 1 - normalShare((Math.log(untilStartS) - Math.log(leftS)) / sigma)
  return {
    p50Ms: Math.round(nowMs + leftS * 1_000),
    p90Ms: Math.round(nowMs + leftS * Math.exp(Z90 * sigma) * 1_000),
    lateProbability,
    expectedS: leftS,
  }
}

/** Share of the standard normal below `z`, within 1.5e-7. Source: Abramowitz and Stegun, 7.1.26. */
export function normalShare(z: number): number {
  const x = Math.abs(z) / Math.SQRT2
  const t = 1 / (1 + 0.3275911 * x)
  const tail =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) *
    Math.exp(-x * x)
  return z >= 0 ? 1 - tail / 2 : tail / 2
}
