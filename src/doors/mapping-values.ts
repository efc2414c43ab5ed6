// The steps from what a row holds to what a field needs: maps, times, units, types, and CEL.

import { Environment } from '@marcbachmann/cel-js'
import type { TSchema } from '@sinclair/typebox'
import { type EpochMs, toIso } from '../kernel/time.ts'
import { convert, type UnitName } from '../kernel/units.ts'
import type { Row } from './mapping.ts'
import type { FieldText, Scalar } from './mapping-text.ts'
import type { TimeReader } from './time-format.ts'

/** A value that did not become what its field needs: a value itself, since bad rows are ordinary. */
export class Unmappable {
  readonly found: unknown
  readonly message: string

  constructor(found: unknown, message: string) {
    this.found = found
    this.message = message
  }
}

/** A step gets a value that is there, and gives undefined for "not measured". */
export type Step = (value: unknown) => unknown

/** JSON types that a field's schema allows. */
export interface Kinds {
  readonly text: boolean
  readonly number: boolean
  readonly truth: boolean
  readonly list: boolean
}

export function kindsOf(schema: TSchema): Kinds {
  const alternatives: unknown = schema.anyOf
  const types = new Set<unknown>()
  for (const part of Array.isArray(alternatives) ? alternatives : [schema]) {
    types.add(typeof part === 'object' && part !== null ? Reflect.get(part, 'type') : undefined)
  }
  return {
    text: types.has('string'),
    number: types.has('number') || types.has('integer'),
    truth: types.has('boolean'),
    list: types.has('array'),
  }
}

/** A value as text; one of several parts as its JSON, since its own `toString` may be anything. */
export function textOf(value: unknown): string {
  return typeof value === 'object' ? (JSON.stringify(value) ?? '') : String(value)
}

/** How a value reads in a map or among the absent ones: `1.0` is `1`. */
function plainText(value: unknown): string {
  const text = textOf(value)
  return NUMBER.test(text) ? String(Number(text)) : text
}

export function absentStep(absent: readonly Scalar[]): Step {
  const texts = new Set(absent.map(plainText))
  return (value) => (texts.has(plainText(value)) ? undefined : value)
}

/** Looks a value up; called for absent ones as well, which stand under the empty text. */
export function mapStep(
  map: ReadonlyMap<string, Scalar>,
  { otherwise, keepsUnlisted }: Pick<FieldText, 'otherwise' | 'keepsUnlisted'>,
): Step {
  const byText = new Map([...map].map(([key, value]) => [plainText(key), value]))
  return (value) => {
    const key = value === undefined ? '' : plainText(value)
    const found = map.has(key) ? map.get(key) : byText.get(key)
    if (found !== undefined) return found ?? undefined
    if (value === undefined) return undefined
    if (otherwise !== undefined) return otherwise ?? undefined
    if (keepsUnlisted) return value
    return new Unmappable(value, `${shown(value)} has no entry in the map`)
  }
}

/** Times leave as ISO 8601 in UTC where the field takes text, else as epoch milliseconds. */
export function timeStep(readers: readonly TimeReader[], described: string, kinds: Kinds): Step {
  return (value) => {
    const text = textOf(value)
    for (const read of readers) {
      const atMs: EpochMs | undefined = read(text)
      if (atMs !== undefined) return kinds.text ? toIso(atMs) : atMs
    }
    return new Unmappable(value, `${shown(value)} is no time of the form ${described}`)
  }
}

export function unitStep(from: UnitName, to: UnitName, decimal: '.' | ','): Step {
  return (value) => {
    const number = numberOf(value, decimal)
    return number === undefined
      ? new Unmappable(value, `${shown(value)} is not a number`)
      : convert(number, from, to)
  }
}

