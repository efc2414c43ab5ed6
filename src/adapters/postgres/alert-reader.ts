// Alerts and notifications for workflows, as they are now.

import type pg from 'pg'
import { isUuid } from '../../kernel/ids.ts'
import { together } from '../../kernel/together.ts'
import type { AlertFacts, AlertReader, NotificationFacts } from '../../ports/alert-reader.ts'
import type { NotificationKind } from '../../ports/routing-store.ts'
import { queryOf } from './database.ts'
import { storable } from './stored-text.ts'

type Row = Readonly<Record<string, unknown>>

const COLUMNS = `a.id, a.tenant_id, a.rule, a.severity, a.entity_type, a.entity_id, a.summary, a.shown_status,
  a.acknowledged_by, a.labels, a.value, a.starts_at, a.withdrawn,
  a.silenced_by <> '{}' OR a.inhibited_by <> '{}' AS quiet`

export function createAlertReader(pool: pg.Pool): AlertReader {
  const query = queryOf(pool)
  const alert = together(async (ids: readonly string[]) => {
    const sql = `SELECT ${COLUMNS} FROM alert a WHERE id = ANY ($1::uuid[])`
    const { rows } = await query('Cannot read alerts', sql, [ids])
    const alerts = new Map(rows.map((row) => [String(row.id), alertOf(row)]))
    return ids.map((id) => alerts.get(id.toLowerCase()))
  })
  const comment = together(async (lines: readonly Line[]) => {
    await query(
      'Cannot write on the timelines of alerts',
      `INSERT INTO alert_comment (alert_id, author, text, cause_id)
       SELECT alert.id, author, text, cause_id
       FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) WITH ORDINALITY
           AS line (alert_id, author, text, cause_id, number)
         JOIN alert ON alert.id = line.alert_id ORDER BY number
       ON CONFLICT (cause_id) DO NOTHING`,
      [
        lines.map(({ alertId }) => alertId),
        lines.map(({ author }) => storable(author)),
        lines.map(({ text }) => storable(text)),
        lines.map(({ id }) => id),
      ],
    )
    return lines
  })
  return {
    alert: async (id) => (isUuid(id) ? alert(id) : undefined),
    async notification(id, limit) {
      const {
        rows: [row],
      } = await query('Cannot read a notification', 'SELECT * FROM notification WHERE id = $1', [
        id,
      ])
      if (row === undefined) return undefined
      const { rows: alerts } = await query(
        'Cannot read the alerts of a notification',
        `SELECT ${COLUMNS} FROM notification_alert n JOIN alert a ON a.id = n.alert_id
         WHERE n.notification_id = $1
         ORDER BY n.status, severity_rank(a.severity) DESC, a.starts_at DESC, a.id LIMIT $2`,
        [id, limit],
      )
      return notificationOf(row, alerts.map(alertOf))
    },
    async acknowledge(alertId, author) {
      if (!isUuid(alertId)) return
      await query(
        'Cannot acknowledge an alert',
        `WITH handled AS (
           UPDATE alert SET acknowledged_at = now(), acknowledged_by = $2, handled_at = now(),
             handling_revision = handling_revision + 1
           WHERE id = $1 AND acknowledged_at IS NULL RETURNING id
         ), told AS (
           INSERT INTO alert_change (alert_id, untold) SELECT id, true FROM handled
         )
         INSERT INTO alert_comment (alert_id, author, kind, text) SELECT id, $2, 'acknowledge', '' FROM handled`,
        [alertId, storable(author)],
      )
    },
    async comment(alertId, line) {
      if (isUuid(alertId)) await comment({ alertId, ...line })
    },
  }
}

interface Line {
  readonly alertId: string
  readonly id: string
  readonly author: string
  readonly text: string
}

const KINDS: readonly NotificationKind[] = ['firing', 'resolved', 'repeat', 'escalation']

function notificationOf(row: Row, alerts: readonly AlertFacts[]): NotificationFacts {
  return {
    id: String(row.id),
    tenantId: String(row.tenant_id),
    kind: KINDS.find((kind) => kind === row.kind) ?? 'firing',
    receiver: String(row.receiver),
    channels: Array.isArray(row.channels) ? row.channels.map(String) : [],
    firing: Number(row.firing_count),
    resolved: Number(row.resolved_count),
    alerts,
  }
}

function alertOf(row: Row): AlertFacts {
  const labels = Object.entries(Object(row.labels)).map(([name, value]) => [name, String(value)])
  return {
    id: String(row.id),
    tenantId: String(row.tenant_id),
    rule: String(row.rule),
    severity: String(row.severity),
    entityType: String(row.entity_type),
    entityId: String(row.entity_id),
    summary: String(row.summary),
    status: row.withdrawn === true ? 'resolved' : String(row.shown_status),
    acknowledgedBy: typeof row.acknowledged_by === 'string' ? row.acknowledged_by : null,
    isQuiet: row.quiet === true,
    labels: Object.fromEntries(labels),
    value: Object(row.value),
    startsAtMs: row.starts_at instanceof Date ? row.starts_at.getTime() : 0,
  }
}
