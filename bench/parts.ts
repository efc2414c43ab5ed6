// The parts of the benchmark, each on data directories of its own, each giving its figures.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { probeAlerts } from './alert-probe.ts'
import { bareCopy } from './bare-copy.ts'
import { etaRate } from './eta-rate.ts'
import { writeBacklog } from './fleet.ts'
import { sendLoad } from './load.ts'
import { usageOfTree } from './process-tree.ts'
import { type Program, runCommand, startProgram } from './program.ts'
import type { Figure, Goal } from './report.ts'
import { measureRuleCost } from './rule-cost.ts'
import { median, percentile } from './samples.ts'
import { measureShipmentCosts } from './shipment-costs.ts'
import {
  fillShipments,
  fillTrips,
  fillWindows,
  letMerchantIn,
  SHIPMENT_QUESTIONS,
  timeAnswers,
  WINDOW_QUESTIONS,
} from './stored-answers.ts'
import { vehicleCosts } from './vehicle-costs.ts'
import { vehicleDrain } from './vehicle-drain.ts'
import { workflowRate } from './workflow-rate.ts'

export interface Plan {
  readonly copies: number
  readonly backlogEvents: number
  readonly doorSeconds: number
  readonly alertSeconds: number
  readonly scaleEvents: number
  readonly kills: number
  readonly trips: number
  readonly shipments: number
}

export const FULL: Plan = {
  copies: 3,
  backlogEvents: 1_500_000,
  doorSeconds: 15,
  alertSeconds: 8,
  scaleEvents: 1_200_000,
  kills: 3,
  trips: 1_000_000,
  shipments: 1_000_000,
}
export const QUICK: Plan = {
  copies: 1,
  backlogEvents: 200_000,
  doorSeconds: 3,
  alertSeconds: 2,
  scaleEvents: 400_000,
  kills: 1,
  trips: 100_000,
  shipments: 100_000,
}

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
const TRUCKS = 10_000
const FLEETS = [1_000, 10_000, 100_000] as const
const ALERTS_PER_SECOND = 100
const WORKFLOWS_PER_SECOND = 200
const MIB = 1024 * 1024
const MICROSECONDS = 1_000_000

const AT_LEAST = (bar: number, aim?: number): Goal => goal('higher', bar, aim)
const AT_MOST = (bar: number, aim?: number): Goal => goal('lower', bar, aim)

function goal(better: Goal['better'], bar: number, aim: number | undefined): Goal {
  return aim === undefined ? { better, bar } : { better, bar, aim }
}

/** Where the parts put their figures, and what went wrong. */
export interface Findings {
  readonly plan: Plan
  /** A folder of the run's own, emptied at its end. */
  readonly folder: string
  add(figure: Figure): void
  problem(text: string): void
  /** What is being done at the moment. */
  say(text: string): void
}

