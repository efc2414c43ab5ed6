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
  const { statements, place, holder } = shipment
  return {
    shipmentId: shipment.shipmentId,
    merchantId: shipment.merchantId,
    status: journey[position.state].status,
    promise: judgement.promise,
    promisedAt: isoOf(factOf(statements, 'promisedAtMs')),
    expectedAt: isoOf(judgement.expected?.deliveryMs ?? null),
    deliveredAt: isoOf(position.deliveredAtMs),
    carrier: factOf(statements, 'carrier'),
    truckId: holder?.value.truckId ?? null,
    warehouseId: holder?.value.warehouseId ?? null,
    location: place?.value.location ?? null,
    region: shipment.region?.value ?? null,
    lat: place?.value.lat ?? null,
    lon: place?.value.lon ?? null,
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