/** Gives the value the JSON type that the schema asks for; leaves its range to the schema. */
export function typeStep(kinds: Kinds, decimal: '.' | ','): Step {
  return (value) => {
    switch (typeof value) {
      case 'number':
        if (!Number.isFinite(value))
          return new Unmappable(String(value), `${value} is no number that JSON has`)
        return kinds.number ? value : kinds.text ? String(value) : truthOr(kinds, value)
      case 'boolean':
        return kinds.truth ? value : kinds.text ? String(value) : notA(kinds, value)
      case 'string':
        return ofText(value, kinds, decimal)
      default:
        return kinds.list && Array.isArray(value) ? value : notA(kinds, value)
    }
  }
}

function ofText(value: string, kinds: Kinds, decimal: '.' | ','): unknown {
  if (kinds.number) {
    const number = numberOf(value, decimal)
    if (number !== undefined) return number
  }
  return kinds.text ? value : truthOr(kinds, value)
}

const TRUE_WORDS = new Set(['true', '1', 'yes', 'on', 'open'])
const FALSE_WORDS = new Set(['false', '0', 'no', 'off', 'closed'])

function truthOr(kinds: Kinds, value: string | number): unknown {
  const word = String(value).toLowerCase()
  if (kinds.truth && TRUE_WORDS.has(word)) return true
  if (kinds.truth && FALSE_WORDS.has(word)) return false
  return notA(kinds, value)
}

function notA(kinds: Kinds, value: unknown): Unmappable {
  const wanted = kinds.number ? 'a number' : kinds.truth ? 'true or false' : 'a text'
  return new Unmappable(value, `${shown(value)} is not ${wanted}`)
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$/

/** Longest text that is looked at as a number. */
const MAX_NUMBER_TEXT = 64

function numberOf(value: unknown, decimal: '.' | ','): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value !== 'string' || value.length > MAX_NUMBER_TEXT) return undefined
  const text = decimal === ',' ? value.replace(',', '.') : value
  if (!NUMBER.test(text)) return undefined
  const number = Number(text)
  return Number.isFinite(number) ? number : undefined
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

/** What CEL expressions see: the row's columns, the file's name, the row's number from 1. */
const environment = new Environment({
  unlistedVariablesAreDyn: false,
  homogeneousAggregateLiterals: false,
})
  .registerVariable('row', 'map')
  .registerVariable('fileName', 'string')
  .registerVariable('rowNumber', 'int')

/** Longest part of CEL's own message that is passed on. */
const MAX_CEL_MESSAGE = 200

type CelReader = (row: Row, fileName: string) => unknown

/** What JSON can carry: CEL's integers are big ones, its times are dates. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof Date) return toIso(value.getTime())
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
}

/** Undefined, and reported, where the expression is wrong. */
export function compileExpression(
  expression: string,
  report: (message: string) => void,
): CelReader | undefined {
  const checked = environment.check(expression)
  if (!checked.valid) {
    report(`CEL: ${celMessage(checked.error)}`)
    return undefined
  }
  const evaluate = environment.parse(expression)
  return (row, fileName) => {
    try {
      const value: unknown = evaluate({ row: row.all(), fileName, rowNumber: BigInt(row.number) })
      return plain(value) ?? undefined
    } catch (error) {
      return new Unmappable(expression, `CEL: ${celMessage(error)}`)
    }
  }
}

/** A condition gives true or false, or why it could not be told. */
export function compileCondition(
  expression: string,
  report: (message: string) => void,
): ((row: Row, fileName: string) => boolean | string) | undefined {
  const type = environment.check(expression).type
  if (type !== undefined && type !== 'bool' && type !== 'dyn') {
    report(`a condition must be true or false; this one is of the type ${type}`)
    return undefined
  }
  const read = compileExpression(expression, report)
  if (read === undefined) return undefined
  return (row, fileName) => {
    const value = read(row, fileName)
    if (typeof value === 'boolean') return value
    return value instanceof Unmappable ? value.message : `skipWhen gave ${shown(value)}`
  }
}

/** The first paragraph; the rest draws the expression with a caret. */
function celMessage(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.split('\n', 1)[0]?.slice(0, MAX_CEL_MESSAGE) ?? ''
}
