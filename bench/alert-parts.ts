// The parts that say how soon somebody is told: alerts under load, and after a kill.

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { probeAlerts } from './alert-probe.ts'
import {
  AT_MOST,
  type Findings,
  PROBE_STRETCH,
  PROBES_PER_SECOND,
  rest,
  TRUCKS,
} from './findings.ts'
import { sendLoad } from './load.ts'
import { type Program, startProgram } from './program.ts'
import type { Goal } from './report.ts'
import { percentile } from './samples.ts'
import { verifyArchive } from './verify-archive.ts'

/** Of alerts beside the load, where many are timed too. */
const MANY_ALERTS_PER_SECOND = 100
/** Of load that does not count: senders begin, and readings of a new fleet open and close what they find. */
const SETTLE_SECONDS = 3

/** At a quarter, half and three quarters of what the door takes. */
export async function alertLatencies(findings: Findings, doorRate: number): Promise<void> {
  const { plan, folder } = findings
  const dataDir = join(folder, 'alerts')
  const program = await startProgram({ dataDir })
  // Fills the fleet's state and lets the compiler see the code, as in a program that has run a while.
  await load(program, plan.alertSeconds / 2, doorRate / 2)
  const probedSeconds = plan.alertSeconds * PROBE_STRETCH
  const time = async (name: string, share: number, probes: Probes): Promise<readonly number[]> => {
    await rest(findings)
    findings.say(`timing ${probes.perSecond} alerts a second at ${share} of that rate`)
    const loading = load(program, SETTLE_SECONDS + probes.seconds + 1, doorRate * share)
    await sleep(SETTLE_SECONDS * 1_000)
    const probed = await probeAlerts({ url: program.url, name, ...probes })
    await loading
    if (probed.missing > 0) findings.problem(`${probed.missing} alerts did not reach the feed.`)
    return probed.latenciesMs
  }
  for (const share of [0.25, 0.5, 0.75]) {
    const name = String(share * 100)
    const probes = { perSecond: PROBES_PER_SECOND, seconds: probedSeconds }
    addLatencies(findings, name, await time(name, share, probes))
  }
  const many = { perSecond: MANY_ALERTS_PER_SECOND, seconds: plan.alertSeconds }
  const latenciesMs = await time('many', 0.5, many)
  findings.add({
    id: 'alert.50.many',
    label: `at 50 % load, ${MANY_ALERTS_PER_SECOND} alerts a second, p99`,
    value: percentile(latenciesMs, 0.99),
    unit: 'ms',
  })
  await program.stop()
  rmSync(dataDir, { recursive: true, force: true })
}

interface Probes {
  readonly perSecond: number
  readonly seconds: number
}

function load(program: Program, seconds: number, rate: number): Promise<unknown> {
  const { url } = program
  return sendLoad({ url, trucks: TRUCKS, seconds, rate: Math.round(rate), persistent: false })
}

function addLatencies({ add }: Findings, name: string, latenciesMs: readonly number[]): void {
  const figure = (id: string, label: string, share: number, goal?: Goal): void =>
    add({
      id: `alert.${name}.${id}`,
      label,
      value: percentile(latenciesMs, share),
      unit: 'ms',
      ...(goal === undefined ? {} : { goal }),
    })
  figure('p50', `acknowledged to alert at ${name} % load, p50`, 0.5)
  figure('p99', '  p99', 0.99, name === '50' ? AT_MOST(25, 10) : undefined)
  figure('max', '  max', 1)
}

/** The program is killed while events come in, and started again at once. */
export async function timeToRecover(findings: Findings): Promise<void> {
  const { plan, folder } = findings
  const dataDir = join(folder, 'kill')
  const seconds: number[] = []
  for (let run = 0; run < plan.kills; run++) {
    await rest(findings)
    findings.say(`killing it under load, ${run + 1} of ${plan.kills}`)
    const program = await startProgram({ dataDir })
    const loading = sendLoad({
      url: program.url,
      trucks: TRUCKS,
      seconds: 4,
      rate: null,
      persistent: true,
    })
    await sleep(3_000)
    await program.kill()
    const killedMs = Date.now()
    const again = await startProgram({ dataDir })
    const before = await again.archived()
    const workingMs = await again.untilArchived(before + 1)
    seconds.push((workingMs - killedMs) / 1_000)
    await loading
    await again.stop()
  }
  findings.add({
    id: 'kill.seconds',
    label: `SIGKILL to processing again, worst of ${plan.kills}`,
    value: Math.max(...seconds),
    unit: 's',
    goal: AT_MOST(5),
  })
  await verifyArchive(findings, dataDir, 'what was killed')
  rmSync(dataDir, { recursive: true, force: true })
}
