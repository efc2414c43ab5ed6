// From the alert to the mail server's acceptance: alerts of late arrivals as a checkpoint writes them, so many a
// second, each looked up, decided, asked and sent by a workflow of its own.

import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type pg from 'pg'
import { derivedId } from '../src/kernel/ids.ts'
import { atTheEnd } from './clean-up.ts'
import type { FromMailSink } from './mail-sink.ts'
import { usageOfTree } from './process-tree.ts'
import { databaseOf, startProgram } from './program.ts'
import { percentile } from './samples.ts'

export interface WorkflowRate {
  /** Mails accepted a second while alerts came. */
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Processor time of the program and its database for each, to where the mail is accepted and kept as sent. */
  readonly cpuMs: number
  /** Transactions for each. */
  readonly commits: number
  /** Alerts whose mail was not accepted in the end. */
  readonly missing: number
}

/** Alerts of one checkpoint. */
const ALERTS_OF_A_BATCH = 10
/** The first ones open connections and compile code; they are not counted. */
const WARM_UP_SECONDS = 3
/** Without a mail for so long, no more is waited for. */
const SILENCE_MS = 15_000

export async function workflowRate(
  dataDir: string,
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
): Promise<WorkflowRate> {
  const takenMs = new Map<string, number>()
  const sink = await startMailSink((to, atMs) => {
    if (!takenMs.has(to)) takenMs.set(to, atMs)
  })
  const program = await startProgram({ dataDir, settings: { OUTRIDER_SMTP_URL: sink.url } })
  const database = databaseOf(dataDir)
  const all = perSecond * (seconds + WARM_UP_SECONDS)
  await planJourneys(database, all)
  const writtenMs: number[] = []
  const startedMs = performance.now()
  const warm = perSecond * WARM_UP_SECONDS
  const usage = async () => ({
    cpuMs: usageOfTree(program.pid).cpuSeconds * 1_000,
    commits: await commitsOf(database),
    taken: takenMs.size,
  })
  let before = await usage()
  for (let from = 0; from < all; from += ALERTS_OF_A_BATCH) {
    if (from === warm) before = await usage()
    await sleep(Math.max(0, startedMs + (from * 1_000) / perSecond - performance.now()))
    const count = Math.min(ALERTS_OF_A_BATCH, all - from)
    await writeAlerts(database, from, count)
    const atMs = performance.timeOrigin + performance.now()
    for (let index = from; index < from + count; index++) writtenMs[index] = atMs
  }
  await untilQuiet(() => takenMs.size, all)
  await untilSent(database)
  const after = await usage()
  await database.end()
  await program.stop()
  await sink.stop()
  rmSync(dataDir, { recursive: true, force: true })
  const workflows = after.taken - before.taken
  return {
    ...judge(writtenMs.slice(warm), (index) => takenMs.get(travelerOf(index + warm))),
    cpuMs: (after.cpuMs - before.cpuMs) / workflows,
    commits: (after.commits - before.commits) / workflows,
  }
}

function judge(
  writtenMs: readonly number[],
  takenMsOf: (index: number) => number | undefined,
): Omit<WorkflowRate, 'commits' | 'cpuMs'> {
  const spans = writtenMs.map((atMs, index) => (takenMsOf(index) ?? Number.NaN) - atMs)
  const taken = writtenMs.flatMap((_, index) => takenMsOf(index) ?? [])
  const came = spans.filter((span) => !Number.isNaN(span))
  const firstMs = writtenMs[0] ?? Number.NaN
  const lastMs = taken.reduce((latest, atMs) => Math.max(latest, atMs), firstMs)
  return {
    perSecond: (taken.length * 1_000) / (lastMs - firstMs),
    p50Ms: percentile(came, 0.5),
    p99Ms: percentile(came, 0.99),
    missing: spans.length - came.length,
  }
}

async function startMailSink(
  onTaken: (to: string, atMs: number) => void,
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const worker = new Worker(new URL('./mail-sink.ts', import.meta.url))
  const ended = atTheEnd(async () => {
    await worker.terminate()
  })
  const url = await new Promise<string>((resolve, reject) => {
    worker.on('error', reject)
    worker.on('message', (message: FromMailSink) => {
      if (message.type === 'listening') resolve(message.url)
      else onTaken(message.to, message.atMs)
    })
  })
  return {
    url,
    async stop() {
      await worker.terminate()
      ended()
    },
  }
}

const travelerOf = (index: number): string => `traveller-${index}@example.org`

/** Appointments that can be joined online, each with one who travels to it. */
async function planJourneys(database: pg.Pool, count: number): Promise<void> {
  await database.query(
    `INSERT INTO appointment (tenant_id, appointment_id, title, starts_at, first_starts_at, lat, lon,
       organizer_email, online_url, created_at, updated_at)
     SELECT 'default', 'A-' || number, 'Review ' || number, now() + interval '2 hours', now() + interval '2 hours',
       -1.29, 36.82, 'organizer@example.org', 'https://meet.example/' || number, now(), now()
     FROM generate_series(0, $1::int - 1) AS number`,
    [count],
  )
  await database.query(
    `INSERT INTO journey (tenant_id, journey_id, appointment_id, traveler_email, traveler_name, mode,
       created_at, updated_at)
     SELECT 'default', 'J-' || number, 'A-' || number, 'traveller-' || number || '@example.org', 'Ada Otieno',
       'car', now(), now()
     FROM generate_series(0, $1::int - 1) AS number`,
    [count],
  )
  await database.query('ANALYZE appointment, journey')
}

async function writeAlerts(database: pg.Pool, from: number, count: number): Promise<void> {
  const numbers = Array.from({ length: count }, (_, index) => from + index)
  await database.query(
    `INSERT INTO alert (id, tenant_id, rule, rule_version, severity, entity_type, entity_id, status,
       starts_at, updated_at, revision, summary, labels, value, peak, event_count, withdrawn, topic,
       log_partition, log_offset, changed_by, received_at)
     SELECT id, 'default', 'late-arrival', 1, 'major', 'journey', 'J-' || number, 'firing', now(), now(), 1,
       'will be late', '{"workflow":"late-arrival"}', '{}', '{}', 1, false, 'journeys', 0, number, '{}', now()
     FROM unnest($1::uuid[], $2::int[]) AS written (id, number)`,
    [numbers.map((number) => derivedId('bench', 'alert', String(number))), numbers],
  )
}

async function commitsOf(database: pg.Pool): Promise<number> {
  const { rows } = await database.query<{ commits: string }>(
    'SELECT xact_commit AS commits FROM pg_stat_database WHERE datname = current_database()',
  )
  return Number(rows[0]?.commits)
}

/** What became of the last mails is kept. */
async function untilSent(database: pg.Pool): Promise<void> {
  const deadlineMs = performance.now() + SILENCE_MS
  while (performance.now() < deadlineMs) {
    const { rows } = await database.query("SELECT FROM message WHERE status = 'queued' LIMIT 1")
    if (rows.length === 0) return
    await sleep(50)
  }
}

async function untilQuiet(taken: () => number, all: number): Promise<void> {
  let reached = -1
  let reachedMs = performance.now()
  while (taken() < all && performance.now() - reachedMs < SILENCE_MS) {
    if (taken() > reached) {
      reached = taken()
      reachedMs = performance.now()
    }
    await sleep(50)
  }
}
