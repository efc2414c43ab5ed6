// The state machine of alerts: idle → pending → firing → (ending) → resolved, one episode a rule, entity
// and instance. Driven by event time alone, so the same events give the same alerts in every run.

import { assert } from '../kernel/errors.ts'
import type { EpochMs } from '../kernel/time.ts'
import type { FieldValue, Severity } from '../ports/alert.ts'
import type { Episode } from '../streams/episode.ts'
import type { KeyContext, PendingRule, Silence } from '../streams/pipeline.ts'
import { type CompiledRule, compileRule, type RuleProblem } from './compile.ts'
import type { Condition } from './condition.ts'
import { FAILS, NO, YES } from './condition-part.ts'
import { type RuleDefinition, render, SEVERITIES } from './definition.ts'
import { FieldTable, fieldOf, type RuleInput, type RuleVocabulary } from './field-table.ts'
import { PlaceSet } from './place-set.ts'
import { WakeIndex } from './wake-index.ts'

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
  /** Of a rule that counts: when the condition held last, as often as it counts; never changed in place. */
  hits?: readonly EpochMs[]
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
  if (runs.length === 0) return NO_EPISODES
  return runs.flatMap((run) => (run.episode === null ? [] : [run.episode]))
}

const NO_EPISODES: readonly Episode[] = []

/** How often a rule could not say whether its condition holds, and an event where it was so. */
export interface RuleFailure {
  readonly rule: string
  readonly count: number
  readonly example: { readonly key: string; readonly offset: number; readonly missing: string }
}

/** Told of every event after the rules were, with what they saw; `runs` is their state after it. */
export type RuleTrace = (
  rules: readonly CompiledRule[],
  input: RuleInput,
  context: KeyContext,
  runs: RuleRuns,
) => void

export class RuleSet {
  readonly definitions: readonly RuleDefinition[]
  /** Rules that are left out because they do not compile. */
  readonly problems: readonly { readonly rule: string; readonly problem: RuleProblem }[]
  readonly #rules: readonly CompiledRule[]
  /** Rules that look at events, and their conditions. */
  readonly #judging: readonly CompiledRule[]
  readonly #names: ReadonlySet<string>
  readonly #table: FieldTable
  readonly #conditions: readonly Condition[]
  readonly #index: WakeIndex
  /** Place among the judging rules, by name. */
  readonly #places: ReadonlyMap<string, number>
  /** Of the event at hand: rules that are doing something for the key, and those to look at. */
  readonly #active: PlaceSet
  readonly #woken: PlaceSet
  /** How often each failed since it was last asked, and where it first did. */
  readonly #failures: Uint32Array
  readonly #examples = new Map<number, RuleFailure['example']>()
  readonly #trace: RuleTrace | null

