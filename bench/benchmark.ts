// One run of the whole benchmark: the parts one after the other, nothing left behind.

import { mkdtempSync, rmSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { alertLatencies, timeToRecover } from './alert-parts.ts'
import { timesOfAnswers } from './answer-parts.ts'
import { atTheEnd, cleanUp } from './clean-up.ts'
import { measureCluster, rateOfEmbedded } from './cluster-parts.ts'
import {
  costOfFleets,
  costOfJudging,
  costOfRules,
  costOfShipments,
  ratesOfEstimates,
  timesOfWorkflows,
} from './cost-parts.ts'
import { type Findings, FULL, QUICK, rest } from './findings.ts'
import { ratesOfArchiving } from './rate-parts.ts'
import { ratesOfReplay } from './replay-parts.ts'
import { type BenchReport, type Figure, verdictOf } from './report.ts'

/** In the order in which they are measured. */
export const PARTS = [
  'archiving',
  'alerts',
  'replay',
  'fleets',
  'vehicles',
  'arrivals',
  'workflows',
  'answers',
  'rules',
  'shipments',
  'kill',
] as const
export type PartName = (typeof PARTS)[number]

export interface BenchOptions {
  readonly quick: boolean
  /** Parts to measure, where not all are; alerts need archiving, whose rate their load is a share of. */
  readonly only: ReadonlySet<PartName>
  /** Several processes over real servers, instead of the embedded default alone. */
  readonly cluster: boolean
  readonly say: (text: string) => void
}

/** A part that fails is a problem of the report; the others are measured all the same. */
export async function runBenchmark({
  quick,
  only,
  cluster,
  say,
}: BenchOptions): Promise<BenchReport> {
  const loadBefore = loadavg()[0] ?? 0
  const startedMs = Date.now()
  const folder = mkdtempSync(join(tmpdir(), 'outrider-bench-'))
  // The database's own user must reach its files.
  await chmod(folder, 0o755)
  atTheEnd(async () => rmSync(folder, { recursive: true, force: true }))
  const figures: Figure[] = []
  const problems: string[] = []
  const findings: Findings = {
    plan: quick ? QUICK : FULL,
    folder,
    add: (figure) => figures.push(figure),
    problem: (text) => problems.push(text),
    say,
  }
  const part = async (name: string, work: () => Promise<void>): Promise<void> => {
    try {
      await rest(findings)
      await work()
    } catch (error) {
      problems.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  try {
    await (cluster ? measureAsCluster(findings, part) : measureEmbedded(findings, only, part))
  } finally {
    await cleanUp()
  }
  return {
    startedAt: new Date(startedMs).toISOString(),
    seconds: (Date.now() - startedMs) / 1_000,
    quick,
    machine: {
      cores: availableParallelism(),
      cpu: cpus()[0]?.model ?? 'unknown',
      memoryGb: Math.round(totalmem() / 1e9),
      node: process.version,
      loadBefore,
    },
    figures: figures.map((figure) => ({ ...figure, verdict: verdictOf(figure) })),
    problems,
  }
}

type Part = (name: string, work: () => Promise<void>) => Promise<void>

function partsOf(findings: Findings): Readonly<Record<PartName, () => Promise<void>>> {
  let doorRate: number | undefined
  return {
    async archiving() {
      doorRate = await ratesOfArchiving(findings)
    },
    async alerts() {
      if (doorRate !== undefined) await alertLatencies(findings, doorRate)
    },
    replay: () => ratesOfReplay(findings),
    fleets: () => costOfFleets(findings),
    vehicles: () => costOfJudging(findings),
    arrivals: () => ratesOfEstimates(findings),
    workflows: () => timesOfWorkflows(findings),
    answers: () => timesOfAnswers(findings),
    rules: () => costOfRules(findings),
    shipments: () => costOfShipments(findings),
    kill: () => timeToRecover(findings),
  }
}

async function measureEmbedded(
  findings: Findings,
  only: ReadonlySet<PartName>,
  part: Part,
): Promise<void> {
  const works = partsOf(findings)
  for (const name of PARTS) {
    if (only.has(name) || (name === 'archiving' && only.has('alerts')))
      await part(name, works[name])
  }
}

async function measureAsCluster(findings: Findings, part: Part): Promise<void> {
  let embeddedRate = Number.NaN
  await part('embedded', async () => {
    embeddedRate = await rateOfEmbedded(findings)
  })
  await part('cluster', () => measureCluster(findings, embeddedRate))
}
