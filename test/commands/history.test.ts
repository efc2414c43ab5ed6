// `outrider verify` and `outrider replay` over a history with everything in it: a real logger file, and
// simulated trucks whose events come late, twice, out of order, or bad. Then somebody meddles with the archive.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { connectDatabase, type PostgresDatabase } from '../../src/adapters/postgres/database.ts'
import { startEmbeddedPostgres } from '../../src/adapters/postgres/embedded-server.ts'
import { allPipelines } from '../../src/app/topics.ts'
import type { PartitionAudit } from '../../src/app/verify.ts'
import { silentLogger } from '../postgres-server.ts'
import { runCommand, startProgram, temporaryDataDir } from '../program.ts'
import { sharedDataOrSkip } from '../requirements.ts'

const EVENTS = 20_000
const FAULTS = 'late,duplicate,disorder,bad'
const TOPIC = 'truck-readings'
const DRAIN_MS = 60_000

interface Verification {
  readonly code: number | null
  readonly clean: boolean
  readonly partitions: readonly PartitionAudit[]
}

interface Replay {
  readonly code: number | null
  readonly events: number
  readonly alerts: number
  readonly same: number
  readonly counts: Readonly<Record<'added' | 'gone' | 'shifted' | 'merged' | 'split', number>>
  readonly added: readonly Shown[]
  readonly gone: readonly Shown[]
}

interface Shown {
  readonly rule: string
  readonly entityId: string
}

/** Trucks that drive with an open door, at these speeds. */
const DOOR_SPEEDS_KMH = [3, 6, 20]
const DOOR_READINGS = 6

