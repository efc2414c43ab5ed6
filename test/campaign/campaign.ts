// A campaign: load, faults in seeded order, invariants checked meanwhile and at the end.

import { finalFaults, startAudit } from './audit.ts'
import { seededDice } from './dice.ts'
import { drained } from './drain.ts'
import { FAULTS, type Fault, faultOrder, inflict, pause } from './faults.ts'
import { type Load, startLoad } from './load.ts'
import { setStage } from './stage.ts'

/** Between two faults, so that each meets a system at work. */
const CALM_MS = 2_500

export interface CampaignOptions {
  readonly seed: number
  readonly minutes: number
  /** Those that are done; default: all. */
  readonly faults?: readonly Fault[]
  readonly say: (line: string) => void
}

export interface CampaignReport {
  readonly seed: number
  readonly faults: Readonly<Partial<Record<Fault, number>>>
  readonly acknowledged: number
  readonly retries: number
  readonly slowestAcknowledgementMs: number
  readonly taskSteps: number
  readonly claims: number
  readonly drainedMs: number
  readonly violations: readonly string[]
}

export async function runCampaign({
  seed,
  minutes,
  faults: chosen = FAULTS,
  say,
}: CampaignOptions): Promise<CampaignReport> {
  const dice = seededDice(seed)
  say('Starting three brokers, PostgreSQL, Redis, four task processes and two doors …')
  const stage = await setStage()
  try {
    const audit = await startAudit(stage)
    const doors = (): readonly string[] => stage.doors.map((door) => door.program().address)
    const load = startLoad({ doors, dice: seededDice(seed + 1) })
    const faults: Partial<Record<Fault, number>> = {}
    const endMs = performance.now() + minutes * 60_000
    for (const fault of faultOrder(dice, chosen)) {
      await pause(CALM_MS)
      if (performance.now() >= endMs || audit.violations.length > 0) break
      const { acknowledged } = load.counts()
      say(`${fault} (after ${acknowledged.toLocaleString('en')} events)`)
      await inflict(fault, stage, dice)
      faults[fault] = (faults[fault] ?? 0) + 1
    }
    say('Faults are over; waiting until everything is archived …')
    await load.stop()
    const drainStartMs = performance.now()
    const lag = await drained(stage)
    const drainedMs = performance.now() - drainStartMs
    await audit.stop()
    const violations = [...lag, ...audit.violations, ...(await finalFaults(stage, load))]
    return {
      seed,
      faults,
      ...figures(load),
      taskSteps: audit.steps(),
      claims: audit.claims(),
      drainedMs,
      violations,
    }
  } finally {
    await stage.close()
  }
}

function figures(
  load: Load,
): Pick<CampaignReport, 'acknowledged' | 'retries' | 'slowestAcknowledgementMs'> {
  const { acknowledged, retries, slowestMs } = load.counts()
  return { acknowledged, retries, slowestAcknowledgementMs: Math.round(slowestMs) }
}
