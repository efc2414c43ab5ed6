// The roads: corridors through way points, drawn as smooth curves and cut into short equal pieces.

import { bearingDeg, type Coordinates, distanceM } from '../../../kernel/geo.ts'
import type { Cargo } from './cargo.ts'
import { type Place, wayPoints } from './places.ts'
import { type Route, routes } from './routes.ts'

/** Length of one piece of road; everything that changes along it is known at these points. */
export const PIECE_M = 250

/** A named way point with its place along the corridor. */
export interface Landmark {
  readonly place: Place
  readonly atM: number
}

export interface Corridor {
  readonly name: string
  readonly lengthM: number
  /** One entry a piece, from the corridor's start; `lat` and `lon` have one more, for the end. */
  readonly lat: Float64Array
  readonly lon: Float64Array
  readonly altitudeM: Float64Array
  readonly headingDeg: Float64Array
  /** Rise over run in the direction of the corridor. */
  readonly gradient: Float64Array
  /** Highest reasonable speed in m/s, braking for what comes next included. */
  readonly outboundLimitMps: Float64Array
  readonly inboundLimitMps: Float64Array
  /** 0 in the open country to 1 in the middle of Nairobi or Mombasa. */
  readonly cityness: Float64Array
  /** In order along the corridor, both ends included. */
  readonly landmarks: readonly [Landmark, ...Landmark[]]
  readonly cargoes: readonly [Cargo, ...Cargo[]]
  /** Share of the fleet that works here, relative to the others. */
  readonly weight: number
}

/** Kenya limits lorries to 80 km/h, and to 50 in towns. */
const OPEN_ROAD_MPS = 80 / 3.6
const TOWN_MPS = 50 / 3.6
const CITY_MPS = 45 / 3.6
const STEEP_DESCENT_MPS = 55 / 3.6
const STEEP_DESCENT = 0.04
const TOWN_REACH_M: Readonly<Record<Place['kind'], number>> = {
  city: 9_000,
  town: 1_300,
  depot: 600,
  port: 2_000,
  border: 1_500,
  airport: 900,
  weighbridge: 500,
  road: 0,
}
const CITY_REACH_M = 16_000
/** Deceleration that drivers allow for when a lower limit comes up. */
const PLANNED_BRAKING_MPS2 = 0.6

let built: readonly [Corridor, ...Corridor[]] | undefined

/** All corridors; laid out once, on first use. */
export function corridors(): readonly [Corridor, ...Corridor[]] {
  built ??= [layOut(routes[0]), ...routes.slice(1).map(layOut)]
  return built
}

function layOut(route: Route): Corridor {
  const way = route.through.map((key): Place => wayPoints[key])
  const { points, landmarks } = drawCurve(way)
  const pieces = points.length - 1
  const lat = Float64Array.from(points, (point) => point.lat)
  const lon = Float64Array.from(points, (point) => point.lon)
  const altitudeM = Float64Array.from(points, (point, index) => hills(point, index * PIECE_M))
  const headingDeg = new Float64Array(pieces)
  const gradient = new Float64Array(pieces)
  const cityness = new Float64Array(pieces)
  for (let piece = 0; piece < pieces; piece++) {
    const from = at(points, piece)
    const to = at(points, piece + 1)
    headingDeg[piece] = bearingDeg(from, to)
    gradient[piece] = ((altitudeM[piece + 1] ?? 0) - (altitudeM[piece] ?? 0)) / PIECE_M
    cityness[piece] = way
      .filter((candidate) => candidate.kind === 'city' && candidate.name !== 'Eldoret')
      .reduce((most, city) => Math.max(most, 1 - distanceM(from, city) / CITY_REACH_M), 0)
  }
  const road = { gradient, landmarks, pieces }
  const [first, ...others] = landmarks
  if (first === undefined) throw new RangeError(`The corridor ${route.name} has no way points.`)
  return {
    name: route.name,
    weight: route.weight,
    cargoes: route.cargoes,
    lengthM: pieces * PIECE_M,
    lat,
    lon,
    altitudeM,
    headingDeg,
    gradient,
    cityness,
    landmarks: [first, ...others],
    outboundLimitMps: speedLimits(road, 1),
    inboundLimitMps: speedLimits(road, -1),
  }
}

interface CurvePoint extends Coordinates {
  readonly altitudeM: number
}

/**
 * A Catmull–Rom curve through the way points, cut at equal distances: roads bend, they have no
 * corners. The last piece is cut short of the end by less than its length.
 */
