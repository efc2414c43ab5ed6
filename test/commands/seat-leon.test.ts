// Five real drives on the Autobahn, imported: what a rule made of them, what it would have made of them had
// it waited for a minute, and whether what is recorded follows from the archive.

import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCommand, startProgram, temporaryDataDir } from '../program.ts'
import { sharedDataOrSkip } from '../requirements.ts'
import { until } from '../waiting.ts'

const DRIVES = [
  '2017-07-05_Seat_Leon_RT_S_Stau',
  '2017-07-06_Seat_Leon_KA_RT_Normal',
  '2017-07-11_Seat_Leon_S_RT_Frei',
  '2017-07-13_Seat_Leon_RT_KA_Stau_Messfehler',
  '2018-02-17_Seat_Leon_BB_RT_Normal_Glatteis',
]
const READINGS = 232_942
const FAST_READINGS = 32_740
const PATIENCE_MS = 60_000
const RULE = {
  name: 'autobahn',
  topic: 'vehicle-telemetry',
  when: 'event.speedKmh > 120',
  severity: 'warning',
  fields: ['speedKmh'],
  summary: '{speedKmh} km/h',
}

interface ShownAlert {
  readonly id: string
  readonly startsAt: string
  readonly endsAt: string | null
  readonly count: number
}

test('32,740 readings above 120 km/h are 65 alerts, and 16 where each waits for a minute', async (t) => {
  const files: string[] = []
  for (const drive of DRIVES) {
    const file = sharedDataOrSkip(t, `obd-seat-leon-2017-2018/${drive}.csv.gz`)
    if (file === undefined) return
    files.push(file)
  }
  const dataDir = temporaryDataDir(t)
  mkdirSync(join(dataDir, 'rules'), { recursive: true })
  writeFileSync(join(dataDir, 'rules', 'autobahn.json'), JSON.stringify(RULE))
  const program = await startProgram(dataDir)
  t.after(() => program.kill())
  for (const file of files) {
    const flags = ['--mapping', 'obd-kit', '--to', program.address, '--json']
    const { code, stderr } = await runCommand(['import', file, ...flags])
    assert.equal(code, 0, stderr)
  }
  await until('all readings to be judged', async () => (await backlog(program.address)) === 0)
  const recorded = await alertsOf(program.address)
  assert.equal(recorded.length, 65)
  assert.equal(
    recorded.reduce((sum, { count }) => sum + count, 0),
    FAST_READINGS,
  )
  assert.equal(await program.stop(), 0, program.output())

  await t.test('the alerts that are recorded follow from the archive', async () => {
    const { code, stdout } = await runCommand(['verify', '--alerts', '--data-dir', dataDir])
    assert.equal(code, 0, stdout)
  })

  await t.test('the replay lists which alerts would have been one', async () => {
    const rules = join(dataDir, 'patient.json')
    writeFileSync(rules, JSON.stringify({ ...RULE, keepFiringFor: '60s' }))
    const place = ['--topic', RULE.topic, '--data-dir', dataDir, '--rules', rules, '--json']
    const { code, stdout, stderr } = await runCommand(['replay', ...place])
    assert.equal(code, 0, stderr)
    const report: Replayed = JSON.parse(stdout)
    assert.deepEqual([report.events, report.alerts, report.recorded], [READINGS, 16, 65])
    assert.deepEqual([report.counts.added, report.counts.gone, report.counts.split], [0, 0, 0])
    assert.equal(report.counts.mergedFrom + report.counts.shifted + report.same, 65)
    assert.equal(report.counts.merged + report.counts.shifted + report.same, 16)
    const together = groupsOf(recorded).filter((group) => group.length > 1)
    assert.deepEqual(
      report.merged.map((each) => each.recorded.map(({ id }) => id).sort()).sort(),
      together.map((group) => group.map(({ id }) => id).sort()).sort(),
    )
  })
})

interface Replayed {
  readonly events: number
  readonly alerts: number
  readonly recorded: number
  readonly same: number
  readonly counts: Readonly<
    Record<'added' | 'gone' | 'shifted' | 'split' | 'merged' | 'mergedFrom', number>
  >
  readonly merged: readonly {
    readonly replayed: ShownAlert
    readonly recorded: readonly ShownAlert[]
  }[]
}

/** Alerts with less than a minute between the end of one and the beginning of the next. */
function groupsOf(alerts: readonly ShownAlert[]): readonly (readonly ShownAlert[])[] {
  const groups: ShownAlert[][] = []
  let endedMs = Number.NEGATIVE_INFINITY
  for (const alert of alerts.toSorted((a, b) => (a.startsAt < b.startsAt ? -1 : 1))) {
    const group = groups.at(-1)
    if (group === undefined || Date.parse(alert.startsAt) - endedMs >= PATIENCE_MS)
      groups.push([alert])
    else group.push(alert)
    endedMs = Date.parse(alert.endsAt ?? '')
  }
  return groups
}

async function alertsOf(address: string): Promise<readonly ShownAlert[]> {
  const response = await fetch(`${address}/api/v1/alerts?rule=${RULE.name}&limit=1000`)
  assert.equal(response.status, 200)
  const page: { readonly items: readonly ShownAlert[] } = JSON.parse(await response.text())
  return page.items
}

async function backlog(address: string): Promise<number> {
  const response = await fetch(`${address}/api/v1/topics`)
  const topics: readonly { readonly partitions: readonly { readonly lag: number }[] }[] =
    JSON.parse(await response.text())
  return topics.flatMap(({ partitions }) => partitions).reduce((sum, { lag }) => sum + lag, 0)
}
