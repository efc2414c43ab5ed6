// A receiver that hangs and then fails keeps nobody else waiting, and its messages end as dead letters; what is
// secret appears in no log and in nothing that is kept of an attempt.

import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { SMTPServer } from 'smtp-server'
import type { Logger } from '../../src/ports/logger.ts'
import { RETRY_POLICIES } from '../../src/workflows/messages/delivery.ts'
import { until } from '../waiting.ts'
import { REQUEST, workUnderTest } from '../workflows/work-under-test.ts'

const HANGING = 20
const MAILS = 60
const CANARY = 'canary-5f0c1d'
const CANARY_KEY = `whsec_${Buffer.from(`${CANARY}-${'k'.repeat(20)}`).toString('base64')}`

const portOf = (address: AddressInfo | string | null): number =>
  typeof address === 'object' && address !== null ? address.port : 0

/** Answers nothing until it is told what; what hung is then answered too. */
async function startReceiver(t: TestContext) {
  const hanging: ServerResponse[] = []
  let status: number | null = null
  const server = createServer((request, response) => {
    request.resume()
    if (status === null) hanging.push(response)
    else response.writeHead(status).end(CANARY)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${portOf(server.address())}/hooks/${CANARY}`,
    hanging,
    answer(given: number) {
      status = given
      for (const response of hanging) response.writeHead(given).end()
    },
  }
}

const channelsOf = (url: string): string => `channels:
  - {name: erp, kind: webhook, url: "${url}", secret: "${CANARY_KEY}", allowPrivateAddress: true}
`

test('mails go out while a webhook hangs for all that is sent to it, which ends as dead letters', async (t) => {
  const receiver = await startReceiver(t)
  const open = await workUnderTest(t, {
    channels: channelsOf(receiver.url),
    policies: {
      ...RETRY_POLICIES,
      webhook: { attempts: 3, firstPauseMs: 20, longestPauseMs: 50 },
    },
  })
  // A gate lets few to one address: each has a channel of its own, as it were.
  const clear = () => open.database.query('DELETE FROM message_gate')
  const hooks: string[] = []
  for (let number = 0; number < HANGING; number++) {
    hooks.push(await open.ask('message', `hook-${number}`, { ...REQUEST, to: { channel: 'erp' } }))
    await until('it hangs', () => receiver.hanging.length === number + 1)
    await clear()
  }
  await Promise.all(
    Array.from({ length: MAILS }, (_, number) =>
      open.ask('message', `mail-${number}`, {
        ...REQUEST,
        to: { email: `r${number}@example.org` },
      }),
    ),
  )
  await until('all mails are out', () => open.mail.mails.length === MAILS)
  const sent = await open.database.query(
    "SELECT FROM message WHERE kind = 'webhook' AND attempts > 0",
  )
  assert.equal(sent.length, 0, 'the webhook still hangs')
  receiver.answer(500)
  for (const id of hooks) assert.equal((await open.ended(id)).outcome, 'dead')
  const dead = await open.database.query(
    "SELECT attempts, reason FROM message WHERE status = 'dead'",
  )
  assert.equal(dead.length, HANGING)
  assert.ok(
    dead.every(({ attempts, reason }) => attempts === 3 && String(reason).startsWith('500')),
  )
})

test('no password, key or secret path is in a log or in what is kept of an attempt', async (t) => {
  const lines: string[] = []
  const keep = (...said: readonly unknown[]): void => {
    const texts = said.map((each) =>
      each instanceof Error ? `${each.stack} ${JSON.stringify(each.cause)}` : JSON.stringify(each),
    )
    lines.push(texts.join(' '))
  }
  const logger: Logger = { debug: keep, info: keep, warn: keep, error: keep }
  const refusing = new SMTPServer({
    allowInsecureAuth: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    closeTimeout: 200,
    onAuth: (_auth, _session, callback) => callback(new Error('Invalid login')),
  })
  refusing.on('error', () => undefined)
  await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', () => resolve()))
  t.after(() => new Promise<void>((resolve) => refusing.close(() => resolve())))
  const receiver = await startReceiver(t)
  receiver.answer(302)
  const open = await workUnderTest(t, {
    logger,
    channels: channelsOf(receiver.url),
    smtpUrl: `smtp://outrider:${CANARY}@127.0.0.1:${portOf(refusing.server.address())}`,
  })
  await open.ask('message', 'mail', REQUEST)
  await open.ask('message', 'hook', { ...REQUEST, to: { channel: 'erp' } })
  await until('both were tried', async () => {
    const tried = await open.database.query('SELECT FROM message_attempt')
    return tried.length >= 2
  })
  const kept = await open.database.query(
    'SELECT status, reason, content FROM message UNION ALL SELECT outcome, response, NULL FROM message_attempt',
  )
  assert.ok(kept.some(({ reason }) => /Invalid login/.test(String(reason))))
  const secrets = new RegExp(`${CANARY}|${CANARY_KEY.slice(6, 26)}`)
  assert.doesNotMatch(JSON.stringify(kept), secrets)
  assert.ok(lines.length > 0)
  assert.doesNotMatch(lines.join('\n'), secrets)
})