test('a history of faults is verified, replayed, and meddling with it is noticed', async (t) => {
  const dataDir = temporaryDataDir(t)
  const refused = await fill(dataDir)
  const logged = EVENTS - refused + DOOR_SPEEDS_KMH.length * DOOR_READINGS

  await t.test('every event of the log is archived once, or kept as a dead letter', async () => {
    const { code, clean, partitions } = await verification(dataDir)
    assert.deepEqual([code, clean], [0, true])
    assert.equal(sum(partitions, TOPIC, 'rows'), logged)
    assert.equal(sum(partitions, 'dead-letters', 'deadLetters'), refused)
    assert.ok(refused > 0)
  })

  await t.test('the table is short and says so in words', async () => {
    const { code, stdout } = await runCommand(['verify', '--data-dir', dataDir])
    assert.equal(code, 0)
    const lines = stdout.trimEnd().split('\n')
    assert.match(lines[0] ?? '', /^topic +partition +first +end +committed +rows +dead letters/)
    assert.equal(lines.filter((line) => line.startsWith(TOPIC)).length, 8)
    assert.equal(lines.filter((line) => line.startsWith('dead-letters')).length, 1)
    assert.deepEqual(lines.slice(-2), [
      `${partitionCount() - 9} partitions without any event`,
      'Clean: every committed event is archived exactly once; 0 on their way.',
    ])
  })

  await t.test('the rules in force say of it what they said', async () => {
    const { code, events, alerts, same, counts } = await replayed(dataDir)
    assert.equal(code, 0)
    assert.equal(events, logged)
    assert.ok(alerts > 10, `${alerts} alerts are enough to mean something`)
    assert.equal(same, alerts)
    assert.deepEqual([counts.added, counts.gone, counts.shifted, counts.merged], [0, 0, 0, 0])
  })

  await t.test('a range of time takes the alerts that start in it', async () => {
    const all = await replayed(dataDir)
    const before = await replayed(dataDir, '--to', '2026-03-02T00:30:00Z')
    const after = await replayed(dataDir, '--from', '2026-03-02T00:30:00Z')
    assert.ok(before.alerts > 0 && after.alerts > 0)
    assert.equal(before.alerts + after.alerts, all.alerts)
    assert.deepEqual([before.counts.gone, after.counts.gone], [0, 0])
  })

  await t.test('the recorded alerts follow from history, byte for byte', async () => {
    const { code, stdout } = await runCommand([
      'verify',
      '--alerts',
      '--json',
      '--data-dir',
      dataDir,
    ])
    const { clean, topics } = JSON.parse(stdout)
    assert.equal(code, 0, stdout)
    assert.equal(clean, true)
    assert.ok(topics[0].alerts > 0)
  })

  await t.test('a changed threshold shows exactly the alerts that differ', async () => {
    const above = (speedKmh: string) => ({
      when: `event.doorOpen == true && event.speedKmh != null && event.speedKmh > ${speedKmh}`,
    })
    const same = await replayed(dataDir, '--rules', ruleFile(dataDir, above('5.0')))
    assert.deepEqual(same.same, same.alerts)
    assert.deepEqual([same.counts.added, same.counts.gone, same.counts.shifted], [0, 0, 0])
    const higher = await replayed(dataDir, '--rules', ruleFile(dataDir, above('10.0')))
    assert.deepEqual([doors(higher.added), doors(higher.gone)], [[], ['DOOR-6']])
    const lower = await replayed(dataDir, '--rules', ruleFile(dataDir, above('2.0')))
    assert.deepEqual([doors(lower.added), doors(lower.gone)], [['DOOR-3'], []])
    for (const { counts, added, gone } of [higher, lower]) {
      assert.deepEqual([counts.added, counts.gone], [added.length, gone.length])
      assert.ok([...added, ...gone].every(({ rule }) => rule === 'door-open-moving'))
    }
  })

  await t.test('a rule that is switched off takes its alerts away, and no others', async () => {
    const all = await replayed(dataDir)
    const file = join(dirname(dataDir), 'off.yaml')
    writeFileSync(file, 'name: temperature-excursion\ndisabled: true\n')
    const { alerts, counts, gone } = await replayed(dataDir, '--rules', file)
    assert.ok(counts.gone > 0)
    assert.ok(alerts === 0 && counts.gone < all.alerts)
    assert.ok(gone.every(({ rule }) => rule === 'temperature-excursion'))
    assert.deepEqual([counts.added, counts.shifted], [0, 0])
  })

  await t.test('a rule file with a fault is refused, with where and why', async () => {
    const wrong: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
      [{ when: 'event.speedKmh >' }, /:1:\d+: rule "door-open-moving": when: Unexpected token/],
      [{ when: 'event.speedMph > 5.0' }, /when: event\.speedMph does not exist; there are truckId/],
      [{ when: '1 + 2' }, /when: expected true or false, found a number/],
      [{ fields: ['colour'] }, /fields.0: colour does not exist/],
      [
        { topic: 'vehicle-telemetry' },
        /:\d+:\d+: rule "door-open-moving": when: event.doorOpen does not/,
      ],
      [{ severity: 'bad' }, /rule "door-open-moving": severity: must be critical, major/],
    ]
    for (const [change, says] of wrong) {
      const file = ruleFile(dataDir, change)
      const flags = ['--topic', TOPIC, '--data-dir', dataDir, '--rules', file]
      const { code, stdout, stderr } = await runCommand(['replay', ...flags])
      assert.equal(code, 2, stdout)
      assert.ok(stderr.includes(`error: ${file}:`), stderr)
      assert.match(stderr, says)
    }
    const absent = ['--topic', TOPIC, '--rules', '/nowhere.yaml']
    assert.equal((await runCommand(['replay', ...absent])).code, 2)
  })

  await meddle(t, dataDir, 'a row that was deleted is missing', {
    sql: `WITH one AS (SELECT log_partition, log_offset FROM truck_reading
            WHERE log_partition = 0 AND log_offset = 7)
          DELETE FROM truck_reading USING one
          WHERE truck_reading.log_partition = one.log_partition
            AND truck_reading.log_offset = one.log_offset`,
    undo: '',
    kind: 'missing',
    place: [0, 7],
  })
  await meddle(t, dataDir, 'a row that stands in another child of the table too is repeated', {
    sql: copyOf({
      partition: 1,
      offset: 5,
      toOffset: 5,
      receivedAt: `received_at + interval '1 day'`,
    }),
    undo: `DELETE FROM truck_reading WHERE received_at > now() + interval '1 hour'`,
    kind: 'repeated',
    place: [1, 5],
  })
  await meddle(t, dataDir, 'a row beyond the end of the log is unexpected', {
    sql: copyOf({ partition: 2, offset: 5, toOffset: 1_000_000 }),
    undo: `DELETE FROM truck_reading WHERE log_offset = 1000000`,
    kind: 'unexpected',
    place: [2, 1_000_000],
  })
  await meddle(t, dataDir, 'a row of a partition that the log does not have is unexpected', {
    sql: copyOf({
      partition: 3,
      offset: 5,
      toPartition: 77,
      toOffset: 5,
    }),
    undo: `DELETE FROM truck_reading WHERE log_partition = 77`,
    kind: 'unexpected',
    place: [77, 5],
  })
})

