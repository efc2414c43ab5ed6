// The same semantics as the router's, said as plainly as can be: no index, nothing kept that could be worked
// out again, every question answered by looking at everything. For tests alone.

import type { EpochMs } from '../../kernel/time.ts'
import type { NotificationKind, RoutedAlert, Silence } from '../../ports/routing-store.ts'
import { compileMatcher, matchesAll } from './matcher.ts'
import { groupLabels, isMuted, type Route, type RouteTable, routesFor } from './route-table.ts'

export interface Said {
  readonly kind: NotificationKind
  readonly step: number
  readonly route: string
  readonly receiver: string
  readonly labels: Readonly<Record<string, string>>
  readonly atMs: EpochMs
  readonly firing: readonly string[]
  readonly resolved: readonly string[]
}

interface Bag {
  readonly route: Route
  readonly labels: Readonly<Record<string, string>>
  readonly tenantId: string
  readonly told: Map<string, { firstMs: EpochMs; steps: number } | null>
  nextMs: EpochMs
  lastMs: EpochMs | null
  readonly stepMs: Map<number, EpochMs>
}

export class ReferenceRouting {
  readonly said: Said[] = []
  readonly alerts = new Map<string, RoutedAlert>()
  readonly #table: RouteTable
  #silences: readonly Silence[] = []
  #bags: Bag[] = []

  constructor(table: RouteTable) {
    this.#table = table
  }

  setSilences(silences: readonly Silence[]): void {
    this.#silences = silences
  }

  change(alert: RoutedAlert, nowMs: EpochMs): void {
    if (!this.alerts.has(alert.id) && alert.status === 'resolved') return
    this.alerts.set(alert.id, alert)
    const routes = alert.status === 'firing' ? routesFor(this.#table.root, alert.labels) : []
    const isBag = (bag: Bag, route: Route): boolean =>
      bag.route === route &&
      bag.tenantId === alert.tenantId &&
      JSON.stringify(bag.labels) === JSON.stringify(groupLabels(route, alert.labels))
    if (alert.status === 'firing') {
      for (const bag of this.#bags) {
        if (!routes.some((route) => isBag(bag, route))) bag.told.delete(alert.id)
      }
    }
    for (const route of routes) {
      let bag = this.#bags.find((each) => isBag(each, route))
      if (bag === undefined) {
        bag = {
          route,
          labels: groupLabels(route, alert.labels),
          tenantId: alert.tenantId,
          told: new Map(),
          nextMs: nowMs + route.groupWaitMs,
          lastMs: null,
          stepMs: new Map(),
        }
        this.#bags.push(bag)
      }
      if (!bag.told.has(alert.id)) bag.told.set(alert.id, null)
    }
    this.#tidy()
  }

  advance(nowMs: EpochMs): void {
    for (const bag of this.#bags) {
      if (bag.nextMs <= nowMs) this.#flush(bag, nowMs)
      this.#escalate(bag, nowMs)
    }
    this.#tidy()
  }

  silencedBy(alert: RoutedAlert, nowMs: EpochMs): readonly string[] {
    return this.#silences
      .filter(
        ({ tenantId, fromMs, toMs }) =>
          tenantId === alert.tenantId && fromMs <= nowMs && nowMs < toMs,
      )
      .filter(({ matchers }) =>
        matchers.every((each) => {
          const compiled = compileMatcher(each)
          return compiled.ok && compiled.value.matches(alert.labels)
        }),
      )
      .map(({ id }) => id)
      .sort()
  }

  inhibitedBy(alert: RoutedAlert): readonly string[] {
    const found = new Set<string>()
    for (const { source, target, equal } of this.#table.inhibitions) {
      if (!matchesAll(target, alert.labels)) continue
      for (const other of this.alerts.values()) {
        if (other.id === alert.id || other.status !== 'firing') continue
        if (other.tenantId !== alert.tenantId || !matchesAll(source, other.labels)) continue
        if (equal.some((name) => other.labels[name] !== alert.labels[name])) continue
        if (matchesAll(source, alert.labels) && matchesAll(target, other.labels)) continue
        found.add(other.id)
      }
    }
    return [...found].sort()
  }

  #hears(id: string, nowMs: EpochMs): boolean {
    const alert = this.alerts.get(id)
    if (alert === undefined) return false
    return this.silencedBy(alert, nowMs).length === 0 && this.inhibitedBy(alert).length === 0
  }

  #flush(bag: Bag, nowMs: EpochMs): void {
    const { route, told } = bag
    bag.nextMs = nowMs + route.groupIntervalMs
    if (!isMuted(route, nowMs)) {
      const heard = [...told.keys()].filter((id) => this.#hears(id, nowMs))
      const firing = heard.filter((id) => this.alerts.get(id)?.status === 'firing')
      const ended = heard.filter((id) => !firing.includes(id) && told.get(id) !== null)
      const waiting = firing.filter((id) => this.alerts.get(id)?.acknowledged === false)
      const repeats = bag.lastMs !== null && bag.lastMs + route.repeatIntervalMs <= nowMs
      const kind = waiting.some((id) => told.get(id) === null)
        ? 'firing'
        : ended.length > 0 && route.receiver.sendResolved
          ? 'resolved'
          : repeats && waiting.length > 0
            ? 'repeat'
            : undefined
      if (kind !== undefined) {
        const resolved = route.receiver.sendResolved ? ended : []
        this.#say(bag, { kind, step: 0, receiver: route.receiver.name, firing, resolved }, nowMs)
        bag.lastMs = nowMs
        for (const id of firing) {
          if (told.get(id) === null) told.set(id, { firstMs: nowMs, steps: 0 })
        }
      }
    }
    for (const id of [...told.keys()]) {
      if (this.alerts.get(id)?.status !== 'firing') told.delete(id)
    }
  }

  #escalate(bag: Bag, nowMs: EpochMs): void {
    bag.route.escalate.forEach((step, index) => {
      const due = [...bag.told].flatMap(([id, told]) => {
        const alert = this.alerts.get(id)
        const unanswered =
          alert?.status === 'firing' && !alert.acknowledged && this.#hears(id, nowMs)
        return told !== null &&
          unanswered &&
          told.steps <= index &&
          told.firstMs + step.afterMs <= nowMs
          ? [{ id, told }]
          : []
      })
      const lastMs = bag.stepMs.get(index)
      if (due.length === 0) return
      if (lastMs !== undefined && lastMs + bag.route.groupIntervalMs > nowMs) return
      bag.stepMs.set(index, nowMs)
      if (isMuted(bag.route, nowMs)) return
      for (const { told } of due) told.steps = index + 1
      const firing = due.map(({ id }) => id)
      this.#say(
        bag,
        { kind: 'escalation', step: index + 1, receiver: step.receiver.name, firing, resolved: [] },
        nowMs,
      )
    })
  }

  #say(bag: Bag, said: Omit<Said, 'route' | 'labels' | 'atMs'>, atMs: EpochMs): void {
    const firing = [...said.firing].sort()
    const resolved = [...said.resolved].sort()
    this.said.push({ ...said, firing, resolved, route: bag.route.path, labels: bag.labels, atMs })
  }

  #tidy(): void {
    this.#bags = this.#bags.filter(({ told }) => told.size > 0)
    for (const [id, { status }] of this.alerts) {
      const isHeld = this.#bags.some(({ told }) => told.has(id))
      if (status === 'resolved' && !isHeld) this.alerts.delete(id)
    }
  }
}