  constructor(
    definitions: readonly RuleDefinition[],
    vocabulary: RuleVocabulary,
    trace: RuleTrace | null = null,
  ) {
    this.#table = new FieldTable(vocabulary)
    this.#trace = trace
    const rules: CompiledRule[] = []
    const problems: { rule: string; problem: RuleProblem }[] = []
    for (const definition of definitions) {
      const compiled = compileRule(definition, this.#table)
      if (compiled.ok) rules.push(compiled.value)
      else problems.push(...compiled.error.map((problem) => ({ rule: definition.name, problem })))
    }
    this.#rules = rules
    this.#judging = rules.filter(({ when }) => when !== null)
    this.#conditions = this.#judging.flatMap(({ when }) => (when === null ? [] : [when]))
    this.#index = new WakeIndex(this.#conditions.map(({ guards }) => guards))
    this.#places = new Map(this.#judging.map(({ definition }, at) => [definition.name, at]))
    this.#active = new PlaceSet(this.#judging.length)
    this.#woken = new PlaceSet(this.#judging.length)
    this.#failures = new Uint32Array(this.#judging.length)
    this.#names = new Set(rules.map(({ definition }) => definition.name))
    this.definitions = rules.map(({ definition }) => definition)
    this.problems = problems
  }

  /** Throws where a rule did not compile: built-in rules are checked when the program starts. */
  checked(): this {
    const [first] = this.problems
    assert(
      first === undefined,
      first === undefined
        ? ''
        : `Rule ${first.rule}, ${first.problem.path.join('.')}: ${first.problem.message}`,
    )
    return this
  }

  /** Rules that watch for silence, as the engine runs them. */
  silences<S>(
    labelsOf: (state: Readonly<S>) => Readonly<Record<string, string>>,
  ): readonly Silence<S>[] {
    return this.#rules
      .flatMap(({ definition, onDuty }) => {
        const afterMs = definition.noDataForMs
        return afterMs === undefined ? [] : [{ definition, onDuty, afterMs }]
      })
      .sort((a, b) => a.afterMs - b.afterMs || (a.definition.name < b.definition.name ? -1 : 1))
      .map(({ definition, onDuty, afterMs }) => ({
        rule: definition.name,
        afterMs,
        describe: (state, context) => {
          if (onDuty !== null && !onDuty(context.startsAtMs)) return undefined
          const value: Readonly<Record<string, FieldValue>> = {
            lastHeardMs: context.startsAtMs - afterMs,
            silentForS: afterMs / 1_000,
          }
          const shown = (name: string): FieldValue => value[name] ?? null
          return newEpisode(definition, {
            entityId: context.key,
            instance: '',
            startsAtMs: context.startsAtMs,
            labels: { ...filledIn(definition.labels, shown), ...labelsOf(state) },
            value,
            summary: render(definition.summary, shown),
          })
        },
      }))
  }

  /** Fields that conditions name, such as `event.speedKmh`. */
  get conditionFields(): readonly string[] {
    return this.#table.used
  }

  onEvent(runs: RuleRuns, input: RuleInput, context: KeyContext): void {
    if (this.#judging.length === 0 && this.#trace === null) return
    this.#table.read(input)
    this.#wake(runs)
    const woken = this.#woken
    for (let at = woken.next(0); at !== -1; at = woken.next(at + 1)) {
      const rule = this.#judging[at]
      const condition = this.#conditions[at]
      if (rule === undefined || condition === undefined) break
      const verdict = condition.test()
      if (verdict === NO && !this.#active.has(at)) continue
      if (verdict === FAILS) this.#noteFailure(at, condition, context)
      const holding = verdict === YES && (rule.onDuty === null || rule.onDuty(context.eventTimeMs))
      if (!holding && !this.#active.has(at)) continue
      const { instanceField } = rule.definition
      const instance =
        instanceField === undefined ? '' : String(fieldOf(input, instanceField) ?? '')
      const index = findRun(runs, rule.definition.name, instance)
      const run = runs[index]
      if (run === undefined && !holding) continue
      const step = { runs, index, rule, instance, input, context }
      if (rule.definition.count !== undefined) this.#counting(step, run, holding)
      else if (run?.episode != null) this.#whileFiring(step, run, run.episode, holding)
      else if (holding) this.#whileHolding(step, run)
      else runs.splice(index, 1)
      if (rule.endWhen !== null) this.#endFinished(step, rule.endWhen)
    }
    this.#trace?.(this.#rules, input, context, runs)
  }

  /** Most rules cannot hold and have nothing going on for the key: they are not even looked at. */
  #wake(runs: RuleRuns): void {
    this.#woken.clear()
    this.#index.wake(this.#woken)
    this.#active.clear()
    for (const run of runs) {
      const at = this.#places.get(run.rule)
      if (at === undefined) continue
      this.#active.add(at)
      this.#woken.add(at)
    }
  }

  /** What holds already and does not fire yet. */
  pending(runs: Readonly<RuleRuns>): readonly PendingRule[] {
    return runs.flatMap((run) => {
      const definition = this.#judging[this.#places.get(run.rule) ?? -1]?.definition
      return run.episode !== null || definition === undefined ? [] : pendingRun(definition, run)
    })
  }

  /** Ends what rules had opened that are no longer in the set. */
  dropGone(runs: RuleRuns, context: KeyContext): void {
    for (let index = runs.length - 1; index >= 0; index--) {
      const run = runs[index]
      if (run === undefined || this.#names.has(run.rule)) continue
      runs.splice(index, 1)
      if (run.episode === null) continue
      run.episode.status = 'resolved'
      run.episode.endsAtMs = Math.max(run.episode.startsAtMs, context.eventTimeMs)
      run.episode.updatedAtMs = run.episode.endsAtMs
      context.publishEpisode(run.episode)
    }
  }

  /** Failures since the last call. */
  takeFailures(): readonly RuleFailure[] {
    if (this.#examples.size === 0) return []
    const taken = [...this.#examples].map(([at, example]) => ({
      rule: this.#judging[at]?.definition.name ?? '',
      count: this.#failures[at] ?? 0,
      example,
    }))
    this.#examples.clear()
    this.#failures.fill(0)
    return taken
  }

  #noteFailure(at: number, condition: Condition, { key, offset }: KeyContext): void {
    const count = this.#failures[at] ?? 0
    if (count === 0) this.#examples.set(at, { key, offset, missing: missingIn(condition) })
    this.#failures[at] = count + 1
  }

  #counting(step: Step, known: RuleRun | undefined, hit: boolean): void {
    const { definition } = step.rule
    const { count = 1, withinMs = 0 } = definition
    const nowMs = step.context.eventTimeMs
    const run = known ?? this.#startRun(step)
    if (run === undefined) return
    const recent = (run.hits ?? []).filter((atMs) => atMs > nowMs - withinMs)
    run.hits = hit ? [...recent, nowMs].slice(-count) : recent
    const reached = run.hits.length >= count
    if (run.episode !== null) this.#whileFiring(step, run, run.episode, reached)
    else if (reached) this.#open(step, run, { startsAtMs: nowMs, count })
    else if (run.hits.length === 0) step.runs.splice(step.runs.indexOf(run), 1)
  }

  #whileHolding(step: Step, known: RuleRun | undefined): void {
    const run = known ?? this.#startRun(step)
    if (run === undefined) return
    const { eventTimeMs } = step.context
    run.count++
    run.heldSinceMs ??= eventTimeMs
    if (eventTimeMs - run.heldSinceMs < (step.rule.definition.forMs ?? 0)) return
    this.#open(step, run, { startsAtMs: run.heldSinceMs, count: run.count })
  }

