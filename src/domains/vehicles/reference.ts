// Reference data of vehicles: three small tables, joined to every event in flight. Each table is a document
// of its own, so that a new colour does not need the fleet to be sent again.

import { type TSchema, Type } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import { DEFAULT_GEARS, type GearTable } from './gears.ts'

/** Names of the tables, which are those of their files without `.json`. */
export const VEHICLES_TABLE = 'vehicles'
export const MODELS_TABLE = 'vehicle-models'
export const COLORS_TABLE = 'vehicle-colors'

/** Said of a vehicle, model or colour that is not in its table. */
export const UNKNOWN = 'unknown'

const id = () => Type.Union([Type.String({ minLength: 1, maxLength: 200 }), Type.Integer()])
const name = () => Type.String({ minLength: 1, maxLength: 200 })
const gearTable = () =>
  Type.Optional(
    Type.Array(
      Type.Object({
        fromKmh: Type.Number({ minimum: 0, maximum: 400 }),
        gear: Type.Integer({ minimum: 0, maximum: 12 }),
      }),
      { maxItems: 20 },
    ),
  )

const vehiclesSchema = Type.Array(
  Type.Object({
    vehicleId: name(),
    modelId: Type.Optional(id()),
    colorId: Type.Optional(id()),
    expectedGear: gearTable(),
  }),
)
const modelsSchema = Type.Array(
  Type.Object({
    modelId: id(),
    brand: Type.Optional(name()),
    model: name(),
    expectedGear: gearTable(),
  }),
)
const colorsSchema = Type.Array(Type.Object({ colorId: id(), color: name() }))

const vehiclesCheck = TypeCompiler.Compile(vehiclesSchema)
const modelsCheck = TypeCompiler.Compile(modelsSchema)
const colorsCheck = TypeCompiler.Compile(colorsSchema)

/** Names the join that a profile came from. */
const JOIN: unique symbol = Symbol('join')

/** What is known of a vehicle beside its telemetry; plain data. */
export interface VehicleProfile {
  /** False where the vehicle is in no table. */
  readonly known: boolean
  readonly brand: string | null
  readonly model: string
  readonly color: string
  readonly gears: GearTable
  /** Not enumerable: snapshots, views and comparisons see the rest alone. */
  readonly [JOIN]?: Fleet
}

/** A vehicle that is in no table: marked as such, and judged as a passenger car. */
export const UNKNOWN_VEHICLE: VehicleProfile = {
  known: false,
  brand: null,
  model: UNKNOWN,
  color: UNKNOWN,
  gears: DEFAULT_GEARS,
}

export const checkVehicles = checkerOf(vehiclesCheck, 'vehicleId')
export const checkModels = checkerOf(modelsCheck, 'modelId')
export const checkColors = checkerOf(colorsCheck, 'colorId')

/** Contents of the three tables, as the events of a batch see them; undefined where there is none. */
export interface VehicleTables {
  readonly vehicles: unknown
  readonly models: unknown
  readonly colors: unknown
}

type Fleet = ReadonlyMap<string, VehicleProfile>

/** Remembers the join of the tables that it saw last: tables change now and then, events come all the time. */
export function fleetJoin(): (tables: VehicleTables) => Fleet {
  let seen: VehicleTables = { vehicles: undefined, models: undefined, colors: undefined }
  let fleet: Fleet = new Map()
  return (tables) => {
    const { vehicles, models, colors } = tables
    if (vehicles !== seen.vehicles || models !== seen.models || colors !== seen.colors) {
      seen = tables
      fleet = joined(tables)
    }
    return fleet
  }
}

