// The guards of all rules of a set, put together: one look at each number and text says which rules wake.

import type { Guard, OrderGuard } from './guard.ts'
import type { PlaceSet } from './place-set.ts'

/** Marks what it wakes; everything else cannot hold at this event. */
type Look = (woken: PlaceSet) => void

export class WakeIndex {
  /** Rules without a guard: they are tested at every event. */
  readonly #always: readonly number[]
  readonly #looks: readonly Look[]

  /** Guards of each rule, at its place; null where it has none. */
  constructor(guards: readonly (readonly Guard[] | null)[]) {
    const placed = guards.flatMap(
      (each, place) => each?.map((guard): Placed => ({ guard, place })) ?? [],
    )
    this.#always = guards.flatMap((each, place) => (each === null ? [place] : []))
    const groups = Map.groupBy(placed, ({ guard }) => `${guard.kind} ${guard.text}`)
    this.#looks = [...groups.values()].map(lookOf)
  }

  wake(woken: PlaceSet): void {
    for (const place of this.#always) woken.add(place)
    for (const look of this.#looks) look(woken)
  }
}

interface Placed {
  readonly guard: Guard
  readonly place: number
}

function lookOf(group: readonly Placed[]): Look {
  const guard = group[0]?.guard
  switch (guard?.kind) {
    case undefined:
      return () => {}
    case 'at-least':
      return atLeast(
        guard.value,
        sorted(group, (a, b) => a - b),
      )
    case 'at-most':
      return atMost(
        guard.value,
        sorted(group, (a, b) => b - a),
      )
    case 'numbers':
      return oneOfNumbers(guard.value, group)
    case 'texts':
      return oneOfTexts(guard.read, group)
  }
}

interface Limits {
  readonly limits: Float64Array
  readonly places: Uint32Array
}

function sorted(group: readonly Placed[], order: (a: number, b: number) => number): Limits {
  const ordered = group
    .flatMap(({ guard, place }) => (isOrder(guard) ? [{ limit: guard.limit, place }] : []))
    .sort((a, b) => order(a.limit, b.limit))
  return {
    limits: Float64Array.from(ordered, ({ limit }) => limit),
    places: Uint32Array.from(ordered, ({ place }) => place),
  }
}

function isOrder(guard: Guard): guard is OrderGuard {
  return guard.kind === 'at-least' || guard.kind === 'at-most'
}

/** What is no number stops at no limit: those rules fail, which has to be noticed. */
function atLeast(value: () => number, { limits, places }: Limits): Look {
  const { length } = limits
  return (woken) => {
    const number = value()
    for (let at = 0; at < length; at++) {
      if ((limits[at] ?? 0) > number) return
      woken.add(places[at] ?? 0)
    }
  }
}

function atMost(value: () => number, { limits, places }: Limits): Look {
  const { length } = limits
  return (woken) => {
    const number = value()
    for (let at = 0; at < length; at++) {
      if ((limits[at] ?? 0) < number) return
      woken.add(places[at] ?? 0)
    }
  }
}

function oneOfNumbers(value: () => number, group: readonly Placed[]): Look {
  const places = placesBy(group, (guard) => (guard.kind === 'numbers' ? guard.among : []))
  const all = group.map(({ place }) => place)
  return (woken) => {
    const number = value()
    const found = Number.isNaN(number) ? all : places.get(number)
    if (found !== undefined) for (const place of found) woken.add(place)
  }
}

function oneOfTexts(read: () => string | null, group: readonly Placed[]): Look {
  const places = placesBy(group, (guard) => (guard.kind === 'texts' ? guard.among : []))
  return (woken) => {
    const text = read()
    const found = text === null ? undefined : places.get(text)
    if (found !== undefined) for (const place of found) woken.add(place)
  }
}

function placesBy<T>(
  group: readonly Placed[],
  among: (guard: Guard) => readonly T[],
): ReadonlyMap<T, readonly number[]> {
  const places = new Map<T, number[]>()
  for (const { guard, place } of group) {
    for (const one of among(guard)) {
      const known = places.get(one)
      if (known === undefined) places.set(one, [place])
      else known.push(place)
    }
  }
  return places
}
