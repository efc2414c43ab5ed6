// The simulated fleet as its reference tables describe it. What a vehicle is follows from its number alone,
// so that one example set fits every seed.

import type { GearStep } from '../gears.ts'

export interface ModelEntry {
  readonly modelId: number
  readonly brand: string
  readonly model: string
  readonly expectedGear?: readonly GearStep[]
}

/** How a model drives. */
export interface ModelTraits extends ModelEntry {
  /** Share of the fleet, relative to the others. */
  readonly weight: number
  readonly accelerationMs2: number
  readonly topSpeedKmh: number
  readonly electric: boolean
}

export const MODELS: readonly [ModelTraits, ...ModelTraits[]] = [
  model(1, 'Toyota', 'Corolla', { weight: 20, accelerationMs2: 1.7, topSpeedKmh: 175 }),
  model(2, 'Toyota', 'Probox', { weight: 16, accelerationMs2: 1.4, topSpeedKmh: 160 }),
  model(3, 'Mazda', 'Demio', { weight: 12, accelerationMs2: 1.6, topSpeedKmh: 165 }),
  model(4, 'Subaru', 'Forester', { weight: 10, accelerationMs2: 2.1, topSpeedKmh: 195 }),
  model(5, 'Volkswagen', 'Polo', { weight: 10, accelerationMs2: 1.8, topSpeedKmh: 180 }),
  model(6, 'Isuzu', 'D-Max', { weight: 10, accelerationMs2: 1.5, topSpeedKmh: 170 }),
  model(7, 'Nissan', 'X-Trail', { weight: 8, accelerationMs2: 1.8, topSpeedKmh: 185 }),
  model(8, 'Nissan', 'Leaf', { weight: 6, accelerationMs2: 2.4, topSpeedKmh: 150, electric: true }),
]

interface Traits {
  readonly weight: number
  readonly accelerationMs2: number
  readonly topSpeedKmh: number
  readonly electric?: boolean
}

function model(modelId: number, brand: string, name: string, traits: Traits): ModelTraits {
  const { electric = false } = traits
  return {
    modelId,
    brand,
    model: name,
    ...traits,
    electric,
    // One gear, and neutral at rest.
    ...(electric
      ? {
          expectedGear: [
            { fromKmh: 0, gear: 0 },
            { fromKmh: 1, gear: 1 },
          ],
        }
      : {}),
  }
}

export interface ColorEntry {
  readonly colorId: number
  readonly color: string
}

export const COLORS: readonly (readonly [string, weight: number])[] = [
  ['white', 34],
  ['silver', 20],
  ['black', 16],
  ['grey', 12],
  ['blue', 9],
  ['red', 6],
  ['green', 3],
]

export interface VehicleEntry {
  readonly vehicleId: string
  readonly modelId: number
  readonly colorId: number
}

/** One vehicle in so many is in no reference table: bought yesterday, say. */
const UNLISTED_EVERY = 40

/** Spreads numbers of vehicles, which count up, evenly over [0, 1). */
function spread(index: number, salt: number): number {
  const mixed = Math.imul((index + 1) ^ (salt * 0x9e3779b9), 0x85ebca6b)
  return ((mixed ^ (mixed >>> 13)) >>> 0) / 4_294_967_296
}

function weighted<T>(
  choices: readonly T[],
  weightOf: (choice: T) => number,
  share: number,
): number {
  let left = share * choices.reduce((sum, choice) => sum + weightOf(choice), 0)
  for (const [index, choice] of choices.entries()) {
    left -= weightOf(choice)
    if (left < 0) return index
  }
  return 0
}

/** Such as `CAR-0042`. */
export function vehicleIdOf(index: number): string {
  return `CAR-${String(index + 1).padStart(4, '0')}`
}

export function modelOf(index: number): ModelTraits {
  return MODELS[weighted(MODELS, ({ weight }) => weight, spread(index, 1))] ?? MODELS[0]
}

/** The tables of the first so many vehicles, as the documents of a reference folder. */
export function exampleTables(vehicles: number): {
  readonly vehicles: readonly VehicleEntry[]
  readonly models: readonly ModelEntry[]
  readonly colors: readonly ColorEntry[]
} {
  const listed = Array.from({ length: vehicles }, (_, index) => index).filter(
    (index) => (index + 1) % UNLISTED_EVERY !== 0,
  )
  return {
    vehicles: listed.map((index) => ({
      vehicleId: vehicleIdOf(index),
      modelId: modelOf(index).modelId,
      colorId: 1 + weighted(COLORS, ([, weight]) => weight, spread(index, 2)),
    })),
    models: MODELS.map(({ modelId, brand, model: name, expectedGear }) => ({
      modelId,
      brand,
      model: name,
      ...(expectedGear === undefined ? {} : { expectedGear }),
    })),
    colors: COLORS.map(([color], index) => ({ colorId: index + 1, color })),
  }
}
