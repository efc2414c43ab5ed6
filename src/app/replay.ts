// Replays a topic's history and compares the alerts with those that were recorded.

import { type EpochMs, toIso } from '../kernel/time.ts'
import type { Alert } from '../ports/alert.ts'
import type { CheckpointStore } from '../ports/checkpoint-store.ts'
import type { Database, SqlRow } from '../ports/database.ts'
import type { ReferenceStore } from '../ports/reference-source.ts'
import { runHistory } from '../streams/history.ts'
import type { AnyPipeline } from '../streams/pipeline.ts'

/** Alerts listed of each kind of difference; the counts are complete. */
export const MAX_LISTED_ALERTS = 1_000

export interface ReplayOptions {
  readonly pipeline: AnyPipeline
  /** Topic as the log calls it. */
  readonly topic: string
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
  readonly database: Database
  readonly store: CheckpointStore
  readonly references: ReferenceStore
  readonly progress?: (events: number, ofEvents: number) => void
}

export interface ReplayedAlert {
  readonly id: string
  readonly rule: string
  readonly entityId: string
  readonly severity: string
  readonly status: string
  readonly startsAt: string
  readonly endsAt: string | null
  readonly summary: string
}

export interface ReplayReport {
  readonly topic: string
  readonly events: number
  readonly alerts: number
  readonly same: number
  /** In the replay, but not recorded. */
  readonly added: readonly ReplayedAlert[]
  /** Recorded, but not in the replay. */
  readonly gone: readonly ReplayedAlert[]
  /** In both, but different. */
  readonly changed: readonly {
    readonly recorded: ReplayedAlert
    readonly replayed: ReplayedAlert
  }[]
  readonly counts: { readonly added: number; readonly gone: number; readonly changed: number }
}

export async function replay(options: ReplayOptions): Promise<ReplayReport> {
  const { database, pipeline, topic } = options
  const tasks = await database.query(
    'SELECT log_partition, next_offset FROM task WHERE pipeline = $1 ORDER BY log_partition',
    [pipeline.name],
  )
  const ofEvents = tasks.reduce((sum, row) => sum + Number(row.next_offset), 0)
  const replayed = new Map<string, Alert>()
  let events = 0
  for (const row of tasks) {
    const partition = Number(row.log_partition)
    const toOffset = Number(row.next_offset)
    for await (const step of runHistory({ ...options, partition, toOffset })) {
      for (const alert of step.alerts) replayed.set(alert.id, alert)
      events += step.events
      options.progress?.(events, ofEvents)
    }
  }
  const within = [...replayed.values()].filter(
    ({ startsAtMs }) => startsAtMs >= options.fromMs && startsAtMs < options.toMs,
  )
  const recorded = await recordedAlerts(options, topic)
  return { topic, events, ...compare(within.map(shown), recorded) }
}

async function recordedAlerts(
  { database, fromMs, toMs }: ReplayOptions,
  topic: string,
): Promise<readonly ReplayedAlert[]> {
  const rows: ReplayedAlert[] = []
  const batches = database.stream(
    `SELECT id, rule, entity_id, severity, status, starts_at, ends_at, summary FROM alert
     WHERE topic = $1 AND starts_at >= $2 AND starts_at < $3 ORDER BY starts_at, id`,
    [topic, new Date(fromMs), new Date(toMs)],
    { batchRows: 5_000 },
  )
  for await (const batch of batches) rows.push(...batch.map(recordedAlert))
  return rows
}

function recordedAlert(row: SqlRow): ReplayedAlert {
  return {
    id: String(row.id),
    rule: String(row.rule),
    entityId: String(row.entity_id),
    severity: String(row.severity),
    status: String(row.status),
    startsAt: isoOf(row.starts_at) ?? '',
    endsAt: isoOf(row.ends_at),
    summary: String(row.summary),
  }
}

function isoOf(value: unknown): string | null {
  return value instanceof Date ? value.toISOString() : null
}

function shown(alert: Alert): ReplayedAlert {
  const { id, rule, entityId, severity, status, startsAtMs, endsAtMs, summary } = alert
  const endsAt = endsAtMs === null ? null : toIso(endsAtMs)
  return { id, rule, entityId, severity, status, startsAt: toIso(startsAtMs), endsAt, summary }
}

function compare(
  replayed: readonly ReplayedAlert[],
  recorded: readonly ReplayedAlert[],
): Omit<ReplayReport, 'topic' | 'events'> {
  const known = new Map(recorded.map((alert) => [alert.id, alert]))
  const added: ReplayedAlert[] = []
  const changed: { recorded: ReplayedAlert; replayed: ReplayedAlert }[] = []
  let same = 0
  for (const alert of replayed) {
    const before = known.get(alert.id)
    known.delete(alert.id)
    if (before === undefined) added.push(alert)
    else if (JSON.stringify(before) === JSON.stringify(alert)) same++
    else changed.push({ recorded: before, replayed: alert })
  }
  const gone = [...known.values()]
  return {
    alerts: replayed.length,
    same,
    added: added.slice(0, MAX_LISTED_ALERTS),
    gone: gone.slice(0, MAX_LISTED_ALERTS),
    changed: changed.slice(0, MAX_LISTED_ALERTS),
    counts: { added: added.length, gone: gone.length, changed: changed.length },
  }
}
