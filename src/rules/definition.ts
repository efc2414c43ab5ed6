// A rule is data: what it looks at, when it fires, for how long, when it is over, and what it says.

import type { DurationMs } from '../kernel/time.ts'
import type { Severity } from '../ports/alert.ts'

export interface RuleDefinition {
  readonly name: string
  /** Grows with every change; alerts say which one fired. */
  readonly version: number
  readonly topic: string
  readonly entityType: string
  /** CEL over `event` and `derived`. A rule without it fires on silence alone. */
  readonly when?: string
  /** The condition must hold for so long, from the first reading that shows it. */
  readonly forMs?: DurationMs
  /** CEL that ends a firing alert; where absent, the condition not holding does. */
  readonly resolveWhen?: string
  /** The end must have lasted for so long. */
  readonly keepFiringForMs?: DurationMs
  /** Fires where an entity that sent in time sends nothing for so long. */
  readonly noDataForMs?: DurationMs
  readonly severity: Severity
  /** Field of `derived` that names a severity; the worst one seen counts, `severity` where it names none. */
  readonly severityField?: string
  /** CEL for a number; the reading with the largest one is the alert's peak. */
  readonly peak?: string
  /** Fields of `event` or `derived` that the alert shows as its value and its peak. */
  readonly fields: readonly string[]
  /** Field of `event` that tells alerts of one entity apart, such as the zone of a truck. */
  readonly instanceField?: string
  readonly labels: Readonly<Record<string, string>>
  /** Text with `{field}` in it. */
  readonly summary: string
  /** Said on screens beside the rule. */
  readonly description: string
}
