// The parts that say what an event, a rule, a shipment, an estimate or a workflow costs.

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { etaRate } from './eta-rate.ts'
import { AT_LEAST, AT_MOST, type Findings, rest, TRUCKS } from './findings.ts'
import { writeBacklog } from './fleet.ts'
import { usageOfTree } from './process-tree.ts'
import { startProgram } from './program.ts'
import type { Goal } from './report.ts'
import { measureRuleCost } from './rule-cost.ts'
import { measureShipmentCosts } from './shipment-costs.ts'
import { vehicleCosts } from './vehicle-costs.ts'
import { vehicleDrain } from './vehicle-drain.ts'
import { workflowRate } from './workflow-rate.ts'

const FLEETS = [1_000, TRUCKS, 100_000] as const
const WORKFLOWS_PER_SECOND = 200
const MIB = 1024 * 1024
const MICROSECONDS = 1_000_000

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
  await rest(findings)
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
