// What events say of a shipment beside its milestones. Each fact is as the newest event that speaks of it says,
// whatever order they came in: so each is kept with the time of what said it.

import type { EpochMs } from '../../kernel/time.ts'
import type { ShipmentEvent, ShipmentItem } from './events.ts'
import { sharedText } from './shared-text.ts'

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

/** Null: not spoken of. */
type Said = { readonly [Name in keyof Facts]: Facts[Name] | null }

/** What one event said that no newer one spoke of, and when. All have all fields, which keeps them in one piece. */
export interface Statement extends Said {
  readonly atMs: EpochMs
}

/** The newest first; most shipments have one, since most is said when they are created. */
export type Statements = readonly Statement[]

export const NO_STATEMENTS: Statements = []

export function factOf<Name extends keyof Facts>(
  statements: readonly Said[],
  name: Name,
): Facts[Name] | null {
  for (const said of statements) {
    const value: Facts[Name] | null = said[name]
    if (value !== null) return value
  }
  return null
}

/** The statements after an event that spoke at `atMs`. */
export function withStatement(known: Statements, event: ShipmentEvent, atMs: EpochMs): Statements {
  if (saysNothing(event)) return known
  if (known.length === 0) return [statementOf(event, atMs)]
  const newer = known.filter((each) => each.atMs > atMs)
  const older = known.filter((each) => each.atMs <= atMs)
  const unsaid = newer.reduce<Statement>(without, statementOf(event, atMs))
  const covered = older.map((each) => without(each, event))
  return [...newer, unsaid, ...covered].filter((each) => !saysNothing(each))
}

function statementOf(event: Said, atMs: EpochMs): Statement {
  return {
    atMs,
    promisedAtMs: event.promisedAtMs,
    createdAtMs: event.createdAtMs,
    carrier: sharedText(event.carrier),
    mode: sharedText(event.mode),
    destination: sharedText(event.destination),
    customerName: event.customerName,
    customerEmail: event.customerEmail,
    customerPhone: event.customerPhone,
    consignment: event.consignment,
    // A copy has no room behind the last one.
    items: event.items?.slice() ?? null,
    weightKg: event.weightKg,
    freightCost: event.freightCost,
    currency: event.currency,
    words: event.words,
  }
}

/** What is left of it where the others spoke of the rest. */
function without(said: Statement, others: Said): Statement {
  if (!FACTS.some((name) => said[name] !== null && others[name] !== null)) return said
  const spoken = FACTS.filter((name) => others[name] !== null)
  return { ...said, ...Object.fromEntries(spoken.map((name) => [name, null])) }
}

function saysNothing(said: Said): boolean {
  return FACTS.every((name) => said[name] === null)
}
