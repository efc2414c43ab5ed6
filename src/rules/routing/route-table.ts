// A routing document, compiled: which routes an alert takes, what each of them does, what hides what.

import type { DurationMs, EpochMs } from '../../kernel/time.ts'
import type { IsWithin } from '../schedule.ts'
import { type Labels, type Matcher, matchesAll } from './matcher.ts'

export interface Receiver {
  readonly name: string
  readonly channels: readonly string[]
  /** Whether it hears of the end as well. */
  readonly sendResolved: boolean
}

export interface EscalationStep {
  readonly afterMs: DurationMs
  readonly receiver: Receiver
}

export interface Route {
  /** Names it in groups and notifications: the matchers from the root down. */
  readonly path: string
  readonly receiver: Receiver
  readonly matchers: readonly Matcher[]
  /** Null: by all labels. */
  readonly groupBy: readonly string[] | null
  readonly groupWaitMs: DurationMs
  readonly groupIntervalMs: DurationMs
  readonly repeatIntervalMs: DurationMs
  /** Siblings after it are asked as well. */
  readonly continues: boolean
  readonly muteDuring: readonly IsWithin[]
  /** Empty: always. */
  readonly activeDuring: readonly IsWithin[]
  readonly escalate: readonly EscalationStep[]
  readonly routes: readonly Route[]
}

/** A firing source hides targets that have the same values of the labels named. */
export interface Inhibition {
  readonly source: readonly Matcher[]
  readonly target: readonly Matcher[]
  readonly equal: readonly string[]
}

export interface RouteTable {
  readonly root: Route
  readonly inhibitions: readonly Inhibition[]
}

/** The deepest routes that match, as in Alertmanager: a parent takes what none of its children does. */
export function routesFor(route: Route, labels: Labels): readonly Route[] {
  if (!matchesAll(route.matchers, labels)) return []
  const found: Route[] = []
  for (const child of route.routes) {
    const taken = routesFor(child, labels)
    found.push(...taken)
    if (taken.length > 0 && !child.continues) break
  }
  return found.length > 0 ? found : [route]
}

export function groupLabels({ groupBy }: Route, labels: Labels): Labels {
  const names = groupBy ?? Object.keys(labels)
  return Object.fromEntries(
    [...names].sort().flatMap((name) => {
      const value = Object.hasOwn(labels, name) ? labels[name] : undefined
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

export function isMuted({ muteDuring, activeDuring }: Route, atMs: EpochMs): boolean {
  if (muteDuring.some((isWithin) => isWithin(atMs))) return true
  return activeDuring.length > 0 && !activeDuring.some((isWithin) => isWithin(atMs))
}

export function* allRoutes(route: Route): Iterable<Route> {
  yield route
  for (const child of route.routes) yield* allRoutes(child)
}
