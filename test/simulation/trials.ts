// The trials that a seed stands for. Each says what it found wrong; an empty list is a pass.

import { PARTITION_KEY } from '../../src/streams/task-snapshot.ts'
import { type CrashPoint, crashAt, latencies, wild } from './fault-plans.ts'
import { differences, type Outcome } from './oracle.ts'
import { drawerOf, drawWorkload } from './workload.ts'
import { LONG_DRAIN_MS, runWorld, SHORT_DRAIN_MS, type WorldResult } from './world.ts'

export interface TrialReport {
  readonly problems: readonly string[]
  readonly worlds: number
  readonly crashes: number
  readonly commits: number
  readonly told: number
  readonly lives: number
}

/** Calls that mostly find nothing to do: of these only some are struck. */
const POLLING = new Set(['log.read', 'log.waitForRecords', 'log.bounds', 'references.load'])

const EVENTS = 40

/**
 * A crash at the calls of a run, before the effect and after it: what is left must be what a run without
 * a crash leaves. `points` limits how many calls are tried.
 */
export async function crashTrial(seed: number, points: number): Promise<TrialReport> {
  const whole = await runWorld({
    workload: drawWorkload({ seed, events: EVENTS, longPauses: false, news: true }),
    plan: latencies(seed),
    calmAtTheEnd: false,
    drainMs: drainOf(seed),
  })
  const problems = problemsOf(whole).map((problem) => `no crash: ${problem}`)
  const tally = { worlds: 1, crashes: 0, commits: whole.commits, told: whole.told, lives: 1 }
  for (const point of crashPoints(seed, whole.calls, points)) {
    if (problems.length > 0) break
    const result = await crashedWorld(seed, point)
    tally.worlds++
    tally.crashes += result.lives - 1
    tally.commits += result.commits
    tally.told += result.told
    tally.lives += result.lives
    const found = [...problemsOf(result), ...changesOf(result.outcome, whole.outcome)]
    const call = whole.calls[point.index]
    problems.push(
      ...found.map((each) => `crash ${point.when} call ${point.index} (${call}): ${each}`),
    )
  }
  return { problems, ...tally }
}

export function crashedWorld(seed: number, point: CrashPoint): Promise<WorldResult> {
  return runWorld({
    workload: drawWorkload({ seed, events: EVENTS, longPauses: false, news: true }),
    plan: crashAt(seed, point),
    calmAtTheEnd: false,
    drainMs: drainOf(seed),
  })
}

/** Errors, delays, deaths and a zombie, all at once, until everything is sent; then all must drain. */
export async function wildTrial(seed: number): Promise<TrialReport> {
  const draw = drawerOf(seed * 13 + 5)
  const zombie = draw.chance(0.4)
  const deaths = draw.chance(0.6)
  const sendErrors = draw.oneOf([0, 0.05])
  const result = await runWorld({
    workload: drawWorkload({ seed, events: EVENTS, longPauses: true, news: false }),
    plan: wild(seed, { deaths }),
    sendFault: () =>
      draw.chance(sendErrors) ? { error: draw.oneOf(['before', 'after']) } : undefined,
    ...(zombie ? { zombieAtMs: draw.between(2_000, 60_000) } : {}),
    calmAtTheEnd: true,
    drainMs: drainOf(seed),
  })
  return {
    problems: problemsOf(result),
    worlds: 1,
    crashes: result.lives - 1,
    commits: result.commits,
    told: result.told,
    lives: result.lives,
  }
}

function problemsOf(result: WorldResult): readonly string[] {
  return [...result.violations, ...differences(result.outcome, result.expected)]
}

function drainOf(seed: number): number {
  return seed % 5 === 0 ? LONG_DRAIN_MS : SHORT_DRAIN_MS
}

/**
 * What a crash changed, apart from the time it took: how far ticks had moved a partition, and so which of
 * the last windows were final when the run ended, may differ.
 */
function changesOf(crashed: Outcome, whole: Outcome): readonly string[] {
  const found = timeless(crashed)
  const expected = timeless(whole)
  const inBoth = (windows: Outcome['windows']): Outcome['windows'] =>
    new Map([...windows].filter(([name]) => found.windows.has(name) && expected.windows.has(name)))
  return differences(
    { ...found, windows: inBoth(found.windows) },
    { ...expected, windows: inBoth(expected.windows) },
  )
}

function timeless(outcome: Outcome): Outcome {
  const withoutRevision = [...outcome.windows].map(([name, text]): [string, string] => {
    const { revision: _, ...window } = JSON.parse(text) as { readonly revision: number }
    return [name, JSON.stringify(window)]
  })
  const keys = [...outcome.state].filter(([key]) => !key.endsWith(PARTITION_KEY))
  return { ...outcome, windows: new Map(withoutRevision), state: new Map(keys) }
}

function crashPoints(seed: number, calls: readonly string[], limit: number): readonly CrashPoint[] {
  const draw = drawerOf(seed + 77)
  const points: CrashPoint[] = []
  const polls: CrashPoint[] = []
  for (const [index, name] of calls.entries()) {
    const found = POLLING.has(name) ? polls : points
    found.push({ index, when: 'before' }, { index, when: 'after' })
  }
  const shuffled = (all: CrashPoint[]): CrashPoint[] =>
    all
      .map((point) => ({ point, at: draw.next() }))
      .sort((a, b) => a.at - b.at)
      .map(({ point }) => point)
  const most = shuffled(points).slice(0, Math.ceil(limit * 0.7))
  return [...most, ...shuffled(polls).slice(0, limit - most.length)]
}
