// Puts sensors of speed onto the network: each measures the stretch of road that it stands at.

import type { Coordinates } from '../../../kernel/geo.ts'
import { CAR } from './road-document.ts'
import type { RoadGraph } from './road-graph.ts'

export interface PlacedSensor {
  readonly sensorId: string
  /** The name under which traffic speaks of the stretch. */
  readonly segmentId: string
  readonly awayM: number
  /** The stretch goes both ways, and a position says nothing of which one is measured: its first is taken. */
  readonly isEitherWay: boolean
}

/** The nearest stretch for cars within the distance; undefined where there is none. */
export function placeSensor(
  graph: RoadGraph,
  {
    sensorId,
    withinM,
    ...at
  }: Coordinates & { readonly sensorId: string; readonly withinM: number },
): PlacedSensor | undefined {
  const [nearest] = graph.placesNear(at, { users: CAR, withinM, limit: 1 })
  if (nearest === undefined) return undefined
  const { segment, awayM } = nearest
  const [along, against] = [2 * segment, 2 * segment + 1]
  const isFor = (edge: number): boolean => ((graph.users[edge] ?? 0) & CAR) !== 0
  return {
    ...{ sensorId, awayM, segmentId: graph.idOf(isFor(along) ? along : against) },
    isEitherWay: isFor(along) && isFor(against),
  }
}
