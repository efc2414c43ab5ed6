// An excursion from the alert to whoever took notice, against real servers. Waits are shortened by the rule's labels.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { coldChain } from '../../src/domains/cold-chain/index.ts'
import { derivedId } from '../../src/kernel/ids.ts'
import { until } from '../waiting.ts'
import { type WorkUnderTest, workUnderTest } from './work-under-test.ts'

const ALERT = derivedId('alert', 'excursion')
const WORKFLOW = derivedId('workflow', ALERT, 'excursion')
const CHANNELS = `channels:
  - {name: driver, kind: email, to: drivers@example.org}
  - {name: "driver:KDA-101", kind: email, to: juma@example.org}
  - {name: dispatch, kind: email, to: dispatch@example.org}
  - {name: quality, kind: email, to: quality@example.org}
`

/** The labels that the built-in rule has, with other waits. */
async function tooWarm(
  t: TestContext,
  { truckId = 'KDA-101', waits }: { readonly truckId?: string; readonly waits: object },
): Promise<WorkUnderTest> {
  const open = await workUnderTest(t, { channels: CHANNELS })
  const rule = coldChain.rules
    .flatMap(({ documents }) => documents)
    .find(({ name }) => name === 'temperature-excursion')
  await open.database.query(
    `INSERT INTO alert (id, tenant_id, rule, rule_version, severity, entity_type, entity_id, status,
       starts_at, updated_at, revision, summary, labels, value, peak, event_count, withdrawn, topic,
       log_partition, log_offset, changed_by, received_at)
     VALUES ($1, 'default', 'temperature-excursion', 1, 'major', 'truck', $2, 'firing', now(), now(), 1,
       '9.4 °C, outside 2 to 7 °C (fresh)', $3::jsonb, '{}', '{}', 1, false, 'truck-readings', 0, 0, '{}', now())`,
    [ALERT, truckId, JSON.stringify({ ...rule?.labels, ...waits })],
  )
  return open
}

const receivers = ({ mail }: WorkUnderTest): readonly unknown[] => mail.mails.map(({ to }) => to[0])

test('an excursion that nobody notices goes from the driver to the dispatchers to quality, and times out', async (t) => {
  const waits = { driverWait: '0.2s', dispatchWait: '0.2s', qualityWait: '0.2s' }
  const open = await tooWarm(t, { waits })
  const end = await open.ended(WORKFLOW)
  assert.deepEqual([end.status, end.outcome], ['failed', 'timed-out'])
  assert.deepEqual(receivers(open), [
    'juma@example.org',
    'dispatch@example.org',
    'quality@example.org',
  ])
  const timeline = await open.database.query('SELECT text FROM alert_comment ORDER BY id')
  assert.deepEqual(
    timeline.map(({ text }) => text),
    [
      'Told by the channel “driver”.',
      'Told by the channel “dispatch”.',
      'Told by the channel “quality”.',
      'Nobody took notice, though all were told.',
    ],
  )
})

test('a truck without a channel of its own has the drivers’ channel told, and acknowledging ends it', async (t) => {
  const open = await tooWarm(t, { truckId: 'KDB-207', waits: {} })
  await until('the driver is told', () => open.mail.mails.length === 1)
  assert.deepEqual(receivers(open), ['drivers@example.org'])
  await open.database.query(
    "UPDATE alert SET acknowledged_at = now(), acknowledged_by = 'olga' WHERE id = $1",
    [ALERT],
  )
  assert.equal((await open.ended(WORKFLOW)).outcome, 'acknowledged')
  assert.equal(open.mail.mails.length, 1)
})

test('once the goods are in range again nobody else is told', async (t) => {
  const open = await tooWarm(t, { waits: { driverWait: '0.2s' } })
  await until('the dispatchers are told', () => open.mail.mails.length === 2)
  await open.database.query(
    "UPDATE alert SET status = 'resolved', ends_at = now(), revision = 2 WHERE id = $1",
    [ALERT],
  )
  assert.equal((await open.ended(WORKFLOW)).outcome, 'over')
  assert.deepEqual(receivers(open), ['juma@example.org', 'dispatch@example.org'])
})
