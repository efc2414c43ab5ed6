// FAULTS 14: ten thousand alerts within ten seconds for one receiver, and the program killed while they are
// grouped: none is dropped, none is told twice, and nobody gets a flood of messages.

import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { startProgram, temporaryDataDir } from '../program.ts'
import { until } from '../waiting.ts'

const ALERTS = 10_000
const BATCH = 1_000
const STORM_MS = 10_000
const MOST_MESSAGES = 5
const PATIENCE_MS = 120_000
const ROUTING = `
receivers: [{name: ops, channels: [inbox]}]
route: {receiver: ops, groupBy: [rule], groupWait: 15s, groupInterval: 20s}
`

interface Notification {
  readonly id: string
  readonly kind: string
  readonly firing: number
}

function prepared(t: TestContext): string {
  const dataDir = temporaryDataDir(t)
  mkdirSync(dataDir, { recursive: true, mode: 0o755 })
  writeFileSync(join(dataDir, 'routing.yaml'), ROUTING)
  return dataDir
}

async function send(address: string, first: number): Promise<void> {
  const events = Array.from({ length: BATCH }, (_, n) => ({
    truckId: `T-${first + n}`,
    recordedAt: Date.now(),
    temperatureC: 12,
    profile: 'default',
  }))
  const response = await fetch(`${address}/api/v1/events/truck-readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(events),
  })
  assert.equal(response.status, 202, await response.text())
}

async function items<T>(address: string, path: string): Promise<readonly T[]> {
  const found: T[] = []
  let cursor = ''
  do {
    const response = await fetch(`${address}/api/v1${path}${cursor}`)
    assert.equal(response.status, 200, path)
    const page: { items: T[]; next: string | null } = JSON.parse(await response.text())
    found.push(...page.items)
    cursor = page.next === null ? '' : `&cursor=${page.next}`
  } while (cursor !== '')
  return found
}

async function storm(
  t: TestContext,
  options: { readonly killAfter: number | null },
): Promise<void> {
  const dataDir = prepared(t)
  const quiet = { OUTRIDER_LOG_LEVEL: 'warn' }
  let program = await startProgram(dataDir, ['--no-simulate'], quiet)
  t.after(() => program.stop())
  const startedMs = performance.now()
  for (let sent = 0; sent < ALERTS; sent += BATCH) {
    await send(program.address, sent)
    if (sent + BATCH === options.killAfter) {
      await program.kill()
      program = await startProgram(dataDir, ['--no-simulate'], quiet)
    }
  }
  const elapsedMs = performance.now() - startedMs
  if (options.killAfter === null) assert.ok(elapsedMs < STORM_MS, `it took ${elapsedMs} ms`)
  const told = async (): Promise<readonly Notification[]> =>
    items<Notification>(program.address, '/notifications?limit=1000')
  await until(
    'every alert is told',
    async () => {
      const firing = (await told()).filter(({ kind }) => kind === 'firing')
      return firing.some((each) => each.firing === ALERTS)
    },
    PATIENCE_MS,
  )
  const notifications = await told()
  const toldAfterMs = performance.now() - startedMs
  const alerts = new Set<string>()
  for (const { id } of notifications) {
    const named = await items<{ id: string }>(
      program.address,
      `/alerts?notification=${id}&limit=1000`,
    )
    for (const alert of named) alerts.add(alert.id)
  }
  t.diagnostic(
    `${ALERTS} alerts sent in ${Math.round(elapsedMs)} ms, told in ${notifications.length} messages ` +
      `(${notifications.map(({ firing }) => firing).join(', ')} alerts) after ${Math.round(toldAfterMs)} ms`,
  )
  assert.equal(alerts.size, ALERTS, 'none is dropped')
  assert.ok(notifications.length <= MOST_MESSAGES, `${notifications.length} messages`)
  assert.equal(new Set(notifications.map(({ id }) => id)).size, notifications.length)
}

test('ten thousand alerts in ten seconds are a handful of messages, and none is dropped', (t) =>
  storm(t, { killAfter: null }))

test('so they are where the program is killed in the middle', (t) =>
  storm(t, { killAfter: ALERTS / 2 }))
