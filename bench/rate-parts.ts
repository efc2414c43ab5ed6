// The parts that run the whole program: a backlog, its replay, the door, alerts under load, a kill.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { probeAlerts } from './alert-probe.ts'
import { bareCopy } from './bare-copy.ts'
import {
  AT_LEAST,
  AT_MOST,
  type Findings,
  PROBE_STRETCH,
  PROBES_PER_SECOND,
  TRUCKS,
} from './findings.ts'
import { writeBacklog } from './fleet.ts'
import { sendLoad } from './load.ts'
import { type Program, runCommand, startProgram } from './program.ts'
import type { Goal } from './report.ts'
import { median, percentile } from './samples.ts'

/** A tenth of the readings is warm enough, few of those of a truck that is fast: both plans have some. */
const TRIED_RULE = {
  name: 'tried-rule',
  topic: 'truck-readings',
  when: 'event.temperatureC > 9 && event.speedKmh > 80',
  for: '30s',
  severity: 'warning',
  fields: ['temperatureC'],
  summary: '{temperatureC} °C on a fast road',
}
/** Of alerts beside the load, where many are timed too. */
const MANY_ALERTS_PER_SECOND = 100
/** Of load that does not count: senders begin, and readings of a new fleet open and close what they find. */
const SETTLE_SECONDS = 3

/** Rows a second of the bare COPY: by as many connections as tasks use, and by one. */
export interface CopyRates {
  readonly copyRate: number
  readonly aloneRate: number
}

/** Bare COPY and a backlog through the whole program, in turn; then the replay of what was archived. */
export async function ratesOfBacklog(findings: Findings): Promise<CopyRates> {
  const { plan, folder } = findings
  const backlogDir = join(folder, 'backlog')
  findings.say(`writing a backlog of ${plan.backlogEvents.toLocaleString('en')} events`)
  await writeBacklog(backlogDir, { events: plan.backlogEvents, trucks: TRUCKS })
  const copyRates: number[] = []
  const alone: number[] = []
  for (let run = 0; run < plan.copies; run++) {
    findings.say(`bare COPY of it, ${run + 1} of ${plan.copies}`)
    const dataDir = join(folder, `copy-${run}`)
    for (const [rates, options] of [
      [copyRates, {}],
      [alone, { connections: 1 }],
    ] as const) {
      const { rows, seconds } = await bareCopy(backlogDir, dataDir, options)
      rates.push(rows / seconds)
      rmSync(dataDir, { recursive: true, force: true })
    }
  }
  const copyRate = median(copyRates)
  const aloneRate = median(alone)
  findings.add({ id: 'copy.rate', label: 'bare binary COPY', value: copyRate, unit: 'rows/s' })
  findings.add({
    id: 'copy.alone',
    label: '  by one connection, so one core',
    value: aloneRate,
    unit: 'rows/s',
  })
  findings.say('draining it')
  const program = await startProgram({ dataDir: backlogDir })
  const endMs = await program.untilArchived(plan.backlogEvents)
  const rate = (plan.backlogEvents * 1_000) / (endMs - program.tasksStartedMs())
  await program.stop()
  findings.add({ id: 'backlog.rate', label: 'backlog drained', value: rate, unit: 'events/s' })
  findings.add({
    id: 'backlog.ratio',
    label: '  of the bare COPY',
    value: rate / copyRate,
    unit: '',
    goal: AT_LEAST(0.5, 0.8),
  })
  findings.add({
    id: 'backlog.ratio-alone',
    label: '  of that by one connection',
    value: rate / aloneRate,
    unit: '',
  })
  await verify(findings, backlogDir, 'the backlog')
  await replay(findings, backlogDir)
  rmSync(backlogDir, { recursive: true, force: true })
  return { copyRate, aloneRate }
}

async function verify({ say, problem }: Findings, dataDir: string, what: string): Promise<void> {
  say(`verifying ${what}`)
  const { exitCode } = await runCommand(['verify'], dataDir)
  if (exitCode !== 0) problem(`verify found the archive of ${what} not to be complete.`)
}

