// Why a rule fired at a moment, or why it did not: the entity's history is run through it, and what it saw of it
// at the last event up to that moment is told: each condition's value, its timers, and what kept it back.

import { type EpochMs, toIso } from '../kernel/time.ts'
import type { FieldValue } from '../ports/alert.ts'
import type { CompiledRule } from '../rules/compile.ts'
import type { Condition, TracedPart } from '../rules/condition.ts'
import { fieldOf } from '../rules/field-table.ts'
import type { RuleDocument } from '../rules/rule-document.ts'
import type { RuleRun, RuleTrace } from '../rules/rule-set.ts'
import type { AnyPipeline } from '../streams/pipeline.ts'
import { onlyRules, type PartitionRange, type PartitionsRun, partitionsInTurn } from './replay.ts'
import { trialPipeline } from './rule-trial.ts'

export interface ExplainedCondition {
  /** Such as `when` or `severity.critical`. */
  readonly name: string
  /** Null where it could not be told: a field was missing. */
  readonly holds: boolean | null
  readonly trace: TracedPart
  readonly fields: Readonly<Record<string, FieldValue>>
}

export interface ExplainedTimer {
  readonly name: 'for' | 'keepFiringFor' | 'noDataFor' | 'within'
  readonly neededS: number
  readonly elapsedS: number
  readonly since: string
}

export interface Explanation {
  readonly rule: string
  readonly entityId: string
  readonly at: string
  readonly state: 'idle' | 'pending' | 'firing' | 'ending' | 'no-events'
  /** The last event up to that moment. */
  readonly event: { readonly recordedAt: string; readonly offset: number } | null
  readonly conditions: readonly ExplainedCondition[]
  readonly timers: readonly ExplainedTimer[]
  readonly onDuty: boolean
  readonly alertId: string | null
  /** One sentence. */
  readonly why: string
}

export interface ExplainRequest {
  readonly document: RuleDocument
  readonly entityId: string
  readonly tenantId: string
  readonly atMs: EpochMs
}

/** Keeps what the rule saw last, up to the moment; events that are judged anew replace what was kept. */
interface Moment {
  readonly eventTimeMs: EpochMs
  readonly offset: number
  readonly conditions: readonly ExplainedCondition[]
  readonly run: RuleRun | undefined
  readonly rule: CompiledRule
}

export async function explain(
  options: Omit<PartitionsRun, 'pipeline' | 'partitions'> & {
    /** Where the entity's events stand. */
    readonly partitions: (pipeline: AnyPipeline) => Promise<readonly PartitionRange[]>
    readonly progress: (events: number, ofEvents: number) => void
  },
  request: ExplainRequest,
): Promise<Explanation | undefined> {
  let moment: Moment | null = null
  const trace: RuleTrace = ([rule], input, context, runs) => {
    const { key, tenantId, eventTimeMs, offset } = context
    if (rule === undefined || key !== request.entityId || tenantId !== request.tenantId) return
    if (eventTimeMs > request.atMs || eventTimeMs < (moment?.eventTimeMs ?? 0)) return
    const found = runs.find((run) => run.rule === rule.definition.name)
    const run = found === undefined ? undefined : { ...found }
    const conditions = conditionsOf(rule).map(([name, condition]) => ({
      name,
      holds: verdictOf(condition),
      trace: condition.trace(),
      fields: Object.fromEntries(condition.fields.map((field) => [field, fieldOf(input, field)])),
    }))
    moment = { eventTimeMs, offset, conditions, run, rule }
  }
  const pipeline = trialPipeline(
    request.document.topic,
    [{ ...request.document, disabled: false }],
    trace,
  )
  if (pipeline === undefined) return undefined
  const partitions = await options.partitions(pipeline)
  const run = partitionsInTurn({ ...options, pipeline: onlyRules(pipeline), partitions })
  await run(() => undefined, options.progress)
  return explanationOf(request, moment)
}

function conditionsOf(rule: CompiledRule): readonly (readonly [string, Condition])[] {
  return [
    ...(rule.when === null ? [] : [['when', rule.when] as const]),
    ...(rule.resolveWhen === null ? [] : [['resolveWhen', rule.resolveWhen] as const]),
    ...(rule.endWhen === null ? [] : [['endWhen', rule.endWhen] as const]),
    ...rule.levels.map(({ severity, when }) => [`severity.${severity}`, when] as const),
  ]
}

function verdictOf(condition: Condition): boolean | null {
  const verdict = condition.test()
  return verdict === 2 ? null : verdict === 1
}

