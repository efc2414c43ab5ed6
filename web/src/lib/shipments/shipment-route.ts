// Where a shipment was and is to go, from its milestones. Coordinates are [longitude, latitude] in degrees, WGS84.

import type { ShipmentPage } from '$lib/api/types.ts'
import type { LonLat } from '$lib/map/base-map.ts'

export interface RouteStop {
  readonly at: LonLat
  readonly location: string | null
  /** It was there; otherwise it is planned or expected there. */
  readonly reached: boolean
}

export interface ShipmentRoute {
  readonly stops: readonly RouteStop[]
  readonly now: LonLat | null
}

/** In the order of the timeline; what is in one place in a row is one stop. */
export function routeOf({
  timeline,
  lat,
  lon,
}: Pick<ShipmentPage, 'timeline' | 'lat' | 'lon'>): ShipmentRoute {
  const stops: RouteStop[] = []
  for (const milestone of timeline) {
    if (milestone.lat === null || milestone.lon === null) continue
    const last = stops.at(-1)
    const reached = milestone.actualAt !== null
    const same = last?.at[0] === milestone.lon && last.at[1] === milestone.lat
    if (same && last.reached === reached) continue
    stops.push({ at: [milestone.lon, milestone.lat], location: milestone.location, reached })
  }
  return { stops, now: lat === null || lon === null ? null : [lon, lat] }
}