async function replay(findings: Findings, dataDir: string): Promise<void> {
  findings.say('replaying it')
  const { document } = await runCommand(['replay', '--topic', 'truck-readings'], dataDir)
  const events = numberIn(document, 'events')
  findings.add({
    id: 'replay.rate',
    label: 'replay over the archive',
    value: events / numberIn(document, 'seconds'),
    unit: 'events/s',
    goal: AT_LEAST(300_000, 1_000_000),
  })
  const alerts = numberIn(document, 'alerts')
  const same = numberIn(document, 'same')
  if (same !== alerts) findings.problem(`replay gave ${alerts} alerts, ${same} as recorded.`)
  await replayOfOneRule(findings, dataDir)
}

/** As somebody who writes a rule sees what it would have said. */
async function replayOfOneRule(findings: Findings, dataDir: string): Promise<void> {
  findings.say('replaying one new rule')
  const file = join(dataDir, 'tried-rule.json')
  writeFileSync(file, JSON.stringify(TRIED_RULE))
  const command = ['replay', '--topic', TRIED_RULE.topic, '--rules', file]
  const { document } = await runCommand(command, dataDir)
  if (numberIn(document, 'alerts') === 0) findings.problem('the rule that is tried never fires.')
  findings.add({
    id: 'replay.rule',
    label: '  of one new rule',
    value: numberIn(document, 'events') / numberIn(document, 'seconds'),
    unit: 'events/s',
    goal: AT_LEAST(500_000),
  })
  findings.add({
    id: 'replay.start',
    label: '    of its time, until the first events were run',
    value: numberIn(document, 'startSeconds'),
    unit: 's',
  })
}

function numberIn(document: unknown, field: string): number {
  return typeof document === 'object' && document !== null
    ? Number(Reflect.get(document, field))
    : Number.NaN
}

/** Through the HTTP door as fast as it goes, and then at parts of that with alerts being timed. */
export async function ratesOfDoor(
  findings: Findings,
  { copyRate, aloneRate }: CopyRates,
): Promise<void> {
  const { plan, folder } = findings
  const dataDir = join(folder, 'door')
  const program = await startProgram({ dataDir })
  findings.say(`sending through the HTTP door for ${plan.doorSeconds} s`)
  const sent = await sendLoad({
    url: program.url,
    trucks: TRUCKS,
    seconds: plan.doorSeconds,
    rate: null,
    persistent: false,
  })
  const endMs = await program.untilArchived(sent.accepted)
  const rate = (sent.accepted * 1_000) / (endMs - sent.firstSentMs)
  findings.add({ id: 'door.rate', label: 'through the HTTP door', value: rate, unit: 'events/s' })
  findings.add({
    id: 'door.ratio',
    label: '  of the bare COPY',
    value: rate / copyRate,
    unit: '',
    goal: AT_LEAST(0.3, 0.5),
  })
  findings.add({
    id: 'door.ratio-alone',
    label: '  of that by one connection',
    value: rate / aloneRate,
    unit: '',
  })
  await program.stop()
  await verify(findings, dataDir, 'what came through the door')
  rmSync(dataDir, { recursive: true, force: true })
  await alertLatencies(findings, rate)
}

async function alertLatencies(findings: Findings, doorRate: number): Promise<void> {
  const { plan, folder } = findings
  const dataDir = join(folder, 'alerts')
  const program = await startProgram({ dataDir })
  // Fills the fleet's state and lets the compiler see the code, as in a program that has run a while.
  await load(program, plan.alertSeconds / 2, doorRate / 2)
  const probedSeconds = plan.alertSeconds * PROBE_STRETCH
  const time = async (name: string, share: number, probes: Probes): Promise<readonly number[]> => {
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
  await verify(findings, dataDir, 'what was killed')
  rmSync(dataDir, { recursive: true, force: true })
}
