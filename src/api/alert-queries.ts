// Alerts in Postgres: the record of what the engine found, and what people did about it.

import { isUuid } from '../kernel/ids.ts'
import { toIso } from '../kernel/time.ts'
import type { Handling } from '../ports/alert.ts'
import type { Database } from '../ports/database.ts'
import { Conditions } from '../ports/sql-conditions.ts'
import type { HandledAlert } from '../ports/views.ts'
import { MAX_HANDLED_ALERTS } from './alert-handling.ts'
import type { AlertCommentKind, AlertDocument } from './alert-json.ts'
import {
  ALERT_COLUMNS,
  documentOf,
  handledAlert,
  handlingOf,
  kindOf,
  positionOf,
} from './alert-rows.ts'
import { decodeCursor, encodeCursor, pageOf } from './cursor.ts'
import { isoOf } from './sql-values.ts'
import type { OpenRange } from './validation.ts'

/** Comments and transitions of one alert that are shown, the newest ones. */
const MAX_TIMELINE_ROWS = 1_000

export interface AlertFilter extends OpenRange {
  readonly tenantId: string
  readonly statuses: readonly string[] | undefined
  readonly severities: readonly string[] | undefined
  readonly rules: readonly string[] | undefined
  readonly entity: string | undefined
  readonly acknowledged: boolean | undefined
  readonly assignee: string | undefined
  /** Silenced or inhibited. */
  readonly suppressed: boolean | undefined
  readonly falseAlarm: boolean | undefined
  /** Named by this notification. */
  readonly notification: string | undefined
}

export interface AlertTransition {
  readonly status: string
  readonly at: string
  readonly revision: number
  readonly severity: string
  readonly summary: string
  readonly position: AlertDocument['position']
}

export interface AlertComment {
  readonly id: string
  readonly at: string
  readonly author: string
  readonly text: string
  readonly kind: AlertCommentKind
}

/** Newest start first; `pending` are alerts that stand nowhere in the database, in any order. */
export async function alertPage(
  database: Database,
  filter: AlertFilter,
  {
    pending = [],
    ...page
  }: {
    readonly limit: number
    readonly cursor: string | undefined
    readonly pending?: readonly AlertDocument[]
  },
): Promise<{ readonly items: readonly AlertDocument[]; readonly next: string | null }> {
  if (filter.notification !== undefined && !isUuid(filter.notification)) {
    return { items: [], next: null }
  }
  const conditions = conditionsOf(filter)
  let unseen = pending
  if (page.cursor !== undefined) {
    const [atMs = 0, id = ''] = decodeCursor('alerts', ['number', 'string'], page.cursor)
    const startsAt = conditions.parameter(new Date(Number(atMs)))
    conditions.addText(
      `(starts_at, id) < (${startsAt}::timestamptz, ${conditions.parameter(id)}::uuid)`,
    )
    const last = { startsAt: toIso(Number(atMs)), id: String(id) }
    unseen = pending.filter((alert) => newestFirst(last, alert) < 0)
  }
  const rows = await database.query(
    `select ${ALERT_COLUMNS} from alert ${conditions.where}
     order by starts_at desc, id desc limit ${conditions.parameter(page.limit + 1)}`,
    conditions.parameters,
  )
  const found = [...rows.map(documentOf), ...unseen].sort(newestFirst)
  const cut = pageOf(found, page.limit, ({ startsAt, id }) =>
    encodeCursor('alerts', [Date.parse(startsAt), id]),
  )
  return { items: cut.rows, next: cut.next }
}

type PlaceInList = Pick<AlertDocument, 'startsAt' | 'id'>

/** As the database orders them. */
function newestFirst(a: PlaceInList, b: PlaceInList): number {
  const apartMs = Date.parse(b.startsAt) - Date.parse(a.startsAt)
  if (apartMs !== 0 || a.id === b.id) return apartMs
  return a.id < b.id ? 1 : -1
}

function conditionsOf(filter: AlertFilter): Conditions {
  const conditions = new Conditions().add('tenant_id = $', filter.tenantId)
  if (filter.statuses !== undefined) conditions.add('shown_status = any ($)', filter.statuses)
  if (filter.severities !== undefined) conditions.add('severity = any ($)', filter.severities)
  if (filter.rules !== undefined) conditions.add('rule = any ($)', filter.rules)
  if (filter.entity !== undefined) conditions.add('entity_id = $', filter.entity)
  if (filter.acknowledged !== undefined) {
    conditions.addText(`acknowledged_at is ${filter.acknowledged ? 'not null' : 'null'}`)
  }
  if (filter.assignee !== undefined) conditions.add('assignee = $', filter.assignee)
  if (filter.suppressed !== undefined) {
    conditions.addText(`(silenced_by = '{}' and inhibited_by = '{}') is ${!filter.suppressed}`)
  }
  if (filter.falseAlarm !== undefined) {
    conditions.addText(`false_alarm_at is ${filter.falseAlarm ? 'not null' : 'null'}`)
  }
  if (filter.notification !== undefined) {
    conditions.add(
      'id in (select alert_id from notification_alert where notification_id = $::uuid)',
      filter.notification,
    )
  }
  if (filter.fromMs !== undefined) conditions.add('starts_at >= $', new Date(filter.fromMs))
  if (filter.toMs !== undefined) conditions.add('starts_at < $', new Date(filter.toMs))
  return conditions
}

