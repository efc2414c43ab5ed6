// The truck's modem: it loses coverage and uploads what it kept, or falls silent for good.

import { type EpochMs, HOUR_MS, MINUTE_MS } from '../../../kernel/time.ts'
import type { Dice } from '../../dice.ts'

export interface Tracker {
  lostAtMs: EpochMs
  backAtMs: EpochMs
  /** Whether it keeps its readings meanwhile; one without power does not. */
  keeps: boolean
  /** Lines waiting for coverage, oldest first. */
  kept: string[]
}

/** A modem that keeps this many lines uploads at once, coverage or not: it would have to drop some. */
export const MAX_KEPT_LINES = 2_000

const MEAN_TIME_BETWEEN_LOSSES_MS = 6 * HOUR_MS
const MEAN_LOSS_MS = 3 * MINUTE_MS
/** Short enough never to look like a truck that has fallen silent. */
const LONGEST_LOSS_MS = 9 * MINUTE_MS
const POWER_LOSS_SHARE = 0.02

export function startTracker(dice: Dice, nowMs: EpochMs, failures: boolean): Tracker {
  const tracker: Tracker = {
    lostAtMs: Number.POSITIVE_INFINITY,
    backAtMs: Number.POSITIVE_INFINITY,
    keeps: true,
    kept: [],
  }
  if (failures) planLoss(tracker, dice, nowMs)
  return tracker
}

export function planLoss(tracker: Tracker, dice: Dice, nowMs: EpochMs): void {
  tracker.lostAtMs = nowMs + dice.wait(MEAN_TIME_BETWEEN_LOSSES_MS)
  tracker.keeps = !dice.chance(POWER_LOSS_SHARE)
  tracker.backAtMs =
    tracker.lostAtMs +
    (tracker.keeps
      ? Math.min(LONGEST_LOSS_MS, dice.wait(MEAN_LOSS_MS))
      : dice.between(12, 40) * MINUTE_MS)
}
