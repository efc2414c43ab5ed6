// A rule made ready to run: conditions compiled against the fields of its topic, everything it names checked.

import type { Result } from '../kernel/result.ts'
import type { Severity } from '../ports/alert.ts'
import {
  type Condition,
  type ConditionProblem,
  compileCondition,
  compileScore,
  type Score,
} from './condition.ts'
import { type RuleDefinition, templateFields } from './definition.ts'
import { type FieldTable, isShownField, shownFields } from './field-table.ts'
import { compileSchedule, isTimeZone } from './schedule.ts'

export interface CompiledRule {
  readonly definition: RuleDefinition
  readonly when: Condition | null
  readonly resolveWhen: Condition | null
  readonly endWhen: Condition | null
  readonly levels: readonly { readonly severity: Severity; readonly when: Condition }[]
  readonly peak: Score | null
  readonly onDuty: ((atMs: number) => boolean) | null
}

/** What is wrong, and where in the document. */
export interface RuleProblem {
  /** Of names and indexes, such as `['severity', 'critical']`. */
  readonly path: readonly (string | number)[]
  readonly message: string
  /** `[start, end)` within the text at the path; absent where all of it is meant. */
  readonly range?: { readonly start: number; readonly end: number }
  /** It is about the name of the field, not about its value. */
  readonly isName?: true
}

/** A silence longer than this is no news; keys are kept a good deal longer. */
export const MAX_NO_DATA_MS = 7 * 86_400_000

export function compileRule(
  definition: RuleDefinition,
  table: FieldTable,
): Result<CompiledRule, readonly RuleProblem[]> {
  const problems: RuleProblem[] = []
  const read = <T>(
    path: RuleProblem['path'],
    source: string | undefined,
    compile: (source: string, table: FieldTable) => Result<T, ConditionProblem>,
  ): T | null => {
    if (source === undefined) return null
    const compiled = compile(source, table)
    if (compiled.ok) return compiled.value
    const { message, start, end } = compiled.error
    problems.push({ path, message, range: { start, end } })
    return null
  }
  const levels = (definition.levels ?? []).flatMap(({ severity, when }) => {
    const compiled = read(['severity', severity], when, compileCondition)
    return compiled === null ? [] : [{ severity, when: compiled }]
  })
  const when = read(['when'], definition.when, compileCondition)
  const resolveWhen = read(['resolveWhen'], definition.resolveWhen, compileCondition)
  const endWhen = read(['endWhen'], definition.endWhen, compileCondition)
  const peak = read(['peak'], definition.peak, compileScore)
  problems.push(...contradictions(definition), ...unknownFields(definition, table))
  const { schedule } = definition
  if (schedule !== undefined && !isTimeZone(schedule.zone)) {
    const message = `there is no time zone "${schedule.zone}"; write one such as Africa/Nairobi`
    problems.push({ path: ['schedule', 'zone'], message })
  }
  if (problems.length > 0) return { ok: false, error: problems }
  const onDuty = schedule === undefined ? null : compileSchedule(schedule)
  return { ok: true, value: { definition, when, resolveWhen, endWhen, levels, peak, onDuty } }
}

function contradictions(definition: RuleDefinition): readonly RuleProblem[] {
  const { when, noDataForMs, count, withinMs, forMs, resolveWhen, endWhen, keepFiringForMs } =
    definition
  const found: RuleProblem[] = []
  const say = (path: string, message: string): void => {
    found.push({ path: [path], message })
  }
  if (when === undefined && noDataForMs === undefined) {
    found.push({ path: [], message: 'it has neither "when" nor "noDataFor", and would never fire' })
  }
  if (when !== undefined && noDataForMs !== undefined) {
    say('noDataFor', 'a rule has either "when" or "noDataFor"; make two rules of it')
  }
  if (noDataForMs !== undefined && noDataForMs > MAX_NO_DATA_MS) {
    say('noDataFor', 'may be 7d at most')
  }
  if (count !== undefined && withinMs === undefined) say('count', 'needs "within" beside it')
  if (withinMs !== undefined && count === undefined) say('within', 'needs "count" beside it')
  if (count !== undefined && forMs !== undefined) {
    say('for', 'a rule has either "for" or "count"; a count is reached at one event')
  }
  if (when === undefined) {
    const idle = { for: forMs, count, resolveWhen, endWhen, keepFiringFor: keepFiringForMs }
    for (const [path, value] of Object.entries(idle)) {
      if (value !== undefined) say(path, 'means nothing without "when"')
    }
  }
  return found
}

/** What a rule about silence may show, having no event to show. */
const SILENCE_FIELDS = ['lastHeardMs', 'silentForS']

function unknownFields(
  definition: RuleDefinition,
  { vocabulary }: FieldTable,
): readonly RuleProblem[] {
  const silence = definition.when === undefined
  const isKnown = (name: string): boolean =>
    silence ? SILENCE_FIELDS.includes(name) : isShownField(vocabulary, name)
  const known = silence ? SILENCE_FIELDS : shownFields(vocabulary)
  const named: { readonly path: RuleProblem['path']; readonly name: string }[] = [
    ...definition.fields.map((name, index) => ({ path: ['fields', index], name })),
    ...templateFields(definition.summary).map((name) => ({ path: ['summary'], name })),
    ...Object.entries(definition.labels).flatMap(([label, text]) =>
      templateFields(text).map((name) => ({ path: ['labels', label], name })),
    ),
  ]
  const { instanceField } = definition
  if (instanceField !== undefined) named.push({ path: ['instanceField'], name: instanceField })
  return named
    .filter(({ name }) => !isKnown(name))
    .map(({ path, name }) => ({
      path,
      message: `${name} does not exist; there are ${known.join(', ')}`,
    }))
}
