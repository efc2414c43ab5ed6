// The faults that FAULTS counts, each so often and so long as it says, against the program in its roles over real
// servers. What is promised is checked while they are done, and when all is over.

import { finalFaults, startAudit } from './audit.ts'
import { type Dice, seededDice } from './dice.ts'
import { drained } from './drain.ts'
import { type Fault, inflict, pause } from './faults.ts'
import { startLoad } from './load.ts'
import { type Stage, type StagePlan, setStage, WHOLE_STAGE } from './stage.ts'

/** Between two faults, so that each meets a system at work. */
const CALM_MS = 400
/** What was killed comes back so soon. */
const DOWN_MS = 300
const RECOVERY_MS = 120_000

export interface Scene {
  readonly stage: Stage
  readonly dice: Dice
  /** 1 for the full counts, less for a shorter form. */
  readonly share: number
  readonly acknowledged: () => number
  /** One more of these was done. */
  readonly count: (fault: string) => void
  readonly say: (line: string) => void
  /** A figure of the report. */
  readonly figure: (name: string, value: string) => void
  readonly violation: (text: string) => void
}

export interface CountedTrial {
  readonly title: string
  readonly stage: StagePlan
  readonly perSecond?: number
  readonly run: (scene: Scene) => Promise<void>
}

const KILLS_OF_TASKS = 100
const BROKER_DOWN_MS = 60_000
const KILLS_OF_BROKERS = 10
const KILLS_OF_CLIENTS = 30
const EVENTS_OF_KILLS = 100_000
/** Each has somebody join and leave again: two rebalances. */
const JOINS = 25
const PAUSES = 5
const RECOVERY_BAR_MS = 10_000

/** By their number in FAULTS. */
export const COUNTED: Readonly<Record<string, CountedTrial>> = {
  '5': {
    title: `${KILLS_OF_TASKS} SIGKILLs of task processes`,
    stage: { ...WHOLE_STAGE, brokers: 1 },
    run: (scene) => several(scene, repeated('task-killed', KILLS_OF_TASKS, scene)),
  },
  '8': {
    title: 'the broker down for 60 s at 500 events a second',
    stage: { brokers: 1, tasks: 2, doors: 2 },
    perSecond: 500,
    run: brokerDown,
  },
  '9': {
    title: `${KILLS_OF_BROKERS} SIGKILLs of brokers and ${KILLS_OF_CLIENTS} of clients over ${EVENTS_OF_KILLS} events`,
    stage: WHOLE_STAGE,
    async run(scene) {
      const { share } = scene
      await several(scene, [
        ...repeated('broker-killed', KILLS_OF_BROKERS, scene),
        ...repeated('door-killed', KILLS_OF_CLIENTS / 2, scene),
        ...repeated('task-killed', KILLS_OF_CLIENTS / 2, scene),
      ])
      while (scene.acknowledged() < EVENTS_OF_KILLS * share) await pause(CALM_MS)
    },
  },
  '10': {
    title: `${2 * JOINS} rebalances, and ${PAUSES} SIGSTOPs past the session timeout`,
    stage: { ...WHOLE_STAGE, brokers: 1 },
    run: (scene) =>
      several(scene, [
        ...repeated('task-joined', JOINS, scene),
        ...repeated('task-paused', PAUSES, scene),
      ]),
  },
}

export interface CountedReport {
  readonly title: string
  readonly seed: number
  readonly faults: Readonly<Record<string, number>>
  readonly figures: Readonly<Record<string, string>>
  readonly violations: readonly string[]
}

export async function runCounted(
  trial: CountedTrial,
  {
    seed,
    share,
    say,
  }: { readonly seed: number; readonly share: number; readonly say: (line: string) => void },
): Promise<CountedReport> {
  const dice = seededDice(seed)
  say(`Starting ${trial.stage.brokers} broker(s), PostgreSQL, Redis and the program …`)
  const stage = await setStage(trial.stage)
  try {
    const audit = await startAudit(stage)
    const { perSecond } = trial
    const load = startLoad({
      doors: () => stage.doors.map((door) => door.program().address),
      dice: seededDice(seed + 1),
      ...(perSecond === undefined ? {} : { perSecond }),
    })
    const faults: Record<string, number> = {}
    const figures: Record<string, string> = {}
    const violations: string[] = []
    const beginMs = performance.now()
    await trial.run({
      ...{ stage, dice, share, say },
      acknowledged: () => load.counts().acknowledged,
      count(fault) {
        faults[fault] = (faults[fault] ?? 0) + 1
      },
      figure(name, value) {
        figures[name] = value
      },
      violation: (text) => violations.push(text),
    })
    figures.faults = seconds(performance.now() - beginMs)
    say('Faults are over; waiting until everything is archived …')
    await load.stop()
    const drainMs = performance.now()
    const lag = await drained(stage)
    figures['archived after'] = seconds(performance.now() - drainMs)
    await audit.stop()
    const { acknowledged, retries, slowestMs } = load.counts()
    figures['events acknowledged'] = acknowledged.toLocaleString('en')
    figures['requests sent again'] = String(retries)
    figures['slowest answer'] = seconds(slowestMs)
    figures['checkpoints and claims'] = `${audit.steps()}, of which ${audit.claims()} claims`
    const found = [...violations, ...lag, ...audit.violations, ...(await finalFaults(stage, load))]
    return { title: trial.title, seed, faults, figures, violations: found }
  } finally {
    await stage.close()
  }
}

/** At least one of each, however short the form. */
function repeated(fault: Fault, times: number, { share }: Scene): readonly Fault[] {
  return Array.from({ length: Math.max(1, Math.round(times * share)) }, () => fault)
}

/** In the seed's order. */
async function several(scene: Scene, faults: readonly Fault[]): Promise<void> {
  const left = [...faults]
  while (left.length > 0) {
    const [fault] = left.splice(scene.dice.roll(left.length), 1)
    if (fault === undefined) return
    await inflict(fault, scene.stage, scene.dice, DOWN_MS)
    scene.count(fault)
    if (left.length % 10 === 0) {
      const events = scene.acknowledged().toLocaleString('en')
      scene.say(`${left.length} faults left (after ${events} events)`)
    }
    await pause(CALM_MS)
  }
}

/** Doors refuse what they can't keep, and take events again soon after the broker is back. */
async function brokerDown(scene: Scene): Promise<void> {
  const { stage, acknowledged } = scene
  const [broker] = stage.kafka.brokers
  if (broker === undefined) throw new Error('The stage has no broker.')
  await pause(BROKER_DOWN_MS / 6)
  await broker.node().kill()
  scene.count('broker-down')
  scene.say(`the broker is gone, after ${acknowledged().toLocaleString('en')} events`)
  await pause(BROKER_DOWN_MS * scene.share)
  const before = acknowledged()
  await broker.restart()
  const backMs = performance.now()
  while (acknowledged() === before && performance.now() - backMs < RECOVERY_MS) await pause(5)
  const recoveryMs = performance.now() - backMs
  scene.figure('events taken again after', seconds(recoveryMs))
  if (recoveryMs > RECOVERY_BAR_MS) {
    scene.violation(`the first event was taken ${seconds(recoveryMs)} after the broker was back`)
  }
  await pause(BROKER_DOWN_MS / 6)
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