  #startRun({ runs, rule, instance, input, context }: Step): RuleRun | undefined {
    const { definition } = rule
    if (runs.length >= MAX_RUNS && isFull(runs, definition.name)) return undefined
    const run: RuleRun = {
      rule: definition.name,
      instance,
      heldSinceMs: definition.count === undefined ? context.eventTimeMs : null,
      overSinceMs: null,
      count: 0,
      opening: shown(definition, input),
      episode: null,
    }
    runs.push(run)
    return run
  }

  #open(
    { rule, instance, input, context }: Step,
    run: RuleRun,
    { startsAtMs, count }: { readonly startsAtMs: EpochMs; readonly count: number },
  ): void {
    const { definition } = rule
    const now = shown(definition, input)
    const field = (name: string): FieldValue => fieldOf(input, name)
    const episode = newEpisode(definition, {
      entityId: context.key,
      instance,
      startsAtMs,
      labels: labelsOf(definition, instance, field),
      value: run.opening ?? now,
      summary: render(definition.summary, field),
    })
    episode.updatedAtMs = context.eventTimeMs
    episode.severity = severityOf(rule)
    episode.count = count
    episode.peak = now
    episode.peakScore = scoreOf(rule)
    run.episode = episode
    context.openEpisode(episode)
  }

  #whileFiring(step: Step, run: RuleRun, episode: Episode, holding: boolean): void {
    const { rule, input, context } = step
    const { definition, resolveWhen, onDuty } = rule
    episode.updatedAtMs = context.eventTimeMs
    if (holding) this.#extend(episode, rule, input, context)
    const offDuty = onDuty !== null && !onDuty(context.eventTimeMs)
    const over = !holding && (resolveWhen === null || offDuty || resolveWhen.test() === YES)
    if (!over) {
      run.overSinceMs = null
      return
    }
    run.overSinceMs ??= context.eventTimeMs
    if (context.eventTimeMs - run.overSinceMs < (definition.keepFiringForMs ?? 0)) return
    this.#close(step, run, { episode, endsAtMs: run.overSinceMs })
  }

  /** What an alert is about may be finished, whatever it was like. */
  #endFinished(step: Step, endWhen: Condition): void {
    const { runs, rule, instance, context } = step
    const run = runs[findRun(runs, rule.definition.name, instance)]
    if (run?.episode == null || endWhen.test() !== YES) return
    this.#close(step, run, { episode: run.episode, endsAtMs: context.eventTimeMs })
  }

  #close(
    { runs, context }: Step,
    run: RuleRun,
    { episode, endsAtMs }: { readonly episode: Episode; readonly endsAtMs: EpochMs },
  ): void {
    episode.status = 'resolved'
    episode.endsAtMs = endsAtMs
    // What a rule counted while the last alert ended is counted for the next.
    if (run.hits !== undefined && run.hits.length > 0) {
      run.episode = null
      run.overSinceMs = null
      run.opening = null
    } else runs.splice(runs.indexOf(run), 1)
    context.publishEpisode(episode)
  }

  /** A worse reading is news; one more of the same is not, but at every doubling of the count. */
  #extend(episode: Episode, rule: CompiledRule, input: RuleInput, context: KeyContext): void {
    episode.count++
    const score = scoreOf(rule)
    const worse = score > episode.peakScore
    if (worse) {
      episode.peakScore = score
      episode.peak = shown(rule.definition, input)
      episode.summary = render(rule.definition.summary, (name) => fieldOf(input, name))
    }
    const severity = severityOf(rule)
    const graver = SEVERITIES.indexOf(severity) > SEVERITIES.indexOf(episode.severity)
    if (graver) episode.severity = severity
    const doubled = (episode.count & (episode.count - 1)) === 0
    if (worse || graver || doubled) context.publishEpisode(episode)
  }
}

