// What the routes of rules need of the rest of the program.

import type { Result } from '../kernel/result.ts'
import type { EpochMs } from '../kernel/time.ts'
import type { RuleVersion } from '../ports/rule-store.ts'
import type { RuleVocabulary } from '../rules/field-table.ts'
import type { RuleDocument } from '../rules/rule-document.ts'
import type { LocatedProblem } from '../rules/rule-file.ts'

export interface RuleListing {
  readonly name: string
  readonly version: number
  readonly topic: string
  readonly severity: string
  readonly title: string
  readonly description: string | null
  readonly condition: string | null
  /** Such as `5m`. */
  readonly for: string | null
  readonly keepFiringFor: string | null
  readonly enabled: boolean
  /** `built-in`, `api`, or the file that it came from. */
  readonly source: string
  /** False where a file defines it: there it is changed. */
  readonly editable: boolean
  readonly cases: number
  /** Events that it could not judge since the program started. */
  readonly failures: number
  readonly lastFailure: {
    readonly key: string
    readonly offset: number
    readonly missing: string
  } | null
  readonly document: RuleDocument
}

export interface CheckedRule {
  readonly problems: readonly LocatedProblem[]
  /** Null where there are problems, or the text only switches a rule off. */
  readonly document: RuleDocument | null
  readonly cases: readonly {
    readonly name: string
    readonly problems: readonly string[]
    readonly alerts: readonly Readonly<Record<string, unknown>>[]
  }[]
}

export type WriteProblem =
  | { readonly kind: 'invalid'; readonly problems: readonly LocatedProblem[] }
  | { readonly kind: 'defined-in-file'; readonly file: string }
  | { readonly kind: 'other-name'; readonly found: string }
  /** The text only switches a rule off, and no built-in rule has its name. */
  | { readonly kind: 'nothing-to-switch-off'; readonly known: readonly string[] }

export type TrialProblem = 'busy' | 'unknown-rule'

export interface TrialListener {
  onProgress(events: number, ofEvents: number): void
  readonly signal: AbortSignal
}

export interface RuleDesk {
  topics(): readonly {
    readonly topic: string
    readonly entityType: string
    readonly fields: RuleVocabulary
  }[]
  list(): readonly RuleListing[]
  problems(): readonly (LocatedProblem & { readonly file: string })[]
  /** YAML of a rule in force. */
  text(name: string): string | undefined
  versions(name: string): Promise<readonly RuleVersion[]>
  /** YAML of a version that was in force; undefined where none has that number. */
  versionText(name: string, version: number): Promise<string | undefined>
  check(text: string): CheckedRule
  write(name: string, text: string, author: string): Promise<Result<RuleListing, WriteProblem>>
  erase(name: string): Promise<boolean>
  replay(
    request: {
      readonly document: RuleDocument
      readonly tenantId: string
      readonly fromMs: EpochMs
      readonly toMs: EpochMs
    },
    listener: TrialListener,
  ): Promise<Result<object, TrialProblem>>
  explain(
    name: string,
    request: { readonly entityId: string; readonly tenantId: string; readonly atMs: EpochMs },
    listener: TrialListener,
  ): Promise<Result<object, TrialProblem>>
}
