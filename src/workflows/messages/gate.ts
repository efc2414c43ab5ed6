// Decides whether a message goes at once, later or with others, from what its address was sent lately: the first
// few go at once, further ones are gathered, so that a storm sends few and drops none. Pure.

import { type DurationMs, type EpochMs, MINUTE_MS, SECOND_MS } from '../../kernel/time.ts'
import type { MessageSeverity } from '../../ports/message.ts'

/** Messages that one address is sent singly within the span; more are gathered. */
export const BURST = 3
export const BURST_SPAN_MS: DurationMs = 10 * MINUTE_MS
/** How long a gathering waits for more. */
export const GATHER_MS: DurationMs = MINUTE_MS
/** Critical ones wait less. */
export const GATHER_CRITICAL_MS: DurationMs = 15 * SECOND_MS
/** Between two gatherings of one address. */
export const GATHER_INTERVAL_MS: DurationMs = 10 * MINUTE_MS

/** What one address was sent lately by one kind of channel. */
export interface Gate {
  /** When single messages went out, newest last; no more than `BURST`. */
  readonly sentAtMs: readonly EpochMs[]
  /** Gatherings so far; numbers the next one. */
  readonly gatherings: number
  /** When the newest gathering goes, or went. */
  readonly gatheringDueMs: EpochMs | null
}

export const EMPTY_GATE: Gate = { sentAtMs: [], gatherings: 0, gatheringDueMs: null }

export type Admission =
  | { readonly kind: 'now' }
  /** With all others of that gathering, at `dueMs`. `opens`: it is the first of them. */
  | {
      readonly kind: 'gather'
      readonly gathering: number
      readonly dueMs: EpochMs
      readonly opens: boolean
    }

export interface Arrival {
  readonly nowMs: EpochMs
  readonly severity: MessageSeverity
  /** End of the receiver's quiet hours; null outside of them. */
  readonly quietUntilMs: EpochMs | null
}

/** Critical messages break the quiet. */
export function admit(
  gate: Gate,
  { nowMs, severity, quietUntilMs }: Arrival,
): { readonly gate: Gate; readonly admission: Admission } {
  const isCritical = severity === 'critical'
  const quiet = isCritical ? null : quietUntilMs
  const sentAtMs = gate.sentAtMs.filter((atMs) => atMs > nowMs - BURST_SPAN_MS)
  const waiting = gate.gatheringDueMs !== null && gate.gatheringDueMs > nowMs
  const hasRoom = sentAtMs.length < BURST
  // What is urgent joins no gathering that waits for the morning while there is room for it alone.
  if (quiet === null && hasRoom && (!waiting || isCritical)) {
    return {
      gate: { ...gate, sentAtMs: [...sentAtMs, nowMs] },
      admission: { kind: 'now' },
    }
  }
  const soonestMs = nowMs + (isCritical ? GATHER_CRITICAL_MS : GATHER_MS)
  if (
    waiting &&
    gate.gatheringDueMs !== null &&
    (!isCritical || gate.gatheringDueMs <= soonestMs)
  ) {
    return {
      gate: { ...gate, sentAtMs },
      admission: {
        kind: 'gather',
        gathering: gate.gatherings,
        dueMs: gate.gatheringDueMs,
        opens: false,
      },
    }
  }
  const spacedMs =
    gate.gatheringDueMs === null || isCritical ? 0 : gate.gatheringDueMs + GATHER_INTERVAL_MS
  const dueMs = Math.max(soonestMs, spacedMs, quiet ?? 0)
  const gathering = gate.gatherings + 1
  return {
    gate: { sentAtMs, gatherings: gathering, gatheringDueMs: dueMs },
    admission: { kind: 'gather', gathering, dueMs, opens: true },
  }
}
