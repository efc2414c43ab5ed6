// Messages in PostgreSQL. What is asked of it at once, of many messages, is few statements.

import type pg from 'pg'
import { together } from '../../kernel/together.ts'
import type {
  ChannelKind,
  MessageContent,
  MessageSeverity,
  OutgoingMessage,
} from '../../ports/message.ts'
import type { ContactPreference, MessageStore } from '../../ports/message-store.ts'
import { queryOf } from './database.ts'
import { type Placing, placeAll } from './message-placing.ts'
import { storable, storableInstant, storableJson } from './stored-text.ts'

export function createMessageStore(pool: pg.Pool): MessageStore {
  const query = queryOf(pool)
  const place = together((placings: readonly Placing[]) => placeAll(pool, placings))
  const preference = together(async (asked: readonly Address[]) => {
    const { rows } = await query('Cannot read how people want to be written to', PREFERENCES, [
      asked.map(({ tenantId }) => tenantId),
      asked.map(({ address }) => storable(address)),
    ])
    const preferences = new Map(
      rows.map((row) => {
        const key = { tenantId: String(row.tenant_id), address: String(row.address) }
        return [addressKey(key), preferenceOf(row)]
      }),
    )
    return asked.map((each) => preferences.get(addressKey(each)))
  })
  const outgoing = together(async (ids: readonly string[]) => {
    const { rows } = await query('Cannot read messages', OUTGOING, [ids])
    const messages = new Map(rows.map((row) => [String(row.id), outgoingOf(row)]))
    return ids.map((id) => messages.get(id))
  })
  const attempted = together(async (attempts: readonly (Attempt & { readonly id: string })[]) => {
    await query('Cannot keep what became of messages', ATTEMPTED, [
      attempts.map(({ id }) => id),
      attempts.map(({ number }) => number),
      attempts.map(({ tookMs }) => Math.round(tookMs)),
      attempts.map(({ delivery }) => delivery.outcome),
      attempts.map(({ delivery }) => storable(delivery.response)),
      attempts.map(({ status }) => status),
      attempts.map(({ dueMs }) => (dueMs === null ? null : storableInstant(dueMs))),
    ])
    return attempts
  })
  return {
    preference: (tenantId, address) => preference({ tenantId, address: address.toLowerCase() }),
    place: (drafts, decide, options) => place({ drafts, decide, ...options }),
    outgoing,
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
    async attempted(id, attempt) {
      await attempted({ id, ...attempt })
    },
  }
}

type Attempt = Parameters<MessageStore['attempted']>[1]
type Row = Readonly<Record<string, unknown>>

const PREFERENCES = `SELECT tenant_id, address, zone, quiet_from, quiet_to, refused
  FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[])) AS asked (tenant_id, address)
    JOIN contact_preference USING (tenant_id, address)`

const OUTGOING = `SELECT id, kind, channel, address, severity, category, template, content, entity_type, entity_id,
    alert_id, created_at
  FROM message WHERE id = ANY ($1::uuid[]) AND status IN ('queued', 'held', 'retrying')`

/** Only the last attempt of a message within one statement says what became of it. */
const ATTEMPTED = `WITH given AS (
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
      WITH ORDINALITY AS g (id, attempt, took_ms, outcome, response, status, due_at, number)
  ), tried AS (
    INSERT INTO message_attempt (message_id, attempt, took_ms, outcome, response)
    SELECT id, attempt, took_ms, outcome, response FROM given ORDER BY number
  ), last AS (
    SELECT DISTINCT ON (id) * FROM given ORDER BY id, number DESC
  ), grouped AS (
    UPDATE message SET ended_at = now(),
      reason = CASE WHEN last.status = 'dead' THEN 'went with a message that was given up' ELSE reason END
    FROM last WHERE message.group_id = last.id AND last.status <> 'retrying'
  )
  UPDATE message SET status = last.status, attempts = last.attempt, due_at = last.due_at,
    reason = CASE WHEN last.status = 'sent' THEN NULL ELSE last.response END,
    ended_at = CASE WHEN last.status = 'retrying' THEN NULL ELSE now() END
  FROM last WHERE message.id = last.id`

interface Address {
  readonly tenantId: string
  readonly address: string
}

const addressKey = ({ tenantId, address }: Address): string => JSON.stringify([tenantId, address])

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
