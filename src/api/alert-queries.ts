// Alerts in Postgres: the record of what the engine found, and what people did about it.

import type { Handling } from '../ports/alert.ts'
import type { Database, SqlRow } from '../ports/database.ts'
import type { AlertDocument } from './alert-json.ts'
import { decodeCursor, encodeCursor, pageOf } from './cursor.ts'
import { Conditions, epochMsOf, isoOf, isoOrNull, textOrNull } from './sql-values.ts'
import type { OpenRange } from './validation.ts'

const COLUMNS = `id, rule, rule_version, severity, entity_type, entity_id, status, starts_at, ends_at,
  updated_at, revision, summary, labels, value, peak, event_count, withdrawn, topic, log_partition, log_offset,
  acknowledged_at, acknowledged_by, assignee`

/** Comments and transitions of one alert that are shown, the newest ones. */
const MAX_TIMELINE_ROWS = 1_000

export interface AlertFilter extends OpenRange {
  readonly tenantId: string
  readonly statuses: readonly string[] | undefined
  readonly severities: readonly string[] | undefined
  readonly rules: readonly string[] | undefined
  readonly entity: string | undefined
  readonly acknowledged: boolean | undefined
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
  readonly kind: 'comment' | 'acknowledge' | 'unacknowledge' | 'assign'
}

/** Newest start first. */
export async function alertPage(
  database: Database,
  filter: AlertFilter,
  page: { readonly limit: number; readonly cursor: string | undefined },
) {
  const conditions = conditionsOf(filter)
  if (page.cursor !== undefined) {
    const [atMs = 0, id = ''] = decodeCursor('alerts', ['number', 'string'], page.cursor)
    const startsAt = conditions.parameter(new Date(Number(atMs)))
    conditions.addText(
      `(starts_at, id) < (${startsAt}::timestamptz, ${conditions.parameter(id)}::uuid)`,
    )
  }
  const rows = await database.query(
    `select ${COLUMNS} from alert ${conditions.where}
     order by starts_at desc, id desc limit ${conditions.parameter(page.limit + 1)}`,
    conditions.parameters,
  )
  const cut = pageOf(rows, page.limit, (row) =>
    encodeCursor('alerts', [epochMsOf(row.starts_at), String(row.id)]),
  )
  return { items: cut.rows.map(documentOf), next: cut.next }
}

