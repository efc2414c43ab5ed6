// What the routing of alerts keeps, in PostgreSQL. Every step is one transaction that checks the epoch of the
// owner, so that a step happens once or not at all.

import type pg from 'pg'
import { assert } from '../../kernel/errors.ts'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { AlertStatus } from '../../ports/alert.ts'
import type {
  AlertMarks,
  RoutedAlert,
  RoutingClaim,
  RoutingStep,
  RoutingStore,
  Silence,
  StoredGroup,
  StoredMember,
} from '../../ports/routing-store.ts'
import type { DatabaseAddress } from './address.ts'
import { createPool } from './database.ts'
import { databaseError } from './failures.ts'
import { matchersOf } from './silence-matchers.ts'

const MAX_CONNECTIONS = 2
/** A statement of a step that takes longer is given up, and the step with it. */
const STATEMENT_TIMEOUT_MS: DurationMs = 30 * SECOND_MS
const ANSWER_TIMEOUT_MS: DurationMs = 40 * SECOND_MS
/** One statement takes no more rows than this. */
const STATEMENT_ROWS = 5_000

export interface PostgresRoutingStore extends RoutingStore {
  close(): Promise<void>
}

const ALERT_FACTS = `a.id, a.tenant_id, a.shown_status, a.acknowledged_at is not null as acknowledged,
  a.labels, a.rule, a.severity, a.entity_type, a.entity_id, a.silenced_by, a.inhibited_by`

export function createRoutingStore({
  address,
}: {
  readonly address: DatabaseAddress
}): PostgresRoutingStore {
  const pool = createPool({
    address,
    maxConnections: MAX_CONNECTIONS,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    answerTimeoutMs: ANSWER_TIMEOUT_MS,
  })

  const using = async <T>(
    tried: string,
    work: (client: pg.PoolClient) => Promise<T>,
  ): Promise<T> => {
    const client = await pool.connect().catch((cause: unknown) => {
      throw databaseError(tried, cause)
    })
    let failed = true
    try {
      const done = await work(client)
      failed = false
      return done
    } catch (cause) {
      throw databaseError(tried, cause)
    } finally {
      // After a failure a transaction may be open on it.
      client.release(failed)
    }
  }

  return {
    claim: (owner, leaseMs) =>
      using('Cannot claim the routing of alerts', (client) => claim(client, owner, leaseMs)),
    changes: (limit) =>
      using('Cannot read changed alerts', async (client) => {
        const { rows } = await client.query<{
          number: string
          alert_id: string | null
          untold: boolean
        }>('SELECT number, alert_id, untold FROM alert_change ORDER BY number LIMIT $1', [limit])
        const ids = [...new Set(rows.flatMap(({ alert_id }) => alert_id ?? []))]
        const silences = rows.some(({ alert_id }) => alert_id === null)
        return {
          numbers: rows.map(({ number }) => Number(number)),
          alerts:
            ids.length === 0
              ? []
              : (await alertsWhere(client, 'a.id = ANY ($1::uuid[])', [ids])).alerts,
          silences: silences ? await readSilences(client) : null,
          untold: [...new Set(rows.flatMap((row) => (row.untold ? (row.alert_id ?? []) : [])))],
        }
      }),
    commit: ({ epoch, leaseMs }, step) =>
      using('Cannot commit a step of the routing', async (client) => {
        await client.query('BEGIN')
        const fence = await client.query(
          `UPDATE alert_router SET leased_until = clock_timestamp() + $2 * interval '1 ms', next_group = $3
           WHERE epoch = $1`,
          [epoch, leaseMs, step.nextGroup],
        )
        if (fence.rowCount === 0) {
          await client.query('ROLLBACK')
          return 'fenced'
        }
        await writeStep(client, step)
        await client.query('COMMIT')
        return 'committed'
      }),
    report: (epoch, { source, text, problem }) =>
      using('Cannot report the routing in force', async (client) => {
        await client.query(
          `UPDATE alert_router SET source = $2, document = $3, problem = $4, reported_at = now()
           WHERE epoch = $1`,
          [epoch, source, text, problem],
        )
      }),
    release: (epoch) =>
      using('Cannot release the routing of alerts', async (client) => {
        await client.query(
          `UPDATE alert_router SET leased_until = '-infinity', owner = NULL WHERE epoch = $1`,
          [epoch],
        )
      }),
    close: () => pool.end(),
  }
}

