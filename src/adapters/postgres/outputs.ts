// What a batch decided beside its archive rows: alerts, dead letters, effects, windows, journal. Each
// write may come twice with the same content, and then changes nothing.

import type pg from 'pg'
import type { Alert } from '../../ports/alert.ts'
import type {
  Checkpoint,
  DeadLetter,
  JournalEntry,
  OutboxEntry,
  TaskId,
  WindowResult,
} from '../../ports/checkpoint-store.ts'
import { writeRows } from './durable-rows.ts'
import { storable, storableInstant, storableJson } from './stored-text.ts'

/** One statement takes no more than this: jsonb itself ends at 256 MB, and memory sooner. */
const STATEMENT_ITEMS = 1_000
const STATEMENT_CHARACTERS = 4 * 1024 * 1024

export function hasOutputs(checkpoint: Checkpoint): boolean {
  const { alerts, deadLetters, outbox, windows, rows, journal } = checkpoint
  return [alerts, deadLetters, outbox, windows, rows, journal].some((each) => each.length > 0)
}

/** Of tasks of which each has its own keys, so that none writes what another does. */
export async function writeOutputs(
  client: pg.PoolClient,
  checkpoints: readonly Checkpoint[],
): Promise<void> {
  await writeAlerts(
    client,
    checkpoints.flatMap(({ alerts }) => alerts),
  )
  await writeDeadLetters(
    client,
    checkpoints.flatMap(({ deadLetters }) => deadLetters),
  )
  await writeOutbox(
    client,
    checkpoints.flatMap(({ outbox }) => outbox),
  )
  await writeRows(
    client,
    checkpoints.map(({ task, rows }) => ({ partition: task.partition, rows })),
  )
  for (const { task, windows, journal } of checkpoints) {
    await writeWindows(client, task, windows)
    await writeJournal(client, task, journal)
  }
}

async function writeAlerts(client: pg.PoolClient, alerts: readonly Alert[]): Promise<void> {
  const newest = new Map<string, Alert>()
  for (const alert of alerts) {
    if (alert.revision > (newest.get(alert.id)?.revision ?? 0)) newest.set(alert.id, alert)
  }
  for (const slice of slices([...newest.values()], alertRow)) {
    await client.query(
      `INSERT INTO alert (id, tenant_id, rule, rule_version, severity, entity_type, entity_id, status,
         starts_at, ends_at, updated_at, revision, summary, labels, value, peak, event_count,
         withdrawn, topic, log_partition, log_offset, changed_by, received_at)
       SELECT id, "tenantId", rule, "ruleVersion", severity, "entityType", "entityId", status,
         "startsAt", "endsAt", "updatedAt", revision, summary, labels, value, peak, count, withdrawn,
         position ->> 'topic', (position ->> 'partition')::int, (position ->> 'offset')::bigint,
         "changedBy", "receivedAt"
       FROM jsonb_to_recordset($1::jsonb) AS alert (id uuid, "tenantId" text, rule text,
         "ruleVersion" int, severity text, "entityType" text, "entityId" text, status text,
         "startsAt" timestamptz, "endsAt" timestamptz, "updatedAt" timestamptz, revision int,
         summary text, labels jsonb, value jsonb, peak jsonb, count int, withdrawn boolean,
         position jsonb, "changedBy" jsonb, "receivedAt" timestamptz)
       ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, status = excluded.status,
         starts_at = excluded.starts_at, ends_at = excluded.ends_at,
         updated_at = excluded.updated_at, revision = excluded.revision,
         summary = excluded.summary, labels = excluded.labels, value = excluded.value,
         peak = excluded.peak, event_count = excluded.event_count,
         withdrawn = excluded.withdrawn, log_offset = excluded.log_offset,
         changed_by = excluded.changed_by, received_at = excluded.received_at
       WHERE alert.revision < excluded.revision`,
      [slice],
    )
  }
  for (const slice of slices(alerts, alertRow)) {
    await client.query(
      `INSERT INTO alert_transition (alert_id, revision, status, severity, at, document)
       SELECT (document ->> 'id')::uuid, (document ->> 'revision')::int, document ->> 'status',
         document ->> 'severity', (document ->> 'updatedAt')::timestamptz, document
       FROM jsonb_array_elements($1::jsonb) AS document
       ON CONFLICT (alert_id, revision) DO NOTHING`,
      [slice],
    )
  }
}

/** The alert as it goes over the wire: times as ISO 8601. */
function alertRow(alert: Alert): Readonly<Record<string, unknown>> {
  const { startsAtMs, endsAtMs, updatedAtMs, receivedAtMs, ...rest } = alert
  return {
    ...rest,
    startsAt: storableInstant(startsAtMs),
    endsAt: endsAtMs === null ? null : storableInstant(endsAtMs),
    updatedAt: storableInstant(updatedAtMs),
    receivedAt: storableInstant(receivedAtMs),
  }
}

