// The part that runs history again.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AT_LEAST, type Findings, rest, TRUCKS } from './findings.ts'
import { writeBacklog } from './fleet.ts'
import { runCommand, startProgram } from './program.ts'

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

/** Over a history, with the rules in force and with one that is tried. */
export async function ratesOfReplay(findings: Findings): Promise<void> {
  const dataDir = join(findings.folder, 'history')
  await archiveHistory(findings, dataDir)
  await rest(findings)
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
  rmSync(dataDir, { recursive: true, force: true })
}

/** Longer than a backlog: a replay is a process of its own, and a second of it goes into compiling. */
async function archiveHistory({ plan, say }: Findings, dataDir: string): Promise<void> {
  const events = plan.historyEvents
  say(`archiving a history of ${events.toLocaleString('en')} events`)
  await writeBacklog(dataDir, { events, trucks: TRUCKS })
  const program = await startProgram({ dataDir })
  await program.untilArchived(events)
  await program.stop()
}

/** As somebody who writes a rule sees what it would have said. */
async function replayOfOneRule(findings: Findings, dataDir: string): Promise<void> {
  await rest(findings)
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
