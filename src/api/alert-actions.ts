// What people do about alerts, done and noted in one statement, so that there is never one without the
// other. What is done already is not done again; only what was said about it is kept.

import { isUuid } from '../kernel/ids.ts'
import type { Database } from '../ports/database.ts'
import type { HandledAlert } from '../ports/views.ts'
import type { AlertDocument } from './alert-json.ts'
import type { AlertComment } from './alert-queries.ts'
import { ALERT_COLUMNS, documentOf, handledAlert, kindOf } from './alert-rows.ts'
import { isoOf } from './sql-values.ts'

export const ACTIONS = [
  'acknowledge',
  'unacknowledge',
  'assign',
  'resolve',
  'reopen',
  'false-alarm',
  'not-false-alarm',
] as const
export type ActionKind = (typeof ACTIONS)[number]

export interface AlertAction {
  readonly ids: readonly string[]
  readonly tenantId: string
  readonly kind: ActionKind
  readonly author: string
  /** What was said with it; may be empty. */
  readonly note: string
  readonly at: Date
  /** Of `assign`; null takes it from whoever had it. */
  readonly assignee: string | null
}

interface Change {
  /** SQL that is true where there is something to do. */
  readonly due: string
  /** `$3` is when, `$4` who, `$5` the assignee. */
  readonly set: string
}

const CHANGES: Readonly<Record<ActionKind, Change>> = {
  acknowledge: {
    due: 'acknowledged_at is null',
    set: 'acknowledged_at = $3, acknowledged_by = $4',
  },
  unacknowledge: {
    due: 'acknowledged_at is not null',
    set: 'acknowledged_at = null, acknowledged_by = null',
  },
  assign: { due: 'assignee is distinct from $5', set: 'assignee = $5' },
  resolve: {
    due: "shown_status <> 'resolved'",
    set: 'resolved_at = $3, resolved_by = $4, resolved_severity = severity',
  },
  reopen: {
    due: 'resolved_at is not null',
    set: 'resolved_at = null, resolved_by = null, resolved_severity = null',
  },
  'false-alarm': {
    due: 'false_alarm_at is null',
    set: 'false_alarm_at = $3, false_alarm_by = $4',
  },
  'not-false-alarm': {
    due: 'false_alarm_at is not null',
    set: 'false_alarm_at = null, false_alarm_by = null',
  },
}

export interface ActedAlert {
  readonly document: AlertDocument
  readonly handled: HandledAlert
}

/** The alerts as they are afterwards; those that do not exist, or belong to others, are left out. */
export async function act(database: Database, action: AlertAction): Promise<readonly ActedAlert[]> {
  const { kind, tenantId, at, author, assignee, note } = action
  const ids = action.ids.filter(isUuid)
  if (ids.length === 0) return []
  const { due, set } = CHANGES[kind]
  const said = kind === 'assign' ? (assignee ?? '') : note
  const rows = await database.query(
    `with target as (
       select id as target_id, (${due}) as due from alert
       where id = any ($1::uuid[]) and tenant_id = $2
         and num_nulls($3::timestamptz, $4::text, $5::text) >= 0
       order by id for update
     ), changed as (
       update alert set ${set}, handled_at = now(), handling_revision = handling_revision + 1
       from target where id = target_id and due
       returning ${ALERT_COLUMNS}
     ), noted as (
       insert into alert_comment (alert_id, created_at, author, kind, text)
       select target_id, $3, $4, case when due then $6 else 'comment' end, case when due then $7 else $8 end
       from target where due or $8 <> ''
     )
     select * from changed
     union all
     select ${ALERT_COLUMNS} from alert join target on id = target_id where not due`,
    [ids, tenantId, at, author, assignee, kind, said, note],
  )
  return rows.map((row) => ({
    document: documentOf(row),
    handled: handledAlert(tenantId, row),
  }))
}

/** Undefined where there is no such alert. */
export async function comment(
  database: Database,
  said: Pick<AlertAction, 'tenantId' | 'at' | 'author'> & {
    readonly id: string
    readonly text: string
  },
): Promise<AlertComment | undefined> {
  if (!isUuid(said.id)) return undefined
  const [row] = await database.query(
    `insert into alert_comment (alert_id, created_at, author, kind, text)
     select id, $3::timestamptz, $4::text, 'comment', $5::text
     from alert where id = $1 and tenant_id = $2
     returning id, created_at, author, text, kind`,
    [said.id, said.tenantId, said.at, said.author, said.text],
  )
  if (row === undefined) return undefined
  return {
    id: String(row.id),
    at: isoOf(row.created_at),
    author: String(row.author),
    text: String(row.text),
    kind: kindOf(row.kind),
  }
}
