// Rules as documents in a file: YAML or JSON, one rule or a list, spans as `90s` or `10m`.

import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { parseAllDocuments } from 'yaml'
import { failed, ok, type Result } from '../kernel/result.ts'
import { type DurationMs, parseDuration } from '../kernel/time.ts'
import type { RuleDefinition } from './definition.ts'

const condition = Type.Optional(Type.String({ minLength: 1, maxLength: 2_000 }))
const span = Type.Optional(Type.String({ pattern: '^\\d+(\\.\\d+)?(ms|s|m|h|d)$' }))

export const ruleDocumentSchema = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z][a-z0-9-]{0,62}$' }),
    version: Type.Optional(Type.Integer({ minimum: 1 })),
    topic: Type.String({ minLength: 1 }),
    entityType: Type.String({ minLength: 1 }),
    when: condition,
    for: span,
    resolveWhen: condition,
    keepFiringFor: span,
    noDataFor: span,
    severity: Type.Union(
      (['critical', 'major', 'minor', 'warning', 'info'] as const).map((each) =>
        Type.Literal(each),
      ),
    ),
    severityField: Type.Optional(Type.String()),
    peak: condition,
    fields: Type.Optional(Type.Array(Type.String(), { maxItems: 50 })),
    instanceField: Type.Optional(Type.String()),
    labels: Type.Optional(Type.Record(Type.String(), Type.String())),
    summary: Type.String({ minLength: 1, maxLength: 500 }),
    description: Type.Optional(Type.String({ maxLength: 2_000 })),
    /** Leaves the built-in rule of that name out. */
    disabled: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)

type RuleDocument = Static<typeof ruleDocumentSchema>

export interface RuleFile {
  readonly rules: readonly RuleDefinition[]
  /** Names of rules that are switched off. */
  readonly disabled: readonly string[]
}

const check = TypeCompiler.Compile(ruleDocumentSchema)

/** The error names the rule and what is wrong with it. */
export function parseRuleFile(text: string): Result<RuleFile, string> {
  const found: unknown[] = []
  for (const document of parseAllDocuments(text)) {
    const problem = document.errors[0]
    if (problem !== undefined) return failed(problem.message)
    const value: unknown = document.toJS()
    found.push(...(Array.isArray(value) ? value : [value]))
  }
  const rules: RuleDefinition[] = []
  const disabled: string[] = []
  for (const [index, value] of found.entries()) {
    if (!check.Check(value)) {
      const problem = check.Errors(value).First()
      return failed(
        `rule ${index + 1}: ${problem?.path || '/'} ${problem?.message ?? 'is not a rule'}`,
      )
    }
    if (value.disabled === true) disabled.push(value.name)
    else rules.push(definitionOf(value))
  }
  return ok({ rules, disabled })
}

/** Rules of the file in place of those of the same name, the others as they are. */
export function withRules(
  builtIn: readonly RuleDefinition[],
  file: RuleFile,
): readonly RuleDefinition[] {
  const replaced = new Set([...file.disabled, ...file.rules.map(({ name }) => name)])
  return [...builtIn.filter(({ name }) => !replaced.has(name)), ...file.rules]
}

function definitionOf(document: RuleDocument): RuleDefinition {
  const { for: forText, keepFiringFor, noDataFor, disabled: _, ...rest } = document
  return {
    ...rest,
    version: rest.version ?? 1,
    fields: rest.fields ?? [],
    labels: rest.labels ?? {},
    description: rest.description ?? '',
    ...spanOf('forMs', forText),
    ...spanOf('keepFiringForMs', keepFiringFor),
    ...spanOf('noDataForMs', noDataFor),
  }
}

function spanOf<K extends string>(
  name: K,
  text: string | undefined,
): { readonly [P in K]?: DurationMs } {
  const spanMs = text === undefined ? undefined : parseDuration(text)
  return spanMs === undefined ? {} : ({ [name]: spanMs } as { [P in K]: DurationMs })
}
