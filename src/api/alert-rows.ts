// Rows of the table `alert` as documents.

import type { Handling } from '../ports/alert.ts'
import type { SqlRow } from '../ports/database.ts'
import type { HandledAlert } from '../ports/views.ts'
import { SEVERITIES } from './alert-handling.ts'
import {
  ALERT_COMMENT_KINDS,
  type AlertCommentKind,
  type AlertDocument,
  handlingFields,
} from './alert-json.ts'
import { isoOf, isoOrNull, textOrNull } from './sql-values.ts'

export const ALERT_COLUMNS = `id, rule, rule_version, severity, entity_type, entity_id, status, shown_status,
  starts_at, ends_at, updated_at, revision, summary, labels, value, peak, event_count, withdrawn, topic,
  log_partition, log_offset, acknowledged_at, acknowledged_by, assignee, resolved_at, resolved_by,
  resolved_severity, false_alarm_at, false_alarm_by, silenced_by, inhibited_by, handling_revision`

const STATUSES = ['pending', 'firing', 'resolved'] as const

export function documentOf(row: SqlRow): AlertDocument {
  return {
    id: String(row.id),
    rule: String(row.rule),
    ruleVersion: Number(row.rule_version),
    severity: severityOf(row.severity) ?? 'info',
    entityType: String(row.entity_type),
    entityId: String(row.entity_id),
    status: statusOf(row.shown_status),
    streamStatus: statusOf(row.status),
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
    ...handlingFields(handlingOf(row)),
  }
}

/** As the live feed tells what was done. */
export function handledAlert(tenantId: string, row: SqlRow): HandledAlert {
  const document = documentOf(row)
  return {
    id: document.id,
    tenantId,
    isResolved: document.status === 'resolved',
    json: JSON.stringify(document),
    handling: handlingOf(row),
  }
}

export function handlingOf(row: SqlRow): Handling {
  return {
    acknowledgedAt: isoOrNull(row.acknowledged_at),
    acknowledgedBy: textOrNull(row.acknowledged_by),
    assignee: textOrNull(row.assignee),
    resolvedAt: isoOrNull(row.resolved_at),
    resolvedBy: textOrNull(row.resolved_by),
    resolvedSeverity: severityOf(row.resolved_severity) ?? null,
    falseAlarmAt: isoOrNull(row.false_alarm_at),
    falseAlarmBy: textOrNull(row.false_alarm_by),
    silencedBy: textsOf(row.silenced_by),
    inhibitedBy: textsOf(row.inhibited_by),
    handlingRevision: Number(row.handling_revision),
  }
}

export function positionOf(row: SqlRow): AlertDocument['position'] {
  return {
    topic: String(row.topic),
    partition: Number(row.log_partition),
    offset: Number(row.log_offset),
  }
}

export function kindOf(value: unknown): AlertCommentKind {
  return ALERT_COMMENT_KINDS.find((kind) => kind === value) ?? 'comment'
}

export function severityOf(value: unknown): AlertDocument['severity'] | undefined {
  return SEVERITIES.find((severity) => severity === value)
}

export function statusOf(value: unknown): AlertDocument['status'] {
  return STATUSES.find((status) => status === value) ?? 'firing'
}

export function labelsOf(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(Object(value)).map(([name, text]) => [name, `${text}`]))
}

export function fieldsOf(value: unknown): AlertDocument['value'] {
  const fields: AlertDocument['value'] = {}
  for (const [name, field] of Object.entries(Object(value))) {
    const plain =
      typeof field === 'string' || typeof field === 'number' || typeof field === 'boolean'
    fields[name] = plain ? field : null
  }
  return fields
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}
