// The state machine against a plain reference that keeps all of history and looks at it anew for every event.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Episode } from '../streams/episode.ts'
import type { RuleDefinition } from './definition.ts'
import { copyRuns, type RuleRuns, RuleSet } from './rule-set.ts'

interface Sample {
  readonly atMs: number
  /** Null: the condition can't be judged. */
  readonly level: number | null
}

interface Outcome {
  readonly startsAtMs: number
  readonly endsAtMs: number | null
  readonly count: number
  readonly peak: number
  readonly severity: string
}

interface Shape {
  readonly forS: number | null
  readonly keepS: number | null
  readonly resolves: boolean
  readonly count: number | null
}

const SPAN_S = 20
const UPPER = 60
const LOWER = 40
const WORSE = 80

const ruleOf = ({ forS, keepS, resolves, count }: Shape): RuleDefinition => ({
  name: 'high',
  version: 1,
  topic: 'readings',
  entityType: 'probe',
  when: `event.level > ${UPPER}`,
  severity: 'minor',
  levels: [{ severity: 'critical', when: `event.level > ${WORSE}` }],
  peak: 'event.level',
  fields: ['level'],
  labels: {},
  summary: '{level}',
  description: '',
  ...(forS === null || count !== null ? {} : { forMs: forS * 1_000 }),
  ...(keepS === null ? {} : { keepFiringForMs: keepS * 1_000 }),
  ...(resolves ? { resolveWhen: `event.level < ${LOWER}` } : {}),
  ...(count === null ? {} : { count, withinMs: SPAN_S * 1_000 }),
})

/** As the rules are told in words, sample by sample, with all that was before at hand. */
function reference(samples: readonly Sample[], shape: Shape): readonly Outcome[] {
  const outcomes: Outcome[] = []
  const holdsAt = (index: number): boolean => (samples[index]?.level ?? Number.NaN) > UPPER
  const countReached = (index: number): boolean => {
    const nowMs = samples[index]?.atMs ?? 0
    const hits = samples.filter(
      (sample, at) => at <= index && holdsAt(at) && sample.atMs > nowMs - SPAN_S * 1_000,
    )
    return hits.length >= (shape.count ?? 0)
  }
  const holding = (index: number): boolean =>
    shape.count === null ? holdsAt(index) : countReached(index)
  let index = 0
  while (index < samples.length) {
    const opened = openedAt(index)
    if (opened === undefined) break
    const { first, at } = opened
    const closed = closedAt(at)
    const last = closed?.at ?? samples.length - 1
    const counted = range(shape.count === null ? first : at, last).filter(holding)
    const shown = range(at, last).filter((each) => each === at || holding(each))
    const levels = shown.map((each) => samples[each]?.level ?? Number.NaN)
    const scores = levels.map((level) => (Number.isFinite(level) ? level : 0))
    outcomes.push({
      startsAtMs: samples[shape.count === null ? first : at]?.atMs ?? 0,
      endsAtMs: closed === undefined ? null : (samples[closed.since]?.atMs ?? 0),
      count: counted.length + (shape.count === null ? 0 : shape.count - 1),
      peak: Math.max(...scores),
      severity: levels.some((level) => level > WORSE) ? 'critical' : 'minor',
    })
    index = last + 1
  }
  return outcomes

  function openedAt(from: number): { first: number; at: number } | undefined {
    let first: number | null = null
    for (let at = from; at < samples.length; at++) {
      if (!holding(at)) {
        first = null
        continue
      }
      first ??= at
      const heldMs = (samples[at]?.atMs ?? 0) - (samples[first]?.atMs ?? 0)
      const neededMs = shape.count === null ? (shape.forS ?? 0) * 1_000 : 0
      if (heldMs >= neededMs) return { first, at }
    }
    return undefined
  }

  function closedAt(from: number): { since: number; at: number } | undefined {
    let since: number | null = null
    for (let at = from + 1; at < samples.length; at++) {
      const level = samples[at]?.level ?? Number.NaN
      const over = !holding(at) && (!shape.resolves || level < LOWER)
      if (!over) {
        since = null
        continue
      }
      since ??= at
      const overMs = (samples[at]?.atMs ?? 0) - (samples[since]?.atMs ?? 0)
      if (overMs >= (shape.keepS ?? 0) * 1_000) return { since, at }
    }
    return undefined
  }
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from + 1 }, (_, step) => from + step)
}

/** Runs the real thing; the state is copied between events, as snapshots and rewinding do. */
function machine(samples: readonly Sample[], shape: Shape, viaJson: boolean): readonly Outcome[] {
  const rules = new RuleSet([ruleOf(shape)], { event: { level: 'number' } }).checked()
  const episodes = new Map<number, Episode>()
  let runs: RuleRuns = []
  let opened = 0
  const context = {
    key: 'p',
    tenantId: 'default',
    eventTimeMs: 0,
    offset: 0,
    reference: () => undefined,
    broadcast: () => undefined,
    setTimer() {},
    clearTimer() {},
    put() {},
    effect() {},
    openEpisode(episode: Episode) {
      episode.openedBy = opened++
      episodes.set(episode.openedBy, { ...episode })
    },
    publishEpisode(episode: Episode) {
      episodes.set(episode.openedBy, { ...episode })
    },
  }
  for (const { atMs, level } of samples) {
    context.eventTimeMs = atMs
    rules.onEvent(runs, { event: { level }, derived: {} }, context)
    runs = viaJson ? JSON.parse(JSON.stringify(runs)) : copyRuns(runs)
  }
  // What is open is as the state has it: not every further event is published.
  for (const { episode } of runs) if (episode !== null) episodes.set(episode.openedBy, episode)
  return [...episodes.values()].map(({ startsAtMs, endsAtMs, count, peakScore, severity }) => ({
    startsAtMs,
    endsAtMs,
    count,
    peak: peakScore,
    severity,
  }))
}

test('the state machine does what a plain look at all of history says', () => {
  const samples = fc
    .array(
      fc.record({
        gapS: fc.integer({ min: 0, max: 12 }),
        level: fc.option(fc.constantFrom(30, 39, 40, 50, 60, 61, 70, 81, 95), {
          nil: null,
          freq: 10,
        }),
      }),
      { maxLength: 40 },
    )
    .map((steps) => {
      let atMs = 1_000_000
      return steps.map(({ gapS, level }) => {
        atMs += gapS * 1_000
        return { atMs, level }
      })
    })
  const shapes = fc.record({
    forS: fc.option(fc.constantFrom(0, 5, 15), { nil: null }),
    keepS: fc.option(fc.constantFrom(0, 6, 20), { nil: null }),
    resolves: fc.boolean(),
    count: fc.option(fc.constantFrom(2, 3, 5), { nil: null }),
  })
  fc.assert(
    fc.property(samples, shapes, fc.boolean(), (history, shape, viaJson) => {
      assert.deepEqual(machine(history, shape, viaJson), reference(history, shape))
    }),
    { numRuns: 3_000 },
  )
})