/** A table that does not fit holds nothing: the platform lets none through that its check refuses. */
function joined(tables: VehicleTables): Fleet {
  const vehicles = vehiclesCheck.Check(tables.vehicles) ? tables.vehicles : []
  const modelRows = modelsCheck.Check(tables.models) ? tables.models : []
  const colorRows = colorsCheck.Check(tables.colors) ? tables.colors : []
  const models = new Map(modelRows.map((row) => [String(row.modelId), row]))
  const colors = new Map(colorRows.map((row) => [String(row.colorId), row.color]))
  const fleet = new Map<string, VehicleProfile>()
  for (const row of vehicles) {
    const model = models.get(String(row.modelId))
    const profile = {
      known: true,
      brand: model?.brand ?? null,
      model: model?.model ?? UNKNOWN,
      color: colors.get(String(row.colorId)) ?? UNKNOWN,
      gears: row.expectedGear ?? model?.expectedGear ?? DEFAULT_GEARS,
    }
    fleet.set(row.vehicleId, Object.defineProperty(profile, JOIN, { value: fleet }))
  }
  return fleet
}

/** The profile of this join for the vehicle that had `known` before: seldom another, and then not looked for. */
export function profileIn(
  fleet: Fleet,
  vehicleId: string,
  known: VehicleProfile | null,
): VehicleProfile {
  if (known !== null && known[JOIN] === fleet) return known
  return fleet.get(vehicleId) ?? UNKNOWN_VEHICLE
}

/** The rows that a vehicle is joined with, in the order of the join. */
export function rowsOfVehicle(
  vehicleId: string,
  tables: (name: string) => unknown,
): readonly { readonly table: string; readonly row: Readonly<Record<string, unknown>> }[] {
  const [vehicles, models, colors] = [VEHICLES_TABLE, MODELS_TABLE, COLORS_TABLE].map(tables)
  const vehicle = vehiclesCheck.Check(vehicles)
    ? vehicles.find((row) => row.vehicleId === vehicleId)
    : undefined
  if (vehicle === undefined) return []
  const model = modelsCheck.Check(models)
    ? models.find((row) => String(row.modelId) === String(vehicle.modelId))
    : undefined
  const color = colorsCheck.Check(colors)
    ? colors.find((row) => String(row.colorId) === String(vehicle.colorId))
    : undefined
  return [
    { table: VEHICLES_TABLE, row: vehicle },
    ...(model === undefined ? [] : [{ table: MODELS_TABLE, row: model }]),
    ...(color === undefined ? [] : [{ table: COLORS_TABLE, row: color }]),
  ]
}

/** Says what is wrong with a table, or nothing. */
function checkerOf<S extends TSchema>(
  check: TypeCheck<S>,
  key: string,
): (content: unknown) => string | undefined {
  return (content) => {
    if (!Array.isArray(content)) return 'must be a list'
    if (!check.Check(content)) {
      const problem = check.Errors(content).First()
      return problem === undefined
        ? 'does not fit its schema'
        : `${problem.path}: ${problem.message.toLowerCase()}`
    }
    return repeatedKey(content, key) ?? unorderedGears(content)
  }
}

function repeatedKey(rows: readonly unknown[], key: string): string | undefined {
  const seen = new Set<string>()
  for (const [index, row] of rows.entries()) {
    const value = String(fieldOf(row, key))
    if (seen.has(value)) return `/${index}/${key}: "${value}" is there twice`
    seen.add(value)
  }
  return undefined
}

function unorderedGears(rows: readonly unknown[]): string | undefined {
  for (const [index, row] of rows.entries()) {
    const steps = fieldOf(row, 'expectedGear')
    if (!Array.isArray(steps)) continue
    const speeds = steps.map((step) => Number(fieldOf(step, 'fromKmh')))
    const at = speeds.findIndex((speed, step) => step > 0 && speed <= (speeds[step - 1] ?? 0))
    if (at >= 0) return `/${index}/expectedGear/${at}/fromKmh: must be above the one before it`
  }
  return undefined
}

function fieldOf(row: unknown, field: string): unknown {
  return typeof row === 'object' && row !== null ? Reflect.get(row, field) : undefined
}
