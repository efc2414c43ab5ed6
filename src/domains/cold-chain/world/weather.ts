// Air temperature over Kenya by time of day, height and distance from the sea.

import { DAY_MS, type EpochMs, HOUR_MS } from '../../../kernel/time.ts'

/** Kenya keeps UTC+3 all year. */
const KENYA_OFFSET_MS = 3 * HOUR_MS
const SEA_LEVEL_MEAN_C = 28
const COOLING_C_PER_M = 0.0053
const WARMEST_HOUR = 14.5
/** Half the daily range: small beside the sea, larger in the highlands. */
const COAST_SWING_C = 2.8
const HIGHLAND_SWING_C = 5.5
const HIGHLAND_FROM_M = 1_200

/** The part of the weather that is the same for the whole country at one instant. */
export interface Sky {
  /** Local time of day, 0 to 24. */
  readonly hour: number
  /** −1 before dawn to 1 in the early afternoon. */
  readonly warmth: number
  /** How this hour differs from the season's mean. */
  readonly anomalyC: number
  /** 1 where roads are free, down to 0.5 at rush hour in the city. */
  readonly cityFlow: number
}

export function skyAt(atMs: EpochMs): Sky {
  const hour = ((atMs + KENYA_OFFSET_MS) % DAY_MS) / HOUR_MS
  const dayCount = atMs / DAY_MS
  return {
    hour,
    warmth: Math.cos(((hour - WARMEST_HOUR) / 24) * 2 * Math.PI),
    anomalyC: 1.1 * Math.sin(dayCount * 1.3) + 0.7 * Math.sin(dayCount * 4.1 + 1),
    cityFlow: 1 - 0.45 * Math.max(rush(hour, 7.5), rush(hour, 17.8)),
  }
}

export function outsideC(sky: Sky, altitudeM: number): number {
  const highland = Math.min(1, altitudeM / HIGHLAND_FROM_M)
  const swingC = COAST_SWING_C + (HIGHLAND_SWING_C - COAST_SWING_C) * highland
  return SEA_LEVEL_MEAN_C - COOLING_C_PER_M * altitudeM + swingC * sky.warmth + sky.anomalyC
}

function rush(hour: number, peakHour: number): number {
  const away = (hour - peakHour) / 1.3
  return Math.exp(-away * away)
}
