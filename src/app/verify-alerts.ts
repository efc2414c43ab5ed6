// Runs history with the rules that were in force, as the journal has them, and holds every recorded alert
// against what comes out: all of it, byte for byte.

import { type EpochMs, toIso } from '../kernel/time.ts'
import type { Alert } from '../ports/alert.ts'
import type { Database, SqlRow } from '../ports/database.ts'
import type { HistoryRun } from './replay.ts'

export const MAX_LISTED_DIFFERENCES = 20

export interface AlertAudit {
  readonly topic: string
  readonly events: number
  readonly alerts: number
  /** Recorded, but history does not give them. */
  readonly unexpected: number
  /** History gives them, but they are not recorded. */
  readonly missing: number
  /** In both, but not the same. */
  readonly different: number
  readonly examples: readonly { readonly id: string; readonly problem: string }[]
}

export interface VerifyAlertsOptions {
  readonly run: HistoryRun
  /** Topic as the log calls it. */
  readonly topic: string
  readonly database: Database
  /** A program is running: what it records meanwhile is news, no fault. */
  readonly beside: boolean
  readonly nowMs: EpochMs
  readonly progress: (events: number, ofEvents: number) => void
}

/** What the passing of time decides is recorded a little later than it is dated. */
const NEWS_GRACE_MS = 10_000

export async function verifyAlerts(options: VerifyAlertsOptions): Promise<AlertAudit> {
  const { topic } = options
  const expected = new Map<string, Alert>()
  const events = await options.run((alert) => expected.set(alert.id, alert), options.progress)
  const examples: { id: string; problem: string }[] = []
  const say = (id: string, problem: string): void => {
    if (examples.length < MAX_LISTED_DIFFERENCES) examples.push({ id, problem })
  }
  let alerts = 0
  let unexpected = 0
  let different = 0
  for await (const rows of options.database.stream(
    'SELECT * FROM alert WHERE topic = $1 ORDER BY log_partition, log_offset, id',
    [topic],
    { batchRows: 2_000 },
  )) {
    for (const row of rows) {
      const id = String(row.id)
      const alert = expected.get(id)
      expected.delete(id)
      if (isNews(row, alert, options)) continue
      alerts++
      if (alert === undefined) {
        unexpected++
        say(id, `${row.rule} of ${row.entity_id} is recorded, but history does not give it`)
        continue
      }
      const fields = differingFields(row, alert)
      if (fields.length === 0) continue
      different++
      say(id, `${alert.rule} of ${alert.entityId} differs in ${fields.join(', ')}`)
    }
  }
  for (const { id, rule, entityId } of expected.values()) {
    say(id, `${rule} of ${entityId} follows from history, but is not recorded`)
  }
  return { topic, events, alerts, unexpected, missing: expected.size, different, examples }
}

export function alertsAreClean(audits: readonly AlertAudit[]): boolean {
  return audits.every(
    ({ unexpected, missing, different }) => unexpected + missing + different === 0,
  )
}

function isNews(
  row: SqlRow,
  alert: Alert | undefined,
  { beside, nowMs }: VerifyAlertsOptions,
): boolean {
  if (!beside) return false
  if (alert !== undefined && Number(row.revision) > alert.revision) return true
  const receivedAtMs = row.received_at instanceof Date ? row.received_at.getTime() : 0
  return alert === undefined && receivedAtMs >= nowMs - NEWS_GRACE_MS
}

function differingFields(row: SqlRow, alert: Alert): readonly string[] {
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['rule', row.rule, alert.rule],
    ['ruleVersion', Number(row.rule_version), alert.ruleVersion],
    ['tenantId', row.tenant_id, alert.tenantId],
    ['severity', row.severity, alert.severity],
    ['entityType', row.entity_type, alert.entityType],
    ['entityId', row.entity_id, alert.entityId],
    ['status', row.status, alert.status],
    ['startsAt', isoOf(row.starts_at), toIso(alert.startsAtMs)],
    ['endsAt', isoOf(row.ends_at), alert.endsAtMs === null ? null : toIso(alert.endsAtMs)],
    ['updatedAt', isoOf(row.updated_at), toIso(alert.updatedAtMs)],
    ['revision', Number(row.revision), alert.revision],
    ['summary', row.summary, alert.summary],
    ['labels', sorted(row.labels), sorted(alert.labels)],
    ['value', sorted(row.value), sorted(alert.value)],
    ['peak', sorted(row.peak), sorted(alert.peak)],
    ['count', Number(row.event_count), alert.count],
    ['withdrawn', row.withdrawn, alert.withdrawn],
    ['partition', Number(row.log_partition), alert.position.partition],
    ['offset', Number(row.log_offset), alert.position.offset],
    ['changedBy', sorted(row.changed_by), sorted(alert.changedBy)],
    ['receivedAt', isoOf(row.received_at), toIso(alert.receivedAtMs)],
  ]
  return pairs.filter(([, recorded, replayed]) => recorded !== replayed).map(([name]) => name)
}

function isoOf(value: unknown): string | null {
  return value instanceof Date ? value.toISOString() : null
}

/** PostgreSQL keeps fields in an order of its own. */
function sorted(value: unknown): string {
  const entries = Object.entries(Object(value)).map(
    ([name, each]) => [name, typeof each === 'number' ? each + 0 : each] as const,
  )
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}
