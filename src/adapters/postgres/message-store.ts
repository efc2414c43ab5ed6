// Messages in PostgreSQL: placed in one transaction with the gate of their address and, for a group, the effect
// that will deliver it.

import type pg from 'pg'
import type {
  ChannelKind,
  MessageContent,
  MessageSeverity,
  OutgoingMessage,
} from '../../ports/message.ts'
import type {
  ContactPreference,
  MessageDraft,
  MessageStatus,
  MessageStore,
  PlacedMessage,
  Placement,
} from '../../ports/message-store.ts'
import { queryOf } from './database.ts'
import { databaseError } from './failures.ts'
import { storable, storableInstant, storableJson } from './stored-text.ts'

export function createMessageStore(pool: pg.Pool): MessageStore {
  const query = queryOf(pool)
  return {
    async preference(tenantId, address) {
      const {
        rows: [row],
      } = await query(
        'Cannot read how somebody wants to be written to',
        'SELECT zone, quiet_from, quiet_to, refused FROM contact_preference WHERE tenant_id = $1 AND address = $2',
        [tenantId, address.toLowerCase()],
      )
      return row === undefined ? undefined : preferenceOf(row)
    },
    place: (drafts, decide, options) => place(pool, drafts, decide, options),
    async outgoing(id) {
      const {
        rows: [row],
      } = await query(
        'Cannot read a message',
        `SELECT id, kind, channel, address, severity, category, template, content, entity_type, entity_id, alert_id,
           created_at
         FROM message WHERE id = $1 AND status IN ('queued', 'held', 'retrying')`,
        [id],
      )
      return row === undefined ? undefined : outgoingOf(row)
    },
    async groupedWith(id, limit) {
      const { rows } = await query(
        'Cannot read what goes with a message',
        `SELECT subject, severity, count(*) OVER () AS total FROM message WHERE group_id = $1
         ORDER BY severity_rank(severity) DESC, created_at DESC, id LIMIT $2`,
        [id, limit],
      )
      return {
        total: Number(rows[0]?.total ?? 0),
        items: rows.map((row) => ({
          subject: String(row.subject),
          severity: severityOf(row.severity),
        })),
      }
    },
    async write(id, content) {
      await query(
        'Cannot write a message',
        'UPDATE message SET subject = $2, content = $3::jsonb WHERE id = $1',
        [id, storable(content.subject), storableJson(content)],
      )
    },
    async handOn(id, workflowId, dueMs) {
      await query(
        'Cannot hand a message on',
        `WITH moved AS (UPDATE message SET workflow_id = $2 WHERE id = $1 RETURNING tenant_id)
         INSERT INTO outbox (id, kind, tenant_id, payload, not_before)
         SELECT $2, 'deliver', tenant_id, jsonb_build_object('messageId', $1::uuid, 'attempt', 2), $3
         FROM moved ON CONFLICT (id) DO NOTHING`,
        [id, workflowId, storableInstant(dueMs)],
      )
    },
    async attempted(id, { number, tookMs, delivery, status, dueMs }) {
      await query('Cannot keep what became of a message', ATTEMPTED, [
        id,
        number,
        Math.round(tookMs),
        delivery.outcome,
        storable(delivery.response),
        status,
        dueMs === null ? null : storableInstant(dueMs),
      ])
    },
  }
}

type Row = Readonly<Record<string, unknown>>

const ATTEMPTED = `WITH tried AS (
    INSERT INTO message_attempt (message_id, attempt, took_ms, outcome, response) VALUES ($1, $2, $3, $4, $5)
  ), grouped AS (
    UPDATE message SET ended_at = now(), reason = CASE WHEN $6 = 'dead' THEN 'went with a message that was given up' ELSE reason END
    WHERE group_id = $1 AND $6 <> 'retrying'
  )
  UPDATE message SET status = $6, attempts = $2, due_at = $7::timestamptz,
    reason = CASE WHEN $6 = 'sent' THEN NULL ELSE $5 END,
    ended_at = CASE WHEN $6 = 'retrying' THEN NULL ELSE now() END
  WHERE id = $1`

async function place(
  pool: pg.Pool,
  drafts: readonly MessageDraft[],
  decide: (draft: MessageDraft, gate: unknown) => Placement,
  { asks }: { readonly asks: boolean },
): Promise<readonly PlacedMessage[]> {
  const client = await pool.connect().catch((cause: unknown) => {
    throw databaseError('Cannot place messages', cause)
  })
  let failed = true
  try {
    // What needs no answer is not waited for before the next goes out; all are, at the end.
    const sent: Promise<unknown>[] = [client.query('BEGIN')]
    const placed: PlacedMessage[] = []
    // In one order everywhere, so that two of these never wait for each other.
    for (const draft of [...drafts].sort(byAddress)) {
      const one = await placeOne(client, draft, decide, sent)
      if (asks && one.status === 'queued') sent.push(askForDelivery(client, draft, null))
      placed.push(one)
    }
    await Promise.all([...sent, client.query('COMMIT')])
    failed = false
    return placed
  } catch (cause) {
    throw databaseError('Cannot place messages', cause)
  } finally {
    client.release(failed)
  }
}

function byAddress(a: MessageDraft, b: MessageDraft): number {
  const left = `${a.tenantId} ${a.kind} ${a.address}`
  const right = `${b.tenantId} ${b.kind} ${b.address}`
  return left < right ? -1 : left > right ? 1 : 0
}

