// Messages from the request to the mail server's acceptance, against real servers.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { retryWorkflow, stepsOf } from '../../src/api/workflow-queries.ts'
import { until } from '../waiting.ts'
import { REQUEST, workUnderTest } from './work-under-test.ts'

test('a message that a domain asks for reaches the mail server, once however often it is asked for', async (t) => {
  const { ask, ended, mail, messages, database } = await workUnderTest(t)
  const id = await ask('message', 'one', REQUEST)
  await ask('message', 'one', REQUEST)
  assert.equal((await ended(id)).outcome, 'sent')
  assert.equal(mail.mails.length, 1)
  assert.deepEqual(mail.mails[0]?.to, ['ada@example.org'])
  assert.match(mail.mails[0]?.raw ?? '', /multipart\/alternative/)
  const [message] = await messages()
  assert.equal(message?.status, 'sent')
  assert.equal(mail.mails[0]?.messageId, `<${message?.id}@test.example>`)
  const attempts = await database.query('SELECT attempt, outcome FROM message_attempt')
  assert.deepEqual(attempts, [{ attempt: 1, outcome: 'sent' }])
})

test('a server that is busy is tried again under the same Message-ID; one that refuses is not', async (t) => {
  const { ask, ended, mail, messages } = await workUnderTest(t)
  mail.refuse({ code: 451, text: 'busy' })
  const id = await ask('message', 'busy', REQUEST)
  await until('it is retrying', async () => (await messages())[0]?.status === 'retrying')
  mail.refuse(null)
  assert.equal((await ended(id)).outcome, 'sent')
  assert.equal(mail.mails[0]?.messageId, `<${(await messages())[0]?.id}@test.example>`)
  mail.refuse({ code: 550, text: 'no such user' })
  const refused = await ended(
    await ask('message', 'refused', { ...REQUEST, to: { email: 'b@x.org' } }),
  )
  assert.deepEqual([refused.status, refused.outcome], ['failed', 'dead'])
})

test('a message that was given up is sent when its workflow is run again, under the same Message-ID', async (t) => {
  const { ask, database, ended, mail, messages } = await workUnderTest(t)
  mail.refuse({ code: 550, text: 'no such user' })
  const id = await ask('message', 'again', REQUEST)
  assert.equal((await ended(id)).outcome, 'dead')
  mail.refuse(null)
  assert.equal(await retryWorkflow(database, { tenantId: 'default', id }), true)
  const end = await ended(id)
  assert.deepEqual([end.status, end.outcome, end.runs], ['done', 'sent', 2])
  assert.deepEqual(
    mail.mails.map(({ messageId }) => messageId),
    [`<${(await messages())[0]?.id}@test.example>`],
  )
  const steps = await stepsOf(database, id)
  assert.deepEqual(
    steps.map(({ number, name, error }) => ({ number, name, error })),
    [{ number: 0, name: 'attempt 1', error: null }],
  )
})

test('without a mail server a message is kept and can be read', async (t) => {
  const { ask, ended, messages } = await workUnderTest(t, { smtp: false })
  assert.equal((await ended(await ask('message', 'kept', REQUEST))).outcome, 'kept')
  const [message] = await messages()
  assert.equal(message?.status, 'kept')
  assert.match(String(message?.reason), /OUTRIDER_SMTP_URL/)
})

test('a storm to one address becomes a few messages, and none is dropped', async (t) => {
  const { ask, database, ended, mail } = await workUnderTest(t)
  const ids = await Promise.all(
    Array.from({ length: 100 }, (_, index) => ask('message', `storm-${index}`, REQUEST)),
  )
  for (const id of ids) await ended(id)
  assert.equal(mail.mails.length, 3)
  // A minute passes: what was gathered is due.
  await database.query("UPDATE outbox SET not_before = now() WHERE kind = 'deliver'")
  await until('the gathering is sent', () => mail.mails.length === 4)
  await until('that it was sent is recorded', async () => {
    const rows = await database.query("SELECT FROM message WHERE status = 'held'")
    return rows.length === 0
  })
  const counts = await database.query(
    'SELECT status, count(*)::int AS n FROM message GROUP BY status ORDER BY status',
  )
  assert.deepEqual(counts, [
    { status: 'grouped', n: 97 },
    { status: 'sent', n: 4 },
  ])
  assert.equal(mail.mails[3]?.subject, '97 messages from Outrider')
})

test('what a person refuses is not sent, and it is said why', async (t) => {
  const { ask, database, ended, mail, messages } = await workUnderTest(t)
  await database.query(
    `INSERT INTO contact_preference (tenant_id, address, zone, refused, updated_by)
     VALUES ('default', 'ada@example.org', 'Africa/Nairobi', '{test}', 'ada')`,
  )
  assert.equal((await ended(await ask('message', 'unwanted', REQUEST))).outcome, 'suppressed')
  assert.equal(mail.mails.length, 0)
  assert.match(String((await messages())[0]?.reason), /does not want/)
})

test('a malformed request ends as failed and says what is wrong', async (t) => {
  const { ask, ended } = await workUnderTest(t)
  const end = await ended(
    await ask('message', 'bad', { ...REQUEST, to: { email: 'a\r\nBcc: b@x' } }),
  )
  assert.equal(end.status, 'failed')
  assert.match(String(end.detail), /malformed at "\/to"/)
  const unknown = await ended(await ask('no-such-workflow', 'x', {}))
  assert.equal(unknown.outcome, 'unknown')
})
