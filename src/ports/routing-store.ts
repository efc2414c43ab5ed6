// Where the routing of alerts keeps what it knows: changes that wait for it, its groups, and the notifications
// it decided on. One process owns it at a time; every write carries the epoch of its claim.

import type { DurationMs, EpochMs } from '../kernel/time.ts'
import type { AlertStatus } from './alert.ts'

export type MatchOperator = '=' | '!=' | '=~' | '!~'

export interface SilenceMatcher {
  readonly name: string
  readonly operator: MatchOperator
  readonly value: string
}

export interface Silence {
  readonly id: string
  readonly tenantId: string
  readonly matchers: readonly SilenceMatcher[]
  /** `[fromMs, toMs)` of the wall clock. */
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
}

/** What routing needs to know of an alert. */
export interface RoutedAlert {
  readonly id: string
  readonly tenantId: string
  /** As shown: resolved too where somebody resolved it by hand. */
  readonly status: AlertStatus
  readonly acknowledged: boolean
  /** With `rule`, `severity`, `entityType` and `entityId` among them. */
  readonly labels: Readonly<Record<string, string>>
}

/** What keeps an alert from notifying anybody, by id. */
export interface AlertMarks {
  readonly alertId: string
  readonly silencedBy: readonly string[]
  readonly inhibitedBy: readonly string[]
}

export interface StoredGroup {
  readonly id: string
  readonly tenantId: string
  /** Path of its route in the tree. */
  readonly route: string
  readonly labels: Readonly<Record<string, string>>
  /** Notifications so far; numbers the next one. */
  readonly sequence: number
  /** When it is looked at next. */
  readonly flushAtMs: EpochMs
  readonly notifiedAtMs: EpochMs | null
  /** When each step of the escalation was last taken. */
  readonly escalatedAtMs: readonly (EpochMs | null)[]
}

export interface StoredMember {
  readonly groupId: string
  readonly alertId: string
  /** What the receiver was last told of it. */
  readonly told: 'nothing' | 'firing'
  /** When it was first told that it fires. */
  readonly toldAtMs: EpochMs | null
  /** Steps of the escalation taken for it. */
  readonly escalated: number
}

export type NotificationKind = 'firing' | 'resolved' | 'repeat' | 'escalation'

export interface AlertNotification {
  /** Derived from group and sequence: the same decision has the same id. */
  readonly id: string
  readonly tenantId: string
  readonly groupId: string
  readonly sequence: number
  readonly kind: NotificationKind
  /** Of an escalation, from 1; 0 otherwise. */
  readonly step: number
  readonly route: string
  readonly receiver: string
  readonly channels: readonly string[]
  readonly groupLabels: Readonly<Record<string, string>>
  readonly atMs: EpochMs
  readonly firing: readonly string[]
  readonly resolved: readonly string[]
}

/** What one step of the routing decided; written as a whole or not at all. */
export interface RoutingStep {
  /** Numbers of the changes that it took account of. */
  readonly changes: readonly number[]
  readonly nextGroup: number
  readonly groups: readonly StoredGroup[]
  readonly removedGroups: readonly string[]
  readonly members: readonly StoredMember[]
  readonly removedMembers: readonly { readonly groupId: string; readonly alertId: string }[]
  readonly notifications: readonly AlertNotification[]
  readonly marks: readonly AlertMarks[]
}

export interface RoutingClaim {
  readonly epoch: number
  readonly nextGroup: number
  readonly groups: readonly StoredGroup[]
  readonly members: readonly StoredMember[]
  /** Open alerts, and those that are members of a group. */
  readonly alerts: readonly RoutedAlert[]
  /** Of those that have any. */
  readonly marks: readonly AlertMarks[]
  readonly silences: readonly Silence[]
}

export interface RoutingChanges {
  readonly numbers: readonly number[]
  readonly alerts: readonly RoutedAlert[]
  /** Silences that have not ended, where one of them changed; null where none did. */
  readonly silences: readonly Silence[] | null
  /** Alerts whose handling the database changed by itself: the live feed does not know yet. */
  readonly untold: readonly string[]
}

/** What is in force, for whoever shows it. */
export interface RoutingInForce {
  readonly source: string
  readonly text: string
  /** Why the newest file is not in force; null where it is. */
  readonly problem: string | null
}

export interface RoutingStore {
  /** Null while another owner's lease holds. Whoever held it before is fenced from now on. */
  claim(owner: string, leaseMs: DurationMs): Promise<RoutingClaim | null>
  /** Oldest changes first; they wait until a step that names them is committed. */
  changes(limit: number): Promise<RoutingChanges>
  /** One transaction, which renews the lease. `fenced`: somebody else owns it, and nothing was written. */
  commit(
    owner: { readonly epoch: number; readonly leaseMs: DurationMs },
    step: RoutingStep,
  ): Promise<'committed' | 'fenced'>
  /** Says what is in force; ignored where the epoch is no longer ours. */
  report(epoch: number, inForce: RoutingInForce): Promise<void>
  /** Ends the lease, so that another may claim at once. */
  release(epoch: number): Promise<void>
}
