// Matchers of silences as they stand in their rows.

import type { MatchOperator, SilenceMatcher } from '../../ports/routing-store.ts'

const OPERATORS: readonly MatchOperator[] = ['=', '!=', '=~', '!~']

export function matchersOf(value: unknown): readonly SilenceMatcher[] {
  if (!Array.isArray(value)) return []
  return value.map((each: unknown) => {
    const row: Readonly<Record<string, unknown>> = Object(each)
    const operator = OPERATORS.find((known) => known === row.operator) ?? '='
    return { name: String(row.name), operator, value: String(row.value) }
  })
}
