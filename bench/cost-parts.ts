// The parts that say what an event, a rule, a shipment, an estimate or a workflow costs.

import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { etaRate } from './eta-rate.ts'
import { AT_LEAST, AT_MOST, type Findings, rest, TRUCKS } from './findings.ts'
import { writeBacklog } from './fleet.ts'
import { usageOfTree } from './process-tree.ts'
import { startProgram } from './program.ts'
import type { Goal } from './report.ts'
import { measureRuleCost } from './rule-cost.ts'
import { median } from './samples.ts'
import { measureShipmentCosts } from './shipment-costs.ts'
import { vehicleCosts } from './vehicle-costs.ts'
import { vehicleDrain } from './vehicle-drain.ts'
import { workflowRate } from './workflow-rate.ts'

const FLEETS = [1_000, TRUCKS, 100_000] as const
const WORKFLOWS_PER_SECOND = 200
const MIB = 1024 * 1024
const MICROSECONDS = 1_000_000

interface FleetCost {
  readonly pssBytes: number
  readonly cpuUs: number
  readonly wallUs: number
}

/**
 * Memory, and the cost of an event, with more and more trucks, all fleets in turn: a figure is the median of the turns, and
 * so is what the largest costs against the smallest.
 */
export async function costOfFleets(findings: Findings): Promise<void> {
  const { plan, folder } = findings
  const backlogs = FLEETS.map((trucks) => ({ trucks, dir: join(folder, `backlog-${trucks}`) }))
  for (const { trucks, dir } of backlogs) {
    await writeBacklog(dir, { events: plan.scaleEvents, trucks })
  }
  const turns: (readonly FleetCost[])[] = []
  for (let turn = 1; turn <= plan.turns; turn++) {
    const costs: FleetCost[] = []
    for (const { trucks, dir } of backlogs) {
      findings.say(
        `a backlog of ${trucks.toLocaleString('en')} trucks, turn ${turn} of ${plan.turns}`,
      )
      costs.push(await costOfFleet(findings, dir))
    }
    turns.push(costs)
  }
  for (const { dir } of backlogs) rmSync(dir, { recursive: true, force: true })
  FLEETS.forEach((trucks, index) => {
    const costs = turns.flatMap((each) => each[index] ?? [])
    addFleet(findings, trucks, costs)
  })
  addGrowth(findings, turns)
}

async function costOfFleet(findings: Findings, backlogDir: string): Promise<FleetCost> {
  const events = findings.plan.scaleEvents
  const dataDir = join(findings.folder, 'fleet')
  cpSync(backlogDir, dataDir, { recursive: true })
  await rest(findings)
  const program = await startProgram({ dataDir })
  const endMs = await program.untilArchived(events)
  const { pssBytes, taskCpuSeconds } = usageOfTree(program.pid)
  await program.stop()
  rmSync(dataDir, { recursive: true, force: true })
  return {
    pssBytes,
    cpuUs: (taskCpuSeconds * MICROSECONDS) / events,
    wallUs: ((endMs - program.tasksStartedMs()) * 1_000) / events,
  }
}

function addFleet({ add }: Findings, trucks: number, costs: readonly FleetCost[]): void {
  add({
    id: `fleet.${trucks}.memory`,
    label: `memory of all processes with ${trucks.toLocaleString('en')} trucks`,
    value: median(costs.map(({ pssBytes }) => pssBytes / MIB)),
    unit: 'MiB',
    ...(trucks === TRUCKS ? { goal: AT_MOST(1_024) } : {}),
  })
  add({
    id: `fleet.${trucks}.cpu`,
    label: '  CPU of the task thread for an event',
    value: median(costs.map(({ cpuUs }) => cpuUs)),
    unit: 'µs',
  })
  add({
    id: `fleet.${trucks}.wall`,
    label: '  time for an event',
    value: median(costs.map(({ wallUs }) => wallUs)),
    unit: 'µs',
  })
}

function addGrowth({ add }: Findings, turns: readonly (readonly FleetCost[])[]): void {
  const growth = (of: (cost: FleetCost) => number): number =>
    median(
      turns.map((costs) => {
        const [first, last] = [costs[0], costs.at(-1)]
        return first === undefined || last === undefined ? Number.NaN : of(last) / of(first)
      }),
    )
  add({
    id: 'fleet.cost-growth',
    label: 'task CPU for an event, 100,000 trucks against 1,000',
    value: growth(({ cpuUs }) => cpuUs),
    unit: '×',
    goal: AT_MOST(1.3),
  })
  add({
    id: 'fleet.wall-growth',
    label: 'time for an event, 100,000 trucks against 1,000',
    value: growth(({ wallUs }) => wallUs),
    unit: '×',
    goal: AT_MOST(1.3),
  })
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

/** What enrichment, rules and windows of vehicles cost: of the way into the archive, and of a task by itself. */
export async function costOfJudging({ plan, folder, say, add }: Findings): Promise<void> {
  say('a backlog of telemetry: archived only, judged, and with fleet reports')
  const events = plan.backlogEvents / 4
  const drained = await vehicleDrain(folder, { events, turns: plan.turns })
  const rate = (id: string, label: string, value: number): void =>
    add({ id, label, value, unit: 'events/s' })
  rate('vehicles.bare', 'telemetry archived and shown only', drained.bare)
  rate('vehicles.rate', '  with enrichment, rules and windows', drained.judged)
  const ofBare = (id: string, value: number, goal?: Goal): void =>
    add({
      id,
      label: '  of the bare path',
      value,
      unit: '',
      ...(goal === undefined ? {} : { goal }),
    })
  ofBare('vehicles.ratio', drained.judgedRatio, AT_LEAST(0.8))
  rate('vehicles.whole', '  with fleet reports too', drained.whole)
  ofBare('vehicles.whole.ratio', drained.wholeRatio)
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
  const rate = await workflowRate(join(folder, 'workflows'), order)
  const { perSecond, p50Ms, p99Ms, missing } = rate
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
  add({
    id: 'workflows.cpu',
    label: '  CPU of the program and its database for each',
    value: rate.cpuMs,
    unit: 'ms',
  })
  add({ id: 'workflows.commits', label: '  transactions for each', value: rate.commits, unit: '' })
  if (missing > 0) throw new Error(`${missing} mails did not come.`)
}
