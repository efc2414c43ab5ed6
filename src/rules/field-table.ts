// The fields that conditions of a topic may name, each with a slot of its own. An event is read into the
// slots once; conditions of all rules then look at plain numbers and texts, whatever the shape of the event.

import { type FieldReader, type FieldSlot, fieldReader } from '../kernel/field-reader.ts'
import type { FieldValue } from '../ports/alert.ts'

/** What a condition may look at. An absent field is null. */
export type FieldKind = 'number' | 'text' | 'flag'

/** Where a field comes from: the event, what was derived of it, the event before, what belongs to it. */
export const ROOTS = ['event', 'derived', 'last', 'profile', 'reference'] as const
export type Root = (typeof ROOTS)[number]

export type Fields = Readonly<Record<string, FieldKind>>

/** Fields that conditions of a topic may name, by root; a root that is not there has none. */
export type RuleVocabulary = Readonly<Partial<Record<Root, Fields>>>

/** What a condition sees of one event. */
export interface RuleInput {
  readonly event: object
  readonly derived: object
  /** The key's event before this one; null at its first. */
  readonly last?: object | null
  /** Profile that the event is judged by. */
  readonly profile?: object | null
  /** What the reference tables say of the entity. */
  readonly reference?: object | null
}

interface Slot extends FieldSlot {
  readonly root: Root
  readonly kind: FieldKind
}

/** The fields of one root that are read, and what reads them. */
interface Reading {
  readonly root: Root
  readonly slots: readonly Slot[]
  readonly read: FieldReader
}

const NOTHING: object = {}

export class FieldTable {
  readonly vocabulary: RuleVocabulary
  /** Numbers, and flags as 1 and 0; NaN where the field is null. */
  readonly numbers: Float64Array
  readonly texts: (string | null)[]
  readonly #slots = new Map<string, Slot>()
  readonly #readings: Reading[] = []

  constructor(vocabulary: RuleVocabulary) {
    this.vocabulary = vocabulary
    for (const root of ROOTS) {
      for (const [name, kind] of Object.entries(vocabulary[root] ?? {})) {
        const index = this.#slots.size
        this.#slots.set(`${root}.${name}`, { root, name, kind, index })
      }
    }
    this.numbers = new Float64Array(this.#slots.size).fill(Number.NaN)
    this.texts = new Array<string | null>(this.#slots.size).fill(null)
  }

  /** The slot of a field, which is read from now on; undefined where there is no such field. */
  use(root: Root, name: string): Slot | undefined {
    const slot = this.#slots.get(`${root}.${name}`)
    if (slot === undefined) return undefined
    const at = this.#readings.findIndex((reading) => reading.root === root)
    const slots = this.#readings[at]?.slots ?? []
    if (slots.includes(slot)) return slot
    const more = [...slots, slot]
    const reading = { root, slots: more, read: fieldReader(more) }
    this.#readings.splice(at === -1 ? this.#readings.length : at, 1, reading)
    return slot
  }

  /** Fields that are read, such as `event.speedKmh`. */
  get used(): readonly string[] {
    return this.#readings.flatMap(({ root, slots }) => slots.map(({ name }) => `${root}.${name}`))
  }

  read(input: RuleInput): void {
    for (const { root, read } of this.#readings) {
      read(input[root] ?? NOTHING, this.numbers, this.texts)
    }
  }

  /** Names that a root has, for messages. */
  namesOf(root: Root): readonly string[] {
    return Object.keys(this.vocabulary[root] ?? {})
  }
}

/** Roots in which a name without one is looked for; the first that is not null counts. */
const SHOWN_ROOTS = ['event', 'derived', 'profile', 'reference'] as const

/** Reads a field by its name, such as `speedKmh` or `last.speedKmh`. */
export function fieldOf(input: RuleInput, name: string): FieldValue {
  const dot = name.indexOf('.')
  if (dot > 0) return plain(Reflect.get(rootOf(input, name.slice(0, dot)), name.slice(dot + 1)))
  for (const root of SHOWN_ROOTS) {
    const value = plain(Reflect.get(input[root] ?? NOTHING, name))
    if (value !== null) return value
  }
  return null
}

/** Whether `fieldOf` could ever find something under that name. */
export function isShownField(vocabulary: RuleVocabulary, name: string): boolean {
  return rootsShowing(vocabulary, name).length > 0
}

/** Where `fieldOf` could find something under that name. */
export function rootsShowing(vocabulary: RuleVocabulary, name: string): readonly Root[] {
  const dot = name.indexOf('.')
  const roots = dot > 0 ? ROOTS.filter((root) => root === name.slice(0, dot)) : SHOWN_ROOTS
  const field = name.slice(dot + 1)
  return roots.filter((root) => Object.hasOwn(vocabulary[root] ?? NOTHING, field))
}

export function shownFields(vocabulary: RuleVocabulary): readonly string[] {
  return [...new Set(SHOWN_ROOTS.flatMap((root) => Object.keys(vocabulary[root] ?? NOTHING)))]
}

function rootOf(input: RuleInput, name: string): object {
  const root = ROOTS.find((each) => each === name)
  return (root === undefined ? undefined : input[root]) ?? NOTHING
}

function plain(value: unknown): FieldValue {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
      return value
    default:
      return null
  }
}
