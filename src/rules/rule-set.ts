// The state machine of alerts: idle → pending → firing → (ending) → resolved, one episode a rule, entity
// and instance. Driven by event time alone, so the same events give the same alerts in every run.

import { assert } from '../kernel/errors.ts'
import type { EpochMs } from '../kernel/time.ts'
import type { FieldValue, Severity } from '../ports/alert.ts'
import type { Episode } from '../streams/episode.ts'
import type { KeyContext, Silence } from '../streams/pipeline.ts'
import {
  type CompiledRule,
  compileRule,
  fieldOf,
  type RuleInput,
  type RuleVocabulary,
} from './compile.ts'
import type { RuleDefinition } from './definition.ts'

/** State of one rule for one instance of a key; plain data. */
export interface RuleRun {
  readonly rule: string
  readonly instance: string
  /** Since when the condition holds without a break; null while it does not. */
  heldSinceMs: EpochMs | null
  /** Since when a firing alert is over, while `keepFiringForMs` still runs. */
  overSinceMs: EpochMs | null
  count: number
  /** The event that began to hold, kept while pending so that the alert can show it. */
  opening: Readonly<Record<string, FieldValue>> | null
  episode: Episode | null
}

/** Rules that are doing something for a key; a quiet key has none. */
export type RuleRuns = RuleRun[]

/** Instances of one rule for one key; further ones are not watched, which the key's view shows. */
export const MAX_RUNS = 64

export function copyRuns(runs: RuleRuns): RuleRuns {
  if (runs.length === 0) return []
  return runs.map((run) => ({
    ...run,
    episode: run.episode === null ? null : { ...run.episode },
  }))
}

export function openEpisodesOf(runs: RuleRuns): readonly Episode[] {
  return runs.flatMap((run) => (run.episode === null ? [] : [run.episode]))
}

export class RuleSet {
  readonly definitions: readonly RuleDefinition[]
  readonly #rules: readonly CompiledRule[]

  /** Throws on a rule that does not compile: built-in rules are checked when the program starts. */
  constructor(definitions: readonly RuleDefinition[], vocabulary: RuleVocabulary) {
    this.definitions = definitions
    this.#rules = definitions.map((definition) => {
      const compiled = compileRule(definition, vocabulary)
      assert(
        compiled.ok,
        compiled.ok
          ? ''
          : `Rule ${definition.name}, ${compiled.error.field}: ${compiled.error.message}`,
      )
      return compiled.value
    })
  }

  /** Rules that watch for silence, as the engine runs them. */
  silences<S>(
    labelsOf: (state: Readonly<S>) => Readonly<Record<string, string>>,
  ): readonly Silence<S>[] {
    return this.definitions
      .flatMap((definition) => {
        const afterMs = definition.noDataForMs
        return afterMs === undefined ? [] : [{ definition, afterMs }]
      })
      .sort((a, b) => a.afterMs - b.afterMs)
      .map(({ definition, afterMs }) => ({
        afterMs,
        describe: (state, context) => {
          const value = { lastHeardMs: context.startsAtMs - afterMs, silentForS: afterMs / 1_000 }
          return newEpisode(definition, {
            entityId: context.key,
            instance: '',
            startsAtMs: context.startsAtMs,
            labels: { ...definition.labels, ...labelsOf(state) },
            value,
            summary: render(definition.summary, (name) => Reflect.get(value, name) ?? null),
          })
        },
      }))
  }

  onEvent(runs: RuleRuns, input: RuleInput, context: KeyContext): void {
    for (const rule of this.#rules) {
      if (rule.when === null) continue
      const { instanceField } = rule.definition
      const instance =
        instanceField === undefined ? '' : String(fieldOf(input, instanceField) ?? '')
      const index = runs.length === 0 ? -1 : findRun(runs, rule.definition.name, instance)
      const run = runs[index]
      if (run?.episode != null) this.#whileFiring(runs, index, run.episode, rule, input, context)
      else if (rule.when(input)) this.#whileHolding(runs, run, rule, instance, input, context)
      else if (run !== undefined) runs.splice(index, 1)
    }
  }

  #whileHolding(
    runs: RuleRuns,
    known: RuleRun | undefined,
    rule: CompiledRule,
    instance: string,
    input: RuleInput,
    context: KeyContext,
  ): void {
    const { definition } = rule
    if (known === undefined && runs.length >= MAX_RUNS) return
    const run = known ?? startRun(definition, instance, input, context)
    if (known === undefined) runs.push(run)
    run.count++
    const heldSinceMs = run.heldSinceMs ?? context.eventTimeMs
    if (context.eventTimeMs - heldSinceMs < (definition.forMs ?? 0)) return
    const shown = shownFields(definition, input)
    const episode = newEpisode(definition, {
      entityId: context.key,
      instance,
      startsAtMs: heldSinceMs,
      labels: labelsOf(definition, instance),
      value: run.opening ?? shown,
      summary: render(definition.summary, (name) => fieldOf(input, name)),
    })
    episode.updatedAtMs = context.eventTimeMs
    episode.severity = severityOf(definition, input)
    episode.count = run.count
    episode.peak = shown
    episode.peakScore = rule.peak?.(input) ?? 0
    run.episode = episode
    context.openEpisode(episode)
  }

  #whileFiring(
    runs: RuleRuns,
    index: number,
    episode: Episode,
    rule: CompiledRule,
    input: RuleInput,
    context: KeyContext,
  ): void {
    const { definition } = rule
    const run = runs[index]
    if (run === undefined) return
    const holding = rule.when?.(input) === true
    const over = rule.resolveWhen === null ? !holding : !holding && rule.resolveWhen(input)
    episode.updatedAtMs = context.eventTimeMs
    if (holding) this.#extend(episode, rule, input, context)
    if (!over) {
      run.overSinceMs = null
      return
    }
    run.overSinceMs ??= context.eventTimeMs
    if (context.eventTimeMs - run.overSinceMs < (definition.keepFiringForMs ?? 0)) return
    episode.status = 'resolved'
    episode.endsAtMs = run.overSinceMs
    runs.splice(index, 1)
    context.publishEpisode(episode)
  }

  /** A worse reading is news; one more of the same is not, but at every doubling of the count. */
  #extend(episode: Episode, rule: CompiledRule, input: RuleInput, context: KeyContext): void {
    episode.count++
    const score = rule.peak?.(input) ?? 0
    const worse = score > episode.peakScore
    if (worse) {
      episode.peakScore = score
      episode.peak = shownFields(rule.definition, input)
      episode.summary = render(rule.definition.summary, (name) => fieldOf(input, name))
    }
    const severity = severityOf(rule.definition, input)
    const graver = SEVERITIES.indexOf(severity) > SEVERITIES.indexOf(episode.severity)
    if (graver) episode.severity = severity
    const doubled = (episode.count & (episode.count - 1)) === 0
    if (worse || graver || doubled) context.publishEpisode(episode)
  }
}

