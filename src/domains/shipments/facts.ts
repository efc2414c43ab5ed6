// What events say of a shipment beside its milestones. Each fact is as the newest event that speaks of it says,
// whatever order they came in: so each is kept with the time of what said it.

import type { EpochMs } from '../../kernel/time.ts'
import type { ShipmentEvent, ShipmentItem } from './events.ts'

export interface Facts {
  readonly promisedAtMs: EpochMs
  readonly createdAtMs: EpochMs
  readonly carrier: string
  readonly mode: string
  readonly destination: string
  readonly customerName: string
  readonly customerEmail: string
  readonly customerPhone: string
  readonly consignment: string
  readonly items: readonly ShipmentItem[]
  readonly weightKg: number
  /** Exact decimal. */
  readonly freightCost: string
  readonly currency: string
  readonly words: Readonly<Record<string, string>>
}

const FACTS = [
  'promisedAtMs',
  'createdAtMs',
  'carrier',
  'mode',
  'destination',
  'customerName',
  'customerEmail',
  'customerPhone',
  'consignment',
  'items',
  'weightKg',
  'freightCost',
  'currency',
  'words',
] as const satisfies readonly (keyof Facts)[]

type Said = { -readonly [Name in keyof Facts]?: Facts[Name] }

/** What one event said that no newer one spoke of. */
export interface Statement {
  readonly atMs: EpochMs
  readonly said: Readonly<Said>
}

/** The newest first; most shipments have one, since most is said when they are created. */
export type Statements = readonly Statement[]

export function factOf<Name extends keyof Facts>(
  statements: Statements,
  name: Name,
): Facts[Name] | null {
  for (const { said } of statements) {
    const value = said[name]
    if (value !== undefined) return value
  }
  return null
}

/** The statements after an event that spoke at `atMs`. */
export function withStatement(known: Statements, event: ShipmentEvent, atMs: EpochMs): Statements {
  const said: Said = {}
  for (const name of FACTS) copy(said, event, name)
  if (Object.keys(said).length === 0) return known
  const newer = known.filter((each) => each.atMs > atMs)
  const older = known.filter((each) => each.atMs <= atMs)
  const unsaid = newer.reduce<Readonly<Said>>((left, each) => without(left, each.said), said)
  const covered = older.map((each) => ({ ...each, said: without(each.said, said) }))
  return [...newer, { atMs, said: unsaid }, ...covered].filter(
    (each) => Object.keys(each.said).length > 0,
  )
}

function without(said: Readonly<Said>, others: Readonly<Said>): Readonly<Said> {
  if (!FACTS.some((name) => said[name] !== undefined && others[name] !== undefined)) return said
  const left: Said = {}
  for (const name of FACTS) if (others[name] === undefined) copy(left, said, name)
  return left
}

function copy<Name extends keyof Facts>(
  to: Said,
  from: { readonly [Each in Name]?: Facts[Each] | null },
  name: Name,
): void {
  const value = from[name]
  if (value !== null && value !== undefined) to[name] = value
}

/** A value with the time of the milestone that gave it. */
export interface Timed<T> {
  readonly atMs: EpochMs
  readonly value: T
}

export function newest<T>(known: Timed<T> | null, value: T, atMs: EpochMs): Timed<T> {
  return known !== null && known.atMs > atMs ? known : { atMs, value }
}