function conditionsOf(filter: AlertFilter): Conditions {
  const conditions = new Conditions().add('tenant_id = $', filter.tenantId)
  if (filter.statuses !== undefined) conditions.add('status = any ($)', filter.statuses)
  if (filter.severities !== undefined) conditions.add('severity = any ($)', filter.severities)
  if (filter.rules !== undefined) conditions.add('rule = any ($)', filter.rules)
  if (filter.entity !== undefined) conditions.add('entity_id = $', filter.entity)
  if (filter.acknowledged !== undefined) {
    conditions.addText(`acknowledged_at is ${filter.acknowledged ? 'not null' : 'null'}`)
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
    `select ${COLUMNS} from alert where id = $1 and tenant_id = $2`,
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
    `select ${COLUMNS} from alert where tenant_id = $1 and entity_id = $2 and status <> 'resolved'
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
  return rows.map(commentOf)
}

/** How many open alerts there are, by severity and whether somebody took notice. */
export async function openAlertCounts(database: Database, tenantId: string) {
  const rows = await database.query(
    `select severity, count(*) as open, count(*) filter (where acknowledged_at is null) as waiting
     from alert where tenant_id = $1 and status <> 'resolved' group by severity`,
    [tenantId],
  )
  return rows.map((row) => ({
    severity: String(row.severity),
    open: Number(row.open),
    unacknowledged: Number(row.waiting),
  }))
}

/** Handling of the open alerts that have one, for the live feed. */
export async function openAlertHandling(
  database: Database,
): Promise<ReadonlyMap<string, Handling>> {
  const rows = await database.query(
    `select id, acknowledged_at, acknowledged_by, assignee from alert
     where status <> 'resolved' and (acknowledged_at is not null or assignee is not null)
     limit 100000`,
  )
  return new Map(rows.map((row) => [String(row.id), handlingOf(row)]))
}

/** An action on an alert, done and noted in one statement, so that there is never one without the other. */
export interface AlertAction extends AlertKey {
  readonly kind: AlertComment['kind']
  readonly author: string
  readonly text: string
  readonly at: Date
}

/** Keeps the first acknowledgement: of a second one only the note is added. Undefined where there is no such alert. */
export function acknowledge(
  database: Database,
  action: AlertAction,
): Promise<AlertDocument | undefined> {
  return act(
    database,
    action,
    `acknowledged_at = coalesce(acknowledged_at, $3),
     acknowledged_by = coalesce(acknowledged_by, $4)`,
  )
}

export function unacknowledge(
  database: Database,
  action: AlertAction,
): Promise<AlertDocument | undefined> {
  return act(database, action, 'acknowledged_at = null, acknowledged_by = null')
}

export function assign(
  database: Database,
  action: AlertAction,
  assignee: string | null,
): Promise<AlertDocument | undefined> {
  return act(database, action, 'assignee = $7', [assignee])
}

export async function comment(
  database: Database,
  action: AlertAction,
): Promise<AlertComment | undefined> {
  if (!isUuid(action.id)) return undefined
  const [row] = await database.query(
    `insert into alert_comment (alert_id, created_at, author, kind, text)
     select id, $3::timestamptz, $4::text, $5::text, $6::text
     from alert where id = $1 and tenant_id = $2
     returning id, created_at, author, text, kind`,
    parametersOf(action),
  )
  return row === undefined ? undefined : commentOf(row)
}

async function act(
  database: Database,
  action: AlertAction,
  change: string,
  more: readonly (string | null)[] = [],
): Promise<AlertDocument | undefined> {
  if (!isUuid(action.id)) return undefined
  const [row] = await database.query(
    `with changed as (
       update alert set ${change} where id = $1 and tenant_id = $2 returning ${COLUMNS}
     ), noted as (
       insert into alert_comment (alert_id, created_at, author, kind, text)
       select id, $3::timestamptz, $4::text, $5::text, $6::text from changed
     )
     select * from changed`,
    [...parametersOf(action), ...more],
  )
  return row === undefined ? undefined : documentOf(row)
}

function parametersOf({ id, tenantId, at, author, kind, text }: AlertAction) {
  return [id, tenantId, at, author, kind, text]
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Anything else would be an error of the database instead of an alert that does not exist. */
function isUuid(id: string): boolean {
  return UUID.test(id)
}

function handlingOf(row: SqlRow): Handling {
  return {
    acknowledgedAt: isoOrNull(row.acknowledged_at),
    acknowledgedBy: textOrNull(row.acknowledged_by),
    assignee: textOrNull(row.assignee),
  }
}

function positionOf(row: SqlRow): AlertDocument['position'] {
  return {
    topic: String(row.topic),
    partition: Number(row.log_partition),
    offset: Number(row.log_offset),
  }
}

function commentOf(row: SqlRow): AlertComment {
  return {
    id: String(row.id),
    at: isoOf(row.created_at),
    author: String(row.author),
    text: String(row.text),
    kind: kindOf(row.kind),
  }
}

function kindOf(value: unknown): AlertComment['kind'] {
  return value === 'acknowledge' || value === 'unacknowledge' || value === 'assign'
    ? value
    : 'comment'
}

const SEVERITIES = ['critical', 'major', 'minor', 'warning', 'info'] as const
const STATUSES = ['pending', 'firing', 'resolved'] as const

function documentOf(row: SqlRow): AlertDocument {
  return {
    id: String(row.id),
    rule: String(row.rule),
    ruleVersion: Number(row.rule_version),
    severity: SEVERITIES.find((severity) => severity === row.severity) ?? 'info',
    entityType: String(row.entity_type),
    entityId: String(row.entity_id),
    status: STATUSES.find((status) => status === row.status) ?? 'firing',
    startsAt: isoOf(row.starts_at),
    endsAt: isoOrNull(row.ends_at),
    updatedAt: isoOf(row.updated_at),
    revision: Number(row.revision),
    summary: String(row.summary),
    labels: labelsOf(row.labels),
    value: fieldsOf(row.value),
    peak: fieldsOf(row.peak),
    count: Number(row.event_count),
    withdrawn: row.withdrawn === true,
    position: positionOf(row),
    ...handlingOf(row),
  }
}

function labelsOf(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(Object(value)).map(([name, text]) => [name, `${text}`]))
}

function fieldsOf(value: unknown): AlertDocument['value'] {
  const fields: AlertDocument['value'] = {}
  for (const [name, field] of Object.entries(Object(value))) {
    const plain =
      typeof field === 'string' || typeof field === 'number' || typeof field === 'boolean'
    fields[name] = plain ? field : null
  }
  return fields
}