test('the real logger file is verified and replayed', async (t) => {
  const file = sharedDataOrSkip(t, 'cold-chain-logger-leg-2021/readings.csv')
  if (file === undefined) return
  const dataDir = temporaryDataDir(t)
  const program = await startProgram(dataDir)
  const flags = ['--mapping', 'cold-chain-logger', '--to', program.address, '--json']
  const imported = await runCommand(['import', file, ...flags])
  assert.equal(imported.code, 0, imported.stderr)
  assert.equal(JSON.parse(imported.stdout).accepted, 64)
  await untilDrained(program.address)
  assert.equal(await program.stop(), 0)
  const { clean, partitions } = await verification(dataDir)
  assert.ok(clean)
  assert.equal(sum(partitions, TOPIC, 'rows'), 64)
  const { alerts, same } = await replayed(dataDir)
  assert.deepEqual([alerts, same], [1, 1])
})

/** Events that the door refused. */
async function fill(dataDir: string): Promise<number> {
  const program = await startProgram(dataDir)
  const fleet = ['--vehicles', '60', '--seed', '7', '--start', '2026-03-02T00:00:00Z']
  const pace = ['--speedup', '6000', '--rate', '10000', '--count', String(EVENTS)]
  const flags = [...fleet, ...pace, '--faults', FAULTS, '--to', program.address]
  const simulated = await runCommand(['simulate', 'cold-chain', ...flags])
  assert.equal(simulated.code, 0, simulated.stderr)
  const counts = /([\d,]+) accepted, ([\d,]+) rejected/.exec(simulated.stderr)
  const [accepted, rejected] = [1, 2].map((group) => Number(counts?.[group]?.replaceAll(',', '')))
  assert.equal(Number(accepted) + Number(rejected), EVENTS, simulated.stderr)
  await driveWithOpenDoors(program.address)
  await untilDrained(program.address)
  assert.equal(await program.stop(), 0, program.output())
  return Number(rejected)
}