async function placeOne(
  client: pg.PoolClient,
  draft: MessageDraft,
  decide: (draft: MessageDraft, gate: unknown) => Placement,
  sent: Promise<unknown>[],
): Promise<PlacedMessage> {
  const key = [draft.tenantId, draft.kind, storable(draft.address)]
  // Made where it is not there yet, and locked either way.
  const asked = client.query<{ state: unknown; known: MessageStatus | null }>(
    `INSERT INTO message_gate (tenant_id, kind, address, state) VALUES ($1, $2, $3, 'null')
     ON CONFLICT (tenant_id, kind, address) DO UPDATE SET state = message_gate.state
     RETURNING state, (SELECT status FROM message WHERE id = $4) AS known`,
    [...key, draft.id],
  )
  sent.push(asked)
  const [gate] = await Promise.all([asked, ...sent])
  const row = gate.rows[0]
  if (row !== undefined && row.known !== null) return { id: draft.id, status: row.known }
  const placement = decide(draft, row?.state ?? null)
  if (placement.gate !== null) {
    sent.push(
      client.query(
        'UPDATE message_gate SET state = $4::jsonb WHERE tenant_id = $1 AND kind = $2 AND address = $3',
        [...key, storableJson(placement.gate)],
      ),
    )
  }
  const { group } = placement
  if (group?.opens === true) {
    sent.push(insert(client, group.message, { status: 'held', dueMs: group.dueMs }))
    sent.push(askForDelivery(client, group.message, group.dueMs))
  }
  sent.push(
    insert(client, draft, {
      status: placement.status,
      reason: placement.reason,
      groupId: group?.message.id ?? null,
      dueMs: group?.dueMs ?? null,
    }),
  )
  return { id: draft.id, status: placement.status }
}

async function askForDelivery(
  client: pg.PoolClient,
  { id, tenantId, workflowId, about }: MessageDraft,
  dueMs: number | null,
): Promise<void> {
  await client.query(
    `INSERT INTO outbox (id, kind, tenant_id, payload, not_before)
     VALUES ($1, 'deliver', $2, $3::jsonb, coalesce($4::timestamptz, now())) ON CONFLICT (id) DO NOTHING`,
    [
      workflowId,
      tenantId,
      storableJson({ messageId: id, about }),
      dueMs === null ? null : storableInstant(dueMs),
    ],
  )
}

async function insert(
  client: pg.PoolClient,
  draft: MessageDraft,
  {
    status,
    reason = null,
    groupId = null,
    dueMs,
  }: {
    readonly status: MessageStatus
    readonly reason?: string | null
    readonly groupId?: string | null
    readonly dueMs: number | null
  },
): Promise<void> {
  await client.query(
    `INSERT INTO message (id, tenant_id, workflow_id, template, category, severity, channel, kind, address,
       subject, content, status, reason, due_at, group_id, entity_type, entity_id, alert_id, asked_by, ended_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb, $12, $13, $14::timestamptz, $15, $16, $17, $18, $19,
       CASE WHEN $12 = 'suppressed' THEN now() END)
     ON CONFLICT (id) DO NOTHING`,
    [
      draft.id,
      draft.tenantId,
      draft.workflowId,
      draft.template,
      storable(draft.category),
      draft.severity,
      storable(draft.channel),
      draft.kind,
      storable(draft.address),
      storable(draft.content.subject),
      storableJson(draft.content),
      status,
      reason,
      dueMs === null ? null : storableInstant(dueMs),
      groupId,
      draft.about === null ? null : storable(draft.about.entityType),
      draft.about === null ? null : storable(draft.about.entityId),
      draft.about?.alertId ?? null,
      draft.askedBy,
    ],
  )
}

function preferenceOf(row: Row): ContactPreference {
  return {
    zone: String(row.zone),
    quietFrom: typeof row.quiet_from === 'string' ? row.quiet_from : null,
    quietTo: typeof row.quiet_to === 'string' ? row.quiet_to : null,
    refused: Array.isArray(row.refused) ? row.refused.map(String) : [],
  }
}

const KINDS: readonly ChannelKind[] = ['email', 'webhook', 'slack', 'teams', 'inbox']
const SEVERITIES: readonly MessageSeverity[] = ['critical', 'major', 'minor', 'warning', 'info']

function severityOf(value: unknown): MessageSeverity {
  return SEVERITIES.find((each) => each === value) ?? 'info'
}

function outgoingOf(row: Row): OutgoingMessage {
  return {
    id: String(row.id),
    kind: KINDS.find((kind) => kind === row.kind) ?? 'inbox',
    channel: String(row.channel),
    address: String(row.address),
    severity: severityOf(row.severity),
    category: String(row.category),
    template: String(row.template),
    content: contentOf(row.content),
    about:
      typeof row.entity_id === 'string'
        ? {
            entityType: String(row.entity_type),
            entityId: row.entity_id,
            ...(typeof row.alert_id === 'string' ? { alertId: row.alert_id } : {}),
          }
        : null,
    createdAtMs: row.created_at instanceof Date ? row.created_at.getTime() : 0,
  }
}

function contentOf(value: unknown): MessageContent {
  const content: Row = Object(value)
  const pairs = (list: unknown): readonly Row[] =>
    Array.isArray(list) ? list.map((each: unknown) => Object(each)) : []
  return {
    subject: String(content.subject),
    lines: Array.isArray(content.lines) ? content.lines.map(String) : [],
    facts: pairs(content.facts).map(({ label, value: text }) => ({
      label: String(label),
      value: String(text),
    })),
    actions: pairs(content.actions).map(({ label, url }) => ({
      label: String(label),
      url: String(url),
    })),
  }
}
