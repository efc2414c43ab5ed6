// Replays a topic's history and compares the alerts with those that were recorded.

import { storable } from '../adapters/postgres/stored-text.ts'
import { type EpochMs, toIso } from '../kernel/time.ts'
import type { Alert } from '../ports/alert.ts'
import type { CheckpointStore } from '../ports/checkpoint-store.ts'
import type { Database, SqlRow } from '../ports/database.ts'
import type { ReferenceStore } from '../ports/reference-source.ts'
import { runHistory } from '../streams/history.ts'
import type { AnyPipeline } from '../streams/pipeline.ts'
import type { BroadcastLog } from '../streams/shared-feeds.ts'
import {
  type AlertDifference,
  differenceOf,
  type RecordedAlert,
  type ReplayedAlert,
} from './alert-difference.ts'

export interface ReplayOptions {
  readonly run: HistoryRun
  /** Topic as the log calls it. */
  readonly topic: string
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
  /** Compares alerts of these rules only; null compares all of the topic. */
  readonly rules: readonly string[] | null
  /** Alerts of this tenant only; null: of all. */
  readonly tenantId: string | null
  readonly database: Database
  readonly progress: (events: number, ofEvents: number) => void
}

export interface ReplayReport extends AlertDifference {
  readonly topic: string
  readonly events: number
}

export async function replay(options: ReplayOptions): Promise<ReplayReport> {
  const replayed = new Map<string, Alert>()
  const events = await options.run((alert) => replayed.set(alert.id, alert), options.progress)
  const within = [...replayed.values()].filter(
    ({ startsAtMs, rule, tenantId }) =>
      (options.tenantId === null || tenantId === options.tenantId) &&
      startsAtMs >= options.fromMs &&
      startsAtMs < options.toMs &&
      (options.rules === null || options.rules.includes(rule)),
  )
  const recorded = await recordedAlerts(options)
  // An alert that was taken back is no alert, on either side.
  const kept = within.filter(({ withdrawn }) => !withdrawn)
  return { topic: options.topic, events, ...differenceOf(recorded, kept.map(shown)) }
}

/** One partition up to where its task has committed. */
export interface PartitionRange {
  readonly partition: number
  readonly toOffset: number
  /** Events of this key alone; absent: of all. */
  readonly entity?: string
  /** How many it has; absent: as many as offsets. */
  readonly events?: number
}

/** Runs history, tells every alert and each change of it; resolves with the number of events. */
export type HistoryRun = (
  onAlert: (alert: Alert) => void,
  onProgress: (events: number, ofEvents: number) => void,
) => Promise<number>

export async function partitionsOf(
  database: Database,
  pipeline: string,
): Promise<readonly PartitionRange[]> {
  const rows = await database.query(
    'SELECT log_partition, next_offset FROM task WHERE pipeline = $1 ORDER BY log_partition',
    [pipeline],
  )
  return rows.map((row) => ({
    partition: Number(row.log_partition),
    toOffset: Number(row.next_offset),
  }))
}

/**
 * Where one key's events stand, by the index of the archive. What happens to a key follows from its own events,
 * but for the deadlines of its state: those pass by a clock that the whole partition moves.
 */
export async function partitionsOfEntity(
  database: Database,
  { name, topic: { archive }, deadline }: AnyPipeline,
  entityId: string,
): Promise<readonly PartitionRange[]> {
  const entity = storable(entityId)
  const rows = await database.query(
    `SELECT log_partition, count(*) AS events FROM ${archive.name}
     WHERE ${archive.entityColumn} = $1 GROUP BY log_partition`,
    [entity],
  )
  const own = new Map(rows.map((row) => [Number(row.log_partition), Number(row.events)]))
  return (await partitionsOf(database, name)).flatMap((range) => {
    const events = own.get(range.partition)
    if (events === undefined) return []
    return [deadline === undefined ? { ...range, entity, events } : range]
  })
}

export interface PartitionsRun {
  readonly pipeline: AnyPipeline
  /** Topic as the log calls it. */
  readonly topic: string
  readonly partitions: readonly PartitionRange[]
  /** Where other threads take from the same partitions: how many are taken. */
  readonly taken?: Int32Array
  readonly store: CheckpointStore
  readonly log: BroadcastLog
  readonly references: ReferenceStore
}

/** The partitions one after the other, from the first event on, in this thread; its progress is that of what it took. */
export function partitionsInTurn(run: PartitionsRun): HistoryRun {
  return async (onAlert, onProgress) => {
    const ofEvents = run.partitions.reduce(
      (sum, { toOffset, events = toOffset }) => sum + events,
      0,
    )
    let events = 0
    for (const range of untaken(run)) {
      for await (const step of runHistory({ ...run, ...range })) {
        for (const alert of step.alerts) onAlert(alert)
        events += step.events
        onProgress(events, ofEvents)
      }
    }
    return events
  }
}

/** Each partition goes to the one thread that asks for it. */
function* untaken({ partitions, taken }: PartitionsRun): Iterable<PartitionRange> {
  if (taken === undefined) {
    yield* partitions
    return
  }
  for (;;) {
    const range = partitions[Atomics.add(taken, 0, 1)]
    if (range === undefined) return
    yield range
  }
}

/** The pipeline without what only the running program needs: windows and views. */
export function onlyRules(pipeline: AnyPipeline): AnyPipeline {
  const { view: _, ...rest } = pipeline
  return { ...rest, windows: [] }
}

async function recordedAlerts({
  database,
  fromMs,
  toMs,
  topic,
  rules,
  tenantId,
}: ReplayOptions): Promise<readonly RecordedAlert[]> {
  const rows: RecordedAlert[] = []
  const batches = database.stream(
    `SELECT * FROM alert
     WHERE topic = $1 AND starts_at >= $2 AND starts_at < $3 AND NOT withdrawn
       AND ($4::text[] IS NULL OR rule = ANY($4)) AND ($5::text IS NULL OR tenant_id = $5)
     ORDER BY starts_at, id`,
    [topic, new Date(fromMs), new Date(toMs), rules, tenantId],
    { batchRows: 5_000 },
  )
  for await (const batch of batches) rows.push(...batch.map(recordedAlert))
  return rows
}

function recordedAlert(row: SqlRow): RecordedAlert {
  return {
    id: String(row.id),
    rule: String(row.rule),
    entityId: String(row.entity_id),
    severity: String(row.severity),
    status: String(row.status),
    startsAt: isoOf(row.starts_at) ?? '',
    endsAt: isoOf(row.ends_at),
    summary: String(row.summary),
    acknowledged: row.acknowledged_at instanceof Date,
    falseAlarm: row.false_alarm_at instanceof Date,
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
