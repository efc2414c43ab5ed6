// What is about to fire: rules whose condition holds, though not yet for long or often enough. Nothing of it
// is recorded, since most of it never becomes an alert; each entity's live view says it.

import { type Static, Type } from '@sinclair/typebox'
import { derivedId } from '../kernel/ids.ts'
import { toIso } from '../kernel/time.ts'
import { UNHANDLED } from '../ports/alert.ts'
import type { TenantScope } from '../ports/tenant-database.ts'
import type { ViewEntry, Views } from '../ports/views.ts'
import { type AlertDocument, handlingFields, severitySchema } from './alert-json.ts'
import type { AlertFilter } from './alert-queries.ts'
import { fieldsOf, severityOf } from './alert-rows.ts'
import { instant, nullable, text } from './schemas.ts'

/** Shown at once; the count tells of all. */
export const MAX_PENDING_ALERTS = 1_000

export const pendingAlertSchema = Type.Object({
  rule: Type.String(),
  severity: severitySchema,
  entityType: Type.String(),
  entityId: text(),
  instance: Type.String({
    description: 'Tells alerts of one entity apart; empty where there is one',
  }),
  since: instant('Event time at which the condition became true'),
  firesAt: nullable(instant('Event time at which it fires if it goes on; null where it counts')),
  seen: Type.Integer({ description: 'Events on which the condition held' }),
  needed: nullable(Type.Integer({ description: 'Events that it takes; null where it takes time' })),
})
export type PendingAlert = Static<typeof pendingAlertSchema>

export interface PendingAlerts {
  readonly items: readonly PendingAlert[]
  readonly total: number
}

/** A view whose documents say what is about to fire. */
export interface EntityView {
  readonly view: string
  /** As the log calls it. */
  readonly topic: string
}

export interface PendingSource {
  readonly views: Views
  readonly entityViews: readonly EntityView[]
}

/** The longest about to fire first. */
export async function pendingAlerts(
  source: PendingSource,
  asked: { readonly tenantId: string; readonly entity: string | undefined },
): Promise<PendingAlerts> {
  const found = (await heldRules(source, { ...asked, merchantId: null }))
    .map(({ pending }) => pending)
    .sort((a, b) => a.since.localeCompare(b.since) || a.entityId.localeCompare(b.entityId))
  return { items: found.slice(0, MAX_PENDING_ALERTS), total: found.length }
}

/** The same as alerts, as far as the filter lets them through; a merchant is given what names them. */
export async function pendingDocuments(
  source: PendingSource,
  filter: AlertFilter & TenantScope,
): Promise<readonly AlertDocument[]> {
  const { tenantId, merchantId, entity } = filter
  const found = await heldRules(source, { tenantId, merchantId, entity })
  return found.map(alertOfHeld).filter((alert) => isAskedFor(alert, filter))
}

/** Undefined where nothing of that id is pending. */
export async function pendingDocument(
  source: PendingSource,
  { id, ...scope }: TenantScope & { readonly id: string },
): Promise<AlertDocument | undefined> {
  const found = await heldRules(source, { ...scope, entity: undefined })
  return found.map(alertOfHeld).find((alert) => alert.id === id.toLowerCase())
}

/** One rule that holds for one entity, by the newest event of it. */
interface HeldRule {
  readonly pending: PendingAlert
  readonly ruleVersion: number
  readonly value: AlertDocument['value']
  readonly topic: string
  readonly entry: ViewEntry
  readonly recordedAt: string
}

async function heldRules(
  { views, entityViews }: PendingSource,
  {
    tenantId,
    merchantId,
    entity,
  }: TenantScope & {
    readonly entity: string | undefined
  },
): Promise<readonly HeldRule[]> {
  const topics = new Map(entityViews.map(({ view, topic }) => [view, topic]))
  const lists = await Promise.all(
    [...topics].map(async ([view, topic]) => {
      const entries =
        entity === undefined
          ? await views.list(view, tenantId)
          : [await views.get(view, entity, tenantId)]
      return entries.flatMap((entry) =>
        entry === undefined ? [] : heldIn(entry, { topic, merchantId }),
      )
    }),
  )
  return lists.flat()
}

/** Few documents have any: the others are not parsed. */
function heldIn(
  entry: ViewEntry,
  { topic, merchantId }: { readonly topic: string; readonly merchantId: string | null },
): readonly HeldRule[] {
  const { key, json } = entry
  if (json === null || !json.includes('"pending":[')) return []
  const document = Object(JSON.parse(json))
  if (!Array.isArray(document.pending)) return []
  if (merchantId !== null && document.merchantId !== merchantId) return []
  const items: readonly unknown[] = document.pending
  return items.flatMap((each) => {
    const pending = pendingOf(key, each)
    if (pending === undefined) return []
    const { ruleVersion, value } = Object(each)
    const { recordedAt } = document
    return [
      {
        ...{ pending, topic, entry },
        ruleVersion: Number(ruleVersion ?? 1),
        value: fieldsOf(value),
        recordedAt: typeof recordedAt === 'string' ? recordedAt : pending.since,
      },
    ]
  })
}

function pendingOf(entityId: string, value: unknown): PendingAlert | undefined {
  const { rule, severity, entityType, instance, sinceMs, firesAtMs, seen, needed } = Object(value)
  if (typeof rule !== 'string' || typeof sinceMs !== 'number') return undefined
  return {
    ...{ rule, entityId },
    severity: severityOf(severity) ?? 'info',
    entityType: String(entityType),
    instance: String(instance),
    since: toIso(sinceMs),
    firesAt: typeof firesAtMs === 'number' ? toIso(firesAtMs) : null,
    seen: Number(seen),
    needed: typeof needed === 'number' ? needed : null,
  }
}

/** Its id holds as long as it is pending: an alert takes its own from the event that makes it fire. */
function alertOfHeld({
  pending,
  ruleVersion,
  value,
  topic,
  entry,
  recordedAt,
}: HeldRule): AlertDocument {
  const { rule, severity, entityType, entityId, instance, since, seen } = pending
  return {
    id: derivedId('pending', topic, entry.tenantId, rule, entityId, instance, since),
    ...{ rule, ruleVersion, severity, entityType, entityId },
    status: 'pending',
    streamStatus: 'pending',
    startsAt: since,
    endsAt: null,
    updatedAt: recordedAt,
    revision: 1,
    summary: whatIsMissing(pending),
    labels: {},
    ...{ value, peak: value },
    count: seen,
    withdrawn: false,
    position: { topic, partition: entry.version.partition, offset: entry.version.offset },
    ...handlingFields(UNHANDLED),
  }
}

function whatIsMissing({ firesAt, seen, needed }: PendingAlert): string {
  return needed === null
    ? `Pending: fires at ${firesAt} if it goes on`
    : `Pending: ${seen} of ${needed} events`
}

/** As the database filters alerts. Nobody has handled what is pending, and no notification names it. */
function isAskedFor(alert: AlertDocument, filter: AlertFilter): boolean {
  const startsAtMs = Date.parse(alert.startsAt)
  return (
    filter.severities?.includes(alert.severity) !== false &&
    filter.rules?.includes(alert.rule) !== false &&
    [filter.acknowledged, filter.suppressed, filter.falseAlarm].every((asked) => asked !== true) &&
    filter.assignee === undefined &&
    filter.notification === undefined &&
    startsAtMs >= (filter.fromMs ?? Number.NEGATIVE_INFINITY) &&
    startsAtMs < (filter.toMs ?? Number.POSITIVE_INFINITY)
  )
}
