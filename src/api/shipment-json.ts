// Shipments as JSON: the row of each, its timeline and who had it.

import { type Static, Type } from '@sinclair/typebox'
import { itemsOf, MILESTONE_TYPES, wordsOf } from '../domains/shipments/events.ts'
import { OUTCOMES, SHIPMENT_STATUSES } from '../domains/shipments/journey.ts'
import { EXPECTATION_BASES, PROMISES } from '../domains/shipments/promise.ts'
import type { Custody, TimelineEntry } from '../domains/shipments/timeline.ts'
import { toIso } from '../kernel/time.ts'
import type { SqlRow } from '../ports/database.ts'
import { instant, nullable } from './schemas.ts'
import { epochMsOf, isoOf, isoOrNull, numberOrNull, textOrNull } from './sql-values.ts'

const maybeText = () => nullable(Type.String())
const maybeNumber = (description?: string) =>
  nullable(Type.Number(description === undefined ? {} : { description }))
const oneOf = <T extends string>(names: readonly T[]) =>
  Type.Union(names.map((name) => Type.Literal(name)))

export const shipmentProperties = {
  shipmentId: Type.String(),
  merchantId: Type.String(),
  status: oneOf(SHIPMENT_STATUSES),
  statusSince: nullable(instant('Since when it has that status')),
  outcome: nullable(oneOf(OUTCOMES)),
  promise: oneOf(PROMISES),
  promisedAt: nullable(instant('Delivery that was promised')),
  expectedAt: nullable(instant('Delivery that is to be expected')),
  expectedBy: nullable(oneOf(EXPECTATION_BASES)),
  deliveredAt: nullable(instant('Actual delivery')),
  lateByS: maybeNumber('How late it is, or is expected to be'),
  milestone: nullable(oneOf(MILESTONE_TYPES)),
  milestoneAt: nullable(instant('When the newest milestone was')),
  createdAt: nullable(instant('When it was ordered')),
  carrier: maybeText(),
  mode: maybeText(),
  truckId: maybeText(),
  warehouseId: maybeText(),
  location: maybeText(),
  region: maybeText(),
  lat: maybeNumber(),
  lon: maybeNumber(),
  destination: maybeText(),
  reason: maybeText(),
  contradiction: nullable(Type.String({ description: 'Such as departed after delivered' })),
  consignment: maybeText(),
  weightKg: maybeNumber(),
  freightCost: nullable(Type.String({ description: 'Exact decimal' })),
  currency: maybeText(),
  recordedAt: instant('Time of the newest event'),
}
export const shipmentSchema = Type.Object(shipmentProperties)

export const timelineSchema = Type.Object({
  type: oneOf(MILESTONE_TYPES),
  location: maybeText(),
  region: maybeText(),
  plannedAt: nullable(Type.String()),
  estimatedAt: nullable(Type.String()),
  actualAt: nullable(Type.String()),
  truckId: maybeText(),
  warehouseId: maybeText(),
  reason: maybeText(),
  lat: maybeNumber(),
  lon: maybeNumber(),
  recordedAt: Type.String(),
})

export const custodySchema = Type.Object({
  kind: oneOf(['truck', 'warehouse', 'unknown'] as const),
  id: maybeText(),
  from: Type.String(),
  to: nullable(Type.String({ description: 'Null: still' })),
  location: maybeText(),
})

export const shipmentPageSchema = Type.Object({
  ...shipmentProperties,
  customer: Type.Object({ name: maybeText(), email: maybeText(), phone: maybeText() }),
  items: Type.Array(Type.Object({ sku: Type.String(), quantity: Type.Number() })),
  words: Type.Record(Type.String(), Type.String(), {
    description: 'By field: what was written where a number or a time was asked for',
  }),
  timeline: Type.Array(timelineSchema),
  custody: Type.Array(custodySchema),
})

/** `nowMs` says how late one is that has not been delivered. */
export function shipmentJson(row: SqlRow, nowMs: number): Static<typeof shipmentSchema> {
  return {
    shipmentId: String(row.shipment_id),
    merchantId: String(row.merchant_id),
    status: SHIPMENT_STATUSES.find((status) => status === row.status) ?? 'Exception',
    statusSince: isoOrNull(row.status_since),
    outcome: OUTCOMES.find((outcome) => outcome === row.outcome) ?? null,
    promise: PROMISES.find((promise) => promise === row.promise) ?? 'none',
    promisedAt: isoOrNull(row.promised_at),
    expectedAt: isoOrNull(row.expected_at),
    expectedBy: EXPECTATION_BASES.find((basis) => basis === row.expected_by) ?? null,
    deliveredAt: isoOrNull(row.delivered_at),
    lateByS: lateByS(row, nowMs),
    milestone: MILESTONE_TYPES.find((type) => type === row.milestone) ?? null,
    milestoneAt: isoOrNull(row.milestone_at),
    createdAt: isoOrNull(row.created_at),
    carrier: textOrNull(row.carrier),
    mode: textOrNull(row.mode),
    truckId: textOrNull(row.truck_id),
    warehouseId: textOrNull(row.warehouse_id),
    location: textOrNull(row.location),
    region: textOrNull(row.region),
    lat: numberOrNull(row.lat),
    lon: numberOrNull(row.lon),
    destination: textOrNull(row.destination),
    reason: textOrNull(row.reason),
    contradiction: textOrNull(row.contradiction),
    consignment: textOrNull(row.consignment),
    weightKg: numberOrNull(row.weight_kg),
    freightCost: textOrNull(row.freight_cost),
    currency: textOrNull(row.currency),
    recordedAt: isoOf(row.recorded_at),
  }
}

/** An open shipment that is late grows later as time passes. */
function lateByS(row: SqlRow, nowMs: number): number | null {
  const known = numberOrNull(row.late_by_s)
  if (row.promise !== 'late' || row.delivered_at !== null || row.promised_at === null) return known
  return Math.max(known ?? 0, Math.round((nowMs - epochMsOf(row.promised_at)) / 1_000))
}

export function shipmentPageJson(
  row: SqlRow,
  about: {
    readonly timeline: readonly TimelineEntry[]
    readonly custody: readonly Custody[]
    readonly nowMs: number
  },
): Static<typeof shipmentPageSchema> {
  return {
    ...shipmentJson(row, about.nowMs),
    customer: {
      name: textOrNull(row.customer_name),
      email: textOrNull(row.customer_email),
      phone: textOrNull(row.customer_phone),
    },
    items: (itemsOf(row.items) ?? []).map(({ sku, quantity }) => ({ sku, quantity })),
    words: wordsOf(row.words) ?? {},
    timeline: about.timeline.map(timelineJson),
    custody: about.custody.map(({ kind, id, fromMs, toMs, location }) => ({
      kind,
      id,
      from: toIso(fromMs),
      to: toMs === null ? null : toIso(toMs),
      location,
    })),
  }
}

function timelineJson({
  plannedMs,
  estimatedMs,
  actualMs,
  recordedAtMs,
  ...entry
}: TimelineEntry): Static<typeof timelineSchema> {
  const iso = (atMs: number | null): string | null => (atMs === null ? null : toIso(atMs))
  return {
    ...entry,
    plannedAt: iso(plannedMs),
    estimatedAt: iso(estimatedMs),
    actualAt: iso(actualMs),
    recordedAt: toIso(recordedAtMs),
  }
}