export interface AlertKey {
  readonly id: string
  readonly tenantId: string
}

export async function alertById(
  database: Database,
  { id, tenantId }: AlertKey,
): Promise<AlertDocument | undefined> {
  if (!isUuid(id)) return undefined
  const [row] = await database.query(
    `select ${ALERT_COLUMNS} from alert where id = $1 and tenant_id = $2`,
    [id, tenantId],
  )
  return row === undefined ? undefined : documentOf(row)
}

/** Open alerts of one entity, newest first. */
export async function openAlertsOf(
  database: Database,
  { entityId, tenantId }: { readonly entityId: string; readonly tenantId: string },
): Promise<readonly AlertDocument[]> {
  const rows = await database.query(
    `select ${ALERT_COLUMNS} from alert where tenant_id = $1 and entity_id = $2 and shown_status <> 'resolved'
     order by starts_at desc, id desc limit 100`,
    [tenantId, entityId],
  )
  return rows.map(documentOf)
}

export async function transitionsOf(
  database: Database,
  { id, tenantId }: AlertKey,
): Promise<readonly AlertTransition[]> {
  const rows = await database.query(
    `select * from (
       select t.status, t.at, t.revision, t.severity, t.document ->> 'summary' as summary,
         t.document #>> '{changedBy,topic}' as topic,
         t.document #>> '{changedBy,partition}' as log_partition,
         t.document #>> '{changedBy,offset}' as log_offset
       from alert_transition t join alert on alert.id = t.alert_id
       where t.alert_id = $1 and alert.tenant_id = $2
       order by t.revision desc limit ${MAX_TIMELINE_ROWS}
     ) newest order by revision`,
    [id, tenantId],
  )
  return rows.map((row) => ({
    status: String(row.status),
    at: isoOf(row.at),
    revision: Number(row.revision),
    severity: String(row.severity),
    summary: String(row.summary),
    position: positionOf(row),
  }))
}

export async function commentsOf(
  database: Database,
  { id, tenantId }: AlertKey,
): Promise<readonly AlertComment[]> {
  const rows = await database.query(
    `select * from (
       select c.id, c.created_at, c.author, c.text, c.kind
       from alert_comment c join alert on alert.id = c.alert_id
       where c.alert_id = $1 and alert.tenant_id = $2
       order by c.created_at desc, c.id desc limit ${MAX_TIMELINE_ROWS}
     ) newest order by created_at, id`,
    [id, tenantId],
  )
  return rows.map((row) => ({
    id: String(row.id),
    at: isoOf(row.created_at),
    author: String(row.author),
    text: String(row.text),
    kind: kindOf(row.kind),
  }))
}

/** How many open alerts there are, by severity and whether somebody took notice. */
export async function openAlertCounts(database: Database, tenantId: string) {
  const rows = await database.query(
    `select severity, count(*) as open, count(*) filter (where acknowledged_at is null and silenced_by = '{}' and inhibited_by = '{}') as waiting,
       count(*) filter (where silenced_by <> '{}' or inhibited_by <> '{}') as suppressed
     from alert where tenant_id = $1 and shown_status <> 'resolved' group by severity`,
    [tenantId],
  )
  return rows.map((row) => ({
    severity: String(row.severity),
    open: Number(row.open),
    unacknowledged: Number(row.waiting),
    suppressed: Number(row.suppressed),
  }))
}

/** Handling of the open alerts that have one, for the live feed. */
export async function openAlertHandling(
  database: Database,
): Promise<ReadonlyMap<string, Handling>> {
  const rows = await database.query(
    `select ${ALERT_COLUMNS} from alert
     where shown_status <> 'resolved' and handled_at is not null
        or status <> 'resolved' and resolved_at is not null
     order by handled_at desc limit ${MAX_HANDLED_ALERTS}`,
  )
  return new Map(rows.map((row) => [String(row.id), handlingOf(row)]))
}

/** Some alerts with what was done about them, as the live feed tells it. */
export async function handledDocuments(
  database: Database,
  ids: readonly string[],
): Promise<readonly HandledAlert[]> {
  const rows = await database.query(
    `select tenant_id, ${ALERT_COLUMNS} from alert where id = any ($1::uuid[])`,
    [ids],
  )
  return rows.map((row) => handledAlert(String(row.tenant_id), row))
}
