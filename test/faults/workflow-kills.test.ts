// Killed at every boundary of a workflow, also just after the mail server took the mail: another process ends it,
// nobody is told nothing, and a crash sends at most one more copy under the same Message-ID.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { openDurableWork } from '../../src/app/durable-work.ts'
import { createArrivalDesk } from '../../src/domains/arrivals/desk.ts'
import { HOUR_MS } from '../../src/kernel/time.ts'
import { startMailServer } from '../mail-server.ts'
import { silentLogger, testPostgres } from '../postgres-server.ts'
import { until } from '../waiting.ts'
import { lateIds, organizerOf, someoneIsLate, travelerOf } from '../workflows/someone-late.ts'

const VICTIM = fileURLToPath(new URL('../workflows/victim.ts', import.meta.url))
/** Statements that write from the start of a late arrival to where it waits for an answer. */
const BOUNDARIES = 22

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
    killedAtEveryBoundary(t, branch))
}

async function killedAtEveryBoundary(
  t: TestContext,
  { onlineUrl, decision, toldOf, messages }: (typeof branches)[number],
): Promise<void> {
  const running: { stop(): Promise<void> }[] = []
  t.after(async () => {
    for (const each of running) await each.stop()
  })
  const mail = await startMailServer(t)
  const { address, database } = await testPostgres(t)
  const settings = {
    dataDir: '/nonexistent',
    logLevel: 'warn' as const,
    mailFrom: 'outrider@test.example',
    port: 8080,
    publicUrl: 'https://outrider.test.example',
    smtpUrl: mail.url,
  }
  // The tables of the engine are there before the first victim.
  const open = (executorId: string) =>
    openDurableWork({
      settings,
      database: address,
      desk: createArrivalDesk({ database, tell: async () => undefined }),
      executorId,
      clock: systemClock(),
      logger: silentLogger,
    })
  await (await open('before')).stop()

  const victim = async (number: number): Promise<void> => {
    const executorId = `victim-${number}`
    await someoneIsLate(database, {
      name: String(number),
      onlineUrl,
      organizerEmail: organizerOf(String(number)),
      startsInMs: HOUR_MS,
    })
    const child = spawn(process.execPath, [VICTIM], {
      env: {
        ...process.env,
        VICTIM: JSON.stringify({ ...settings, address, killAt: number, executorId }),
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const signal = await new Promise((resolve) => child.once('exit', (_code, by) => resolve(by)))
    assert.equal(signal, 'SIGKILL')
    // Nobody takes over before all are dead.
    await database.query("UPDATE work_executor SET seen_at = 'infinity' WHERE id = $1", [
      executorId,
    ])
  }
  const numbers = Array.from({ length: BOUNDARIES }, (_, index) => index + 1)
  // One after the other, so that each meets its own case only.
  for (const number of numbers) await victim(number)
  const before = mail.mails.length

  await database.query("UPDATE work_executor SET seen_at = '-infinity'")
  running.push(await open('survivor'))
  await until('everybody was told, and it stands with the journey', async () => {
    const [row] = await database.query(
      'SELECT count(*)::int AS n FROM journey_decision WHERE decision = $1',
      [decision],
    )
    return row?.n === BOUNDARIES
  })
  for (const number of numbers) {
    await database.query("UPDATE alert SET status = 'resolved', revision = 2 WHERE id = $1", [
      lateIds(String(number)).alertId,
    ])
  }
  await until('every workflow ends', async () => {
    const [row] = await database.query(
      "SELECT count(*)::int AS n FROM workflow WHERE status = 'done'",
    )
    return row?.n === BOUNDARIES
  })
  const copies = numbers.map((number) => {
    const mails = mail.mails.filter(({ to }) => to.includes(toldOf(String(number))))
    const first = mails[0]?.messageId
    return {
      first: mails.filter(({ messageId }) => messageId === first).length,
      ids: new Set(mails.map(({ messageId }) => messageId)).size,
    }
  })
  t.diagnostic(`mails before the survivor: ${before}, after: ${mail.mails.length}`)
  assert.ok(before > 0 && before < mail.mails.length, 'kills fell before and after the mail')
  for (const [index, { first, ids }] of copies.entries()) {
    assert.ok(first === 1 || first === 2, `boundary ${index + 1}: ${first} copies`)
    assert.equal(ids, messages, `boundary ${index + 1}: ${ids} different Message-IDs`)
  }
}
