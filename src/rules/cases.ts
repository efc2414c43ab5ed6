// Runs the cases of a rule: events in, alerts out, through the same task that runs live.

import { ok } from '../kernel/result.ts'
import { DEFAULT_TENANT } from '../kernel/tenants.ts'
import { type EpochMs, parseDuration, parseInstant } from '../kernel/time.ts'
import type { Alert } from '../ports/alert.ts'
import type { ArchiveEncoder } from '../ports/archive.ts'
import type { LogRecord } from '../ports/log.ts'
import { NO_INPUTS } from '../streams/batch.ts'
import type { AnyPipeline } from '../streams/pipeline.ts'
import { Task } from '../streams/task.ts'
import type { ExpectedAlert, RuleCase } from './rule-document.ts'

export interface CaseOutcome {
  readonly name: string
  /** Why it failed; empty where it passed. */
  readonly problems: readonly string[]
  readonly alerts: readonly Alert[]
}

/** A Monday, at midnight in UTC. */
const USUAL_START_MS = Date.UTC(2026, 0, 5)
const NOBODY = 'case'

/** `pipeline` runs the rule, and no other. */
export function runCase(ruleCase: RuleCase, pipeline: AnyPipeline): CaseOutcome {
  const { name } = ruleCase
  const startMs = ruleCase.startsAt === undefined ? USUAL_START_MS : parseInstant(ruleCase.startsAt)
  if (startMs === undefined) {
    return { name, problems: ['startsAt is not ISO 8601 with an offset'], alerts: [] }
  }
  const read = recordsOf(ruleCase, pipeline, startMs)
  if (read.problems.length > 0) return { name, problems: read.problems, alerts: [] }
  const alerts = alertsOf(ruleCase, pipeline, { startMs, records: read.records })
  return { name, problems: differences(ruleCase.alerts, alerts, startMs), alerts }
}

interface ReadRecord extends LogRecord {
  readonly event: unknown
}

function recordsOf(
  { events }: RuleCase,
  { topic }: AnyPipeline,
  startMs: EpochMs,
): { readonly records: readonly ReadRecord[]; readonly problems: readonly string[] } {
  const records: ReadRecord[] = []
  const problems: string[] = []
  const keyField = camelCase(topic.archive.entityColumn)
  let receivedAtMs = startMs
  for (const [offset, { at, ...fields }] of events.entries()) {
    const recordedAtMs = startMs + (parseDuration(at) ?? 0)
    const parsed = topic.parse({ [keyField]: NOBODY, recordedAt: recordedAtMs, ...fields })
    if (!parsed.ok) {
      problems.push(`event ${offset + 1}: ${parsed.error.path}: ${parsed.error.message}`)
      continue
    }
    receivedAtMs = Math.max(receivedAtMs, recordedAtMs)
    const event: unknown = parsed.value
    const value = new Uint8Array(0)
    records.push({ offset, key: '', value, receivedAtMs, tenantId: DEFAULT_TENANT, event })
  }
  return { records, problems }
}

function alertsOf(
  { until }: RuleCase,
  pipeline: AnyPipeline,
  { startMs, records }: { readonly startMs: EpochMs; readonly records: readonly ReadRecord[] },
): readonly Alert[] {
  const events = new Map(records.map(({ offset, event }) => [offset, event]))
  const task = new Task({
    pipeline,
    topic: pipeline.topic.name,
    partition: 0,
    encoder: discardingEncoder(),
    decode: ({ offset }) => ok(events.get(offset)),
  })
  const newest = new Map<string, Alert>()
  const note = ({ alerts }: { readonly alerts: readonly Alert[] }): void => {
    for (const alert of alerts) newest.set(alert.id, alert)
  }
  note(task.process(records, records.length, NO_INPUTS))
  const untilMs = until === undefined ? undefined : parseDuration(until)
  if (untilMs !== undefined) {
    note(task.process([], records.length, { ...NO_INPUTS, tickMs: startMs + untilMs }))
  }
  return [...newest.values()]
    .filter(({ withdrawn }) => !withdrawn)
    .sort((a, b) => a.startsAtMs - b.startsAtMs || (a.entityId < b.entityId ? -1 : 1))
}

function differences(
  expected: readonly ExpectedAlert[],
  found: readonly Alert[],
  startMs: EpochMs,
): readonly string[] {
  const problems: string[] = []
  if (expected.length !== found.length) {
    const starts = found.map(({ startsAtMs }) => spanText(startsAtMs - startMs)).join(', ')
    problems.push(
      `expected ${expected.length} alerts, found ${found.length}${starts === '' ? '' : `, starting at ${starts}`}`,
    )
  }
  for (const [index, want] of expected.entries()) {
    const alert = found[index]
    if (alert === undefined) break
    const { entityId: entity, status, severity, count, summary } = alert
    const seen = { entity, status, severity, count, summary }
    const say = (field: string, wanted: unknown, is: unknown): void => {
      problems.push(`alert ${index + 1}: ${field}: expected ${wanted}, found ${is}`)
    }
    for (const [field, is] of Object.entries(seen)) {
      const wanted: unknown = Reflect.get(want, field)
      if (wanted !== undefined && wanted !== is) say(field, wanted, is)
    }
    const times = { startsAt: alert.startsAtMs, endsAt: alert.endsAtMs }
    for (const [field, atMs] of Object.entries(times)) {
      const wanted: unknown = Reflect.get(want, field)
      if (typeof wanted !== 'string') continue
      const is = atMs === null ? 'no end' : spanText(atMs - startMs)
      if (atMs === null || atMs - startMs !== parseDuration(wanted)) say(field, wanted, is)
    }
    for (const [label, wanted] of Object.entries(want.labels ?? {})) {
      if (alert.labels[label] !== wanted) say(`labels.${label}`, wanted, alert.labels[label])
    }
  }
  return problems
}

function spanText(spanMs: number): string {
  return spanMs % 1_000 === 0 ? `${spanMs / 1_000}s` : `${spanMs}ms`
}

function camelCase(column: string): string {
  return column.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function discardingEncoder<E>(): ArchiveEncoder<E> {
  return {
    pendingBytes: 0,
    add() {},
    take: () => ({ table: '', rows: 0, bytes: 0, payload: [] }),
  }
}
