// The parts that say how fast events come into the archive: bare COPY, a backlog, the HTTP door.

import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { bareCopy } from './bare-copy.ts'
import { doorRate } from './door-rate.ts'
import { AT_LEAST, type Findings, rest, TRUCKS } from './findings.ts'
import { writeBacklog } from './fleet.ts'
import { startProgram } from './program.ts'
import type { Goal } from './report.ts'
import { median } from './samples.ts'
import { verifyArchive } from './verify-archive.ts'

/** Rows or events a second, all in one turn: what is compared was measured within a few minutes. */
interface Turn {
  /** Bare COPY by as many connections as tasks use, and by one. */
  readonly copy: number
  readonly alone: number
  readonly backlog: number
  readonly door: number
}

/**
 * Bare COPY, the same rows as a backlog through the whole program, and the HTTP door, in turn. A figure is the median of
 * the turns; so is a ratio, of the ratios of each. Returns the rate through the door.
 */
export async function ratesOfArchiving(findings: Findings): Promise<number> {
  const { plan, folder } = findings
  const backlogDir = join(folder, 'backlog')
  findings.say(`writing a backlog of ${plan.backlogEvents.toLocaleString('en')} events`)
  await writeBacklog(backlogDir, { events: plan.backlogEvents, trucks: TRUCKS })
  const turns: Turn[] = []
  for (let turn = 1; turn <= plan.turns; turn++) {
    const of = `turn ${turn} of ${plan.turns}`
    const rates: Turn = {
      copy: await rateOfCopy(findings, backlogDir, { of }),
      alone: await rateOfCopy(findings, backlogDir, { of, connections: 1 }),
      backlog: await rateOfBacklog(findings, backlogDir, of),
      door: await rateOfDoor(findings, of),
    }
    findings.say(inWords(of, rates))
    turns.push(rates)
  }
  rmSync(backlogDir, { recursive: true, force: true })
  addRates(findings, turns)
  return median(turns.map(({ door }) => door))
}

/** So that who looks on sees how far turns differ. */
function inWords(of: string, { copy, alone, backlog, door }: Turn): string {
  const [copied, byOne, drained, sent] = [copy, alone, backlog, door].map((rate) =>
    Math.round(rate).toLocaleString('en'),
  )
  return `${of}: COPY ${copied}/s, by one ${byOne}/s, backlog ${drained}/s, door ${sent}/s`
}

function addRates({ add }: Findings, turns: readonly Turn[]): void {
  const rate = (id: string, label: string, unit: string, of: (turn: Turn) => number): void =>
    add({ id, label, value: median(turns.map(of)), unit })
  const ratio = (id: string, label: string, of: (turn: Turn) => number, goal?: Goal): void => {
    const value = median(turns.map(of))
    add({ id, label, value, unit: '', ...(goal === undefined ? {} : { goal }) })
  }
  rate('copy.rate', 'bare binary COPY', 'rows/s', ({ copy }) => copy)
  rate('copy.alone', '  by one connection, so one core', 'rows/s', ({ alone }) => alone)
  rate('backlog.rate', 'backlog drained', 'events/s', ({ backlog }) => backlog)
  const bars = { backlog: AT_LEAST(0.5, 0.8), door: AT_LEAST(0.3, 0.5) }
  const ofAlone = '  of that by one connection'
  ratio('backlog.ratio', '  of the bare COPY', (turn) => turn.backlog / turn.copy, bars.backlog)
  ratio('backlog.ratio-alone', ofAlone, (turn) => turn.backlog / turn.alone)
  rate('door.rate', 'through the HTTP door', 'events/s', ({ door }) => door)
  ratio('door.ratio', '  of the bare COPY', (turn) => turn.door / turn.copy, bars.door)
  ratio('door.ratio-alone', ofAlone, (turn) => turn.door / turn.alone)
}

async function rateOfCopy(
  findings: Findings,
  backlogDir: string,
  { of, connections }: { readonly of: string; readonly connections?: 1 },
): Promise<number> {
  const dataDir = join(findings.folder, 'copy')
  await rest(findings)
  findings.say(`bare COPY of it${connections === 1 ? ' by one connection' : ''}, ${of}`)
  const { rows, seconds } = await bareCopy(
    backlogDir,
    dataDir,
    connections === undefined ? {} : { connections },
  )
  rmSync(dataDir, { recursive: true, force: true })
  return rows / seconds
}

async function rateOfBacklog(findings: Findings, backlogDir: string, of: string): Promise<number> {
  const { backlogEvents } = findings.plan
  const dataDir = join(findings.folder, 'drained')
  cpSync(backlogDir, dataDir, { recursive: true })
  await rest(findings)
  findings.say(`draining it, ${of}`)
  const program = await startProgram({ dataDir })
  const endMs = await program.untilArchived(backlogEvents)
  await program.stop()
  await verifyArchive(findings, dataDir, 'the backlog')
  rmSync(dataDir, { recursive: true, force: true })
  return (backlogEvents * 1_000) / (endMs - program.tasksStartedMs())
}

async function rateOfDoor(findings: Findings, of: string): Promise<number> {
  const dataDir = join(findings.folder, 'door')
  findings.say(`sending through the HTTP door, ${of}`)
  const program = await startProgram({ dataDir })
  const rate = await doorRate(findings, program)
  await program.stop()
  await verifyArchive(findings, dataDir, 'what came through the door')
  rmSync(dataDir, { recursive: true, force: true })
  return rate
}
