// What keeps alerts from notifying: silences that are in force, and firing alerts that inhibit them. Kept up
// with every change, so that a change costs what it concerns.

import type { EpochMs } from '../../kernel/time.ts'
import type { RoutedAlert, Silence } from '../../ports/routing-store.ts'
import { compileMatcher, type Matcher, matchesAll } from './matcher.ts'
import type { Inhibition } from './route-table.ts'

/** Inhibiting alerts that are named in the marks of one. */
export const MAX_INHIBITORS = 10

interface CompiledSilence extends Silence {
  readonly compiled: readonly Matcher[]
}

interface Sides {
  readonly key: string
  readonly isSource: boolean
  readonly isTarget: boolean
}

interface Known {
  readonly alert: RoutedAlert
  /** Silences that match, whether their time has come or not. */
  silences: readonly CompiledSilence[]
  /** One for each inhibition. */
  readonly sides: readonly Sides[]
}

interface Index {
  /** Firing sources by key; true where they are targets too. */
  readonly sources: Map<string, Map<string, boolean>>
  readonly targets: Map<string, Set<string>>
}

export class Suppression {
  /** Alerts whose marks may differ since they were last asked for. */
  readonly touched = new Set<string>()
  readonly #known = new Map<string, Known>()
  #silences: readonly CompiledSilence[] = []
  #inhibitions: readonly Inhibition[] = []
  #indexes: readonly Index[] = []
  #boundaryMs: EpochMs = Number.POSITIVE_INFINITY

  setInhibitions(inhibitions: readonly Inhibition[]): void {
    const alerts = [...this.#known.values()].map(({ alert }) => alert)
    for (const { id } of alerts) this.forget(id)
    this.#inhibitions = inhibitions
    this.#indexes = inhibitions.map(() => ({ sources: new Map(), targets: new Map() }))
    for (const alert of alerts) this.put(alert)
  }

  setSilences(silences: readonly Silence[], nowMs: EpochMs): void {
    this.#silences = silences.flatMap((silence) => {
      const compiled = silence.matchers.map(compileMatcher)
      // What was checked when it was made; one that can't be read silences nothing.
      if (compiled.length === 0 || compiled.some(({ ok }) => !ok)) return []
      return [{ ...silence, compiled: compiled.flatMap((each) => (each.ok ? [each.value] : [])) }]
    })
    for (const [id, known] of this.#known) {
      const before = known.silences
      known.silences = this.#matching(known.alert)
      if (before.length > 0 || known.silences.length > 0) this.touched.add(id)
    }
    this.#setBoundary(nowMs)
  }

  put(alert: RoutedAlert): void {
    this.forget(alert.id)
    const sides = this.#inhibitions.map((inhibition) => sidesOf(inhibition, alert))
    this.#known.set(alert.id, { alert, silences: this.#matching(alert), sides })
    this.touched.add(alert.id)
    sides.forEach(({ key, isSource, isTarget }, rule) => {
      const index = this.#indexes[rule]
      if (index === undefined) return
      if (isTarget) setIn(index.targets, key, () => new Set<string>()).add(alert.id)
      if (isSource && alert.status === 'firing') {
        setIn(index.sources, key, () => new Map<string, boolean>()).set(alert.id, isTarget)
        this.#touchTargets(index, key)
      }
    })
  }

  forget(id: string): void {
    const known = this.#known.get(id)
    if (known === undefined) return
    this.#known.delete(id)
    known.sides.forEach(({ key }, rule) => {
      const index = this.#indexes[rule]
      if (index === undefined) return
      deleteIn(index.targets, key, id)
      if (deleteIn(index.sources, key, id)) this.#touchTargets(index, key)
    })
  }

  /** Silences that begin or end by the time touch what they match. */
  advance(nowMs: EpochMs): void {
    if (nowMs < this.#boundaryMs) return
    for (const [id, { silences }] of this.#known) if (silences.length > 0) this.touched.add(id)
    this.#setBoundary(nowMs)
  }

  silencedBy(id: string, nowMs: EpochMs): readonly string[] {
    const silences = this.#known.get(id)?.silences ?? []
    if (silences.length === 0) return []
    return silences
      .filter(({ fromMs, toMs }) => fromMs <= nowMs && nowMs < toMs)
      .map((silence) => silence.id)
      .sort()
  }

  /** An alert never inhibits itself, nor do two that are sources and targets alike. */
  inhibitedBy(id: string): readonly string[] {
    const found = new Set<string>()
    this.#known.get(id)?.sides.forEach(({ key, isSource, isTarget }, rule) => {
      if (!isTarget) return
      for (const [source, isTargetToo] of this.#indexes[rule]?.sources.get(key) ?? []) {
        if (source !== id && !(isSource && isTargetToo)) found.add(source)
      }
    })
    return found.size === 0 ? [] : [...found].sort().slice(0, MAX_INHIBITORS)
  }

  isSuppressed(id: string, nowMs: EpochMs): boolean {
    return this.silencedBy(id, nowMs).length > 0 || this.inhibitedBy(id).length > 0
  }

  #matching(alert: RoutedAlert): readonly CompiledSilence[] {
    return this.#silences.filter(
      ({ tenantId, compiled }) => tenantId === alert.tenantId && matchesAll(compiled, alert.labels),
    )
  }

  #touchTargets(index: Index, key: string): void {
    for (const target of index.targets.get(key) ?? []) this.touched.add(target)
  }

  #setBoundary(nowMs: EpochMs): void {
    const times = this.#silences.flatMap(({ fromMs, toMs }) => [fromMs, toMs])
    this.#boundaryMs = times.reduce(
      (least, time) => (time > nowMs && time < least ? time : least),
      Number.POSITIVE_INFINITY,
    )
  }
}

function sidesOf({ source, target, equal }: Inhibition, alert: RoutedAlert): Sides {
  const { labels, tenantId } = alert
  const value = (name: string) => (Object.hasOwn(labels, name) ? labels[name] : '')
  return {
    key: JSON.stringify([tenantId, ...equal.map(value)]),
    isSource: matchesAll(source, labels),
    isTarget: matchesAll(target, labels),
  }
}

function setIn<V>(map: Map<string, V>, key: string, make: () => V): V {
  const present = map.get(key)
  if (present !== undefined) return present
  const made = make()
  map.set(key, made)
  return made
}

function deleteIn(
  map: Map<string, Set<string> | Map<string, boolean>>,
  key: string,
  id: string,
): boolean {
  const members = map.get(key)
  if (members === undefined || !members.delete(id)) return false
  if (members.size === 0) map.delete(key)
  return true
}
