// Distances on the sphere; coordinates are WGS84 degrees.

export interface Coordinates {
  readonly lat: number
  readonly lon: number
}

/** Mean Earth radius in metres (IUGG). */
const EARTH_RADIUS_M = 6_371_008.8

const radians = (degrees: number): number => (degrees * Math.PI) / 180
const degrees = (angle: number): number => (angle * 180) / Math.PI

/** Great-circle distance in metres (haversine). */
export function distanceM(from: Coordinates, to: Coordinates): number {
  const half = (angle: number): number => Math.sin(angle / 2) ** 2
  const chord =
    half(radians(to.lat - from.lat)) +
    Math.cos(radians(from.lat)) * Math.cos(radians(to.lat)) * half(radians(to.lon - from.lon))
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(chord)))
}

/** Initial bearing in degrees, 0 to 360, clockwise from north. */
export function bearingDeg(from: Coordinates, to: Coordinates): number {
  const turn = radians(to.lon - from.lon)
  const y = Math.sin(turn) * Math.cos(radians(to.lat))
  const x =
    Math.cos(radians(from.lat)) * Math.sin(radians(to.lat)) -
    Math.sin(radians(from.lat)) * Math.cos(radians(to.lat)) * Math.cos(turn)
  return (degrees(Math.atan2(y, x)) + 360) % 360
}
