// Trucks as marks on the map.

import { fromLonLat } from 'ol/proj'
import type { Truck } from '$lib/api/types.ts'
import { worst } from '$lib/severity.ts'
import type { MapEntity } from './entity-layer.ts'

/** Those that have said where they are. */
export function entitiesOf(trucks: Iterable<Truck>): MapEntity[] {
  const entities: MapEntity[] = []
  for (const truck of trucks) {
    if (truck.lat === null || truck.lon === null) continue
    const [x = 0, y = 0] = fromLonLat([truck.lon, truck.lat])
    entities.push({
      id: truck.truckId,
      x,
      y,
      headingDeg: truck.headingDeg,
      state: stateOf(truck),
      severity: worst(truck.alerts) ?? null,
    })
  }
  return entities
}

function stateOf(truck: Truck): MapEntity['state'] {
  if (truck.condition === 'silent') return 'silent'
  if (truck.condition === 'no-profile') return 'unjudged'
  return truck.moving ? 'moving' : 'standing'
}