async function claim(
  client: pg.PoolClient,
  owner: string,
  leaseMs: DurationMs,
): Promise<RoutingClaim | null> {
  // One snapshot for all that is read, taken after the claim: a step of the owner before is in it or fenced.
  const claimed = await client.query<{ epoch: string; next_group: string }>(
    `UPDATE alert_router SET epoch = epoch + 1, owner = $1,
       leased_until = clock_timestamp() + $2 * interval '1 ms'
     WHERE leased_until < clock_timestamp() RETURNING epoch, next_group`,
    [owner, leaseMs],
  )
  const row = claimed.rows[0]
  if (row === undefined) return null
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  const groups = await client.query('SELECT * FROM alert_group ORDER BY id')
  const members = await client.query('SELECT * FROM alert_group_member ORDER BY group_id, alert_id')
  const { alerts, marks } = await alertsWhere(
    client,
    `a.shown_status <> 'resolved' OR a.id IN (SELECT alert_id FROM alert_group_member)`,
    [],
  )
  const silences = await readSilences(client)
  await client.query('COMMIT')
  return {
    epoch: Number(row.epoch),
    nextGroup: Number(row.next_group),
    groups: groups.rows.map(groupOf),
    members: members.rows.map(memberOf),
    alerts,
    marks,
    silences,
  }
}

type Row = Readonly<Record<string, unknown>>

async function alertsWhere(
  client: pg.PoolClient,
  condition: string,
  parameters: readonly unknown[],
): Promise<{ readonly alerts: readonly RoutedAlert[]; readonly marks: readonly AlertMarks[] }> {
  const { rows } = await client.query<Row>(
    `SELECT ${ALERT_FACTS} FROM alert a WHERE ${condition} ORDER BY a.starts_at, a.id`,
    [...parameters],
  )
  const marks = rows.map((row) => ({
    alertId: String(row.id),
    silencedBy: textsOf(row.silenced_by),
    inhibitedBy: textsOf(row.inhibited_by),
  }))
  return {
    alerts: rows.map(routedAlert),
    marks: marks.filter((each) => each.silencedBy.length + each.inhibitedBy.length > 0),
  }
}

function routedAlert(row: Row): RoutedAlert {
  const labels = Object.entries(Object(row.labels)).map(([name, value]) => [name, String(value)])
  return {
    id: String(row.id),
    tenantId: String(row.tenant_id),
    status: statusOf(row.shown_status),
    acknowledged: row.acknowledged === true,
    labels: {
      ...Object.fromEntries(labels),
      rule: String(row.rule),
      severity: String(row.severity),
      entityType: String(row.entity_type),
      entityId: String(row.entity_id),
    },
  }
}

function statusOf(value: unknown): AlertStatus {
  return value === 'pending' || value === 'resolved' ? value : 'firing'
}

function groupOf(row: Row): StoredGroup {
  const labels = Object.entries(Object(row.labels)).map(([name, value]) => [name, String(value)])
  return {
    id: String(row.id),
    tenantId: String(row.tenant_id),
    route: String(row.route),
    labels: Object.fromEntries(labels),
    sequence: Number(row.sequence),
    flushAtMs: millisecondsOf(row.flush_at) ?? 0,
    notifiedAtMs: millisecondsOf(row.notified_at),
    escalatedAtMs: Array.isArray(row.escalated_at)
      ? row.escalated_at.map((at: unknown) => (typeof at === 'number' ? at : null))
      : [],
  }
}

