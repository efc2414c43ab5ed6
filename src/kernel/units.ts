// Units of measurement: every unit a sender may use, by name, and how it becomes the one we keep.

export type Dimension =
  | 'angle'
  | 'distance'
  | 'flow'
  | 'mass'
  | 'pressure'
  | 'ratio'
  | 'speed'
  | 'temperature'
  | 'time'
  | 'volume'

interface Unit {
  readonly dimension: Dimension
  /** In the base unit of the dimension: base = (value + offset) · factor. */
  readonly factor: number
  readonly offset?: number
}

const MILE_M = 1609.344
const GALLON_US_L = 3.785411784
const GALLON_UK_L = 4.54609

/** The base units are m/s, K, m, L, L/h, %, °, s, kg, Pa. Factors are the exact definitions. */
const UNITS = {
  'm/s': { dimension: 'speed', factor: 1 },
  'km/h': { dimension: 'speed', factor: 1 / 3.6 },
  mph: { dimension: 'speed', factor: MILE_M / 3600 },
  knots: { dimension: 'speed', factor: 1852 / 3600 },
  C: { dimension: 'temperature', factor: 1, offset: 273.15 },
  F: { dimension: 'temperature', factor: 5 / 9, offset: 459.67 },
  K: { dimension: 'temperature', factor: 1 },
  m: { dimension: 'distance', factor: 1 },
  km: { dimension: 'distance', factor: 1000 },
  mi: { dimension: 'distance', factor: MILE_M },
  ft: { dimension: 'distance', factor: 0.3048 },
  nmi: { dimension: 'distance', factor: 1852 },
  L: { dimension: 'volume', factor: 1 },
  mL: { dimension: 'volume', factor: 0.001 },
  gal: { dimension: 'volume', factor: GALLON_US_L },
  'gal-uk': { dimension: 'volume', factor: GALLON_UK_L },
  'L/h': { dimension: 'flow', factor: 1 },
  'gal/h': { dimension: 'flow', factor: GALLON_US_L },
  '%': { dimension: 'ratio', factor: 1 },
  fraction: { dimension: 'ratio', factor: 100 },
  deg: { dimension: 'angle', factor: 1 },
  rad: { dimension: 'angle', factor: 180 / Math.PI },
  s: { dimension: 'time', factor: 1 },
  ms: { dimension: 'time', factor: 0.001 },
  min: { dimension: 'time', factor: 60 },
  h: { dimension: 'time', factor: 3600 },
  kg: { dimension: 'mass', factor: 1 },
  g: { dimension: 'mass', factor: 0.001 },
  lb: { dimension: 'mass', factor: 0.45359237 },
  Pa: { dimension: 'pressure', factor: 1 },
  hPa: { dimension: 'pressure', factor: 100 },
  kPa: { dimension: 'pressure', factor: 1000 },
  bar: { dimension: 'pressure', factor: 100_000 },
  psi: { dimension: 'pressure', factor: 6894.757293168361 },
} as const satisfies Readonly<Record<string, Unit>>

export type UnitName = keyof typeof UNITS

export const UNIT_NAMES: readonly string[] = Object.keys(UNITS)

export function isUnitName(name: string): name is UnitName {
  return Object.hasOwn(UNITS, name)
}

export function dimensionOf(name: UnitName): Dimension {
  return UNITS[name].dimension
}

/** The unit that a field's name ends in is the one it is kept in; the longest ending decides. */
const FIELD_ENDINGS: readonly (readonly [string, UnitName])[] = [
  ['Percent', '%'],
  ['Litres', 'L'],
  ['Kmh', 'km/h'],
  ['Lph', 'L/h'],
  ['Deg', 'deg'],
  ['Kpa', 'kPa'],
  ['Km', 'km'],
  ['Kg', 'kg'],
  ['Ms', 'ms'],
  ['C', 'C'],
  ['M', 'm'],
  ['S', 's'],
]

/** Latitude and longitude have no unit in their name, and are always in degrees. */
const DEGREE_FIELDS = /^(?:lat|lon|\w+(?:Lat|Lon))$/

/** The unit of a field by its name, `speedKmh` in km/h; undefined where the name says none. */
export function unitOfField(field: string): UnitName | undefined {
  if (DEGREE_FIELDS.test(field)) return 'deg'
  return FIELD_ENDINGS.find(([ending]) => field.endsWith(ending))?.[1]
}

/** Digits kept: enough for any sensor, few enough that no limit is crossed by rounding alone. */
const SIGNIFICANT_DIGITS = 12
/** Where a scale has an offset the noise has its size, so decimals count instead. */
const TEMPERATURE_DECIMALS = 9

/** Both units must have the same dimension. 44.6 °F is 7 °C, not 7.000000000000001. */
export function convert(value: number, from: UnitName, to: UnitName): number {
  if (from === to) return value
  const source: Unit = UNITS[from]
  const target: Unit = UNITS[to]
  const base = (value + (source.offset ?? 0)) * source.factor
  const converted = base / target.factor - (target.offset ?? 0)
  const text =
    source.dimension === 'temperature'
      ? converted.toFixed(TEMPERATURE_DECIMALS)
      : converted.toPrecision(SIGNIFICANT_DIGITS)
  return Number(text) + 0
}
