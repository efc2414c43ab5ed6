// The alert as everybody outside meets it: on the feed, in the log, in Postgres, over HTTP.

import type { Position } from '../kernel/ids.ts'
import type { EpochMs } from '../kernel/time.ts'

export type Severity = 'critical' | 'major' | 'minor' | 'warning' | 'info'
export type AlertStatus = 'pending' | 'firing' | 'resolved'
export type FieldValue = string | number | boolean | null

export interface Alert {
  readonly id: string
  readonly tenantId: string
  readonly rule: string
  readonly ruleVersion: number
  readonly severity: Severity
  readonly entityType: string
  readonly entityId: string
  readonly status: AlertStatus
  /** Event time at which the condition became true. */
  readonly startsAtMs: EpochMs
  /** Event time at which it was seen to be over; null while it holds. */
  readonly endsAtMs: EpochMs | null
  /** Event time of the newest event that the alert takes account of. */
  readonly updatedAtMs: EpochMs
  /** Starts at 1 and grows with every change that is published. */
  readonly revision: number
  readonly summary: string
  readonly labels: Readonly<Record<string, string>>
  /** Fields of the event that opened it. */
  readonly value: Readonly<Record<string, FieldValue>>
  /** Fields of the worst event so far. */
  readonly peak: Readonly<Record<string, FieldValue>>
  /** Events during which the condition held. */
  readonly count: number
  /** A late event showed that the episode never was: it ended before it began. */
  readonly withdrawn: boolean
  /** The event that opened it. */
  readonly position: Position
  /** The event at which the latest change was seen. */
  readonly changedBy: Position
  /** When the event that caused the latest change was received, for latency figures. */
  readonly receivedAtMs: EpochMs
}

/** What people did about an alert. */
export interface Handling {
  /** ISO 8601. */
  readonly acknowledgedAt: string | null
  readonly acknowledgedBy: string | null
  readonly assignee: string | null
  /** Resolved by hand; the stream may still see the condition hold. */
  readonly resolvedAt: string | null
  readonly resolvedBy: string | null
  /** How bad it was then. */
  readonly resolvedSeverity: Severity | null
  readonly falseAlarmAt: string | null
  readonly falseAlarmBy: string | null
  /** Silences that keep it from notifying anybody. */
  readonly silencedBy: readonly string[]
  /** Alerts that do, by an inhibition. */
  readonly inhibitedBy: readonly string[]
  /** Grows with every change of the above. */
  readonly handlingRevision: number
}

export const UNHANDLED: Handling = {
  acknowledgedAt: null,
  acknowledgedBy: null,
  assignee: null,
  resolvedAt: null,
  resolvedBy: null,
  resolvedSeverity: null,
  falseAlarmAt: null,
  falseAlarmBy: null,
  silencedBy: [],
  inhibitedBy: [],
  handlingRevision: 0,
}
