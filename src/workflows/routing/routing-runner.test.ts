// The runner over a real store whose commits fail before and after they happen: what is told is told once.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { silentLogger, type TestPostgres, testPostgres } from '../../../test/postgres-server.ts'
import { until } from '../../../test/waiting.ts'
import { systemClock } from '../../adapters/clock/system-clock.ts'
import { createRoutingStore } from '../../adapters/postgres/routing-store.ts'
import { seededRandom } from '../../adapters/random/seeded-random.ts'
import { PlatformError } from '../../kernel/errors.ts'
import { derivedId } from '../../kernel/ids.ts'
import type { RoutingStore } from '../../ports/routing-store.ts'
import { type RoutingRunner, startRouting } from './routing-runner.ts'

const ROUTING = `
receivers: [{name: ops, channels: [inbox]}]
route: {receiver: ops, groupBy: [rule], groupWait: 50ms, groupInterval: 1s}
`

const alertId = (n: number): string => derivedId('alert', n)

async function addAlerts({ database }: TestPostgres, from: number, count: number): Promise<void> {
  await database.query(
    `INSERT INTO alert (id, tenant_id, rule, rule_version, severity, entity_type, entity_id, status,
       starts_at, updated_at, revision, summary, labels, value, peak, event_count, withdrawn, topic,
       log_partition, log_offset, changed_by, received_at)
     SELECT id, 'default', 'warm', 1, 'major', 'thing', 'T', 'firing', now(), now(), 1, '', '{}', '{}', '{}', 1,
       false, 'things', 0, 0, '{}', now()
     FROM unnest($1::uuid[]) AS id`,
    [Array.from({ length: count }, (_, n) => alertId(from + n))],
  )
}

/** Half of the failures come before the effect, half after it, when nobody hears of the success. */
function faulty(store: RoutingStore, seed: number): RoutingStore & { readonly failures: number } {
  const random = seededRandom(seed)
  let failures = 0
  const lost = (): PlatformError => {
    failures += 1
    return new PlatformError('database-unavailable', 'The connection was lost.', { retry: 'later' })
  }
  return {
    get failures() {
      return failures
    },
    claim: (owner, leaseMs) => store.claim(owner, leaseMs),
    changes: (limit) => store.changes(limit),
    async commit(owner, step) {
      const dice = random.next()
      if (dice < 0.2) throw lost()
      const outcome = await store.commit(owner, step)
      if (dice > 0.8) throw lost()
      return outcome
    },
    report: (epoch, inForce) => store.report(epoch, inForce),
    release: (epoch) => store.release(epoch),
  }
}

function runnerOf(
  t: TestContext,
  store: RoutingStore,
  read = async (): Promise<{ source: string; text: string } | undefined> => ({
    source: 'test',
    text: ROUTING,
  }),
): RoutingRunner {
  const runner = startRouting({
    store,
    documents: { read },
    clock: systemClock(),
    logger: silentLogger,
    owner: 'test',
    onHandled: async () => undefined,
    onNotified: () => undefined,
  })
  t.after(() => runner.stop())
  return runner
}

test('commits that fail before or after their effect lose no alert and tell none twice', async (t) => {
  const postgres = await testPostgres(t)
  const store = createRoutingStore(postgres)
  const seed = Number(process.env.OUTRIDER_TEST_SEED ?? Date.now() % 1_000_000)
  t.diagnostic(`seed ${seed} (OUTRIDER_TEST_SEED)`)
  const shaky = faulty(store, seed)
  const runner = runnerOf(t, shaky)
  const ALERTS = 60
  for (let n = 0; n < ALERTS; n += 5) {
    await addAlerts(postgres, n, 5)
    runner.nudge()
    await until('the changes are taken', async () => {
      const [row] = await postgres.database.query('SELECT count(*) AS waiting FROM alert_change')
      return Number(row?.waiting) === 0
    })
  }
  const told = async () =>
    postgres.database.query(
      `SELECT a.alert_id, count(*) FILTER (WHERE n.kind = 'firing') AS times FROM notification n
       JOIN notification_alert a ON a.notification_id = n.id GROUP BY a.alert_id`,
    )
  await until('all are told', async () => (await told()).length === ALERTS, 60_000)
  await runner.stop()
  t.diagnostic(`${shaky.failures} failed commits`)
  const members = await postgres.database.query(
    "SELECT count(*) AS told FROM alert_group_member WHERE told = 'firing'",
  )
  assert.equal(Number(members[0]?.told), ALERTS)
  const sequences = await postgres.database.query(
    'SELECT group_id, array_agg(sequence ORDER BY sequence) AS sequences FROM notification GROUP BY group_id',
  )
  for (const { sequences: found } of sequences) {
    assert.ok(Array.isArray(found))
    assert.deepEqual(
      found,
      Array.from({ length: found.length }, (_, n) => n + 1),
      'without a gap',
    )
  }
  await store.close()
})

test('another process takes over once the lease of one that was killed has ended', async (t) => {
  const postgres = await testPostgres(t)
  const store = createRoutingStore(postgres)
  t.after(() => store.close())
  const dead = await store.claim('killed', 1_000)
  assert.ok(dead !== null)
  await addAlerts(postgres, 0, 3)
  runnerOf(t, store)
  await until('the alerts are told', async () => {
    const rows = await postgres.database.query('SELECT firing_count FROM notification')
    return rows.length === 1 && Number(rows[0]?.firing_count) === 3
  })
})

test('a faulty document is said with its place, and the last good one stays in force', async (t) => {
  const postgres = await testPostgres(t)
  const store = createRoutingStore(postgres)
  t.after(() => store.close())
  let text = ROUTING
  runnerOf(t, store, async () => ({ source: 'routing.yaml', text }))
  const inForce = async () => (await postgres.database.query('SELECT * FROM alert_router'))[0]
  await until('it is in force', async () => (await inForce())?.document === ROUTING)
  text = `${ROUTING}\nsurprise: 1\n`
  await until('it is refused', async () => (await inForce())?.problem !== null)
  assert.equal((await inForce())?.problem, 'line 5, column 11: surprise is not known here')
  assert.equal((await inForce())?.document, ROUTING)
  text = ROUTING.replace('[rule]', '[severity]')
  await until('the mended one is in force', async () => (await inForce())?.document === text)
  assert.equal((await inForce())?.problem, null)
})
