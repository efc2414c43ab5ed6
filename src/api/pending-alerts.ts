// What is about to fire: rules whose condition holds, though not yet for long or often enough. Nothing of it
// is recorded, since most of it never becomes an alert; each entity's live view says it.

import { type Static, Type } from '@sinclair/typebox'
import { toIso } from '../kernel/time.ts'
import type { Views } from '../ports/views.ts'
import { severitySchema } from './alert-json.ts'
import { severityOf } from './alert-rows.ts'
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

/** The longest about to fire first. */
export async function pendingAlerts(
  { views, entityViews }: { readonly views: Views; readonly entityViews: readonly string[] },
  { tenantId, entity }: { readonly tenantId: string; readonly entity: string | undefined },
): Promise<PendingAlerts> {
  const lists = await Promise.all(
    [...new Set(entityViews)].map(async (view) => {
      if (entity === undefined) return views.list(view, tenantId)
      const entry = await views.get(view, entity, tenantId)
      return entry === undefined ? [] : [entry]
    }),
  )
  const found = lists
    .flat()
    .flatMap(({ key, json }) => (json === null ? [] : pendingIn(key, json)))
    .sort((a, b) => a.since.localeCompare(b.since) || a.entityId.localeCompare(b.entityId))
  return { items: found.slice(0, MAX_PENDING_ALERTS), total: found.length }
}

/** Few documents have any: the others are not parsed. */
function pendingIn(entityId: string, json: string): readonly PendingAlert[] {
  if (!json.includes('"pending":[')) return []
  const { pending } = Object(JSON.parse(json))
  return Array.isArray(pending) ? pending.flatMap((each) => pendingOf(entityId, each)) : []
}

function pendingOf(entityId: string, value: unknown): readonly PendingAlert[] {
  const { rule, severity, entityType, instance, sinceMs, firesAtMs, seen, needed } = Object(value)
  if (typeof rule !== 'string' || typeof sinceMs !== 'number') return []
  return [
    {
      ...{ rule, entityId },
      severity: severityOf(severity) ?? 'info',
      entityType: String(entityType),
      instance: String(instance),
      since: toIso(sinceMs),
      firesAt: typeof firesAtMs === 'number' ? toIso(firesAtMs) : null,
      seen: Number(seen),
      needed: typeof needed === 'number' ? needed : null,
    },
  ]
}
