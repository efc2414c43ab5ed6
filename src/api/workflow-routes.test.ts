// Workflows and messages over HTTP, against a real database.

import { deepEqual, equal, match } from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { startApiServer } from '../../test/api-server.ts'
import { testPostgres } from '../../test/postgres-server.ts'

const ID = '00000000-0000-8000-8000-000000000001'
const FOREIGN = '00000000-0000-8000-8000-000000000002'

async function open(t: TestContext) {
  const { database } = await testPostgres(t)
  const server = await startApiServer({ database })
  t.after(() => server.close())
  for (const [id, tenant] of [
    [ID, 'default'],
    [FOREIGN, 'other'],
  ]) {
    await database.query(
      `INSERT INTO workflow (id, name, tenant_id, input, status, outcome, requested_at)
       VALUES ($1, 'message', $2, '{}', 'failed', 'dead', now())`,
      [id ?? '', tenant ?? ''],
    )
    await database.query(
      `INSERT INTO message (id, tenant_id, workflow_id, template, category, severity, channel, kind, address,
         subject, content, status)
       VALUES ($1, $2, $1, 'alerts', 'alert', 'info', 'erp', 'webhook', 'https://erp.example/hooks/s3cret', 'Hi',
         '{"subject":"Hi","lines":["L"],"facts":[],"actions":[]}', 'dead')`,
      [id ?? '', tenant ?? ''],
    )
  }
  const call = async (path: string, method = 'GET') => {
    const response = await fetch(`${server.url}/api/v1${path}`, { method })
    const body: Record<string, unknown> & { items: Record<string, unknown>[] } = Object(
      await response.json(),
    )
    return { status: response.status, body }
  }
  return { database, call }
}

test('a failed workflow is run again, with the messages that it gave up, once', async (t) => {
  const { database, call } = await open(t)
  const retried = await call(`/workflows/${ID}/retry`, 'POST')
  deepEqual([retried.status, retried.body.status, retried.body.runs], [202, 'running', 2])
  equal((await call(`/workflows/${ID}/retry`, 'POST')).status, 409)
  const asked = await database.query('SELECT kind, payload FROM outbox')
  deepEqual(asked, [{ kind: 'retry', payload: { workflowId: ID } }])
  equal((await call(`/messages/${ID}`)).body.status, 'queued')
})

test('workflows and messages of others do not exist', async (t) => {
  const { call } = await open(t)
  equal((await call('/workflows')).body.items.length, 1)
  equal((await call('/messages')).body.items.length, 1)
  for (const id of [FOREIGN, 'no-uuid', '00000000-0000-8000-8000-000000000009']) {
    equal((await call(`/workflows/${id}`)).status, 404)
    equal((await call(`/workflows/${id}/retry`, 'POST')).status, 404)
    equal((await call(`/messages/${id}`)).status, 404)
  }
})

test('the secret path of a webhook is never shown, and lists take filters and pages', async (t) => {
  const { call } = await open(t)
  const { body } = await call(`/messages?status=dead&kind=webhook&workflow=${ID}&limit=1`)
  equal(JSON.stringify(body).includes('s3cret'), false)
  match(String(body.items[0]?.to), /^https:\/\/erp\.example\//)
  equal((await call('/messages?status=nonsense')).status, 400)
  equal((await call('/workflows?status=running')).body.items.length, 0)
})
