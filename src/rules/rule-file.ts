// Rules as documents in a file: YAML or JSON, one rule or a list, spans as `90s` or `10m`.

import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { isSeq, LineCounter, type Node, parseAllDocuments } from 'yaml'
import { failed, ok, type Result } from '../kernel/result.ts'
import { type DurationMs, parseDuration } from '../kernel/time.ts'
import type { RuleDefinition } from './definition.ts'

/** A file with more of either is refused before it is read. */
export const MAX_RULE_FILE_CHARACTERS = 1024 * 1024
export const MAX_RULES = 1_000

const SEVERITIES = ['critical', 'major', 'minor', 'warning', 'info'] as const
const SPAN = '^\\d+(\\.\\d+)?(ms|s|m|h|d)$'
const ruleName = Type.String({ pattern: '^[a-z][a-z0-9-]{0,62}$' })
const condition = Type.Optional(Type.String({ minLength: 1, maxLength: 2_000 }))
const span = Type.Optional(Type.String({ pattern: SPAN }))

export const ruleDocumentSchema = Type.Object(
  {
    name: ruleName,
    version: Type.Optional(Type.Integer({ minimum: 1 })),
    topic: Type.String({ minLength: 1 }),
    entityType: Type.String({ minLength: 1 }),
    when: condition,
    for: span,
    resolveWhen: condition,
    keepFiringFor: span,
    noDataFor: span,
    severity: Type.Union(SEVERITIES.map((each) => Type.Literal(each))),
    severityField: Type.Optional(Type.String()),
    peak: condition,
    fields: Type.Optional(Type.Array(Type.String(), { maxItems: 50 })),
    instanceField: Type.Optional(Type.String()),
    labels: Type.Optional(Type.Record(Type.String(), Type.String())),
    summary: Type.String({ minLength: 1, maxLength: 500 }),
    description: Type.Optional(Type.String({ maxLength: 2_000 })),
    disabled: Type.Optional(Type.Literal(false)),
  },
  { additionalProperties: false },
)

/** Leaves the built-in rule of that name out; whatever else it says is of no interest. */
const disabledDocumentSchema = Type.Object({ name: ruleName, disabled: Type.Literal(true) })

type RuleDocument = Static<typeof ruleDocumentSchema>

export interface RuleFile {
  readonly rules: readonly RuleDefinition[]
  /** Names of rules that are switched off. */
  readonly disabled: readonly string[]
  /** Where each rule begins, by name; lines count from 1. */
  readonly lines: ReadonlyMap<string, number>
}

const rule = TypeCompiler.Compile(ruleDocumentSchema)
const disabledRule = TypeCompiler.Compile(disabledDocumentSchema)

/** The error says in which line, of which rule and field, and what is wrong there. */
export function parseRuleFile(text: string): Result<RuleFile, string> {
  const found = documentsOf(text)
  if (!found.ok) return found
  const rules: RuleDefinition[] = []
  const disabled: string[] = []
  const lines = new Map<string, number>()
  for (const { value, line } of found.value) {
    const problem = problemOf(value)
    if (problem !== undefined) return failed(`line ${line}: ${nameOf(value)}${problem}`)
    if (disabledRule.Check(value)) disabled.push(value.name)
    else if (rule.Check(value)) rules.push(definitionOf(value))
    const name = String(Reflect.get(Object(value), 'name'))
    if (lines.has(name)) return failed(`line ${line}: there are two rules "${name}"`)
    lines.set(name, line)
  }
  return ok({ rules, disabled, lines })
}

/** Rules of the file in place of those of the same name, the others as they are. */
export function withRules(
  builtIn: readonly RuleDefinition[],
  file: Pick<RuleFile, 'rules' | 'disabled'>,
): readonly RuleDefinition[] {
  const replaced = new Set([...file.disabled, ...file.rules.map(({ name }) => name)])
  return [...builtIn.filter(({ name }) => !replaced.has(name)), ...file.rules]
}

interface Found {
  readonly value: unknown
  readonly line: number
}

function documentsOf(text: string): Result<readonly Found[], string> {
  if (text.length > MAX_RULE_FILE_CHARACTERS) {
    return failed(`the file has more than ${MAX_RULE_FILE_CHARACTERS} characters`)
  }
  const lineCounter = new LineCounter()
  const lineOf = (node: Node | null | undefined): number =>
    lineCounter.linePos(node?.range?.[0] ?? 0).line
  const found: Found[] = []
  try {
    for (const document of parseAllDocuments(text, { lineCounter })) {
      const problem = document.errors[0]
      if (problem !== undefined) return failed(`it is not YAML: ${problem.message}`)
      const { contents } = document
      const value: unknown = document.toJS()
      if (Array.isArray(value) && isSeq<Node>(contents)) {
        for (const [index, each] of value.entries()) {
          found.push({ value: each, line: lineOf(contents.items[index]) })
        }
      } else if (value !== null) {
        found.push({ value, line: lineOf(contents) })
      }
    }
  } catch (error) {
    // Such as aliases of aliases that would grow without end.
    return failed(`it cannot be read: ${error instanceof Error ? error.message : error}`)
  }
  if (found.length === 0) return failed('there is no rule in it')
  return found.length > MAX_RULES ? failed(`it has more than ${MAX_RULES} rules`) : ok(found)
}

function problemOf(value: unknown): string | undefined {
  if (disabledRule.Check(value)) return undefined
  if (!rule.Check(value)) {
    const problem = rule.Errors(value).First()
    if (problem === undefined || problem.path === '') return 'a rule is names and values'
    return `${problem.path.slice(1)}: ${describe(problem.schema, problem.value, problem.message)}`
  }
  if (value.when === undefined && value.noDataFor === undefined) {
    return 'it has neither "when" nor "noDataFor", and would never fire'
  }
  return undefined
}

function nameOf(value: unknown): string {
  const name: unknown = Reflect.get(Object(value), 'name')
  return typeof name === 'string' ? `rule "${name}", ` : ''
}

function describe(schema: TSchema, value: unknown, message: string): string {
  if (value === undefined) return 'is missing'
  if (schema.pattern === SPAN) return 'must be a span such as 90s, 10m or 1.5h'
  if (Array.isArray(schema.anyOf)) return `must be one of ${SEVERITIES.join(', ')}`
  return message === 'Unexpected property' ? 'there is no such field' : message
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