async function writeDeadLetters(
  client: pg.PoolClient,
  letters: readonly DeadLetter[],
): Promise<void> {
  for (const slice of slices(letters, deadLetterRow)) {
    await client.query(
      `INSERT INTO dead_letter (id, topic, received_at, tenant_id, door, code, message, path, raw,
         raw_encoding, log_topic, log_partition, log_offset)
       SELECT id, topic, "receivedAt", "tenantId", door, code, message, path, raw, "rawEncoding",
         position ->> 'topic', (position ->> 'partition')::int, (position ->> 'offset')::bigint
       FROM jsonb_to_recordset($1::jsonb) AS letter (id uuid, topic text, "receivedAt" timestamptz,
         "tenantId" text, door text, code text, message text, path text, raw text,
         "rawEncoding" text, position jsonb)
       ON CONFLICT (id) DO NOTHING`,
      [slice],
    )
  }
}

/** Text that PostgreSQL can't hold is kept as base64: a dead letter is of use only as it came. */
function deadLetterRow(letter: DeadLetter): Readonly<Record<string, unknown>> {
  const { receivedAtMs, ...rest } = letter
  const asItCame =
    letter.rawEncoding === 'base64' || storable(letter.raw) === letter.raw
      ? {}
      : { raw: Buffer.from(letter.raw).toString('base64'), rawEncoding: 'base64' }
  return { ...rest, ...asItCame, receivedAt: storableInstant(receivedAtMs) }
}

async function writeOutbox(client: pg.PoolClient, entries: readonly OutboxEntry[]): Promise<void> {
  for (const slice of slices(entries, (entry) => entry)) {
    await client.query(
      `INSERT INTO outbox (id, kind, tenant_id, payload)
       SELECT id, kind, "tenantId", payload FROM jsonb_to_recordset($1::jsonb)
         AS entry (id uuid, kind text, "tenantId" text, payload jsonb)
       ON CONFLICT (id) DO NOTHING`,
      [slice],
    )
  }
}

async function writeWindows(
  client: pg.PoolClient,
  task: TaskId,
  windows: readonly WindowResult[],
): Promise<void> {
  const newest = new Map<string, WindowResult>()
  for (const each of windows) {
    // Names as they will be stored: two that become one there are one row of the statement.
    const name = storableJson([each.window, each.tenantId, each.startMs, each.group, each.era])
    if (each.revision >= (newest.get(name)?.revision ?? 0)) newest.set(name, each)
  }
  for (const slice of slices([...newest.values()], windowRow)) {
    await client.query(
      `INSERT INTO window_kpi (window_name, log_partition, era, group_key, tenant_id, window_start,
         window_end, values, keys_hash, revision, final)
       SELECT "window", $2, era, "group", "tenantId", "startsAt", "endsAt", values, "keysHash", revision,
         final
       FROM jsonb_to_recordset($1::jsonb) AS kpi ("window" text, era bigint, "group" text, "tenantId" text,
         "startsAt" timestamptz, "endsAt" timestamptz, values jsonb, "keysHash" bigint, revision int,
         final boolean)
       ON CONFLICT (window_name, tenant_id, window_start, group_key, log_partition, era) DO UPDATE
         SET values = excluded.values, keys_hash = excluded.keys_hash, revision = excluded.revision, final = excluded.final
         WHERE window_kpi.revision < excluded.revision`,
      [slice, task.partition],
    )
  }
}

function windowRow(result: WindowResult): Readonly<Record<string, unknown>> {
  const { startMs, endMs, ...rest } = result
  return { ...rest, startsAt: storableInstant(startMs), endsAt: storableInstant(endMs) }
}

async function writeJournal(
  client: pg.PoolClient,
  task: TaskId,
  journal: readonly JournalEntry[],
): Promise<void> {
  const newest = new Map(journal.map((entry) => [`${entry.offset}/${entry.step}`, entry]))
  for (const slice of slices([...newest.values()], (entry) => entry)) {
    await client.query(
      `INSERT INTO task_journal (pipeline, log_partition, log_offset, step, tick_ms, reference_versions,
         broadcast_offsets)
       SELECT $2, $3, "offset", step, "tickMs", "references", broadcasts
       FROM jsonb_to_recordset($1::jsonb) AS entry ("offset" bigint, step int, "tickMs" bigint,
         "references" jsonb, broadcasts jsonb)
       ON CONFLICT (pipeline, log_partition, log_offset, step) DO UPDATE SET tick_ms = excluded.tick_ms,
         reference_versions = excluded.reference_versions,
         broadcast_offsets = excluded.broadcast_offsets`,
      [slice, task.pipeline, task.partition],
    )
  }
}

/** JSON arrays of bounded size; an item that is larger by itself stands alone. */
function* slices<T>(items: readonly T[], row: (item: T) => unknown): Iterable<string> {
  let rows: string[] = []
  let characters = 0
  for (const item of items) {
    const text = storableJson(row(item))
    const full = rows.length >= STATEMENT_ITEMS || characters + text.length > STATEMENT_CHARACTERS
    if (full && rows.length > 0) {
      yield `[${rows.join()}]`
      rows = []
      characters = 0
    }
    rows.push(text)
    characters += text.length
  }
  if (rows.length > 0) yield `[${rows.join()}]`
}
