// FAULTS 13: webhooks that hang, drip, or fail, for ten minutes, while mails are asked for all the time. The mails
// go out as fast as before; what was sent to the webhooks ends as dead letters, and nothing of it is lost.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/adapters/clock/system-clock.ts'
import { connectDatabase } from '../../src/adapters/postgres/database.ts'
import { startEmbeddedPostgres } from '../../src/adapters/postgres/embedded-server.ts'
import { migrate } from '../../src/adapters/postgres/migrate.ts'
import { openDurableWork } from '../../src/app/durable-work.ts'
import { createArrivalDesk } from '../../src/domains/arrivals/desk.ts'
import { derivedId } from '../../src/kernel/ids.ts'
import type { Logger } from '../../src/ports/logger.ts'
import { RETRY_POLICIES } from '../../src/workflows/messages/delivery.ts'
import { startMailServer } from '../mail-server.ts'
import { until } from '../waiting.ts'
import { type CountedReport, seconds } from './counted.ts'
import { pause } from './faults.ts'
import { percentile, waitsText } from './waits.ts'

const MAILS_PER_SECOND = 20
const HOOKS_PER_SECOND = 0.9
const QUIET_MS = 60_000
const FAULTY_MS = 600_000
const WARM_UP_MS = 5_000
const PATIENCE_MS = 60_000
/** A gate lets three messages in ten minutes to one address: so many addresses, of 200 channels at most, take all. */
const HOOKS = 198
const SLOWER_AT_MOST = 2
/** Waits so short are the look at the outbox and noise of the machine. */
const NO_MATTER_MS = 100
const DRIP_MS = 1_000
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }
const WAYS = ['hang', 'drip', 'fail'] as const

export async function runWebhookTrial({
  seed,
  share,
  say,
}: {
  readonly seed: number
  readonly share: number
  readonly say: (line: string) => void
}): Promise<CountedReport> {
  const closers: (() => unknown)[] = []
  const t = { after: (close: () => unknown) => void closers.push(close) }
  try {
    const mail = await startMailServer(t)
    const hooks = await startHooks(t)
    const { database, ask } = await startWork(t, { smtpUrl: mail.url, hooksUrl: hooks.url, share })
    const askedMs = new Map<string, number>()
    const figures: Record<string, string> = {}
    let mails = 0
    let sent = 0
    /** Mails all the time, and what else is due; resolves with the p99 of the mails asked for meanwhile. */
    const during = async (what: string, spanMs: number, withHooks: boolean): Promise<number> => {
      if (what !== '') say(what)
      const first = mails
      const startedMs = performance.now()
      for (let passedMs = 0; passedMs < spanMs; passedMs = performance.now() - startedMs) {
        const to = `r${mails++}@example.org`
        askedMs.set(to, Date.now())
        await ask(to, { email: to })
        if (withHooks && sent < (passedMs / 1_000) * HOOKS_PER_SECOND) {
          await ask(`hook-${sent}`, { channel: `hook-${sent++ % HOOKS}` })
        }
        await pause(
          Math.max(
            0,
            ((mails - first) * 1_000) / MAILS_PER_SECOND - (performance.now() - startedMs),
          ),
        )
      }
      await until('all mails are out', () => mail.mails.length >= mails, PATIENCE_MS)
      const waits = mail.mails
        .slice(first)
        .map(({ to, takenAtMs }) => takenAtMs - (askedMs.get(String(to[0])) ?? Number.NaN))
      if (what !== '') figures[`mails, ${what}`] = waitsText(waits)
      return percentile(waits, 0.99)
    }
    await during('', WARM_UP_MS, false)
    const usual = await during('quiet', QUIET_MS * share, false)
    const faulty = await during('webhooks at fault', FAULTY_MS * share, true)
    const violations: string[] = []
    if (WAYS.some((way) => hooks.count(way) === 0)) violations.push('a webhook was not reached')
    if (faulty > Math.max(SLOWER_AT_MOST * usual, NO_MATTER_MS)) {
      violations.push(`p99 ${Math.round(faulty)} ms, where it is ${Math.round(usual)} ms`)
    }
    say('until all that went to the webhooks is given up')
    const states = () =>
      database.query(
        `SELECT status, count(*)::int AS n FROM message WHERE kind = 'webhook' GROUP BY status`,
      )
    await until(
      'all are dead letters',
      async () => (await states()).every(({ status }) => status === 'dead' || status === 'grouped'),
      2 * FAULTY_MS,
    )
    for (const { status, n } of await states()) figures[`webhook messages ${status}`] = String(n)
    const kept = (await states()).reduce((sum, { n }) => sum + Number(n), 0)
    if (kept !== sent) violations.push(`${sent} messages were sent to webhooks, ${kept} are kept`)
    return {
      title: `webhooks that hang, drip and fail for ${seconds(FAULTY_MS * share)}`,
      seed,
      faults: Object.fromEntries(WAYS.map((way) => [`requests that ${way}`, hooks.count(way)])),
      figures,
      violations,
    }
  } finally {
    for (const close of closers.reverse()) await close()
  }
}

