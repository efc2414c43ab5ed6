// Channels and preferences over HTTP, against a real database and a file of channels.

import { deepEqual, doesNotMatch, equal, match } from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { callApi, startApiServer } from '../../test/api-server.ts'
import { silentLogger, testPostgres } from '../../test/postgres-server.ts'
import { createChannelStore } from '../adapters/postgres/channel-store.ts'
import { newSecret } from '../adapters/random/system-random.ts'
import { createChannelDesk } from '../app/channel-desk.ts'
import { channelBook } from '../app/channels-file.ts'

const CANARY = 'whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5'

async function open(t: TestContext) {
  const dataDir = mkdtempSync(join(tmpdir(), 'outrider-channels-'))
  t.after(() => rmSync(dataDir, { recursive: true, force: true }))
  writeFileSync(
    join(dataDir, 'channels.yaml'),
    'channels:\n  - {name: dispatch, kind: email, to: dispatch@example.org}\n',
  )
  const { database } = await testPostgres(t)
  const store = createChannelStore(database)
  const book = channelBook(dataDir, store, silentLogger)
  const channelDesk = createChannelDesk({ book, store, newSecret })
  const server = await startApiServer({ database, channelDesk })
  t.after(() => server.close())
  const answers: string[] = []
  const call = async (method: string, path: string, body?: unknown) => {
    const { status, text, json } = await callApi(server, method, path, body)
    answers.push(text)
    const document: Record<string, unknown> & { items: Record<string, unknown>[] } = Object(json)
    return { status, body: document }
  }
  return { call, answers, book, database, logged: server.logged }
}

test('a channel that is set up is in force, and its secrets are never shown again', async (t) => {
  const { call, answers, book, logged } = await open(t)
  const url = 'https://erp.example.org/hooks/canary-path'
  const made = await call('PUT', '/channels/erp', { kind: 'webhook', url, secret: CANARY })
  deepEqual([made.status, made.body.to, made.body.signed], [200, 'https://erp.example.org/…', true])
  // What is not given stays.
  equal(
    (await call('PUT', '/channels/erp', { kind: 'webhook', zone: 'Africa/Nairobi' })).status,
    200,
  )
  await call('GET', '/channels')
  await call('PUT', '/channels/erp', { kind: 'webhook', zone: 'Nowhere/Else' })
  await call('PUT', '/channels/erp', { kind: 'slack' })
  await book.reload()
  const kept = book.table.get('erp')
  deepEqual([kept?.secret, kept?.address, kept?.zone], [CANARY, url, 'Africa/Nairobi'])
  doesNotMatch(answers.join('\n'), /canary|Y2FuYXJ5/)
  doesNotMatch(JSON.stringify(logged), /canary|Y2FuYXJ5/)
  const signed = await call('POST', '/channels/erp/secret')
  match(String(signed.body.secret), /^whsec_[A-Za-z0-9+/]{43}=$/)
  await book.reload()
  equal(book.table.get('erp')?.secret, signed.body.secret)
  equal((await call('DELETE', '/channels/erp')).status, 204)
  equal((await call('DELETE', '/channels/erp')).status, 404)
})

test('channels of the file are shown and stay as they are', async (t) => {
  const { call } = await open(t)
  const { body } = await call('GET', '/channels')
  deepEqual(
    body.items.map(({ name, source }) => [name, source]),
    [
      ['inbox', 'built-in'],
      ['dispatch', 'file'],
    ],
  )
  for (const [method, path] of [
    ['PUT', '/channels/dispatch'],
    ['DELETE', '/channels/dispatch'],
    ['POST', '/channels/dispatch/secret'],
    ['DELETE', '/channels/inbox'],
  ] as const) {
    equal((await call(method, path, method === 'PUT' ? { kind: 'inbox' } : undefined)).status, 409)
  }
})

test('a channel that is malformed or leads inside is refused with what is wrong', async (t) => {
  const { call } = await open(t)
  for (const [document, problem] of [
    [{ kind: 'email' }, /needs "to"/],
    [{ kind: 'webhook', url: 'ftp://x' }, /needs "url"/],
    [{ kind: 'webhook', url: 'http://169.254.169.254/latest' }, /not on the public internet/],
    [{ kind: 'teams', url: 'http://[::1]/x' }, /not on the public internet/],
    [{ kind: 'slack', url: 'https://x.example/a', secret: CANARY }, /takes no "secret"/],
    [{ kind: 'inbox', zone: 'Mars/Base' }, /which is none/],
  ] as const) {
    const refused = await call('PUT', '/channels/x', document)
    equal(refused.status, 400)
    const [error] = [refused.body.errors].flat()
    match(String(Object(error).message), problem)
  }
  equal((await call('GET', '/channels')).body.items.length, 2)
})

test('a test message is asked for once for each time somebody asks', async (t) => {
  const { call, database } = await open(t)
  const sent = await call('POST', '/channels/dispatch/test')
  equal(sent.status, 202)
  const rows = await database.query('SELECT id, kind, payload FROM outbox')
  equal(rows[0]?.id, sent.body.workflowId)
  deepEqual(Object(rows[0]?.payload).to, { channel: 'dispatch' })
  equal((await call('POST', '/channels/nobody/test')).status, 404)
})

test('preferences are kept by address, whatever its case, and forgotten', async (t) => {
  const { call } = await open(t)
  const wanted = {
    zone: 'Africa/Nairobi',
    quietHours: { from: '22:00', to: '06:30' },
    refused: ['late-arrival'],
  }
  equal((await call('PUT', '/contact-preferences/Ada@Example.org', wanted)).status, 200)
  const { body } = await call('GET', '/contact-preferences')
  const [{ updatedAt: _, updatedBy: __, ...kept } = {}] = body.items
  deepEqual(kept, { address: 'ada@example.org', ...wanted })
  for (const bad of [
    { ...wanted, zone: 'Nowhere' },
    { ...wanted, quietHours: { from: '22:00', to: '22:00' } },
    { ...wanted, quietHours: { from: '25:00', to: '06:00' } },
    { ...wanted, refused: ['A B'] },
  ]) {
    equal((await call('PUT', '/contact-preferences/ada@example.org', bad)).status, 400)
  }
  equal((await call('PUT', '/contact-preferences/nobody', wanted)).status, 400)
  equal((await call('DELETE', '/contact-preferences/ADA@example.org')).status, 204)
  equal((await call('DELETE', '/contact-preferences/ada@example.org')).status, 404)
})
