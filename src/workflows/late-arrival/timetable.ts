// When the workflow of a late arrival reminds, escalates and gives up: pure, from what is known as it begins.

import { type DurationMs, type EpochMs, MINUTE_MS } from '../../kernel/time.ts'

/** The proposed start is the next of these after the traveller is there, nine times out of ten. */
const PROPOSED_STEP_MS: DurationMs = 5 * MINUTE_MS
/** From the arrival to the start. */
const SETTLE_MS: DurationMs = 5 * MINUTE_MS
/** An answer is of use for so long after the start that was agreed. */
export const ANSWER_AFTER_START_MS: DurationMs = 30 * MINUTE_MS
/** Reminded no later than this, and before half of the time is over. */
const REMIND_AFTER_MS: DurationMs = 10 * MINUTE_MS
const LEAST_WAIT_MS: DurationMs = MINUTE_MS

export interface AskTimes {
  readonly proposedMs: EpochMs
  readonly remindMs: EpochMs
  readonly escalateMs: EpochMs
  /** Nobody waits any longer. */
  readonly endMs: EpochMs
}

/** `nowMs` ≤ `remindMs` ≤ `escalateMs` ≤ `endMs`. */
export function askTimes({
  nowMs,
  startsAtMs,
  etaMs,
}: {
  readonly nowMs: EpochMs
  readonly startsAtMs: EpochMs
  readonly etaMs: EpochMs | null
}): AskTimes {
  const readyMs = Math.max(etaMs ?? 0, startsAtMs, nowMs) + SETTLE_MS
  const endMs = Math.max(startsAtMs + ANSWER_AFTER_START_MS, nowMs + LEAST_WAIT_MS)
  const leftMs = Math.max(LEAST_WAIT_MS, startsAtMs - nowMs)
  const remindMs = Math.min(nowMs + Math.min(REMIND_AFTER_MS, leftMs / 2), endMs)
  return {
    proposedMs: Math.ceil(readyMs / PROPOSED_STEP_MS) * PROPOSED_STEP_MS,
    remindMs,
    escalateMs: Math.min(nowMs + Math.min(2 * REMIND_AFTER_MS, leftMs), endMs),
    endMs,
  }
}
