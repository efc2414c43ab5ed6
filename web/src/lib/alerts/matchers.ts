// Matchers of silences as text: `entityId="KDG 481P"`. What they mean is judged by the server.

import type { Alert, Matcher } from '$lib/api/types.ts'

const TEXT = /^\s*([A-Za-z_][\w.-]*)\s*(=~|!~|!=|=)\s*"?(.*?)"?\s*$/
const OPERATORS = ['=', '!=', '=~', '!~'] as const

export function matcherText({ name, operator, value }: Matcher): string {
  return `${name}${operator}"${value}"`
}

/** One a line; undefined where a line is none. */
export function parseMatchers(text: string): Matcher[] | undefined {
  const found: Matcher[] = []
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue
    const parts = TEXT.exec(line)
    const operator = OPERATORS.find((each) => each === parts?.[2])
    if (parts?.[1] === undefined || operator === undefined) return undefined
    found.push({ name: parts[1], operator, value: parts[3] ?? '' })
  }
  return found.length === 0 ? undefined : found
}

/** What is the same in all of them: entity and rule of one, else the rule, the entity, or each entity named. */
export function matchersFor(alerts: readonly Alert[]): string {
  const entities = [...new Set(alerts.map(({ entityId }) => entityId))]
  const rules = [...new Set(alerts.map(({ rule }) => rule))]
  return [...oneOf('rule', rules), ...oneOf('entityId', entities)].join('\n')
}

function oneOf(name: string, values: readonly string[]): string[] {
  const [first] = values
  if (first === undefined) return []
  if (values.length === 1) return [`${name}="${first}"`]
  const escaped = values.map((value) => value.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return [`${name}=~"${escaped.join('|')}"`]
}
