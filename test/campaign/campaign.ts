// A campaign: load, faults in seeded order, invariants checked meanwhile and at the end.

import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { openKafkaLog } from '../../src/adapters/kafka/kafka-log.ts'
import { until } from '../waiting.ts'
import { finalFaults, query, startAudit } from './audit.ts'
import { seededDice } from './dice.ts'
import { type Fault, faultOrder, inflict, pause } from './faults.ts'
import { type Load, startLoad } from './load.ts'
import { type Stage, setStage } from './stage.ts'

/** Between two faults, so that each meets a system at work. */
const CALM_MS = 2_500
const DRAIN_MS = 90_000
/** Of what a process printed, where it lags. */
const MAX_SAID = 3_000

export interface CampaignOptions {
  readonly seed: number
  readonly minutes: number
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
    for (const fault of faultOrder(dice)) {
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

/** Waits until every task has committed what its partition holds; says what lags where that takes too long. */
async function drained(stage: Stage): Promise<readonly string[]> {
  const log = openKafkaLog({
    address: { brokers: stage.kafka.addresses, tls: null, sasl: null },
    clock: systemClock(),
  })
  const lagging = async (): Promise<readonly string[]> => {
    const rows = await query(
      stage.postgres.url,
      `SELECT log_partition, epoch, next_offset FROM task WHERE pipeline = 'cold-chain'`,
    )
    const found = await Promise.all(
      rows.map(async (row) => {
        const { endOffset } = await log.bounds('truck-readings', Number(row.log_partition))
        const place = `partition ${row.log_partition} (epoch ${row.epoch})`
        return endOffset === Number(row.next_offset)
          ? []
          : [`${place} stands at ${row.next_offset} of ${endOffset}`]
      }),
    )
    return rows.length === 0 ? ['no task ever ran'] : found.flat()
  }
  try {
    await until('all is archived', async () => (await lagging()).length === 0, DRAIN_MS)
    return []
  } catch {
    const said = stage.tasks.map(
      ({ name, program }) => `${name}: ${program().output().slice(-MAX_SAID)}`,
    )
    return [...(await lagging()), ...said]
  } finally {
    await log.close()
  }
}
