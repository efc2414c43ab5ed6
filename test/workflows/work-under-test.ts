// The workflows of the program on a real database, with a real mail server, in this thread.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { type DurableWork, openDurableWork } from '../../src/app/durable-work.ts'
import { createArrivalDesk } from '../../src/domains/arrivals/desk.ts'
import type { JourneyPlan } from '../../src/domains/arrivals/plans.ts'
import { derivedId } from '../../src/kernel/ids.ts'
import type { Database, SqlRow } from '../../src/ports/database.ts'
import type { Logger } from '../../src/ports/logger.ts'
import type { RETRY_POLICIES } from '../../src/workflows/messages/delivery.ts'
import { type MailServer, startMailServer } from '../mail-server.ts'
import { silentLogger, type TestPostgres, testPostgres } from '../postgres-server.ts'
import { until } from '../waiting.ts'

export interface WorkUnderTest extends TestPostgres {
  readonly mail: MailServer
  readonly dataDir: string
  readonly work: DurableWork
  /** Plans of journeys that were told, oldest first. */
  readonly plans: readonly JourneyPlan[]
  /** Asks for an effect as a domain's checkpoint does; the same name is the same effect. */
  ask(kind: string, name: string, payload: unknown): Promise<string>
  workflow(id: string): Promise<SqlRow | undefined>
  /** Once it has ended. */
  ended(id: string): Promise<SqlRow>
  messages(): Promise<readonly SqlRow[]>
}

export interface WorkOptions {
  readonly channels?: string
  readonly smtp?: boolean
  /** Of another server than the one that comes with it. */
  readonly smtpUrl?: string
  readonly policies?: typeof RETRY_POLICIES
  readonly logger?: Logger
}

export async function workUnderTest(
  t: TestContext,
  { channels, smtp = true, smtpUrl, policies, logger = silentLogger }: WorkOptions = {},
): Promise<WorkUnderTest> {
  // What is opened last is closed first: the workflows before their servers.
  const running: { work: DurableWork | null } = { work: null }
  t.after(() => running.work?.stop())
  const mail = await startMailServer(t)
  const postgres = await testPostgres(t)
  const dataDir = mkdtempSync(join(tmpdir(), 'outrider-work-'))
  t.after(() => rmSync(dataDir, { recursive: true, force: true }))
  if (channels !== undefined) writeFileSync(join(dataDir, 'channels.yaml'), channels)
  const plans: JourneyPlan[] = []
  const work = await openDurableWork({
    desk: createArrivalDesk({
      database: postgres.database,
      async tell(_tenantId, told) {
        plans.push(...told)
      },
    }),
    settings: {
      dataDir,
      logLevel: 'warn',
      mailFrom: 'Outrider <outrider@test.example>',
      port: 8080,
      publicUrl: 'https://outrider.test.example',
      smtpUrl: smtpUrl ?? (smtp ? mail.url : null),
    },
    database: postgres.address,
    executorId: 'under-test',
    ...(policies === undefined ? {} : { policies }),
    clock: systemClock(),
    logger,
  })
  running.work = work
  return { ...postgres, mail, dataDir, work, plans, ...asking(postgres.database) }
}

export function asking(database: Database) {
  const workflow = async (id: string): Promise<SqlRow | undefined> =>
    (await database.query('SELECT * FROM workflow WHERE id = $1', [id]))[0]
  return {
    workflow,
    async ask(kind: string, name: string, payload: unknown): Promise<string> {
      const id = derivedId('test', kind, name)
      await database.query(
        `INSERT INTO outbox (id, kind, tenant_id, payload) VALUES ($1, $2, 'default', $3::jsonb)
         ON CONFLICT (id) DO NOTHING`,
        [id, kind, JSON.stringify(payload)],
      )
      return id
    },
    async ended(id: string): Promise<SqlRow> {
      await until(`workflow ${id} ends`, async () => {
        const status = (await workflow(id))?.status
        return status !== undefined && status !== 'running'
      })
      const row = await workflow(id)
      if (row === undefined) throw new Error(`There is no workflow ${id}.`)
      return row
    },
    messages: () => database.query('SELECT * FROM message ORDER BY created_at, id'),
  }
}

export const REQUEST = {
  template: 'alerts',
  to: { email: 'ada@example.org' },
  category: 'test',
  severity: 'info',
  values: { headline: 'Hello Ada', alert1: 'A line of text.', alertsUrl: 'https://x.example/' },
} as const
