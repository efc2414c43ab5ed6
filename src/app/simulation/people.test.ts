// Simulated people against the real page and a real database.

import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { ANSWER_KEY, startAnswerPages } from '../../../test/answer-pages.ts'
import { systemClock } from '../../adapters/clock/system-clock.ts'
import { createPinoLogger } from '../../adapters/logger/pino-logger.ts'
import { type AnswerAction, signAnswerLink } from '../../kernel/answer-link.ts'
import { HOUR_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import { habitOf, questionsIn, runPeople } from './people.ts'

/** The first digits say what is done: 0 is below every limit, 0x3b = 59 % accepts, 0x4a = 74 % proposes, 0x63 says nothing. */
const JOINS = '00000000-0000-8000-8000-000000000001'
const ACCEPTS = '003b0000-0000-8000-8000-000000000002'
const PROPOSES = '004a0000-0000-8000-8000-000000000003'
const SAYS_NOTHING = '00630000-0000-8000-8000-000000000004'
const SOMEBODY_ELSE = '00000000-0000-8000-8000-000000000005'

const urlOf = (requestId: string, action: AnswerAction): string =>
  `https://elsewhere.example/answer/${signAnswerLink({ requestId, action, expiresAtMs: Date.now() + HOUR_MS }, ANSWER_KEY)}`

test('questions are found by their links, and each is answered alike whenever it is asked', () => {
  const text = JSON.stringify({
    actions: [urlOf(ACCEPTS, 'accept'), urlOf(ACCEPTS, 'decline'), urlOf(JOINS, 'join')],
  })
  const questions = questionsIn(text)
  deepEqual(
    questions.map(({ requestId, tokens }) => [requestId, [...tokens.keys()]]),
    [
      [ACCEPTS, ['accept', 'decline']],
      [JOINS, ['join']],
    ],
  )
  deepEqual(
    questions.map((question) => habitOf(question).action),
    ['accept', 'join'],
  )
  deepEqual(questionsIn('/answer/what.ever and https://x.example/answer/'), [])
})

test('who finds the page busy or broken answers again later, and who is refused does not', async (t) => {
  const { database } = await startAnswerPages(t)
  const refusals: readonly number[] = [429, 503, 500, 410]
  const asked: string[] = []
  const page = createServer((request, response) => {
    asked.push(String(request.url))
    request.resume()
    response.writeHead(refusals[asked.length - 1] ?? 200).end()
  })
  await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', () => resolve()))
  t.after(() => page.close())
  const at = page.address()
  const port = typeof at === 'object' && at !== null ? at.port : 0
  await database.query(
    `INSERT INTO message (id, tenant_id, workflow_id, template, category, severity, channel, kind, address, subject, content, status, created_at)
     VALUES ($1, 'default', $1, 'late-arrival-join', 'late-arrival', 'critical', 'email', 'email', 'ada@example.com', 'x', $2::jsonb, 'kept', now() - interval '1 minute')`,
    [JOINS, JSON.stringify({ actions: [urlOf(JOINS, 'join')] })],
  )
  const stop = new AbortController()
  t.after(() => stop.abort())
  let looks = 0
  const clock: Clock = {
    ...systemClock(),
    // Each look follows at once; some more than there are refusals, and it ends.
    async sleep() {
      looks += 1
      if (looks === 2 * refusals.length) stop.abort()
    },
  }
  const logger = createPinoLogger({ level: 'error' })
  await runPeople({
    ...{ database, address: `http://127.0.0.1:${port}`, clock, logger, signal: stop.signal },
  })
  equal(asked.length, refusals.length, 'the last refusal was for good')
  equal(new Set(asked).size, 1)
})

test('simulated people open the link of their choice, once; nobody opens what others were sent', async (t) => {
  const { database, url } = await startAnswerPages(t)
  const ask = async (id: string, address: string, actions: readonly AnswerAction[]) => {
    await database.query(
      `INSERT INTO answer_request (id, tenant_id, workflow_id, kind, asked, document, expires_at)
       VALUES ($1, 'default', $1, 'reschedule', $2, '{"title": "x", "traveler": "Ada"}', now() + interval '1 hour')`,
      [id, address],
    )
    await database.query(
      `INSERT INTO message (id, tenant_id, workflow_id, template, category, severity, channel, kind, address, subject, content, status, created_at)
       VALUES ($1, 'default', $1, 'late-arrival-reschedule', 'late-arrival', 'critical', 'email', 'email', $2, 'x', $3::jsonb, 'kept', now() - interval '1 minute')`,
      [id, address, JSON.stringify({ actions: actions.map((action) => urlOf(id, action)) })],
    )
  }
  const three: readonly AnswerAction[] = ['accept', 'propose', 'decline']
  await ask(JOINS, 'ada@example.com', ['join'])
  await ask(ACCEPTS, 'organizer@example.com', three)
  await ask(PROPOSES, 'organizer@example.com', three)
  await ask(SAYS_NOTHING, 'organizer@example.com', three)
  await ask(SOMEBODY_ELSE, 'olga@example.org', three)

  const stop = new AbortController()
  t.after(() => stop.abort())
  const logger = createPinoLogger({ level: 'error' })
  const people = runPeople({
    ...{ database, address: url, clock: systemClock(), logger, signal: stop.signal },
  })
  const answers = () =>
    database.query('SELECT id, answer FROM answer_request WHERE answered_at IS NOT NULL')
  while ((await answers()).length < 3) await systemClock().sleep(50, stop.signal)
  stop.abort()
  await people

  const given = new Map((await answers()).map(({ id, answer }) => [id, Object(answer)]))
  equal(given.size, 3)
  equal(given.get(JOINS)?.action, 'join')
  equal(given.get(ACCEPTS)?.action, 'accept')
  equal(given.get(PROPOSES)?.action, 'propose')
  match(String(given.get(PROPOSES)?.startsAt), /^\d{4}-\d\d-\d\dT\d\d:\d[05]:00\.000Z$/)
  ok(Date.parse(String(given.get(PROPOSES)?.startsAt)) > Date.now())
  const signals = await database.query("SELECT id FROM outbox WHERE kind = 'signal'")
  equal(signals.length, 3)
})
