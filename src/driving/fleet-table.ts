// The reference table of fleets: who drives a truck or vehicle, in which fleet, and what it is built for. It is
// read when ten minutes begin, so a period says what held then, whatever the table says later.

import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'

/** Name of the table, which is that of its file without `.json`. */
export const FLEET_TABLE = 'fleet'

const MAX_LOAD_CAPACITY_KG = 1_000_000
const MAX_FUEL_CAPACITY_LITRES = 10_000
const MAX_NOMINAL_LITRES = 1_000

const name = () => Type.String({ minLength: 1, maxLength: 200 })
const upTo = (maximum: number) => Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum }))

const schema = Type.Array(
  Type.Object({
    /** A truckId or vehicleId. */
    entityId: name(),
    fleet: Type.Optional(name()),
    driver: Type.Optional(name()),
    model: Type.Optional(name()),
    loadCapacityKg: upTo(MAX_LOAD_CAPACITY_KG),
    fuelCapacityLitres: upTo(MAX_FUEL_CAPACITY_LITRES),
    nominalLitresPer100Km: upTo(MAX_NOMINAL_LITRES),
  }),
)
const tableCheck = TypeCompiler.Compile(schema)

export type FleetRow = Static<typeof schema>[number]

type FleetRows = ReadonlyMap<string, FleetRow>

const NO_ROWS: FleetRows = new Map()
const rowsByContent = new WeakMap<object, FleetRows>()

/** The row of a truck or vehicle; undefined where the table has none. */
export function fleetRowOf(content: unknown, entityId: string): FleetRow | undefined {
  return rowsOf(content).get(entityId)
}

/** A table that does not fit holds nothing: the platform lets none through that its check refuses. */
function rowsOf(content: unknown): FleetRows {
  if (typeof content !== 'object' || content === null) return NO_ROWS
  let rows = rowsByContent.get(content)
  if (rows === undefined) {
    const list = tableCheck.Check(content) ? content : []
    rows = new Map(list.map((row) => [row.entityId, row]))
    rowsByContent.set(content, rows)
  }
  return rows
}

/** Says what is wrong with a table, or nothing. */
export function checkFleetTable(content: unknown): string | undefined {
  if (!Array.isArray(content)) return 'must be a list'
  if (!tableCheck.Check(content)) {
    const problem = tableCheck.Errors(content).First()
    return problem === undefined
      ? 'does not fit its schema'
      : `${problem.path}: ${problem.message.toLowerCase()}`
  }
  const seen = new Set<string>()
  for (const [index, { entityId }] of content.entries()) {
    if (seen.has(entityId)) return `/${index}/entityId: "${entityId}" is there twice`
    seen.add(entityId)
  }
  return undefined
}