/** Bare COPY and a backlog through the whole program, in turn; then the replay of what was archived. */
export async function ratesOfBacklog(findings: Findings): Promise<{ readonly copyRate: number }> {
  const { plan, folder } = findings
  const backlogDir = join(folder, 'backlog')
  findings.say(`writing a backlog of ${plan.backlogEvents.toLocaleString('en')} events`)
  await writeBacklog(backlogDir, { events: plan.backlogEvents, trucks: TRUCKS })
  const copyRates: number[] = []
  for (let run = 0; run < plan.copies; run++) {
    findings.say(`bare COPY of it, ${run + 1} of ${plan.copies}`)
    const dataDir = join(folder, `copy-${run}`)
    const { rows, seconds } = await bareCopy(backlogDir, dataDir)
    copyRates.push(rows / seconds)
    rmSync(dataDir, { recursive: true, force: true })
  }
  const copyRate = median(copyRates)
  findings.add({ id: 'copy.rate', label: 'bare binary COPY', value: copyRate, unit: 'rows/s' })
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
  await verify(findings, backlogDir, 'the backlog')
  await replay(findings, backlogDir)
  rmSync(backlogDir, { recursive: true, force: true })
  return { copyRate }
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
export async function ratesOfDoor(findings: Findings, copyRate: number): Promise<void> {
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
  for (const share of [0.25, 0.5, 0.75]) {
    findings.say(`timing alerts at ${share} of that rate`)
    const name = String(share * 100)
    const loading = load(program, plan.alertSeconds + 1, doorRate * share)
    await sleep(500)
    const probed = await probeAlerts({
      url: program.url,
      name,
      seconds: plan.alertSeconds,
      perSecond: ALERTS_PER_SECOND,
    })
    await loading
    if (probed.missing > 0) findings.problem(`${probed.missing} alerts did not reach the feed.`)
    addLatencies(findings, name, probed.latenciesMs)
  }
  await program.stop()
  rmSync(dataDir, { recursive: true, force: true })
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

/** Memory, and the cost of an event, with more and more trucks. */
export async function costOfFleets(findings: Findings): Promise<void> {
  const costs: { readonly cpuUs: number; readonly wallUs: number }[] = []
  for (const trucks of FLEETS) costs.push(await costOfFleet(findings, trucks))
  const growth = (of: (cost: (typeof costs)[number]) => number): number => {
    const first = costs[0]
    const last = costs.at(-1)
    return first === undefined || last === undefined ? Number.NaN : of(last) / of(first)
  }
  findings.add({
    id: 'fleet.cost-growth',
    label: 'task CPU for an event, 100,000 trucks against 1,000',
    value: growth(({ cpuUs }) => cpuUs),
    unit: '×',
    goal: AT_MOST(1.3),
  })
  findings.add({
    id: 'fleet.wall-growth',
    label: 'time for an event, 100,000 trucks against 1,000',
    value: growth(({ wallUs }) => wallUs),
    unit: '×',
    goal: AT_MOST(1.3),
  })
}

async function costOfFleet(
  findings: Findings,
  trucks: number,
): Promise<{ readonly cpuUs: number; readonly wallUs: number }> {
  const { plan, folder } = findings
  const fleet = trucks.toLocaleString('en')
  findings.say(`a backlog of ${fleet} trucks`)
  const dataDir = join(folder, `fleet-${trucks}`)
  const events = plan.scaleEvents
  await writeBacklog(dataDir, { events, trucks })
  const program = await startProgram({ dataDir })
  const endMs = await program.untilArchived(events)
  const usage = usageOfTree(program.pid)
  await program.stop()
  rmSync(dataDir, { recursive: true, force: true })
  const cpuUs = (usage.taskCpuSeconds * MICROSECONDS) / events
  const wallUs = ((endMs - program.tasksStartedMs()) * 1_000) / events
  findings.add({
    id: `fleet.${trucks}.memory`,
    label: `memory of all processes with ${fleet} trucks`,
    value: usage.pssBytes / MIB,
    unit: 'MiB',
    ...(trucks === TRUCKS ? { goal: AT_MOST(1_024) } : {}),
  })
  findings.add({
    id: `fleet.${trucks}.cpu`,
    label: '  CPU of the task thread for an event',
    value: cpuUs,
    unit: 'µs',
  })
  findings.add({
    id: `fleet.${trucks}.wall`,
    label: '  time for an event',
    value: wallUs,
    unit: 'µs',
  })
  return { cpuUs, wallUs }
}

/** A hundred rules against five, by tasks alone: nothing is read, written or shown to anybody. */
export async function costOfRules({ plan, add, say }: Findings): Promise<void> {
  say('the same events with 5 rules and with 100')
  const { ratio, fewUs, manyUs } = measureRuleCost(Math.round(plan.scaleEvents / 10))
  add({ id: 'rules.few', label: 'an event with 5 rules', value: fewUs, unit: 'µs' })
  add({ id: 'rules.many', label: '  with 100', value: manyUs, unit: 'µs' })
  add({ id: 'rules.ratio', label: '  against 5', value: ratio, unit: '×', goal: AT_MOST(1.5) })
}

/** Shipments in the state of one task: memory of each, and an event among few and among all. */
export async function costOfShipments({ plan, add, say }: Findings): Promise<void> {
  const shipments = plan.shipments.toLocaleString('en')
  say(`${shipments} shipments in state`)
  const { bytesEach, fewUs, manyUs, ratio } = measureShipmentCosts(plan.shipments, 200_000)
  const label = `memory of a shipment, of ${shipments} in state`
  add({ id: 'shipments.memory', label, value: bytesEach / 1_024, unit: 'KiB' })
  add({ id: 'shipments.few', label: '  an event among 10,000', value: fewUs, unit: 'µs' })
  add({ id: 'shipments.many', label: `  among ${shipments}`, value: manyUs, unit: 'µs' })
  add({
    id: 'shipments.ratio',
    label: '  against 10,000',
    value: ratio,
    unit: '×',
    goal: AT_MOST(1.3),
  })
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

/** What enrichment, rules and windows of vehicles cost: of the way into the archive, and of a task by itself. */
export async function costOfJudging({ plan, folder, say, add }: Findings): Promise<void> {
  say('a backlog of telemetry through the vehicles pipeline, and through a bare one')
  const events = plan.backlogEvents / 4
  const drained = await vehicleDrain(folder, { events, turns: plan.copies })
  const rate = (id: string, label: string, value: number): void =>
    add({ id, label, value, unit: 'events/s' })
  rate('vehicles.bare', 'telemetry archived and shown only', drained.bareEventsPerSecond)
  rate('vehicles.rate', '  with enrichment, rules and windows', drained.eventsPerSecond)
  add({
    id: 'vehicles.ratio',
    label: '  of the bare path',
    value: drained.ratio,
    unit: '',
    goal: AT_LEAST(0.8),
  })
  say('the same by a task alone')
  const { bareEventsPerSecond, eventsPerSecond } = vehicleCosts(events)
  rate('vehicles.task.bare', '  by the task alone, archived and shown only', bareEventsPerSecond)
  rate('vehicles.task.rate', '  by the task alone, with all', eventsPerSecond)
}

/** Estimates of arrival in a city of 919 stretches, and what one change of traffic touches. */
export async function ratesOfEstimates({ plan, say, add }: Findings): Promise<void> {
  say('travellers through the pipeline of journeys')
  const rate = etaRate(plan.backlogEvents / 15)
  add({
    id: 'arrivals.estimates',
    label: `estimates of arrival, one task, ${rate.journeys} journeys`,
    value: rate.estimatesPerSecond,
    unit: '/s',
    goal: AT_LEAST(5_000),
  })
  add({
    id: 'arrivals.touched',
    label: '  journeys estimated anew after one change of traffic',
    value: rate.touchedPerChange,
    unit: '',
  })
}

/** Late arrivals told by mail: from the alert to the mail server's acceptance, at the rate that is asked for. */
export async function timesOfWorkflows({ plan, folder, say, add }: Findings): Promise<void> {
  say(`${WORKFLOWS_PER_SECOND} late arrivals a second`)
  const order = { perSecond: WORKFLOWS_PER_SECOND, seconds: plan.alertSeconds }
  const { perSecond, p50Ms, p99Ms, missing } = await workflowRate(join(folder, 'workflows'), order)
  add({
    id: 'workflows.rate',
    label: `late arrivals told by mail, of ${WORKFLOWS_PER_SECOND}/s asked for`,
    value: perSecond,
    unit: '/s',
    // What comes in at that rate goes out at it, but for the last mails' way.
    goal: AT_LEAST(WORKFLOWS_PER_SECOND * 0.95),
  })
  add({ id: 'workflows.p50', label: '  alert to acceptance, p50', value: p50Ms, unit: 'ms' })
  const p99 = { id: 'workflows.p99', label: '  p99', value: p99Ms, unit: 'ms' }
  add({ ...p99, goal: AT_MOST(250) })
  if (missing > 0) throw new Error(`${missing} mails did not come.`)
}

/** A day of sliding windows, and the sums of very many trips, asked for over HTTP. */
export async function timesOfAnswers({ plan, folder, say, add }: Findings): Promise<void> {
  const dataDir = join(folder, 'answers')
  const program = await startProgram({ dataDir })
  say('filling a day of windows')
  await fillWindows(dataDir)
  const trips = plan.trips.toLocaleString('en')
  say(`filling ${trips} trips`)
  await fillTrips(dataDir, plan.trips)
  const time: TimeAnswer = async (id, label, path, bar, token) => {
    const { p50Ms, p95Ms } = await timeAnswers(program.url, path, token)
    add({ id: `${id}.p50`, label: `${label}, p50`, value: p50Ms, unit: 'ms', goal: AT_MOST(bar) })
    add({ id: `${id}.p95`, label: '  p95', value: p95Ms, unit: 'ms' })
  }
  say('asking for windows and sums')
  const { quarterHours, page } = WINDOW_QUESTIONS
  await time('windows.day', 'windows of 24 h at 10,000 vehicles, by quarters', quarterHours, 50)
  await time('windows.page', 'windows of 24 h by minutes, a page of 1,000', page, 50)
  await time('trips.summary', `summary of ${trips} trips`, '/trips/summary', 20)
  await timesOfShipments({ plan, say }, { dataDir, url: program.url, time })
  await program.stop()
  rmSync(dataDir, { recursive: true, force: true })
}

type TimeAnswer = (
  id: string,
  label: string,
  path: string,
  bar: number,
  token?: string,
) => Promise<void>

/** As a merchant sees its own of very many, through row-level security; and its customer, by the link alone. */
async function timesOfShipments(
  { plan, say }: Pick<Findings, 'plan' | 'say'>,
  about: { readonly dataDir: string; readonly url: string; readonly time: TimeAnswer },
): Promise<void> {
  const { dataDir, url, time } = about
  const shipments = plan.shipments.toLocaleString('en')
  say(`filling ${shipments} shipments`)
  await fillShipments(dataDir, plan.shipments)
  say('asking for shipments as a merchant, and for a tracking page')
  const { token, trackingPage } = await letMerchantIn(url)
  const { recent, due, region, summary } = SHIPMENT_QUESTIONS
  await time(
    'shipments.recent',
    `a merchant's of ${shipments} shipments, by status`,
    recent,
    50,
    token,
  )
  await time('shipments.due', '  by promise, due first', due, 50, token)
  await time('shipments.region', '  of a region', region, 50, token)
  await time('shipments.summary', '  its figures', summary, 50, token)
  await time('shipments.tracking', 'the tracking page of one of them', trackingPage, 20)
}
