// From a JSON value to a typed event: one compiled check, one conversion, a precise reason where it fails.

import type { Static, TObject, TSchema } from '@sinclair/typebox'
import { TypeCompiler, ValueErrorType } from '@sinclair/typebox/compiler'
import { failed, ok, type Result } from '../kernel/result.ts'
import { type EpochMs, parseInstant } from '../kernel/time.ts'
import type { RejectCode, Rejection, StreamEvent } from './topic.ts'

/**
 * Compiles a parser for a wire schema that has a `recordedAt`, or a time of another name; `instants` are
 * its further times.
 * A null field counts as an absent one, since many senders write null for "not measured".
 */
export function compileParser<S extends TObject, E extends StreamEvent>(
  schema: S,
  convert: (wire: Static<S>, recordedAtMs: EpochMs) => E,
  options: { readonly instants?: readonly string[]; readonly timeField?: string } = {},
): (value: unknown) => Result<E, Rejection> {
  const check = TypeCompiler.Compile(schema)
  const { instants = [], timeField = 'recordedAt' } = options
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return failed({ code: 'not-an-object', message: 'An event must be a JSON object.', path: '' })
    }
    const wire = check.Check(value) ? value : withoutNulls(value)
    if (!check.Check(wire)) return failed(firstProblem(check.Errors(wire).First()))
    const recordedAtMs = parseInstant(Reflect.get(wire, timeField))
    if (recordedAtMs === undefined) return failed(badTime(timeField, Reflect.get(wire, timeField)))
    for (const field of instants) {
      const found: unknown = Reflect.get(wire, field)
      if (found !== undefined && parseInstant(found) === undefined) {
        return failed(badTime(field, found))
      }
    }
    return ok(convert(wire, recordedAtMs))
  }
}

function withoutNulls(value: object): object {
  return Object.fromEntries(Object.entries(value).filter((entry) => entry[1] !== null))
}

function badTime(field: string, found: unknown): Rejection {
  return {
    code: 'bad-time',
    message: `${field} must be ISO 8601 with an offset, or epoch milliseconds; found ${brief(found)}.`,
    path: `/${field}`,
  }
}

type Problem = {
  readonly type: ValueErrorType
  readonly path: string
  readonly message: string
  readonly value: unknown
  readonly schema: TSchema
}

const WRONG_TYPE: ReadonlySet<ValueErrorType> = new Set([
  ValueErrorType.Array,
  ValueErrorType.Boolean,
  ValueErrorType.Integer,
  ValueErrorType.Number,
  ValueErrorType.Object,
  ValueErrorType.String,
  ValueErrorType.Union,
])

function firstProblem(problem: Problem | undefined): Rejection {
  if (problem === undefined) {
    return { code: 'bad-value', message: 'The event does not fit the schema.', path: '' }
  }
  const field = problem.path.slice(1)
  if (problem.type === ValueErrorType.ObjectRequiredProperty) {
    return { code: 'missing-field', message: `${field} is required.`, path: problem.path }
  }
  const expected: unknown = problem.schema.expected
  if (typeof expected === 'string') {
    const message = `${field} must be ${expected}; found ${brief(problem.value)}.`
    return { code: 'bad-value', message, path: problem.path }
  }
  const code: RejectCode = WRONG_TYPE.has(problem.type) ? 'wrong-type' : 'bad-value'
  return {
    code,
    message: `${field}: ${problem.message.toLowerCase()}; found ${brief(problem.value)}.`,
    path: problem.path,
  }
}

/** A value as a message may show it: short, and never a secret's worth of it. */
function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