function findRun(runs: RuleRuns, rule: string, instance: string): number {
  for (let index = 0; index < runs.length; index++) {
    const run = runs[index]
    if (run !== undefined && run.rule === rule && run.instance === instance) return index
  }
  return -1
}

function startRun(
  definition: RuleDefinition,
  instance: string,
  input: RuleInput,
  context: KeyContext,
): RuleRun {
  return {
    rule: definition.name,
    instance,
    heldSinceMs: context.eventTimeMs,
    overSinceMs: null,
    count: 0,
    opening: shownFields(definition, input),
    episode: null,
  }
}

interface EpisodeFacts {
  readonly entityId: string
  readonly instance: string
  readonly startsAtMs: EpochMs
  readonly labels: Readonly<Record<string, string>>
  readonly value: Readonly<Record<string, FieldValue>>
  readonly summary: string
}

function newEpisode(definition: RuleDefinition, facts: EpisodeFacts): Episode {
  return {
    id: '',
    rule: definition.name,
    ruleVersion: definition.version,
    entityType: definition.entityType,
    entityId: facts.entityId,
    instance: facts.instance,
    status: 'firing',
    severity: definition.severity,
    startsAtMs: facts.startsAtMs,
    endsAtMs: null,
    updatedAtMs: facts.startsAtMs,
    summary: facts.summary,
    labels: facts.labels,
    value: facts.value,
    peak: facts.value,
    peakScore: 0,
    count: 1,
    openedBy: 0,
    closedBy: null,
  }
}

function labelsOf(definition: RuleDefinition, instance: string): Readonly<Record<string, string>> {
  const { instanceField, labels } = definition
  return instanceField === undefined || instance === ''
    ? labels
    : { ...labels, [instanceField]: instance }
}

const SEVERITIES: readonly Severity[] = ['info', 'warning', 'minor', 'major', 'critical']

function severityOf(definition: RuleDefinition, input: RuleInput): Severity {
  const { severity, severityField } = definition
  const named = severityField === undefined ? null : fieldOf(input, severityField)
  return SEVERITIES.find((known) => known === named) ?? severity
}

function shownFields(
  definition: RuleDefinition,
  input: RuleInput,
): Readonly<Record<string, FieldValue>> {
  const shown: Record<string, FieldValue> = {}
  for (const name of definition.fields) shown[name] = fieldOf(input, name)
  return shown
}

/** Numbers are shown with one decimal at most. */
function render(template: string, field: (name: string) => FieldValue): string {
  return template.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = field(name)
    return typeof value === 'number' ? String(Math.round(value * 10) / 10) : String(value ?? '–')
  })
}
