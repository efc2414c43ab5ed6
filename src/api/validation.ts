// Requests are checked by the same TypeBox schemas that document them; every failure becomes one problem
// that names each field.

import type { TSchema } from '@sinclair/typebox'
import { TypeCompiler, type ValueError, ValueErrorType } from '@sinclair/typebox/compiler'
import { Value } from '@sinclair/typebox/value'
import type { FastifyInstance } from 'fastify'
import { type EpochMs, parseInstant } from '../kernel/time.ts'
import { type FieldProblem, HttpProblem } from './problems.ts'

/** Fields named in one problem. */
const MAX_ERRORS = 20

/** Bodies are taken as they are; parameters of the address are text and get converted. */
export function installValidation(app: FastifyInstance): void {
  app.setValidatorCompiler<TSchema>(({ schema, httpPart }) => {
    const check = TypeCompiler.Compile(schema)
    return (found: unknown) => {
      const data = httpPart === 'body' ? found : converted(schema, found)
      if (check.Check(data)) return { value: data }
      const errors = [...firstOf(check.Errors(data))].map(fieldProblem)
      const detail = errors.map(({ path, message }) => `${path || httpPart}: ${message}`).join('; ')
      return { error: new HttpProblem('invalid-request', detail, { errors }) }
    }
  })
  // Answers are built by us: their schemas document them, and tests hold the two together.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data))
}

function converted(schema: TSchema, found: unknown): unknown {
  return Value.Default(schema, Value.Convert(schema, Value.Clone({ ...Object(found) })))
}

function* firstOf(errors: Iterable<ValueError>): Iterable<ValueError> {
  let count = 0
  for (const error of errors) {
    yield error
    count += 1
    if (count === MAX_ERRORS) return
  }
}

function fieldProblem({ path, type, message }: ValueError): FieldProblem {
  const code = ValueErrorType[type].replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()
  return { path, code, message: `${message.charAt(0).toLowerCase()}${message.slice(1)}` }
}

/** Reads an instant of the address. A `+` that arrived as a space is taken for what was meant. */
export function instantOf(name: string, value: string | undefined): EpochMs | undefined {
  if (value === undefined) return undefined
  const text = value.trim().replace(/ (?=\d{2}:?\d{2}$)/, '+')
  const atMs = parseInstant(/^\d+$/.test(text) ? Number(text) : text)
  if (atMs !== undefined) return atMs
  throw invalidParameter(name, 'must be ISO 8601 with an offset, or epoch milliseconds')
}

export interface OpenRange {
  readonly fromMs: EpochMs | undefined
  readonly toMs: EpochMs | undefined
}

export function rangeOf(query: { from?: string; to?: string }): OpenRange {
  const fromMs = instantOf('from', query.from)
  const toMs = instantOf('to', query.to)
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs) {
    throw invalidParameter('from', 'must be before to')
  }
  return { fromMs, toMs }
}

/** Splits `a,b`; each part must be one of those allowed, or anything where none are named. */
export function choicesOf(
  name: string,
  value: string | undefined,
  allowed?: readonly string[],
): readonly string[] | undefined {
  if (value === undefined) return undefined
  const parts = value.split(',').map((part) => part.trim())
  const wrong = parts.find((part) => part === '' || (allowed && !allowed.includes(part)))
  if (wrong === undefined) return parts
  throw invalidParameter(name, `"${wrong}" is not one of ${allowed?.join(', ') ?? 'the values'}`)
}

export function invalidParameter(name: string, message: string): HttpProblem {
  return new HttpProblem('invalid-request', `${name}: ${message}`, {
    errors: [{ path: `/${name}`, code: 'invalid', message }],
  })
}
