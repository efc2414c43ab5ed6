// What Outrider does in several processes over Kafka, PostgreSQL and Redis, held against the embedded default
// in the same run: everything, the load's generator included, on one machine.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { type Cluster, clusterMissing, startCluster } from '../test/cluster/cluster.ts'
import { probeAlerts } from './alert-probe.ts'
import { atTheEnd } from './clean-up.ts'
import { doorRate, stretchStartMs, WARM_SECONDS } from './door-rate.ts'
import { type Findings, PROBE_STRETCH, PROBES_PER_SECOND, rest, TRUCKS } from './findings.ts'
import { sendLoad } from './load.ts'
import { archivedIn, startProgram, untilArchived } from './program.ts'
import { percentile } from './samples.ts'

const TASK_PROCESSES = [1, 2, 4] as const
/** Alerts and the take-over are measured with these, as in `npm run cluster`; half load is half of what they archived. */
const MEASURED_PROCESSES = 2
const MANY_PROBES_PER_SECOND = 50
const TAKEOVER_SECONDS = 14
/** Of load and probes that don't count, after which each partition has an owner that runs. */
const SETTLE_SECONDS = 6
const KILL_AFTER_MS = 3_000

/** The embedded default through its door; the rate that the cluster is held against. */
export async function rateOfEmbedded(findings: Findings): Promise<number> {
  const { folder, say } = findings
  say('the embedded default through its door')
  const program = await startProgram({ dataDir: join(folder, 'embedded') })
  const rate = await doorRate(findings, program)
  await program.stop()
  findings.add({
    id: 'cluster.embedded',
    label: 'embedded default, archived',
    value: rate,
    unit: 'events/s',
  })
  return rate
}

export async function measureCluster(findings: Findings, embeddedRate: number): Promise<void> {
  const missing = clusterMissing()
  if (missing !== undefined) throw new Error(`There is no cluster to measure: ${missing}.`)
  const cluster = await startCluster({
    brokers: 3,
    doors: 1,
    tasks: 1,
    serve: 1,
    say: findings.say,
  })
  const ended = atTheEnd(() => cluster.stop())
  const database = new pg.Pool({ connectionString: cluster.postgres.url, max: 1 })
  database.on('error', () => undefined)
  try {
    const rates = new Map<number, number>()
    findings.say('warming up')
    await rateOf(cluster, { database, seconds: WARM_SECONDS, startMs: stretch(0) })
    for (const [turn, processes] of TASK_PROCESSES.entries()) {
      while (cluster.processes('tasks').length < processes) await cluster.add('tasks')
      // As the embedded default does, which these are held against.
      await rest(findings)
      findings.say(`${processes} task process(es) as fast as they go`)
      const seconds = findings.plan.doorSeconds
      const rate = await rateOf(cluster, { database, seconds, startMs: stretch(turn + 1) })
      rates.set(processes, rate)
      findings.add({
        id: `cluster.rate.${processes}`,
        label: `${processes} task process${processes === 1 ? '' : 'es'}, archived`,
        value: rate,
        unit: 'events/s',
      })
    }
    const best = Math.max(...rates.values())
    findings.add({
      id: 'cluster.ratio',
      label: '  the best of the embedded default',
      value: best / embeddedRate,
      unit: '',
      goal: { better: 'higher', bar: 0.5 },
    })
    await stopSurplus(cluster)
    await alertsAtHalfLoad(findings, cluster, (rates.get(MEASURED_PROCESSES) ?? best) / 2)
    await takeover(findings, cluster)
  } finally {
    await database.end()
    await cluster.stop()
    ended()
  }
}

async function rateOf(
  cluster: Cluster,
  {
    database,
    seconds,
    startMs,
  }: { readonly database: pg.Pool; readonly seconds: number; readonly startMs: number },
): Promise<number> {
  const before = await archivedIn(database)
  const load = await sendLoad({
    url: doorOf(cluster),
    trucks: TRUCKS,
    seconds,
    rate: null,
    persistent: true,
    startMs,
  })
  const endMs = await untilArchived(database, before + load.accepted)
  return (load.accepted * 1_000) / (endMs - load.firstSentMs)
}

async function stopSurplus(cluster: Cluster): Promise<void> {
  const surplus = cluster.processes('tasks').slice(MEASURED_PROCESSES)
  for (const program of surplus) await cluster.remove(program, 'stop')
}

async function alertsAtHalfLoad(findings: Findings, cluster: Cluster, rate: number): Promise<void> {
  const { plan } = findings
  findings.say('alerts at half load')
  const order = { url: doorOf(cluster), trucks: TRUCKS, rate, persistent: true }
  const seconds = plan.alertSeconds * (PROBE_STRETCH + 1)
  const load = sendLoad({ ...order, seconds: SETTLE_SECONDS + seconds + 4 })
  const probing = { url: order.url, feedUrl: serverOf(cluster), perSecond: PROBES_PER_SECOND }
  await probeAlerts({ ...probing, name: 'settle', seconds: SETTLE_SECONDS })
  const half = { ...probing, name: 'half', seconds: plan.alertSeconds * PROBE_STRETCH }
  const probe = await probeAlerts(half)
  const many = { ...probing, name: 'many', seconds: plan.alertSeconds }
  const manyProbe = await probeAlerts({ ...many, perSecond: MANY_PROBES_PER_SECOND })
  await load
  const missing = probe.missing + manyProbe.missing
  if (missing > 0) findings.problem(`${missing} alerts at half load never came.`)
  for (const [share, goal] of [
    [0.5, undefined],
    [0.99, { better: 'lower', bar: 50 }],
  ] as const) {
    findings.add({
      id: `cluster.alert.p${share * 100}`,
      label: `alert after its 202, half load, p${share * 100}`,
      value: percentile(probe.latenciesMs, share),
      unit: 'ms',
      ...(goal === undefined ? {} : { goal }),
    })
  }
  findings.add({
    id: 'cluster.alert.many',
    label: `  of ${MANY_PROBES_PER_SECOND} alerts a second, p99`,
    value: percentile(manyProbe.latenciesMs, 0.99),
    unit: 'ms',
  })
}

/** The longest that an alert waits when one of two task processes is killed: its partitions are with the other by then. */
async function takeover(findings: Findings, cluster: Cluster): Promise<void> {
  findings.say('killing one of two task processes')
  const probing = probeAlerts({
    url: doorOf(cluster),
    feedUrl: serverOf(cluster),
    name: 'kill',
    seconds: TAKEOVER_SECONDS,
    perSecond: MANY_PROBES_PER_SECOND,
  })
  await sleep(KILL_AFTER_MS)
  const [victim] = cluster.processes('tasks')
  if (victim !== undefined) await cluster.remove(victim, 'kill')
  const { latenciesMs, missing } = await probing
  if (missing > 0) findings.problem(`${missing} alerts never came after a process was killed.`)
  findings.add({
    id: 'cluster.takeover',
    label: 'a killed process replaced after',
    value: Math.max(...latenciesMs) / 1_000,
    unit: 's',
    goal: { better: 'lower', bar: 10 },
  })
}

function doorOf(cluster: Cluster): string {
  return cluster.processes('doors')[0]?.address ?? ''
}

function serverOf(cluster: Cluster): string {
  return cluster.processes('serve')[0]?.address ?? ''
}

function stretch(turn: number): number {
  return stretchStartMs(turn, TASK_PROCESSES.length + 2)
}
