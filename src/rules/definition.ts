// A rule as the engine runs it: what it looks at, when it fires, for how long, when it is over, and what it
// says. Made of a document (rule-document.ts); spans are numbers here, and what may be left out is filled in.

import type { DurationMs } from '../kernel/time.ts'
import type { Severity } from '../ports/alert.ts'
import type { Schedule } from './schedule.ts'

export interface RuleDefinition {
  readonly name: string
  /** Grows with every change; alerts say which one fired. */
  readonly version: number
  readonly topic: string
  readonly entityType: string
  /** A condition. A rule without it fires on silence alone. */
  readonly when?: string
  /** The condition must hold for so long, from the first event that shows it. */
  readonly forMs?: DurationMs
  /** The condition must hold on so many events within `withinMs`. */
  readonly count?: number
  readonly withinMs?: DurationMs
  /** A condition that ends a firing alert; where absent, `when` not holding does. */
  readonly resolveWhen?: string
  /** A condition that ends a firing alert at once, though `when` holds: what it is about is finished. */
  readonly endWhen?: string
  /** The end must have lasted for so long. */
  readonly keepFiringForMs?: DurationMs
  /** Fires where an entity that sent in time sends nothing for so long. */
  readonly noDataForMs?: DurationMs
  /** Where none of `levels` holds. */
  readonly severity: Severity
  /** Severities with their conditions; the worst that holds counts. */
  readonly levels?: readonly { readonly severity: Severity; readonly when: string }[]
  /** Expression for a number; the event with the largest one is the alert's peak. */
  readonly peak?: string
  /** Fields that the alert shows as its value and its peak. */
  readonly fields: readonly string[]
  /** Field that tells alerts of one entity apart, such as the zone of a truck. */
  readonly instanceField?: string
  /** Texts with `{field}` in them, filled in when the alert opens. */
  readonly labels: Readonly<Record<string, string>>
  /** Text with `{field}` in it. */
  readonly summary: string
  /** Said on screens beside the rule. */
  readonly description: string
  /** Outside of it the condition counts as not holding. */
  readonly schedule?: Schedule
}

/** From the least to the gravest. */
export const SEVERITIES: readonly Severity[] = ['info', 'warning', 'minor', 'major', 'critical']

/** Names in the braces of a template. */
export function templateFields(template: string): readonly string[] {
  return [...template.matchAll(TEMPLATE)].map(([, name = '']) => name)
}

const TEMPLATE = /\{(\w+(?:\.\w+)?)\}/g

/** Numbers are shown with one decimal at most. */
export function render(
  template: string,
  field: (name: string) => string | number | boolean | null,
): string {
  return template.replaceAll(TEMPLATE, (_, name: string) => {
    const value = field(name)
    return typeof value === 'number' ? String(Math.round(value * 10) / 10) : String(value ?? '–')
  })
}
