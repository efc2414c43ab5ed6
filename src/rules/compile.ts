// CEL conditions, checked against the fields they may use and compiled once.

import { Environment } from '@marcbachmann/cel-js'
import { failed, ok, type Result } from '../kernel/result.ts'
import type { FieldValue } from '../ports/alert.ts'
import type { RuleDefinition } from './definition.ts'
import { quickCondition } from './quick-condition.ts'

/** What a condition sees; absent fields are null. */
export interface RuleInput {
  readonly event: object
  readonly derived: object
}

/** Fields that conditions of a topic may name. */
export interface RuleVocabulary {
  readonly event: readonly string[]
  readonly derived: readonly string[]
}

export interface CompiledRule {
  readonly definition: RuleDefinition
  readonly when: ((input: RuleInput) => boolean) | null
  readonly resolveWhen: ((input: RuleInput) => boolean) | null
  readonly peak: ((input: RuleInput) => number) | null
}

export interface RuleProblem {
  readonly rule: string
  readonly field: string
  readonly message: string
}

/** Conditions longer than this are refused, before they are parsed. */
export const MAX_CONDITION_LENGTH = 2_000

export function compileRule(
  definition: RuleDefinition,
  vocabulary: RuleVocabulary,
): Result<CompiledRule, RuleProblem> {
  const compiled: { -readonly [K in 'when' | 'resolveWhen' | 'peak']: Evaluate | null } = {
    when: null,
    resolveWhen: null,
    peak: null,
  }
  for (const field of ['when', 'resolveWhen', 'peak'] as const) {
    const source = definition[field]
    if (source === undefined) continue
    const result = compileExpression(source, vocabulary, field === 'peak' ? 'number' : 'bool')
    if (!result.ok) return failed({ rule: definition.name, field, message: result.error })
    compiled[field] = result.value
  }
  const unknown = unknownField(definition, vocabulary)
  if (unknown !== undefined) return failed({ rule: definition.name, ...unknown })
  const { when, resolveWhen, peak } = compiled
  return ok({
    definition,
    when: when && ((input) => holds(when, input)),
    resolveWhen: resolveWhen && ((input) => holds(resolveWhen, input)),
    peak: peak && ((input) => score(peak, input)),
  })
}

/** Fields that an alert would show as empty for ever. */
function unknownField(
  { fields, instanceField, severityField }: RuleDefinition,
  { event, derived }: RuleVocabulary,
): Pick<RuleProblem, 'field' | 'message'> | undefined {
  const known = [...event, ...derived]
  const named = [
    ...fields.map((name) => ({ field: 'fields', name })),
    ...[instanceField].map((name) => ({ field: 'instanceField', name })),
    ...[severityField].map((name) => ({ field: 'severityField', name })),
  ]
  const wrong = named.find(({ name }) => name !== undefined && !known.includes(name))
  if (wrong === undefined) return undefined
  return {
    field: wrong.field,
    message: `${wrong.name} does not exist; there are ${known.join(', ')}.`,
  }
}

type Evaluate = (input: RuleInput) => unknown

/** A condition that fails on an event counts as not holding there. */
function holds(evaluate: Evaluate, input: RuleInput): boolean {
  try {
    return evaluate(input) === true
  } catch {
    return false
  }
}

function score(evaluate: Evaluate, input: RuleInput): number {
  try {
    const value = evaluate(input)
    // CEL's integers come as bigint.
    const number = typeof value === 'bigint' ? Number(value) : value
    return typeof number === 'number' && Number.isFinite(number) ? number : 0
  } catch {
    return 0
  }
}

function compileExpression(
  source: string,
  vocabulary: RuleVocabulary,
  expected: 'bool' | 'number',
): Result<Evaluate, string> {
  if (source.length > MAX_CONDITION_LENGTH) {
    return failed(`A condition may have ${MAX_CONDITION_LENGTH} characters.`)
  }
  for (const [, root, field] of source.matchAll(/\b(event|derived)\.(\w+)/g)) {
    const known = root === 'event' ? vocabulary.event : vocabulary.derived
    if (field !== undefined && !known.includes(field)) {
      return failed(`${root}.${field} does not exist; there are ${known.join(', ')}.`)
    }
  }
  const environment = new Environment({ unlistedVariablesAreDyn: false })
    .registerVariable('event', 'map')
    .registerVariable('derived', 'map')
  try {
    const parsed = environment.parse(source)
    const checked = parsed.check()
    if (!checked.valid) return failed(checked.error?.message ?? 'The condition is not valid.')
    const numeric = ['double', 'int', 'uint', 'dyn'].includes(checked.type ?? '')
    if (expected === 'bool' ? checked.type !== 'bool' && checked.type !== 'dyn' : !numeric) {
      return failed(`Expected a ${expected}, found ${checked.type ?? 'nothing'}.`)
    }
    const quick = quickCondition(parsed.ast)
    if (quick === undefined) return ok((input) => parsed(input))
    return ok((input) => quick(input) ?? parsed(input))
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error))
  }
}

/** Reads a field by name from the event, or from what was derived of it. */
export function fieldOf(input: RuleInput, name: string): FieldValue {
  const value: unknown = Reflect.get(input.event, name) ?? Reflect.get(input.derived, name)
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
      return value
    default:
      return null
  }
}
