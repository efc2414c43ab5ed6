// Killed at every boundary of a workflow, also just after the mail server took the mail: another process ends it,
// nobody is told nothing, and a crash sends at most one more copy under the same Message-ID.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { type DurableWork, openDurableWork } from '../../src/app/durable-work.ts'
import { createArrivalDesk } from '../../src/domains/arrivals/desk.ts'
import { HOUR_MS } from '../../src/kernel/time.ts'
import { type MailServer, startMailServer } from '../mail-server.ts'
import { silentLogger, type TestPostgres, testPostgres } from '../postgres-server.ts'
import { until } from '../waiting.ts'
import { lateIds, organizerOf, someoneIsLate, travelerOf } from '../workflows/someone-late.ts'

const VICTIM = fileURLToPath(new URL('../workflows/victim.ts', import.meta.url))
/** More than any of these workflows has; a workflow that never comes to rest ends the test. */
const MAX_BOUNDARIES = 80

interface Stage extends TestPostgres {
  readonly mail: MailServer
  /** A process that lives; it is stopped at the end if it was not before. */
  survivor(executorId: string): Promise<DurableWork>
  /**
   * Processes one after the other, so that each meets its own case only: the first is killed at the first boundary,
   * and so on, until one came to rest. Resolves with how many there were.
   */
  victims(prepare: (name: string) => Promise<unknown>): Promise<number>
}

