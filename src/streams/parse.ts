// From a JSON value to a typed event: one compiled check, one conversion, a precise reason where it fails.

import type { Static, TObject } from '@sinclair/typebox'
import { TypeCompiler, ValueErrorType } from '@sinclair/typebox/compiler'
import { failed, ok, type Result } from '../kernel/result.ts'
import { type EpochMs, parseInstant } from '../kernel/time.ts'
import type { RejectCode, Rejection, StreamEvent } from './topic.ts'

/**
 * Compiles a parser for a wire schema that has a `recordedAt`.
 * A null field counts as an absent one, since many senders write null for "not measured".
 */
export function compileParser<S extends TObject, E extends StreamEvent>(
  schema: S,
  convert: (wire: Static<S>, recordedAtMs: EpochMs) => E,
): (value: unknown) => Result<E, Rejection> {
  const check = TypeCompiler.Compile(schema)
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return failed({ code: 'not-an-object', message: 'An event must be a JSON object.', path: '' })
    }
    const wire = check.Check(value) ? value : withoutNulls(value)
    if (!check.Check(wire)) return failed(firstProblem(check.Errors(wire).First()))
    const recordedAtMs = parseInstant(Reflect.get(wire, 'recordedAt'))
    if (recordedAtMs === undefined) return failed(badTime(Reflect.get(wire, 'recordedAt')))
    return ok(convert(wire, recordedAtMs))
  }
}

function withoutNulls(value: object): object {
  return Object.fromEntries(Object.entries(value).filter((entry) => entry[1] !== null))
}

function badTime(found: unknown): Rejection {
  return {
    code: 'bad-time',
    message: `recordedAt must be ISO 8601 with an offset, or epoch milliseconds; found ${brief(found)}.`,
    path: '/recordedAt',
  }
}

type Problem = {
  readonly type: ValueErrorType
  readonly path: string
  readonly message: string
  readonly value: unknown
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
