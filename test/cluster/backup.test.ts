// Backing up and restoring, as docs/operating.md says: an old dump and the log give everything again; a copy
// of a stopped data directory is a whole one.

import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { cpSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import pg from 'pg'
import { type Program, runCommand, startProgram, temporaryDataDir } from '../program.ts'
import { requireOrSkip } from '../requirements.ts'
import { postgresMissing, startPostgres } from '../servers/postgres.ts'
import { until } from '../waiting.ts'

const run = promisify(execFile)
const TRUCKS = 20
const READINGS = 25

/** Each truck is too warm in the middle of each round: one alert a truck and round. */
async function sendRound({ address }: Program, round: number): Promise<void> {
  const lines: string[] = []
  for (let n = 0; n < READINGS; n++) {
    const at = new Date(Date.UTC(2026, 0, 1 + round) + n * 60_000).toISOString()
    for (let truck = 0; truck < TRUCKS; truck++) {
      const temperatureC = n === 12 ? 9 : 5
      lines.push(JSON.stringify({ truckId: `T-${truck}`, recordedAt: at, temperatureC }))
    }
  }
  const response = await fetch(`${address}/api/v1/events/truck-readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  })
  assert.equal(response.status, 202, await response.text())
}

async function archived({ address }: Program, events: number): Promise<void> {
  await until(`${events} events are archived`, async () => {
    const topics = Object(await (await fetch(`${address}/api/v1/topics`)).json())
    const readings = topics.find(({ topic }: { topic: string }) => topic === 'truck-readings')
    const sum = readings.partitions.reduce(
      (total: number, each: { committedOffset: number }) => total + each.committedOffset,
      0,
    )
    return sum === events
  })
}

async function alerts(url: string): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ line: string }>(
      `SELECT concat_ws(' ', id, entity_id, status, starts_at, ends_at, revision, peak) AS line
       FROM alert ORDER BY id`,
    )
    return rows.map(({ line }) => line)
  } finally {
    await client.end()
  }
}

test('a dump that is older than the log is enough: the rest is processed again, with the same alerts', async (t) => {
  const missing = postgresMissing()
  if (!requireOrSkip(t, 'PostgreSQL', missing === undefined, missing ?? '')) return
  const postgres = await startPostgres()
  t.after(() => postgres.stop())
  const dataDir = temporaryDataDir(t)
  const program = await startProgram(dataDir, ['--no-simulate'], postgres.settings)
  t.after(() => program.stop())
  await sendRound(program, 0)
  await archived(program, TRUCKS * READINGS)
  const dump = join(dirname(dataDir), 'outrider.dump')
  await run(join(postgres.programs, 'pg_dump'), ['-Fc', '-f', dump, postgres.url])
  await sendRound(program, 1)
  await archived(program, 2 * TRUCKS * READINGS)
  assert.equal(await program.stop(), 0)
  const before = await alerts(postgres.url)
  assert.equal(before.length, 2 * TRUCKS)

  const restoredUrl = postgres.url.replace(/outrider$/, 'restored')
  await run(join(postgres.programs, 'createdb'), ['--maintenance-db', postgres.url, 'restored'])
  await run(join(postgres.programs, 'pg_restore'), ['--exit-on-error', '-d', restoredUrl, dump])
  assert.equal((await alerts(restoredUrl)).length, TRUCKS, 'the dump is the older state')
  const environment = { OUTRIDER_DATABASE_URL: restoredUrl }
  const again = await startProgram(dataDir, ['--no-simulate'], environment)
  t.after(() => again.stop())
  await archived(again, 2 * TRUCKS * READINGS)
  assert.deepEqual(await alerts(restoredUrl), before)
  const verified = await runCommand(['verify', '--data-dir', dataDir], environment)
  assert.equal(verified.code, 0, verified.stdout + verified.stderr)
})

test('a copy of a stopped data directory goes on where it stopped', async (t) => {
  const dataDir = temporaryDataDir(t)
  const program = await startProgram(dataDir)
  await sendRound(program, 0)
  await archived(program, TRUCKS * READINGS)
  assert.equal(await program.stop(), 0)
  const copy = temporaryDataDir(t)
  // Owners are kept, since the server of the database is another user's where we are root.
  if (process.getuid?.() === 0) execFileSync('cp', ['-a', dataDir, copy])
  else cpSync(dataDir, copy, { recursive: true, preserveTimestamps: true })
  const again = await startProgram(copy)
  t.after(() => again.stop())
  await sendRound(again, 1)
  await archived(again, 2 * TRUCKS * READINGS)
  const verified = await runCommand(['verify', '--data-dir', copy])
  assert.equal(verified.code, 0, verified.stdout + verified.stderr)
})