function explanationOf(request: ExplainRequest, moment: Moment | null): Explanation {
  const base = {
    rule: request.document.name,
    entityId: request.entityId,
    at: toIso(request.atMs),
  }
  if (moment === null) {
    return {
      ...base,
      state: 'no-events',
      event: null,
      conditions: [],
      timers: [],
      onDuty: true,
      alertId: null,
      why: `Nothing had come from ${request.entityId} by then.`,
    }
  }
  const { run, rule, eventTimeMs, offset, conditions } = moment
  const onDuty = rule.onDuty === null || rule.onDuty(eventTimeMs)
  const timers = timersOf(moment, request.atMs)
  const state = stateOf(run)
  return {
    ...base,
    state,
    event: { recordedAt: toIso(eventTimeMs), offset },
    conditions,
    timers,
    onDuty,
    alertId: run?.episode?.id ?? null,
    why: reasonOf({ state, onDuty, timers, conditions, run, rule }),
  }
}

function stateOf(run: RuleRun | undefined): Explanation['state'] {
  if (run === undefined) return 'idle'
  if (run.episode === null) return 'pending'
  return run.overSinceMs === null ? 'firing' : 'ending'
}

function timersOf({ run, rule, eventTimeMs }: Moment, atMs: EpochMs): readonly ExplainedTimer[] {
  const { forMs, keepFiringForMs, noDataForMs, withinMs } = rule.definition
  const timers: ExplainedTimer[] = []
  const add = (name: ExplainedTimer['name'], neededMs: number, sinceMs: EpochMs, nowMs: EpochMs) =>
    timers.push({
      name,
      neededS: neededMs / 1_000,
      elapsedS: Math.max(0, nowMs - sinceMs) / 1_000,
      since: toIso(sinceMs),
    })
  if (
    run !== undefined &&
    run.heldSinceMs !== null &&
    run.episode === null &&
    forMs !== undefined
  ) {
    add('for', forMs, run.heldSinceMs, eventTimeMs)
  }
  const firstHitMs = run?.hits?.[0]
  if (withinMs !== undefined && firstHitMs !== undefined)
    add('within', withinMs, firstHitMs, eventTimeMs)
  if (run?.episode != null && run.overSinceMs !== null && keepFiringForMs !== undefined) {
    add('keepFiringFor', keepFiringForMs, run.overSinceMs, eventTimeMs)
  }
  if (noDataForMs !== undefined) add('noDataFor', noDataForMs, eventTimeMs, atMs)
  return timers
}

interface Facts extends Pick<Explanation, 'state' | 'onDuty' | 'timers' | 'conditions'> {
  readonly run: RuleRun | undefined
  readonly rule: CompiledRule
}

function reasonOf({ state, onDuty, timers, conditions, run, rule }: Facts): string {
  const [timer] = timers
  const when = conditions.find(({ name }) => name === 'when')
  switch (state) {
    case 'firing':
      return when?.holds === true
        ? 'It fires: its condition holds.'
        : 'It still fires: its condition no longer holds, but what ends it does not hold either.'
    case 'ending':
      return `It still fires: its end must last for ${timer?.neededS ?? 0} s, and has lasted for ${timer?.elapsedS ?? 0} s.`
    case 'pending': {
      const { count } = rule.definition
      if (count !== undefined) {
        return `It does not fire yet: its condition held on ${run?.hits?.length ?? 0} of ${count} events.`
      }
      return `It does not fire yet: its condition must hold for ${timer?.neededS ?? 0} s, and has held for ${timer?.elapsedS ?? 0} s.`
    }
    default:
      return idleReason({ onDuty, timer, when })
  }
}

function idleReason({
  onDuty,
  timer,
  when,
}: {
  readonly onDuty: boolean
  readonly timer: ExplainedTimer | undefined
  readonly when: ExplainedCondition | undefined
}): string {
  if (timer?.name === 'noDataFor') {
    return timer.elapsedS >= timer.neededS
      ? `Silent for ${timer.elapsedS} s, where ${timer.neededS} s are enough: it fires.`
      : `It does not fire: the last event is ${timer.elapsedS} s old, ${timer.neededS} s are needed.`
  }
  if (!onDuty) return 'It does not fire: the moment is outside of its schedule.'
  if (when?.holds === null) {
    const missing = Object.entries(when.fields).filter(([, value]) => value === null)
    const names = missing.map(([name]) => name).join(', ')
    return names === ''
      ? 'It does not fire: its condition could not be computed.'
      : `It does not fire: its condition could not be judged, for want of ${names}.`
  }
  return 'It does not fire: its condition does not hold.'
}
