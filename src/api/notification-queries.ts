// Notifications in Postgres, as the routing left them.

import { isUuid } from '../kernel/ids.ts'
import type { Database, SqlRow } from '../ports/database.ts'
import { Conditions } from '../ports/sql-conditions.ts'
import { labelsOf } from './alert-rows.ts'
import { decodeCursor, encodeCursor, pageOf } from './cursor.ts'
import { epochMsOf, isoOf, textOrNull } from './sql-values.ts'
import type { OpenRange } from './validation.ts'

export interface NotificationFilter extends OpenRange {
  readonly tenantId: string
  readonly kinds: readonly string[] | undefined
  readonly receiver: string | undefined
  /** That name this alert. */
  readonly alert: string | undefined
}

/** Newest first. */
export async function notificationPage(
  database: Database,
  filter: NotificationFilter,
  page: { readonly limit: number; readonly cursor: string | undefined },
) {
  if (filter.alert !== undefined && !isUuid(filter.alert)) return { items: [], next: null }
  const conditions = new Conditions().add('tenant_id = $', filter.tenantId)
  if (filter.kinds !== undefined) conditions.add('kind = any ($)', filter.kinds)
  if (filter.receiver !== undefined) conditions.add('receiver = $', filter.receiver)
  if (filter.alert !== undefined) {
    conditions.add(
      'id in (select notification_id from notification_alert where alert_id = $::uuid)',
      filter.alert,
    )
  }
  if (filter.fromMs !== undefined) conditions.add('at >= $', new Date(filter.fromMs))
  if (filter.toMs !== undefined) conditions.add('at < $', new Date(filter.toMs))
  if (page.cursor !== undefined) {
    const [atMs = 0, id = ''] = decodeCursor('notifications', ['number', 'string'], page.cursor)
    const at = conditions.parameter(new Date(Number(atMs)))
    conditions.addText(`(at, id) < (${at}::timestamptz, ${conditions.parameter(id)}::uuid)`)
  }
  const rows = await database.query(
    `select * from notification ${conditions.where}
     order by at desc, id desc limit ${conditions.parameter(page.limit + 1)}`,
    conditions.parameters,
  )
  const cut = pageOf(rows, page.limit, (row) =>
    encodeCursor('notifications', [epochMsOf(row.at), String(row.id)]),
  )
  return { items: cut.rows.map(notificationOf), next: cut.next }
}

export async function routingInForce(database: Database) {
  const [row] = await database.query(
    `select source, document, problem, (select count(*) from alert_group) as groups,
       (select count(*) from alert_change) as changes
     from alert_router`,
  )
  return {
    source: String(row?.source),
    document: String(row?.document),
    problem: textOrNull(row?.problem),
    openGroups: Number(row?.groups),
    waitingChanges: Number(row?.changes),
  }
}

const KINDS = ['firing', 'resolved', 'repeat', 'escalation'] as const

function notificationOf(row: SqlRow) {
  return {
    id: String(row.id),
    at: isoOf(row.at),
    kind: KINDS.find((kind) => kind === row.kind) ?? 'firing',
    step: Number(row.step),
    receiver: String(row.receiver),
    channels: Array.isArray(row.channels) ? row.channels.map(String) : [],
    route: String(row.route),
    groupId: String(row.group_id),
    sequence: Number(row.sequence),
    groupLabels: labelsOf(row.group_labels),
    firing: Number(row.firing_count),
    resolved: Number(row.resolved_count),
  }
}
