// Messages in Postgres, with what was tried.

import { isUuid } from '../kernel/ids.ts'
import type { Database, SqlRow } from '../ports/database.ts'
import { Conditions } from '../ports/sql-conditions.ts'
import { decodeCursor, encodeCursor, pageOf } from './cursor.ts'
import { epochMsOf, isoOf, isoOrNull, textOrNull } from './sql-values.ts'
import type { OpenRange } from './validation.ts'

export const MESSAGE_STATUSES = [
  'queued',
  'held',
  'grouped',
  'retrying',
  'sent',
  'kept',
  'suppressed',
  'dead',
] as const
export const MESSAGE_KINDS = ['email', 'webhook', 'slack', 'teams', 'inbox'] as const
const MAX_ATTEMPTS_SHOWN = 100

export interface MessageFilter extends OpenRange {
  readonly tenantId: string
  readonly statuses: readonly string[] | undefined
  readonly kinds: readonly string[] | undefined
  /** That it asked for, or delivers. */
  readonly workflow: string | undefined
  readonly alert: string | undefined
  readonly entity: string | undefined
  /** Whose words go with this one. */
  readonly group: string | undefined
}

/** Newest first. */
export async function messagePage(
  database: Database,
  filter: MessageFilter,
  page: { readonly limit: number; readonly cursor: string | undefined },
) {
  const ids = [filter.workflow, filter.alert, filter.group]
  if (ids.some((id) => id !== undefined && !isUuid(id))) return { items: [], next: null }
  const conditions = new Conditions().add('tenant_id = $', filter.tenantId)
  if (filter.statuses !== undefined) conditions.add('status = any ($)', filter.statuses)
  if (filter.kinds !== undefined) conditions.add('kind = any ($)', filter.kinds)
  if (filter.workflow !== undefined) {
    const id = conditions.parameter(filter.workflow)
    conditions.addText(`(workflow_id = ${id}::uuid or asked_by = ${id}::uuid)`)
  }
  if (filter.alert !== undefined) conditions.add('alert_id = $::uuid', filter.alert)
  if (filter.entity !== undefined) conditions.add('entity_id = $', filter.entity)
  if (filter.group !== undefined) conditions.add('group_id = $::uuid', filter.group)
  if (filter.fromMs !== undefined) conditions.add('created_at >= $', new Date(filter.fromMs))
  if (filter.toMs !== undefined) conditions.add('created_at < $', new Date(filter.toMs))
  if (page.cursor !== undefined) {
    const [atMs = 0, id = ''] = decodeCursor('messages', ['number', 'string'], page.cursor)
    const at = conditions.parameter(new Date(Number(atMs)))
    conditions.addText(
      `(date_trunc('milliseconds', created_at), id) < (${at}::timestamptz, ${conditions.parameter(id)}::uuid)`,
    )
  }
  const rows = await database.query(
    `select * from message ${conditions.where}
     order by date_trunc('milliseconds', created_at) desc, id desc limit ${conditions.parameter(page.limit + 1)}`,
    conditions.parameters,
  )
  const cut = pageOf(rows, page.limit, (row) =>
    encodeCursor('messages', [epochMsOf(row.created_at), String(row.id)]),
  )
  return { items: cut.rows.map(messageOf), next: cut.next }
}

export async function messageById(
  database: Database,
  { tenantId, id }: { readonly tenantId: string; readonly id: string },
) {
  if (!isUuid(id)) return undefined
  const [row] = await database.query('select * from message where tenant_id = $1 and id = $2', [
    tenantId,
    id,
  ])
  if (row === undefined) return undefined
  const attempts = await database.query(
    `select attempt, at, took_ms, outcome, response from message_attempt where message_id = $1
     order by number desc limit ${MAX_ATTEMPTS_SHOWN}`,
    [id],
  )
  return {
    ...messageOf(row),
    content: contentOf(row.content),
    tries: attempts.toReversed().map((attempt) => ({
      attempt: Number(attempt.attempt),
      at: isoOf(attempt.at),
      tookMs: Number(attempt.took_ms),
      outcome: String(attempt.outcome),
      response: String(attempt.response),
    })),
  }
}

function messageOf(row: SqlRow) {
  return {
    id: String(row.id),
    createdAt: isoOf(row.created_at),
    status: MESSAGE_STATUSES.find((status) => status === row.status) ?? 'queued',
    reason: textOrNull(row.reason),
    kind: MESSAGE_KINDS.find((kind) => kind === row.kind) ?? 'inbox',
    channel: String(row.channel),
    to: shownAddress(String(row.address)),
    subject: String(row.subject),
    severity: String(row.severity),
    category: String(row.category),
    template: String(row.template),
    attempts: Number(row.attempts),
    dueAt: isoOrNull(row.due_at),
    endedAt: isoOrNull(row.ended_at),
    groupId: textOrNull(row.group_id),
    workflowId: String(row.workflow_id),
    askedBy: textOrNull(row.asked_by),
    alertId: textOrNull(row.alert_id),
    entityType: textOrNull(row.entity_type),
    entityId: textOrNull(row.entity_id),
  }
}

/** The path of a web address is often its secret: it is not shown. */
function shownAddress(address: string): string {
  return URL.canParse(address) && /^https?:/.test(address)
    ? `${new URL(address).origin}/…`
    : address
}

function contentOf(value: unknown) {
  const { subject, lines, facts, actions }: Record<string, unknown> = Object(value)
  const list = (items: unknown): readonly unknown[] => (Array.isArray(items) ? items : [])
  return {
    subject: String(subject),
    lines: list(lines).map(String),
    facts: list(facts).map((fact) => ({
      label: String(Object(fact).label),
      value: String(Object(fact).value),
    })),
    actions: list(actions).map((action) => ({
      label: String(Object(action).label),
      url: String(Object(action).url),
    })),
  }
}