function drawCurve(way: readonly Place[]): {
  readonly points: readonly CurvePoint[]
  readonly landmarks: readonly Landmark[]
} {
  const points: CurvePoint[] = [at(way, 0)]
  const landmarks: Landmark[] = []
  let walkedM = 0
  let previous: CurvePoint = at(way, 0)
  for (let leg = 0; leg < way.length - 1; leg++) {
    if (at(way, leg).kind !== 'road') landmarks.push({ place: at(way, leg), atM: walkedM })
    const steps = Math.ceil(distanceM(at(way, leg), at(way, leg + 1)) / 50)
    for (let step = 1; step <= steps; step++) {
      const next = curveAt(way, leg, step / steps)
      const strideM = distanceM(previous, next)
      let missingM = points.length * PIECE_M - walkedM
      while (missingM <= strideM) {
        points.push(between(previous, next, strideM === 0 ? 0 : missingM / strideM))
        missingM += PIECE_M
      }
      walkedM += strideM
      previous = next
    }
  }
  const lengthM = (points.length - 1) * PIECE_M
  landmarks.push({ place: at(way, way.length - 1), atM: lengthM })
  return {
    points,
    landmarks: landmarks.map((mark) => ({ ...mark, atM: Math.min(mark.atM, lengthM) })),
  }
}

function curveAt(way: readonly Place[], leg: number, t: number): CurvePoint {
  const from = at(way, leg)
  const to = at(way, leg + 1)
  // Beyond the ends the road would go straight on.
  const before = way[leg - 1] ?? mirrored(to, from)
  const after = way[leg + 2] ?? mirrored(from, to)
  const knot = (a: Coordinates, b: Coordinates): number => Math.max(1, Math.sqrt(distanceM(a, b)))
  const spans = { before: knot(before, from), here: knot(from, to), after: knot(to, after) }
  return {
    lat: centripetal([before.lat, from.lat, to.lat, after.lat], spans, t),
    lon: centripetal([before.lon, from.lon, to.lon, after.lon], spans, t),
    altitudeM: from.altitudeM + (to.altitudeM - from.altitudeM) * t,
  }
}

function mirrored(point: Coordinates, centre: Coordinates): Coordinates {
  return { lat: 2 * centre.lat - point.lat, lon: 2 * centre.lon - point.lon }
}

/** Centripetal Catmull–Rom, as a Hermite curve: it never loops, however uneven the way points. */
function centripetal(
  [p0, p1, p2, p3]: readonly [number, number, number, number],
  spans: { readonly before: number; readonly here: number; readonly after: number },
  t: number,
): number {
  const { before, here, after } = spans
  const start = p2 - p1 + here * ((p1 - p0) / before - (p2 - p0) / (before + here))
  const end = p2 - p1 + here * ((p3 - p2) / after - (p3 - p1) / (here + after))
  const t2 = t * t
  const t3 = t2 * t
  return (
    (2 * t3 - 3 * t2 + 1) * p1 +
    (t3 - 2 * t2 + t) * start +
    (-2 * t3 + 3 * t2) * p2 +
    (t3 - t2) * end
  )
}

function between(from: CurvePoint, to: CurvePoint, share: number): CurvePoint {
  return {
    lat: from.lat + (to.lat - from.lat) * share,
    lon: from.lon + (to.lon - from.lon) * share,
    altitudeM: from.altitudeM + (to.altitudeM - from.altitudeM) * share,
  }
}

/** Rolling ground between the way points: gradients of one to three percent that come and go. */
function hills(point: CurvePoint, alongM: number): number {
  const rolling = 7 * Math.sin(alongM / 420 + point.lat * 40) + 13 * Math.sin(alongM / 1_150)
  return Math.max(2, point.altitudeM + rolling * Math.min(1, point.altitudeM / 150))
}

/** The limit at each piece for one direction, lowered ahead of slower pieces so that braking is gentle. */
function speedLimits(
  road: {
    readonly gradient: Float64Array
    readonly landmarks: readonly Landmark[]
    readonly pieces: number
  },
  direction: 1 | -1,
): Float64Array {
  const limits = new Float64Array(road.pieces).fill(OPEN_ROAD_MPS)
  for (let piece = 0; piece < road.pieces; piece++) {
    if ((road.gradient[piece] ?? 0) * direction < -STEEP_DESCENT) limits[piece] = STEEP_DESCENT_MPS
    const middleM = (piece + 0.5) * PIECE_M
    for (const { place, atM } of road.landmarks) {
      if (Math.abs(atM - middleM) > TOWN_REACH_M[place.kind]) continue
      limits[piece] = Math.min(limits[piece] ?? 0, place.kind === 'city' ? CITY_MPS : TOWN_MPS)
    }
  }
  const last = direction === 1 ? road.pieces - 1 : 0
  for (let piece = last - direction; piece >= 0 && piece < road.pieces; piece -= direction) {
    const ahead = limits[piece + direction] ?? 0
    const reachable = Math.sqrt(ahead * ahead + 2 * PLANNED_BRAKING_MPS2 * PIECE_M)
    limits[piece] = Math.min(limits[piece] ?? 0, reachable)
  }
  return limits
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index]
  if (found === undefined) throw new RangeError(`Nothing at ${index} of ${list.length}.`)
  return found
}