function memberOf(row: Row): StoredMember {
  return {
    groupId: String(row.group_id),
    alertId: String(row.alert_id),
    told: row.told === 'firing' ? 'firing' : 'nothing',
    toldAtMs: millisecondsOf(row.told_at),
    escalated: Number(row.escalated),
  }
}

async function readSilences(client: pg.PoolClient): Promise<readonly Silence[]> {
  const { rows } = await client.query<Row>(
    'SELECT id, tenant_id, matchers, starts_at, ends_at FROM silence WHERE ends_at > now() ORDER BY id',
  )
  return rows.map((row) => ({
    id: String(row.id),
    tenantId: String(row.tenant_id),
    matchers: matchersOf(row.matchers),
    fromMs: millisecondsOf(row.starts_at) ?? 0,
    toMs: millisecondsOf(row.ends_at) ?? 0,
  }))
}

async function writeStep(client: pg.PoolClient, step: RoutingStep): Promise<void> {
  await each(
    client,
    step.changes,
    'DELETE FROM alert_change WHERE number = ANY (ARRAY(SELECT (jsonb_array_elements_text($1))::bigint))',
  )
  await each(
    client,
    step.removedGroups,
    'DELETE FROM alert_group WHERE id = ANY (ARRAY(SELECT (jsonb_array_elements_text($1))::uuid))',
  )
  await each(
    client,
    step.groups.map(({ flushAtMs, notifiedAtMs, ...rest }) => ({
      ...rest,
      flushAt: instantOf(flushAtMs),
      notifiedAt: instantOf(notifiedAtMs),
    })),
    `INSERT INTO alert_group (id, tenant_id, route, labels, sequence, flush_at, notified_at, escalated_at)
     SELECT id, "tenantId", route, labels, sequence, "flushAt", "notifiedAt", "escalatedAtMs"
     FROM jsonb_to_recordset($1::jsonb) AS r (id uuid, "tenantId" text, route text, labels jsonb,
       sequence int, "flushAt" timestamptz, "notifiedAt" timestamptz, "escalatedAtMs" jsonb)
     ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence, flush_at = excluded.flush_at,
       notified_at = excluded.notified_at, escalated_at = excluded.escalated_at`,
  )
  await each(
    client,
    step.removedMembers,
    `DELETE FROM alert_group_member m USING jsonb_to_recordset($1::jsonb) AS r ("groupId" uuid, "alertId" uuid)
     WHERE m.group_id = r."groupId" AND m.alert_id = r."alertId"`,
  )
  await each(
    client,
    step.members.map(({ toldAtMs, ...rest }) => ({ ...rest, toldAt: instantOf(toldAtMs) })),
    `INSERT INTO alert_group_member (group_id, alert_id, told, told_at, escalated)
     SELECT "groupId", "alertId", told, "toldAt", escalated
     FROM jsonb_to_recordset($1::jsonb) AS r ("groupId" uuid, "alertId" uuid, told text,
       "toldAt" timestamptz, escalated int)
     ON CONFLICT (group_id, alert_id) DO UPDATE SET told = excluded.told, told_at = excluded.told_at,
       escalated = excluded.escalated`,
  )
  await writeNotifications(client, step)
  await writeMarks(client, step.marks)
}