async function stage(t: TestContext): Promise<Stage> {
  const running = new Set<DurableWork>()
  t.after(async () => {
    for (const each of running) await each.stop()
  })
  const mail = await startMailServer(t)
  const postgres = await testPostgres(t)
  const { address, database } = postgres
  const settings = {
    dataDir: '/nonexistent',
    logLevel: 'warn' as const,
    mailFrom: 'outrider@test.example',
    port: 8080,
    publicUrl: 'https://outrider.test.example',
    smtpUrl: mail.url,
  }
  const die = async (number: number): Promise<string> => {
    const executorId = `victim-${number}`
    const child = spawn(process.execPath, [VICTIM], {
      env: {
        ...process.env,
        VICTIM: JSON.stringify({ ...settings, address, killAt: number, executorId }),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.on('data', (piece: Buffer) => {
      said += String(piece)
    })
    const signal = await new Promise((resolve) => child.once('close', (_code, by) => resolve(by)))
    assert.equal(signal, 'SIGKILL')
    // Nobody takes over before all are dead.
    await database.query("UPDATE work_executor SET seen_at = 'infinity' WHERE id = $1", [
      executorId,
    ])
    return said
  }
  return {
    ...postgres,
    mail,
    async survivor(executorId) {
      const work = await openDurableWork({
        settings,
        database: address,
        desk: createArrivalDesk({ database, tell: async () => undefined }),
        executorId,
        clock: systemClock(),
        logger: silentLogger,
      })
      running.add(work)
      return {
        async stop() {
          running.delete(work)
          await work.stop()
        },
      }
    },
    async victims(prepare) {
      for (let number = 1; number <= MAX_BOUNDARIES; number++) {
        await prepare(String(number))
        if ((await die(number)) === 'idle') return number
      }
      throw new Error(`After ${MAX_BOUNDARIES} statements it had not come to rest.`)
    },
  }
}

const names = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => String(index + 1))

/** Of what somebody was told first: how often it came. */
function toldOnceOrTwice(mail: MailServer, address: string, messages: number): void {
  const mails = mail.mails.filter(({ to }) => to.includes(address))
  const copies = new Map<string, number>()
  for (const { messageId } of mails) copies.set(messageId, (copies.get(messageId) ?? 0) + 1)
  assert.equal(copies.size, messages, `${address}: ${copies.size} different Message-IDs`)
  const all = [...copies.values()].reduce((sum, each) => sum + each, 0)
  assert.ok(all <= messages + 1, `${address}: ${all} mails`)
}

async function counted(open: Stage, sql: string, values: readonly string[] = []): Promise<unknown> {
  const [row] = await open.database.query(sql, values)
  return row?.n
}

const branches = [
  {
    says: 'sends the link',
    onlineUrl: 'https://meet.example/x',
    decision: 'link-sent',
    toldOf: travelerOf,
    messages: 1,
  },
  {
    says: 'asks the organizer',
    onlineUrl: null,
    decision: 'reschedule-asked',
    toldOf: organizerOf,
    // The question, and that it is over.
    messages: 2,
  },
] as const

for (const branch of branches) {
  test(`killed at every boundary, a workflow that ${branch.says} is ended by another process and tells at least once`, (t) =>
    killedUntilItWaits(t, branch))
}

async function killedUntilItWaits(
  t: TestContext,
  { onlineUrl, decision, toldOf, messages }: (typeof branches)[number],
): Promise<void> {
  const open = await stage(t)
  const { mail, database } = open
  // The tables of the engine are there before the first victim.
  await (await open.survivor('before')).stop()
  const victims = await open.victims((name) =>
    someoneIsLate(database, {
      name,
      onlineUrl,
      organizerEmail: organizerOf(name),
      startsInMs: HOUR_MS,
    }),
  )
  const before = mail.mails.length
  await database.query("UPDATE work_executor SET seen_at = '-infinity'")
  await open.survivor('survivor')
  await until('everybody was told, and it stands with the journey', async () => {
    const sql = 'SELECT count(*)::int AS n FROM journey_decision WHERE decision = $1'
    return (await counted(open, sql, [decision])) === victims
  })
  for (const name of names(victims)) {
    await database.query("UPDATE alert SET status = 'resolved', revision = 2 WHERE id = $1", [
      lateIds(name).alertId,
    ])
  }
  const done = "SELECT count(*)::int AS n FROM workflow WHERE status = 'done'"
  await until('every workflow ends', async () => (await counted(open, done)) === victims)
  t.diagnostic(
    `${victims} victims; mails before the survivor: ${before}, after: ${mail.mails.length}`,
  )
  assert.ok(before > 0 && before < mail.mails.length, 'kills fell before and after the mail')
  for (const name of names(victims)) toldOnceOrTwice(mail, toldOf(name), messages)
}

test('killed at every boundary after the answer, a workflow is ended by another process and acts once', async (t) => {
  const open = await stage(t)
  const { mail, database } = open
  const first = await open.survivor('before')
  for (const name of names(MAX_BOUNDARIES)) {
    await someoneIsLate(database, {
      ...{ name, onlineUrl: null, organizerEmail: organizerOf(name), startsInMs: HOUR_MS },
    })
  }
  const waiting = 'SELECT count(*)::int AS n FROM workflow WHERE waits_until IS NOT NULL'
  await until('all wait', async () => (await counted(open, waiting)) === MAX_BOUNDARIES)
  await first.stop()
  const asked = mail.mails.length
  assert.equal(asked, MAX_BOUNDARIES)
  const victims = await open.victims((name) =>
    database.query(
      `INSERT INTO outbox (id, kind, tenant_id, payload)
       VALUES (derived_id('answer', $1::text), 'signal', 'default', jsonb_build_object('workflowId', $2::text,
         'topic', 'answer', 'value', jsonb_build_object('action', 'accept')))`,
      [name, lateIds(name).workflowId],
    ),
  )
  const before = mail.mails.length
  await database.query("UPDATE work_executor SET seen_at = '-infinity'")
  await open.survivor('survivor')
  const done =
    "SELECT count(*)::int AS n FROM workflow WHERE status = 'done' AND outcome = 'rescheduled'"
  await until('every workflow ends', async () => (await counted(open, done)) === victims)
  t.diagnostic(`${victims} victims; mails before the survivor: ${before - asked}`)
  assert.ok(before > asked && before < mail.mails.length, 'kills fell before and after the mail')
  for (const name of names(victims)) toldOnceOrTwice(mail, travelerOf(name), 1)
  const moved = 'SELECT count(*)::int AS n FROM appointment WHERE starts_at <> first_starts_at'
  assert.equal(await counted(open, moved), victims)
  const decided = "SELECT count(*)::int AS n FROM journey_decision WHERE decision = 'rescheduled'"
  assert.equal(await counted(open, decided), victims)
})