async function driveWithOpenDoors(address: string): Promise<void> {
  const readings = DOOR_SPEEDS_KMH.flatMap((speedKmh) =>
    Array.from({ length: DOOR_READINGS }, (_, index) => ({
      truckId: `DOOR-${speedKmh}`,
      recordedAt: Date.UTC(2026, 2, 2) + index * 5_000,
      temperatureC: 5,
      speedKmh,
      doorOpen: index < DOOR_READINGS - 1,
    })),
  )
  const sent = await fetch(`${address}/api/v1/events/${TOPIC}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(readings),
  })
  assert.equal(sent.status, 202, await sent.text())
}

function doors(alerts: readonly Shown[]): readonly string[] {
  return alerts.map(({ entityId }) => entityId).filter((id) => id.startsWith('DOOR-'))
}

async function untilDrained(address: string): Promise<void> {
  const deadline = performance.now() + DRAIN_MS
  for (;;) {
    const topics: readonly { readonly partitions: readonly { readonly lag: number }[] }[] =
      JSON.parse(await (await fetch(`${address}/api/v1/topics`)).text())
    const lag = topics
      .flatMap(({ partitions }) => partitions)
      .reduce((all, each) => all + each.lag, 0)
    if (lag === 0) return
    assert.ok(performance.now() < deadline, `${lag} events are still on their way`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function verification(dataDir: string): Promise<Verification> {
  const { code, stdout, stderr } = await runCommand(['verify', '--json', '--data-dir', dataDir])
  assert.ok(stdout.startsWith('{'), stdout + stderr)
  return { code, ...JSON.parse(stdout) }
}

async function replayed(dataDir: string, ...flags: readonly string[]): Promise<Replay> {
  const place = ['--topic', TOPIC, '--data-dir', dataDir, '--json']
  const { code, stdout, stderr } = await runCommand(['replay', ...place, ...flags])
  assert.ok(stdout.startsWith('{'), stdout + stderr)
  return { code, ...JSON.parse(stdout) }
}

function sum(
  partitions: readonly PartitionAudit[],
  topic: string,
  field: 'rows' | 'deadLetters',
): number {
  return partitions
    .filter((audit) => audit.topic === topic)
    .reduce((all, audit) => all + audit[field], 0)
}

/** `door-open-moving` as it is built in, with something else in it. */
function ruleFile(dataDir: string, change: Readonly<Record<string, unknown>>): string {
  const file = join(dirname(dataDir), 'rules.json')
  const rule = {
    name: 'door-open-moving',
    topic: TOPIC,
    entityType: 'truck',
    when: 'event.doorOpen == true && event.speedKmh != null && event.speedKmh > 5.0',
    for: '10s',
    resolveWhen: 'event.doorOpen == false || (event.speedKmh != null && event.speedKmh < 3.0)',
    severity: 'critical',
    peak: 'event.speedKmh',
    fields: ['speedKmh', 'doorOpen', 'lat', 'lon'],
    summary: 'Door open at {speedKmh} km/h',
    ...change,
  }
  writeFileSync(file, JSON.stringify(rule))
  return file
}

function copyOf(row: {
  readonly partition: number
  readonly offset: number
  readonly toPartition?: number
  readonly toOffset: number
  readonly receivedAt?: string
}): string {
  const { partition, offset, toPartition = partition, toOffset, receivedAt = 'received_at' } = row
  return `INSERT INTO truck_reading (log_partition, log_offset, received_at, tenant_id, truck_id,
      recorded_at, temperature_c)
    SELECT ${toPartition}, ${toOffset}, ${receivedAt}, tenant_id, truck_id, recorded_at, temperature_c
    FROM truck_reading WHERE log_partition = ${partition} AND log_offset = ${offset} LIMIT 1`
}

interface Meddling {
  readonly sql: string
  /** Makes it good again for the next one; empty where the damage stays. */
  readonly undo: string
  readonly kind: 'missing' | 'repeated' | 'unexpected'
  readonly place: readonly [partition: number, offset: number]
}

async function meddle(
  t: TestContext,
  dataDir: string,
  name: string,
  { sql, undo, kind, place: [partition, offset] }: Meddling,
): Promise<void> {
  await t.test(name, async () => {
    await onArchive(dataDir, (database) => database.query(sql))
    const { code, clean, partitions } = await verification(dataDir)
    assert.deepEqual([code, clean], [1, false])
    const audit = partitions.find((each) => each.topic === TOPIC && each.partition === partition)
    assert.deepEqual(audit?.[`${kind}Offsets`], [offset])
    const { missing, repeated, unexpected } = audit
    const expected = { missing: 0, repeated: 0, unexpected: 0, [kind]: 1 }
    assert.deepEqual({ missing, repeated, unexpected }, expected)
    if (undo !== '') return onArchive(dataDir, (database) => database.query(undo))
    const { stdout } = await runCommand(['verify', '--data-dir', dataDir])
    assert.ok(stdout.includes(`${TOPIC}/${partition}: ${kind} ${offset}\n`), stdout)
    assert.match(stdout, /Not clean/)
  })
}

/** On the database of a program that does not run. */
async function onArchive(
  dataDir: string,
  work: (database: PostgresDatabase) => Promise<unknown>,
): Promise<void> {
  const server = await startEmbeddedPostgres({
    dataDir,
    clock: systemClock(),
    logger: silentLogger,
  })
  const database = connectDatabase({ address: server.address })
  try {
    await work(database)
  } finally {
    await database.close()
    await server.stop()
  }
}

/** Of all pipelines, as the embedded log has them; that of the broadcast topics is one. */
function partitionCount(): number {
  return allPipelines.reduce((sum, { topic }) => sum + (topic.broadcast === true ? 1 : 8), 0)
}