/** An id that is there already is a broken promise, not a repeat: steps happen once. */
async function writeNotifications(
  client: pg.PoolClient,
  { notifications }: RoutingStep,
): Promise<void> {
  await each(
    client,
    notifications.map(({ atMs, firing, resolved, ...rest }) => ({
      ...rest,
      at: instantOf(atMs),
      firingCount: firing.length,
      resolvedCount: resolved.length,
    })),
    `INSERT INTO notification (id, tenant_id, group_id, sequence, kind, step, route, receiver, channels,
       group_labels, at, firing_count, resolved_count)
     SELECT id, "tenantId", "groupId", sequence, kind, step, route, receiver, channels, "groupLabels", at,
       "firingCount", "resolvedCount"
     FROM jsonb_to_recordset($1::jsonb) AS r (id uuid, "tenantId" text, "groupId" uuid, sequence int,
       kind text, step int, route text, receiver text, channels jsonb, "groupLabels" jsonb,
       at timestamptz, "firingCount" int, "resolvedCount" int)`,
  )
  await each(
    client,
    notifications.map(({ id, tenantId }) => ({ id, tenantId })),
    `INSERT INTO outbox (id, kind, tenant_id, payload)
     SELECT id, 'notification', "tenantId", jsonb_build_object('notificationId', id)
     FROM jsonb_to_recordset($1::jsonb) AS r (id uuid, "tenantId" text) ON CONFLICT (id) DO NOTHING`,
  )
  const links = notifications.flatMap(({ id, firing, resolved }) => [
    ...firing.map((alertId) => ({ id, alertId, status: 'firing' })),
    ...resolved.map((alertId) => ({ id, alertId, status: 'resolved' })),
  ])
  await each(
    client,
    links,
    `INSERT INTO notification_alert (notification_id, alert_id, status)
     SELECT id, "alertId", status
     FROM jsonb_to_recordset($1::jsonb) AS r (id uuid, "alertId" uuid, status text)`,
  )
}

/** With a line on the timeline of the alert: what hides it is never a secret. */
async function writeMarks(client: pg.PoolClient, marks: readonly AlertMarks[]): Promise<void> {
  const newest = new Map(marks.map((each) => [each.alertId, each]))
  const sorted = [...newest.values()].sort((a, b) => (a.alertId < b.alertId ? -1 : 1))
  await each(
    client,
    sorted,
    `WITH wanted AS (
       SELECT "alertId" AS alert_id,
         ARRAY(SELECT jsonb_array_elements_text("silencedBy")::uuid) AS silenced,
         ARRAY(SELECT jsonb_array_elements_text("inhibitedBy")::uuid) AS inhibited
       FROM jsonb_to_recordset($1::jsonb) AS r ("alertId" uuid, "silencedBy" jsonb, "inhibitedBy" jsonb)
     ), before AS (
       SELECT a.id, a.silenced_by, a.inhibited_by, w.silenced, w.inhibited
       FROM alert a JOIN wanted w ON w.alert_id = a.id ORDER BY a.id FOR UPDATE OF a
     ), noted AS (
       INSERT INTO alert_comment (alert_id, author, kind, text)
       SELECT id, 'outrider', CASE WHEN silenced = '{}' THEN 'not-silenced' ELSE 'silenced' END,
         array_to_string(silenced, ', ')
       FROM before WHERE (silenced = '{}') IS DISTINCT FROM (silenced_by = '{}')
       UNION ALL
       SELECT id, 'outrider', CASE WHEN inhibited = '{}' THEN 'not-inhibited' ELSE 'inhibited' END,
         array_to_string(inhibited, ', ')
       FROM before WHERE (inhibited = '{}') IS DISTINCT FROM (inhibited_by = '{}')
     )
     UPDATE alert SET silenced_by = before.silenced, inhibited_by = before.inhibited,
       handled_at = now(), handling_revision = handling_revision + 1
     FROM before WHERE alert.id = before.id`,
  )
}

async function each(client: pg.PoolClient, rows: readonly unknown[], sql: string): Promise<void> {
  for (let start = 0; start < rows.length; start += STATEMENT_ROWS) {
    await client.query(sql, [JSON.stringify(rows.slice(start, start + STATEMENT_ROWS))])
  }
}

function instantOf(atMs: number | null): string | null {
  return atMs === null ? null : new Date(atMs).toISOString()
}

function millisecondsOf(value: unknown): number | null {
  if (value === null || value === undefined) return null
  assert(value instanceof Date, 'The database answered an instant that is none.')
  return value.getTime()
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : []
}
