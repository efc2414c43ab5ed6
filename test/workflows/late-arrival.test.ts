// A late arrival from the alert to the answer, against real servers.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { MINUTE_MS } from '../../src/kernel/time.ts'
import { until } from '../waiting.ts'
import { lateIds, someoneIsLate } from './someone-late.ts'
import { type WorkUnderTest, workUnderTest } from './work-under-test.ts'

const { alertId: ALERT, workflowId: WORKFLOW } = lateIds('1')

const answer = (value: unknown) => ({ workflowId: WORKFLOW, topic: 'answer', value })

async function decisions({ database }: WorkUnderTest): Promise<readonly unknown[]> {
  const rows = await database.query(
    'SELECT decision FROM journey_decision ORDER BY decided_at, decision_id',
  )
  return rows.map(({ decision }) => decision)
}

async function asked(t: TestContext, startsInMs = 60 * MINUTE_MS) {
  const open = await workUnderTest(t)
  const startsAt = await someoneIsLate(open.database, { onlineUrl: null, startsInMs })
  await until('the organizer is asked', () => open.mail.mails.length === 1)
  return { open, startsAt }
}

test('with an online variant the traveller is sent the link, and joining stands on the board', async (t) => {
  const open = await workUnderTest(t)
  const { ask, database, ended, mail, plans } = open
  await someoneIsLate(database, {
    onlineUrl: 'https://meet.example/q?a=1&b=2',
    startsInMs: 60 * MINUTE_MS,
  })
  await until('the link is sent', () => mail.mails.length === 1)
  assert.deepEqual(mail.mails[0]?.to, ['ada-1@example.org'])
  await ask('signal', 'join', answer({ action: 'join' }))
  assert.equal((await ended(WORKFLOW)).outcome, 'joined-online')
  assert.deepEqual(await decisions(open), ['link-sent', 'joined-online'])
  assert.equal(plans.at(-1)?.over, true)
  assert.deepEqual(mail.mails[1]?.to, ['olga@example.org'])
})

test('without one the organizer is asked by signed links, and accepting moves the appointment', async (t) => {
  const { open, startsAt } = await asked(t)
  const { ask, database, ended, mail, plans } = open
  const [request] = await database.query('SELECT kind, asked, document FROM answer_request')
  assert.deepEqual([request?.kind, request?.asked], ['reschedule', 'olga@example.org'])
  const text = mail.mails[0]?.raw.replaceAll('=\r\n', '') ?? ''
  assert.match(text, /https:\/\/outrider\.test\.example\/answer\/[0-9a-f-]{36}\.accept\./)
  await ask('signal', 'accept', answer({ action: 'accept' }))
  const end = await ended(WORKFLOW)
  assert.equal(end.outcome, 'rescheduled')
  const [appointment] = await database.query('SELECT starts_at FROM appointment')
  assert.ok(appointment?.starts_at instanceof Date)
  assert.ok(appointment.starts_at.getTime() >= Date.parse(startsAt) + 5 * MINUTE_MS)
  assert.equal(plans.at(-1)?.startsAtMs, appointment.starts_at.getTime())
  assert.deepEqual(await decisions(open), ['reschedule-asked', 'rescheduled'])
  assert.deepEqual(mail.mails[1]?.to, ['ada-1@example.org'])
  const [alert] = await database.query('SELECT acknowledged_by FROM alert')
  assert.equal(alert?.acknowledged_by, 'olga@example.org')
  const comments = await database.query('SELECT kind FROM alert_comment ORDER BY id')
  assert.deepEqual(comments, [{ kind: 'comment' }, { kind: 'acknowledge' }, { kind: 'comment' }])
})

test('another time that the organizer proposes is the new start; declining keeps the old one', async (t) => {
  const { open } = await asked(t)
  const proposed = '2031-01-01T10:00:00.000Z'
  await open.ask('signal', 'propose', answer({ action: 'propose', startsAt: proposed }))
  assert.equal((await open.ended(WORKFLOW)).outcome, 'rescheduled')
  const [appointment] = await open.database.query('SELECT starts_at FROM appointment')
  assert.deepEqual(appointment?.starts_at, new Date(proposed))
})

test('once the traveller is in time again nobody needs to answer', async (t) => {
  const { open } = await asked(t)
  await open.database.query(
    "UPDATE alert SET status = 'resolved', ends_at = now(), revision = 2 WHERE id = $1",
    [ALERT],
  )
  assert.equal((await open.ended(WORKFLOW)).outcome, 'on-time-again')
  assert.match(open.mail.mails[1]?.subject ?? '', /in_time/)
})

test('a journey that nobody knows ends as failed and tells nobody', async (t) => {
  const open = await workUnderTest(t)
  await open.database.query(
    "INSERT INTO outbox (id, kind, tenant_id, payload) VALUES ($1, 'late-arrival', 'default', $2::jsonb)",
    [
      WORKFLOW,
      JSON.stringify({ alertId: ALERT, about: { entityType: 'journey', entityId: 'J-1' } }),
    ],
  )
  assert.equal((await open.ended(WORKFLOW)).outcome, 'unknown-journey')
  assert.equal(open.mail.mails.length, 0)
})
