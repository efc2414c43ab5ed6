// The routing of alerts as a state machine: changes of alerts, silences and the passing of time go in,
// notifications and marks come out. No clock, no I/O: time is an input, and the same inputs give the same
// notifications with the same ids.
//
//   alert ──► routes that match ──► a group each (route × labels) ──groupWait──► flush ──groupInterval──► flush …
//   flush: not suppressed ──► anything new? all over? repeatInterval passed? ──► one notification of the group
//
// Semantics are Alertmanager's, with people added: who is acknowledged causes no message, and what nobody
// acknowledges in time escalates. What differs is listed in docs/routing.md.

import { derivedId } from '../../kernel/ids.ts'
import type { EpochMs } from '../../kernel/time.ts'
import type {
  AlertMarks,
  AlertNotification,
  NotificationKind,
  RoutedAlert,
  RoutingClaim,
  RoutingStep,
  Silence,
  StoredGroup,
  StoredMember,
} from '../../ports/routing-store.ts'
import {
  allRoutes,
  groupLabels,
  isMuted,
  type Receiver,
  type Route,
  type RouteTable,
  routesFor,
} from './route-table.ts'
import { Suppression } from './suppression.ts'

/** Groups at once. Above it, further alerts of a route share one group of the route: none is dropped. */
export const MAX_GROUPS = 20_000
export const OVERFLOW_LABELS = { overflow: 'true' } as const

type Member = { -readonly [K in keyof StoredMember]: StoredMember[K] }

interface Group extends Omit<StoredGroup, 'escalatedAtMs'> {
  readonly key: string
  readonly members: Map<string, Member>
  sequence: number
  flushAtMs: EpochMs
  notifiedAtMs: EpochMs | null
  escalatedAtMs: (EpochMs | null)[]
  /** The earlier of the next flush and the next escalation. */
  dueMs: EpochMs
}

export type RouterState = Omit<RoutingClaim, 'epoch'>

export class AlertRouter {
  #table: RouteTable
  #routes: ReadonlyMap<string, Route>
  readonly #alerts = new Map<string, RoutedAlert>()
  readonly #groups = new Map<string, Group>()
  readonly #groupsByKey = new Map<string, Group>()
  readonly #groupsOf = new Map<string, Set<Group>>()
  readonly #marks = new Map<string, AlertMarks>()
  readonly #suppression = new Suppression()
  #nextGroup: number
  /** Groups whose next due time is to be found again. */
  readonly #undated = new Set<Group>()
  #step = emptyStep()

