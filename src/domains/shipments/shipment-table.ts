// The row of a shipment as it is now: table `shipment`.

import type { EpochMs } from '../../kernel/time.ts'
import type { RowTable } from '../../ports/row-table.ts'
import { factOf } from './facts.ts'
import { journey, type Position } from './journey.ts'
import type { PromiseJudgement } from './promise.ts'
import type { Shipment } from './shipment.ts'

export interface ShipmentRow {
  readonly shipment: Shipment
  readonly position: Position
  readonly judgement: PromiseJudgement
}

/**
 * A shipment is forgotten in memory long after its last event. What comes later still finds its row: it leaves
 * what it does not speak of.
 */
export const shipmentTable: RowTable<ShipmentRow> = {
  name: 'shipment',
  columns: [
    { name: 'shipment_id', type: 'text' },
    { name: 'recorded_at', type: 'timestamptz' },
    { name: 'merchant_id', type: 'text' },
    { name: 'status', type: 'text' },
    { name: 'state', type: 'text' },
    { name: 'outcome', type: 'text' },
    { name: 'status_since', type: 'timestamptz' },
    { name: 'milestone', type: 'text' },
    { name: 'milestone_at', type: 'timestamptz' },
    { name: 'promise', type: 'text' },
    { name: 'promised_at', type: 'timestamptz' },
    { name: 'expected_at', type: 'timestamptz' },
    { name: 'expected_by', type: 'text' },
    { name: 'delivered_at', type: 'timestamptz' },
    { name: 'late_by_s', type: 'float8' },
    { name: 'created_at', type: 'timestamptz' },
    { name: 'carrier', type: 'text' },
    { name: 'mode', type: 'text' },
    { name: 'truck_id', type: 'text' },
    { name: 'warehouse_id', type: 'text' },
    { name: 'location', type: 'text' },
    { name: 'region', type: 'text' },
    { name: 'lat', type: 'float8' },
    { name: 'lon', type: 'float8' },
    { name: 'destination', type: 'text' },
    { name: 'customer_name', type: 'text' },
    { name: 'customer_email', type: 'text' },
    { name: 'customer_phone', type: 'text' },
    { name: 'reason', type: 'text' },
    { name: 'contradiction', type: 'text' },
    { name: 'consignment', type: 'text' },
    { name: 'items', type: 'jsonb' },
    { name: 'weight_kg', type: 'float8' },
    { name: 'freight_cost', type: 'numeric' },
    { name: 'currency', type: 'text' },
    { name: 'words', type: 'jsonb' },
  ],
  keyColumns: 1,
  newestBy: 'recorded_at',
  keptWhereNull: [
    'created_at',
    'promised_at',
    'delivered_at',
    'carrier',
    'mode',
    'location',
    'region',
    'destination',
    'customer_name',
    'customer_email',
    'customer_phone',
    'consignment',
    'items',
    'weight_kg',
    'freight_cost',
    'currency',
    'words',
  ],
  write(row, { shipment, position, judgement }) {
    const { statements } = shipment
    const { status, outcome } = journey[position.state]
    row.text(shipment.shipmentId)
    row.timestamp(shipment.recordedAtMs)
    row.text(shipment.merchantId)
    row.text(status)
    row.text(position.state)
    row.text(outcome)
    row.timestamp(position.sinceMs)
    row.text(position.type)
    row.timestamp(newestMilestoneMs(shipment))
    row.text(judgement.promise)
    row.timestamp(factOf(statements, 'promisedAtMs'))
    row.timestamp(judgement.expected?.deliveryMs ?? null)
    row.text(judgement.expected?.basis ?? null)
    row.timestamp(position.deliveredAtMs)
    row.float8(judgement.lateByMs === null ? null : Math.round(judgement.lateByMs / 1_000))
    row.timestamp(factOf(statements, 'createdAtMs') ?? createdMs(shipment))
    row.text(factOf(statements, 'carrier'))
    row.text(factOf(statements, 'mode'))
    row.text(shipment.truckId)
    row.text(shipment.warehouseId)
    row.text(shipment.location)
    row.text(shipment.region)
    row.float8(shipment.lat)
    row.float8(shipment.lon)
    row.text(factOf(statements, 'destination'))
    row.text(factOf(statements, 'customerName'))
    row.text(factOf(statements, 'customerEmail'))
    row.text(factOf(statements, 'customerPhone'))
    row.text(shipment.reason)
    row.text(position.contradiction)
    row.text(factOf(statements, 'consignment'))
    row.json(factOf(statements, 'items'))
    row.float8(factOf(statements, 'weightKg'))
    row.numeric(factOf(statements, 'freightCost'))
    row.text(factOf(statements, 'currency'))
    row.json(factOf(statements, 'words'))
  },
}

function newestMilestoneMs({ actual }: Shipment): EpochMs | null {
  return actual.at(-1) ?? null
}

/** The milestone `created`, which is the first of the types. */
function createdMs({ actual }: Shipment): EpochMs | null {
  return actual[0] === 0 ? (actual[1] ?? null) : null
}