function pendingRun(definition: RuleDefinition, run: RuleRun): readonly PendingRule[] {
  const { name: rule, version: ruleVersion, severity, entityType, count, forMs = 0 } = definition
  const sinceMs = run.heldSinceMs ?? run.hits?.[0]
  if (sinceMs === undefined) return []
  const { instance } = run
  const value = run.opening ?? {}
  const about = { rule, ruleVersion, severity, entityType, instance, sinceMs, value }
  return count === undefined
    ? [{ ...about, firesAtMs: sinceMs + forMs, seen: run.count, needed: null }]
    : [{ ...about, firesAtMs: null, seen: run.hits?.length ?? 0, needed: count }]
}

/** One rule at one event. */
interface Step {
  readonly runs: RuleRuns
  readonly index: number
  readonly rule: CompiledRule
  readonly instance: string
  readonly input: RuleInput
  readonly context: KeyContext
}

/** Every rule has its share: one with many instances leaves room for the others. */
function isFull(runs: RuleRuns, rule: string): boolean {
  let mine = 0
  for (const run of runs) if (run.rule === rule) mine++
  return mine >= MAX_RUNS
}

function findRun(runs: RuleRuns, rule: string, instance: string): number {
  for (let index = 0; index < runs.length; index++) {
    const run = runs[index]
    if (run !== undefined && run.rule === rule && run.instance === instance) return index
  }
  return -1
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

type FieldReader = (name: string) => FieldValue

function labelsOf(
  definition: RuleDefinition,
  instance: string,
  field: FieldReader,
): Readonly<Record<string, string>> {
  const labels = filledIn(definition.labels, field)
  const { instanceField } = definition
  return instanceField === undefined || instance === ''
    ? labels
    : { ...labels, [instanceField]: instance }
}

function filledIn(
  labels: RuleDefinition['labels'],
  field: FieldReader,
): Readonly<Record<string, string>> {
  const entries = Object.entries(labels)
  if (!entries.some(([, text]) => text.includes('{'))) return labels
  return Object.fromEntries(entries.map(([name, text]) => [name, render(text, field)]))
}

/** The worst level that holds for the event that the field table has read. */
function severityOf({ levels, definition }: CompiledRule): Severity {
  for (const { severity, when } of levels) if (when.test() === YES) return severity
  return definition.severity
}

function scoreOf({ peak }: CompiledRule): number {
  const score = peak?.value() ?? 0
  return Number.isFinite(score) ? score : 0
}

function shown(definition: RuleDefinition, input: RuleInput): Readonly<Record<string, FieldValue>> {
  const fields: Record<string, FieldValue> = {}
  for (const name of definition.fields) fields[name] = fieldOf(input, name)
  return fields
}

/** The first field without a value; empty where all have one, and a number came out that is none. */
function missingIn(condition: Condition): string {
  const isField = (text: string): boolean => condition.fields.includes(text)
  const search = ({ text, value, parts }: ReturnType<Condition['trace']>): string | undefined => {
    if (isField(text) && value === null) return text
    for (const part of parts) {
      const found = search(part)
      if (found !== undefined) return found
    }
    return undefined
  }
  return search(condition.trace()) ?? ''
}
