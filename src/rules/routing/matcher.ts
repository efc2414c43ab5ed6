// Matchers over labels, as Alertmanager writes them: `severity="critical"`, `rule=~"reefer-.+"`. Patterns are
// RE2, anchored at both ends: they take time in proportion to the text, whatever somebody writes.

import { RE2JS } from 're2js'
import { failed, ok, type Result } from '../../kernel/result.ts'
import type { MatchOperator, SilenceMatcher } from '../../ports/routing-store.ts'

export const MAX_MATCHERS = 20
export const MAX_NAME_LENGTH = 100
export const MAX_VALUE_LENGTH = 200
/** Counted repeats are written out by the engine, so that their product is what a pattern costs. */
export const MAX_PATTERN_COPIES = 1_000

export type Labels = Readonly<Record<string, string>>

export interface Matcher extends SilenceMatcher {
  /** A label that is not there counts as empty. */
  matches(labels: Labels): boolean
}

const OPERATORS: readonly MatchOperator[] = ['=~', '!~', '!=', '=']
const TEXT = /^\s*([A-Za-z_][\w.-]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^"\s][^"]*?)|)\s*$/

/** `name="value"`, the quotes optional; the error says what is wrong. */
export function parseMatcher(text: string): Result<Matcher, string> {
  if (text.length > MAX_NAME_LENGTH + 2 * MAX_VALUE_LENGTH) return failed('is too long')
  const parts = TEXT.exec(text)
  const operator = OPERATORS.find((each) => each === parts?.[2])
  if (parts?.[1] === undefined || operator === undefined) {
    return failed('must be a matcher such as severity="critical" or rule=~"reefer-.+"')
  }
  const value = parts[3]?.replaceAll(/\\(.)/g, '$1') ?? parts[4] ?? ''
  return compileMatcher({ name: parts[1], operator, value })
}

export function compileMatcher({ name, operator, value }: SilenceMatcher): Result<Matcher, string> {
  if (name === '' || name.length > MAX_NAME_LENGTH) {
    return failed(`names a label of 1 to ${MAX_NAME_LENGTH} characters`)
  }
  if (value.length > MAX_VALUE_LENGTH)
    return failed(`has a value above ${MAX_VALUE_LENGTH} characters`)
  const fits = testOf(operator, value)
  if (!fits.ok) return fits
  const matches = (labels: Labels): boolean =>
    fits.value(Object.hasOwn(labels, name) ? (labels[name] ?? '') : '')
  return ok({ name, operator, value, matches })
}

export function matchesAll(matchers: readonly Matcher[], labels: Labels): boolean {
  return matchers.every((matcher) => matcher.matches(labels))
}

export function matcherText({ name, operator, value }: SilenceMatcher): string {
  return `${name}${operator}"${value.replaceAll(/["\\]/g, '\\$&')}"`
}

function testOf(operator: MatchOperator, value: string): Result<(text: string) => boolean, string> {
  if (operator === '=') return ok((text) => text === value)
  if (operator === '!=') return ok((text) => text !== value)
  if (copiesOf(value) > MAX_PATTERN_COPIES) {
    return failed(`repeats more than ${MAX_PATTERN_COPIES} times in "${value}"`)
  }
  try {
    const pattern = RE2JS.compile(value)
    return ok((text) => pattern.matches(text) === (operator === '=~'))
  } catch (error) {
    return failed(`has a pattern that is none: ${error instanceof Error ? error.message : error}`)
  }
}

/** An upper bound: the product of all counts, however they nest. */
function copiesOf(pattern: string): number {
  let copies = 1
  for (const [, least, most] of pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)) {
    copies *= Math.max(1, Number(least), Number(most ?? 0))
  }
  return copies
}
