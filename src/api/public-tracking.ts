// The shipment behind a tracking link, as far as whoever has the link may know it.

import { eventsOfShipment, shipmentById } from '../domains/shipments/queries.ts'
import { timelineOf } from '../domains/shipments/timeline.ts'
import { followTrackingLink, publicSteps } from '../domains/shipments/tracking.ts'
import { toIso } from '../kernel/time.ts'
import type { Database } from '../ports/database.ts'
import type { TenantDatabase } from '../ports/tenant-database.ts'
import { shipmentJson } from './shipment-json.ts'

export type PublicTracking = ReturnType<typeof createPublicTracking>

/** The link is looked up among all; what it leads to is read as the merchant whose it is. */
export function createPublicTracking(
  wholeDatabase: Database,
  tenantDatabase: TenantDatabase,
  nowMs: () => number,
) {
  return async (hash: Uint8Array) => {
    const link = await followTrackingLink(wholeDatabase, hash)
    if (link === undefined) return undefined
    const database = tenantDatabase.within(link)
    const [row, events] = await Promise.all([
      shipmentById(database, link),
      eventsOfShipment(database, link),
    ])
    if (row === undefined) return undefined
    const shipment = shipmentJson(row, nowMs())
    const { shipmentId, status, outcome, promisedAt, expectedAt, deliveredAt, carrier } = shipment
    return {
      ...{ shipmentId, status, outcome, promisedAt, deliveredAt, carrier },
      expectedAt: outcome === null ? expectedAt : null,
      steps: publicSteps(timelineOf(events)).map(({ type, atMs, location }) => ({
        type,
        at: toIso(atMs),
        location,
      })),
      linkExpiresAt: toIso(link.expiresAtMs),
    }
  }
}