async function startWork(
  t: { after(close: () => unknown): void },
  {
    smtpUrl,
    hooksUrl,
    share,
  }: { readonly smtpUrl: string; readonly hooksUrl: string; readonly share: number },
) {
  const dataDir = mkdtempSync(join(tmpdir(), 'outrider-webhooks-'))
  mkdirSync(dataDir, { recursive: true, mode: 0o755 })
  t.after(() => rmSync(dataDir, { recursive: true, force: true }))
  const clock = systemClock()
  const postgres = await startEmbeddedPostgres({ dataDir, clock, logger: silent })
  t.after(() => postgres.stop())
  const { address } = postgres
  await migrate(address, silent)
  const database = connectDatabase({ address })
  t.after(() => database.close())
  const channels = Array.from(
    { length: HOOKS },
    (_, number) =>
      `  - {name: hook-${number}, kind: webhook, url: "${hooksUrl}/${WAYS[number % WAYS.length]}/${number}", allowPrivateAddress: true}`,
  )
  writeFileSync(join(dataDir, 'channels.yaml'), `channels:\n${channels.join('\n')}\n`)
  const { webhook } = RETRY_POLICIES
  const work = await openDurableWork({
    settings: {
      ...{ dataDir, logLevel: 'warn', mailFrom: 'outrider@test.example', port: 8080 },
      ...{ publicUrl: null, smtpUrl },
    },
    database: address,
    desk: createArrivalDesk({ database, tell: async () => undefined }),
    executorId: 'webhook-trial',
    // As long apart as the faults last, in proportion.
    policies: {
      ...RETRY_POLICIES,
      webhook: {
        attempts: webhook.attempts,
        firstPauseMs: webhook.firstPauseMs * share,
        longestPauseMs: webhook.longestPauseMs * share,
      },
    },
    clock,
    logger: silent,
  })
  t.after(() => work.stop())
  const ask = async (name: string, to: object): Promise<void> => {
    await database.query(
      `INSERT INTO outbox (id, kind, tenant_id, payload) VALUES ($1, 'message', 'default', $2::jsonb)`,
      [
        derivedId('webhook-trial', name),
        JSON.stringify({
          ...{ template: 'alerts', to, category: 'test', severity: 'info' },
          values: { headline: `For ${name}`, alertsUrl: null },
        }),
      ],
    )
  }
  return { database, ask }
}

/** Receivers that never answer, that answer a byte a second and never end, and that fail, by their path. */
async function startHooks(t: { after(close: () => unknown): void }) {
  const counts = new Map<string, number>()
  const dripping = new Set<ServerResponse>()
  const server = createServer((request, response) => {
    request.resume()
    const way = String(request.url).split('/')[1] ?? ''
    counts.set(way, (counts.get(way) ?? 0) + 1)
    if (way === 'fail') response.writeHead(503).end()
    if (way !== 'drip') return
    response.writeHead(200)
    dripping.add(response)
    response.on('close', () => dripping.delete(response))
  })
  const drip = setInterval(() => {
    for (const response of dripping) response.write('.')
  }, DRIP_MS)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  t.after(() => {
    clearInterval(drip)
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { url: `http://127.0.0.1:${port}`, count: (way: string) => counts.get(way) ?? 0 }
}
