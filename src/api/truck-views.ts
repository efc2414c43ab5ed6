// The live documents of trucks. They pass through as the tasks encoded them; only what filters and tiles
// need is read out of them, once a document.

import type { ViewEntry } from '../ports/views.ts'

export const TRUCKS_VIEW = 'trucks'
export const CONDITIONS = ['in-range', 'excursion', 'silent', 'no-profile'] as const
export type Condition = (typeof CONDITIONS)[number]

export interface TruckFacts {
  readonly condition: Condition | undefined
  readonly moving: boolean
}

const read = new WeakMap<ViewEntry, TruckFacts>()

export function truckFacts(entry: ViewEntry): TruckFacts {
  let facts = read.get(entry)
  if (facts === undefined) {
    facts = factsOf(entry.json)
    read.set(entry, facts)
  }
  return facts
}

function factsOf(json: string | null): TruckFacts {
  const document: unknown = json === null ? null : JSON.parse(json)
  if (typeof document !== 'object' || document === null) {
    return { condition: undefined, moving: false }
  }
  const condition: unknown = Reflect.get(document, 'condition')
  return {
    condition: CONDITIONS.find((candidate) => candidate === condition),
    moving: Reflect.get(document, 'moving') === true,
  }
}

export interface TruckTiles {
  readonly total: number
  readonly inRange: number
  readonly excursion: number
  readonly silent: number
  readonly noProfile: number
  readonly moving: number
}

export function truckTiles(entries: readonly ViewEntry[]): TruckTiles {
  const counts: Record<Condition, number> = {
    'in-range': 0,
    excursion: 0,
    silent: 0,
    'no-profile': 0,
  }
  let moving = 0
  for (const entry of entries) {
    const facts = truckFacts(entry)
    if (facts.condition !== undefined) counts[facts.condition] += 1
    if (facts.moving) moving += 1
  }
  return {
    total: entries.length,
    inRange: counts['in-range'],
    excursion: counts.excursion,
    silent: counts.silent,
    noProfile: counts['no-profile'],
    moving,
  }
}
