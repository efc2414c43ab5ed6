// What workflows need to know of alerts and of what routing decided about them, as they are now, and what they
// note on them.

import type { EpochMs } from '../kernel/time.ts'
import type { NotificationKind } from './routing-store.ts'

export interface AlertFacts {
  readonly id: string
  readonly tenantId: string
  readonly rule: string
  readonly severity: string
  readonly entityType: string
  readonly entityId: string
  readonly summary: string
  /** As shown: resolved too where somebody resolved it by hand. */
  readonly status: string
  readonly acknowledgedBy: string | null
  /** Somebody silenced it, or another alert keeps it quiet. */
  readonly isQuiet: boolean
  readonly labels: Readonly<Record<string, string>>
  readonly value: Readonly<Record<string, unknown>>
  readonly startsAtMs: EpochMs
}

export interface NotificationFacts {
  readonly id: string
  readonly tenantId: string
  readonly kind: NotificationKind
  readonly receiver: string
  readonly channels: readonly string[]
  readonly firing: number
  readonly resolved: number
  /** The worst and newest of them. */
  readonly alerts: readonly AlertFacts[]
}

export interface AlertReader {
  alert(id: string): Promise<AlertFacts | undefined>
  notification(id: string, limit: number): Promise<NotificationFacts | undefined>
  /** Somebody took notice by an answer; where somebody had before, it stays as it is. */
  acknowledge(alertId: string, author: string): Promise<void>
  /** A line on the alert's timeline; the same id twice is one line. */
  comment(
    alertId: string,
    line: { readonly id: string; readonly author: string; readonly text: string },
  ): Promise<void>
}