  constructor(table: RouteTable, state: RouterState, nowMs: EpochMs) {
    this.#table = table
    this.#routes = routesByPath(table)
    this.#nextGroup = state.nextGroup
    for (const marks of state.marks) this.#marks.set(marks.alertId, marks)
    this.#suppression.setInhibitions(table.inhibitions)
    this.#suppression.setSilences(state.silences, nowMs)
    for (const alert of state.alerts) {
      this.#alerts.set(alert.id, alert)
      this.#suppression.put(alert)
    }
    for (const group of state.groups) this.#restore(group)
    for (const member of state.members) {
      const group = this.#groups.get(member.groupId)
      if (group !== undefined && this.#alerts.has(member.alertId)) this.#join(group, { ...member })
    }
    this.#rearrange(nowMs)
  }

  get groups(): number {
    return this.#groups.size
  }

  /** Another document: alerts are grouped anew; groups that stay keep what they told. */
  configure(table: RouteTable, nowMs: EpochMs): void {
    this.#table = table
    this.#routes = routesByPath(table)
    this.#suppression.setInhibitions(table.inhibitions)
    this.#rearrange(nowMs)
  }

  setSilences(silences: readonly Silence[], nowMs: EpochMs): void {
    this.#suppression.setSilences(silences, nowMs)
  }

  change(alerts: readonly RoutedAlert[], nowMs: EpochMs): void {
    for (const alert of alerts) {
      const known = this.#alerts.get(alert.id)
      if (known === undefined && alert.status === 'resolved') continue
      this.#alerts.set(alert.id, alert)
      this.#suppression.put(alert)
      this.#place(alert, nowMs)
      for (const group of this.#groupsOf.get(alert.id) ?? []) this.#undated.add(group)
      this.#dropIfDone(alert)
    }
  }

  /** Does everything that is due by now. */
  advance(nowMs: EpochMs): void {
    this.#suppression.advance(nowMs)
    this.#mark(nowMs)
    this.#date(nowMs)
    const due = [...this.#groups.values()].filter((group) => group.dueMs <= nowMs)
    due.sort((a, b) => a.dueMs - b.dueMs || (a.id < b.id ? -1 : 1))
    for (const group of due) {
      if (group.flushAtMs <= nowMs) this.#flush(group, nowMs)
      if (this.#groups.has(group.id)) this.#escalate(group, nowMs)
    }
    this.#date(nowMs)
  }

  /** When something will be due next, if nothing changes before; infinite where nothing will. */
  nextDueMs(): EpochMs {
    let least = Number.POSITIVE_INFINITY
    for (const { dueMs } of this.#groups.values()) if (dueMs < least) least = dueMs
    return least
  }

  /** What was decided since the last call, to be made permanent as one. */
  take(changes: readonly number[]): RoutingStep {
    const { groups, members, removedGroups, removedMembers, notifications, marks } = this.#step
    this.#step = emptyStep()
    return {
      changes,
      nextGroup: this.#nextGroup,
      groups: [...groups].map(storedGroup),
      removedGroups,
      members: [...members].map((member) => ({ ...member })),
      removedMembers,
      notifications,
      marks,
    }
  }

  #restore(stored: StoredGroup): void {
    const key = keyOf(stored.tenantId, stored.route, stored.labels)
    const group: Group = {
      ...stored,
      escalatedAtMs: [...stored.escalatedAtMs],
      key,
      members: new Map(),
      dueMs: stored.flushAtMs,
    }
    this.#groups.set(group.id, group)
    this.#groupsByKey.set(key, group)
    this.#undated.add(group)
  }

  #rearrange(nowMs: EpochMs): void {
    for (const alert of [...this.#alerts.values()]) {
      this.#place(alert, nowMs)
      this.#dropIfDone(alert)
    }
    for (const group of [...this.#groups.values()]) {
      if (!this.#routes.has(group.route) || group.members.size === 0) this.#remove(group)
      else this.#undated.add(group)
    }
  }

  /** Puts an alert into the groups where it belongs, and takes it out of others. */
  #place(alert: RoutedAlert, nowMs: EpochMs): void {
    const routes = alert.status === 'firing' ? routesFor(this.#table.root, alert.labels) : []
    const belongs = new Set(routes.map((route) => this.#groupFor(route, alert, nowMs)))
    for (const group of [...(this.#groupsOf.get(alert.id) ?? [])]) {
      const stays =
        belongs.has(group) || (alert.status !== 'firing' && this.#routes.has(group.route))
      if (!stays) this.#leave(group, alert.id)
    }
    for (const group of belongs) {
      const member = group.members.get(alert.id)
      if (member === undefined) {
        const made: Member = {
          groupId: group.id,
          alertId: alert.id,
          told: 'nothing',
          toldAtMs: null,
          escalated: 0,
        }
        this.#join(group, made)
        this.#step.members.add(made)
      }
    }
  }

  #groupFor(route: Route, alert: RoutedAlert, nowMs: EpochMs): Group {
    const wanted = groupLabels(route, alert.labels)
    const present = this.#groupsByKey.get(keyOf(alert.tenantId, route.path, wanted))
    if (present !== undefined) return present
    const labels = this.#groups.size < MAX_GROUPS ? wanted : OVERFLOW_LABELS
    const key = keyOf(alert.tenantId, route.path, labels)
    const overflow = this.#groupsByKey.get(key)
    if (overflow !== undefined) return overflow
    const group: Group = {
      id: derivedId('alert-group', key, this.#nextGroup),
      tenantId: alert.tenantId,
      route: route.path,
      labels,
      key,
      members: new Map(),
      sequence: 0,
      flushAtMs: nowMs + route.groupWaitMs,
      notifiedAtMs: null,
      escalatedAtMs: [],
      dueMs: nowMs + route.groupWaitMs,
    }
    this.#nextGroup += 1
    this.#groups.set(group.id, group)
    this.#groupsByKey.set(key, group)
    this.#step.groups.add(group)
    return group
  }

  #join(group: Group, member: Member): void {
    group.members.set(member.alertId, member)
    this.#undated.add(group)
    const groups = this.#groupsOf.get(member.alertId)
    if (groups === undefined) this.#groupsOf.set(member.alertId, new Set([group]))
    else groups.add(group)
  }

  #leave(group: Group, alertId: string): void {
    const member = group.members.get(alertId)
    if (member === undefined) return
    group.members.delete(alertId)
    this.#step.members.delete(member)
    this.#step.removedMembers.push({ groupId: group.id, alertId })
    const groups = this.#groupsOf.get(alertId)
    groups?.delete(group)
    if (groups?.size === 0) this.#groupsOf.delete(alertId)
    if (group.members.size === 0) this.#remove(group)
    else this.#undated.add(group)
  }

  #remove(group: Group): void {
    for (const id of [...group.members.keys()]) {
      const member = group.members.get(id)
      if (member !== undefined) this.#step.members.delete(member)
      group.members.delete(id)
      const groups = this.#groupsOf.get(id)
      groups?.delete(group)
      if (groups?.size === 0) this.#groupsOf.delete(id)
    }
    this.#groups.delete(group.id)
    this.#groupsByKey.delete(group.key)
    this.#undated.delete(group)
    this.#step.groups.delete(group)
    this.#step.removedGroups.push(group.id)
  }

  /** Its marks stay as they were when it ended. */
  #dropIfDone({ id, status }: RoutedAlert): void {
    if (status !== 'resolved' || this.#groupsOf.has(id)) return
    this.#alerts.delete(id)
    this.#marks.delete(id)
    this.#suppression.forget(id)
  }

  #mark(nowMs: EpochMs): void {
    const touched = [...this.#suppression.touched].sort()
    this.#suppression.touched.clear()
    for (const id of touched) {
      for (const group of this.#groupsOf.get(id) ?? []) this.#undated.add(group)
      const alert = this.#alerts.get(id)
      if (alert === undefined || alert.status === 'resolved') continue
      const silencedBy = this.#suppression.silencedBy(id, nowMs)
      const inhibitedBy = this.#suppression.inhibitedBy(id)
      const before = this.#marks.get(id)
      if (same(before?.silencedBy, silencedBy) && same(before?.inhibitedBy, inhibitedBy)) continue
      const marks = { alertId: id, silencedBy, inhibitedBy }
      if (silencedBy.length + inhibitedBy.length > 0) this.#marks.set(id, marks)
      else this.#marks.delete(id)
      this.#step.marks.push(marks)
    }
  }

  #date(nowMs: EpochMs): void {
    for (const group of this.#undated) {
      group.dueMs = Math.min(group.flushAtMs, this.#escalationDueMs(group, nowMs))
    }
    this.#undated.clear()
  }

  #flush(group: Group, nowMs: EpochMs): void {
    const route = this.#routeOf(group)
    group.flushAtMs = nowMs + route.groupIntervalMs
    this.#step.groups.add(group)
    this.#undated.add(group)
    if (!isMuted(route, nowMs)) this.#notifyWhereDue(group, route, nowMs)
    for (const [id, member] of [...group.members]) {
      const alert = this.#alerts.get(id)
      if (alert?.status === 'firing') continue
      this.#leave(group, member.alertId)
      if (alert !== undefined) this.#dropIfDone(alert)
    }
  }

  #notifyWhereDue(group: Group, route: Route, nowMs: EpochMs): void {
    const told = this.#audible(group, nowMs)
    const firing = told.filter(({ alertId }) => this.#isFiring(alertId))
    const ended = told.filter((each) => each.told === 'firing' && !this.#isFiring(each.alertId))
    const kind = this.#kindOf(group, route, { firing, ended }, nowMs)
    if (kind === undefined) return
    const resolved = route.receiver.sendResolved ? ended : []
    this.#notify(group, { kind, step: 0, receiver: route.receiver, firing, resolved }, nowMs)
    group.notifiedAtMs = nowMs
    for (const member of firing) {
      if (member.told !== 'firing') {
        member.told = 'firing'
        member.toldAtMs = nowMs
        this.#step.members.add(member)
      }
    }
  }

  #kindOf(
    group: Group,
    route: Route,
    { firing, ended }: { readonly firing: readonly Member[]; readonly ended: readonly Member[] },
    nowMs: EpochMs,
  ): NotificationKind | undefined {
    const waits = firing.filter(({ alertId }) => this.#alerts.get(alertId)?.acknowledged === false)
    if (waits.some(({ told }) => told === 'nothing')) return 'firing'
    if (ended.length > 0 && route.receiver.sendResolved) return 'resolved'
    const repeats =
      group.notifiedAtMs !== null && group.notifiedAtMs + route.repeatIntervalMs <= nowMs
    return repeats && waits.length > 0 ? 'repeat' : undefined
  }

  #escalate(group: Group, nowMs: EpochMs): void {
    const route = this.#routeOf(group)
    route.escalate.forEach((step, index) => {
      if (this.#stepDueMs(group, index, nowMs) > nowMs) return
      group.escalatedAtMs[index] = nowMs
      this.#step.groups.add(group)
      this.#undated.add(group)
      // Held back; it is looked at again after the interval of the group.
      if (isMuted(route, nowMs)) return
      const firing = this.#unanswered(group, index, nowMs).filter(
        ({ toldAtMs }) => toldAtMs !== null && toldAtMs + step.afterMs <= nowMs,
      )
      for (const member of firing) {
        member.escalated = index + 1
        this.#step.members.add(member)
      }
      const { receiver } = step
      this.#notify(
        group,
        { kind: 'escalation', step: index + 1, receiver, firing, resolved: [] },
        nowMs,
      )
    })
  }

  #escalationDueMs(group: Group, nowMs: EpochMs): EpochMs {
    const steps = this.#routeOf(group).escalate
    return steps.reduce(
      (least, _, index) => Math.min(least, this.#stepDueMs(group, index, nowMs)),
      Number.POSITIVE_INFINITY,
    )
  }

  /** Alerts of a group escalate together: a step is taken at most once in an interval of the group. */
  #stepDueMs(group: Group, index: number, nowMs: EpochMs): EpochMs {
    const route = this.#routeOf(group)
    const step = route.escalate[index]
    if (step === undefined) return Number.POSITIVE_INFINITY
    let dueMs = Number.POSITIVE_INFINITY
    for (const { toldAtMs } of this.#unanswered(group, index, nowMs)) {
      if (toldAtMs !== null) dueMs = Math.min(dueMs, toldAtMs + step.afterMs)
    }
    const lastMs = group.escalatedAtMs[index] ?? null
    return lastMs === null ? dueMs : Math.max(dueMs, lastMs + route.groupIntervalMs)
  }

  /** Told, still firing, acknowledged by nobody, and not yet through this step. */
  #unanswered(group: Group, index: number, nowMs: EpochMs): readonly Member[] {
    return [...group.members.values()].filter((member) => {
      if (member.told !== 'firing' || member.escalated > index) return false
      const alert = this.#alerts.get(member.alertId)
      if (alert?.status !== 'firing' || alert.acknowledged) return false
      return !this.#suppression.isSuppressed(member.alertId, nowMs)
    })
  }

  #audible(group: Group, nowMs: EpochMs): readonly Member[] {
    return [...group.members.values()].filter(
      ({ alertId }) => !this.#suppression.isSuppressed(alertId, nowMs),
    )
  }

  #notify(
    group: Group,
    said: {
      readonly kind: NotificationKind
      readonly step: number
      readonly receiver: Receiver
      readonly firing: readonly Member[]
      readonly resolved: readonly Member[]
    },
    nowMs: EpochMs,
  ): void {
    group.sequence += 1
    const notification: AlertNotification = {
      id: derivedId('alert-notification', group.id, group.sequence),
      tenantId: group.tenantId,
      groupId: group.id,
      sequence: group.sequence,
      kind: said.kind,
      step: said.step,
      route: group.route,
      receiver: said.receiver.name,
      channels: said.receiver.channels,
      groupLabels: group.labels,
      atMs: nowMs,
      firing: said.firing.map(({ alertId }) => alertId).sort(),
      resolved: said.resolved.map(({ alertId }) => alertId).sort(),
    }
    this.#step.notifications.push(notification)
  }

  #isFiring(alertId: string): boolean {
    return this.#alerts.get(alertId)?.status === 'firing'
  }

  #routeOf(group: Group): Route {
    return this.#routes.get(group.route) ?? this.#table.root
  }
}

function emptyStep() {
  return {
    groups: new Set<Group>(),
    members: new Set<Member>(),
    removedGroups: [] as string[],
    removedMembers: [] as { groupId: string; alertId: string }[],
    notifications: [] as AlertNotification[],
    marks: [] as AlertMarks[],
  }
}

function routesByPath({ root }: RouteTable): ReadonlyMap<string, Route> {
  return new Map([...allRoutes(root)].map((route) => [route.path, route]))
}

function keyOf(tenantId: string, route: string, labels: Readonly<Record<string, string>>): string {
  const names = Object.keys(labels).sort()
  return JSON.stringify([tenantId, route, names.map((name) => [name, labels[name]])])
}

function storedGroup(group: Group): StoredGroup {
  const { id, tenantId, route, labels, sequence, flushAtMs, notifiedAtMs, escalatedAtMs } = group
  return {
    id,
    tenantId,
    route,
    labels,
    sequence,
    flushAtMs,
    notifiedAtMs,
    escalatedAtMs: [...escalatedAtMs],
  }
}

function same(before: readonly string[] | undefined, now: readonly string[]): boolean {
  if (before === undefined) return now.length === 0
  return before.length === now.length && before.every((id, index) => id === now[index])
}
