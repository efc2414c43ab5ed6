// What the dashboard shows of a shipment now.

import { toIso } from '../../kernel/time.ts'
import type { ViewFacts } from '../../streams/pipeline.ts'
import { factOf } from './facts.ts'
import { journey } from './journey.ts'
import type { ShipmentRow } from './shipment-table.ts'

export const SHIPMENT_VIEW = 'shipments'

/** No customer in it: it goes to every screen that shows shipments. */
export function shipmentDocument(
  { shipment, position, judgement }: ShipmentRow,
  { open, receivedAtMs }: ViewFacts,
): Readonly<Record<string, unknown>> {
  const { statements } = shipment
  return {
    shipmentId: shipment.shipmentId,
    merchantId: shipment.merchantId,
    status: journey[position.state].status,
    promise: judgement.promise,
    promisedAt: isoOf(factOf(statements, 'promisedAtMs')),
    expectedAt: isoOf(judgement.expected?.deliveryMs ?? null),
    deliveredAt: isoOf(position.deliveredAtMs),
    carrier: factOf(statements, 'carrier'),
    truckId: shipment.truckId,
    warehouseId: shipment.warehouseId,
    location: shipment.location,
    region: shipment.region,
    lat: shipment.lat,
    lon: shipment.lon,
    recordedAt: toIso(shipment.recordedAtMs),
    receivedAt: toIso(receivedAtMs),
    alerts: open.map(({ id, rule, severity, startsAtMs }) => ({
      id,
      rule,
      severity,
      startsAt: toIso(startsAtMs),
    })),
  }
}

function isoOf(atMs: number | null): string | null {
  return atMs === null ? null : toIso(atMs)
}
