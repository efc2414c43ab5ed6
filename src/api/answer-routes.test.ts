// Answering by signed links, over HTTP, against a real database.

import { equal, match } from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { ANSWER_KEY, startAnswerPages } from '../../test/answer-pages.ts'
import { type AnswerAction, signAnswerLink } from '../kernel/answer-link.ts'
import { HOUR_MS } from '../kernel/time.ts'

const ID = '00000000-0000-8000-8000-000000000001'

async function open(t: TestContext) {
  const { database, url: serverUrl } = await startAnswerPages(t)
  await database.query(
    `INSERT INTO answer_request (id, tenant_id, workflow_id, kind, asked, document, expires_at)
     VALUES ($1, 'default', $1, 'reschedule', 'olga@example.org',
       '{"title": "<script>x</script>", "traveler": "Ada", "proposedAt": "2031-01-01T10:00:00Z"}',
       now() + interval '1 hour')`,
    [ID],
  )
  const link = (
    action: AnswerAction,
    expiresAtMs = Date.now() + HOUR_MS,
    key = ANSWER_KEY,
  ): string => `${serverUrl}/answer/${signAnswerLink({ requestId: ID, action, expiresAtMs }, key)}`
  const post = (url: string, body = ''): Promise<Response> =>
    fetch(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
  const signals = () => database.query("SELECT payload FROM outbox WHERE kind = 'signal'")
  return { database, link, post, signals }
}

test('looking at a link answers nothing; the form does, once, for all links of the question', async (t) => {
  const { link, post, signals } = await open(t)
  const page = await fetch(link('accept'))
  equal(page.status, 200)
  equal(page.headers.get('referrer-policy'), 'no-referrer')
  const text = await page.text()
  match(text, /&lt;script&gt;x&lt;\/script&gt;/)
  equal(text.includes('<script>'), false)
  equal((await signals()).length, 0)
  const answers = await Promise.all([post(link('accept')), post(link('decline'))])
  equal(
    answers
      .map(({ status }) => status)
      .sort()
      .join(),
    '200,410',
  )
  equal((await signals()).length, 1)
  equal((await fetch(link('propose'))).status, 410)
})

test('a link that is forged, stretched, expired or torn is refused', async (t) => {
  const { link, post, signals } = await open(t)
  equal((await post(link('accept', Date.now() + HOUR_MS, Buffer.alloc(32, 8)))).status, 404)
  equal((await post(link('accept', Date.now() - HOUR_MS))).status, 410)
  equal((await post(link('decline').replace('.decline.', '.accept.'))).status, 404)
  equal((await post(link('accept').slice(0, -3))).status, 404)
  equal((await post(`${link('accept')}.x`)).status, 404)
  equal((await signals()).length, 0)
})

test('a proposed time is read on the clock of whoever answers, and must lie ahead', async (t) => {
  const { database, link, post, signals } = await open(t)
  await database.query(
    `INSERT INTO contact_preference (tenant_id, address, zone, updated_by)
     VALUES ('default', 'olga@example.org', 'Africa/Nairobi', 'olga')`,
  )
  for (const wrong of [
    '',
    'startsAt=soon',
    'startsAt=2001-01-01T10:00',
    'startsAt=2999-01-01T10:00',
  ]) {
    equal((await post(link('propose'), wrong)).status, 422, wrong)
  }
  const tomorrow = new Date(Date.now() + 24 * HOUR_MS).toISOString().slice(0, 10)
  equal((await post(link('propose'), `startsAt=${tomorrow}T13:00`)).status, 200)
  const [signal] = await signals()
  match(JSON.stringify(signal?.payload), new RegExp(`"startsAt":"${tomorrow}T10:00:00.000Z"`))
})
