// FAULTS 11: while PostgreSQL does not answer, events are taken and warnings go out; once it is back, all of
// it is recorded, under the same ids.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openLinkProxy } from '../link-proxy.ts'
import { openFeed } from '../live-feed.ts'
import { testPostgres } from '../postgres-server.ts'
import { startProgram, temporaryDataDir } from '../program.ts'

const TRUCKS = 50

test('warnings go on while the database is away, and the record catches up', async (t) => {
  const { server, address, database } = await testPostgres(t)
  assert.ok('password' in address)
  const proxy = await openLinkProxy({ host: '127.0.0.1', port: address.port })
  t.after(() => proxy.close())
  const url = `postgres://${address.user}:${address.password}@127.0.0.1:${proxy.port}/${address.database}`
  const program = await startProgram(temporaryDataDir(t), ['--no-simulate'], {
    OUTRIDER_DATABASE_URL: url,
  })
  t.after(() => {
    program.process.kill('SIGKILL')
    if (process.env.OUTRIDER_TEST_SHOW !== undefined) t.diagnostic(program.output())
  })
  assert.ok(server.pid > 0)
  const early = await openFeed(program.address)
  t.after(() => early.close())
  await sendReadings(program.address, 'before', 9)
  await early.until(() => early.alerts.size === TRUCKS, 'the alerts before the outage')

  proxy.cut()
  await sendReadings(program.address, 'during', 9)
  await early.until(() => early.alerts.size === 2 * TRUCKS, 'the alerts of the outage')
  const late = await openFeed(program.address)
  t.after(() => late.close())
  await late.until(
    () => late.alerts.size === 2 * TRUCKS,
    'open alerts told to a client that comes later',
  )
  const unready = await fetch(`${program.address}/readyz`)
  assert.equal(unready.status, 503, 'and it says that it is not well')

  proxy.mend()
  await sendReadings(program.address, 'during', 4)
  await early.until(
    () =>
      [...early.alerts.values()].filter(({ status }) => status === 'resolved').length === TRUCKS,
    'the end of the excursions',
  )
  await untilRecorded(database, 3 * TRUCKS)
  const recorded = await database.query('SELECT id, status FROM alert')
  assert.deepEqual(
    new Map(recorded.map((row) => [String(row.id), String(row.status)])),
    new Map([...early.alerts.values()].map(({ id, status }) => [id, status])),
  )
  assert.equal(await program.stop(), 0, program.output())
})

async function sendReadings(address: string, group: string, temperatureC: number): Promise<void> {
  const readings = Array.from({ length: TRUCKS }, (_, index) => ({
    truckId: `${group}-${index}`,
    recordedAt: Date.now(),
    temperatureC,
  }))
  const response = await fetch(`${address}/api/v1/events/truck-readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(readings),
  })
  assert.deepEqual(await response.json(), { accepted: TRUCKS, rejected: [] })
}

async function untilRecorded(
  database: { query(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> },
  rows: number,
): Promise<void> {
  for (;;) {
    const [row] = await database.query('SELECT count(*) AS rows FROM truck_reading')
    if (Number(row?.rows) === rows) return
    assert.ok(Number(row?.rows) < rows, 'no row is written twice')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
