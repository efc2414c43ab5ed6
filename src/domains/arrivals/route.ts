// The way of one journey: which stretches it takes, where on it the traveller is, and what is left of it.

import type { Coordinates } from '../../kernel/geo.ts'
import type { EpochMs } from '../../kernel/time.ts'
import { liveSegment, stretchTime } from './live-traffic.ts'
import type { TravelMode } from './plans.ts'
import { BICYCLE, CAR, FOOT } from './roads/road-document.ts'
import { projectOn, type RoadGraph } from './roads/road-graph.ts'
import { type EdgeTimeS, type FoundRoute, searchRoute } from './roads/route-search.ts'

/** Plain data; never changed in place, so that copies of a state may share it. */
export interface Route {
  /** The network that the edges are of. */
  readonly roads: string
  readonly edges: readonly number[]
  readonly startM: number
  readonly endM: number
  readonly lengthM: number
  /** Names under which traffic speaks of the edges. */
  readonly segmentIds: readonly string[]
}

export const USERS: Readonly<Record<TravelMode, number>> = {
  car: CAR,
  bicycle: BICYCLE,
  foot: FOOT,
}
const FASTEST_KMH: Readonly<Record<TravelMode, number>> = { car: 200, bicycle: 17, foot: 5 }
/** Cars lose time at junctions that free flow does not know of. */
const JUNCTION_SHARE = 0.85

export interface TrafficSight {
  readonly table: unknown
  readonly tenantId: string
  readonly atMs: EpochMs
  readonly mode: TravelMode
}

function usualKmh(graph: RoadGraph, edge: number, mode: TravelMode): number {
  const free = graph.freeFlowKmh[edge >> 1] ?? 30
  return mode === 'car' ? free * JUNCTION_SHARE : Math.min(FASTEST_KMH[mode], free)
}

/** How long edges take now, for the search: closed ones are no way. */
function edgeTimes(graph: RoadGraph, sight: TrafficSight): EdgeTimeS {
  const { table, tenantId, atMs, mode } = sight
  return (edge) => {
    const lengthM = graph.lengthM[edge >> 1] ?? 0
    const usual = usualKmh(graph, edge, mode)
    if (mode !== 'car') return (lengthM * 3.6) / usual
    const live = liveSegment(table, { tenantId, segmentId: graph.idOf(edge) })
    if (live?.closed === true) return Number.POSITIVE_INFINITY
    return stretchTime(lengthM, usual, live, atMs).durationS
  }
}

/** Null where an end is off the network, or no way leads there. */
export function findRoute(
  graph: RoadGraph,
  from: Coordinates,
  to: Coordinates,
  sight: TrafficSight,
): Route | null {
  const timeS = edgeTimes(graph, sight)
  const found = searchRoute(graph, { from, to, users: USERS[sight.mode], timeS })
  return found === null ? null : routeOf(graph, found)
}

function routeOf(graph: RoadGraph, { edges, startM, endM, lengthM }: FoundRoute): Route {
  const segmentIds = edges.map((edge) => graph.idOf(edge))
  return { roads: graph.version, edges, startM, endM, lengthM, segmentIds }
}

/** Where on the way the traveller is: on which of its edges, and how far along that. */
export interface Progress {
  readonly at: number
  readonly alongM: number
}

export function beginning(route: Route): Progress {
  return { at: 0, alongM: route.startM }
}

export interface MatchLimits {
  /** Farther away is off the way. */
  readonly withinM: number
  /** As far ahead as anybody can have got. */
  readonly aheadM: number
}

/** The nearest place of the way around where the traveller was; null where that is too far away. */
export function matchOnRoute(
  graph: RoadGraph,
  route: Route,
  from: Progress,
  position: Coordinates,
  { withinM, aheadM }: MatchLimits,
): Progress | null {
  let best: Progress | null = null
  let bestM = withinM
  let aheadSoFarM = -from.alongM
  for (let at = Math.max(0, from.at - 1); at < route.edges.length; at++) {
    if (at > from.at && aheadSoFarM > aheadM) break
    const edge = route.edges[at] ?? 0
    const lengthM = graph.lengthM[edge >> 1] ?? 0
    const { alongM, awayM } = projectOn(graph.lineOf(edge), position)
    if (awayM < bestM) {
      bestM = awayM
      best = { at, alongM: Math.min(alongM, lengthM) }
    }
    if (at >= from.at) aheadSoFarM += lengthM
  }
  return best
}

export interface RestOfWay {
  readonly lengthM: number
  readonly durationS: number
  readonly freeFlowS: number
  /** Standard deviation of the logarithm of the duration. */
  readonly spread: number
  /** Of the newest observation on it; null where there is none. */
  readonly trafficAtMs: EpochMs | null
  readonly closed: boolean
}

/** Half of what goes wrong with one stretch goes wrong with all. */
const SHARED_SPREAD = 0.5

/** What lies between two places of the way, `to` being its end unless told. */
export function restOfWay(
  graph: RoadGraph,
  route: Route,
  sight: TrafficSight,
  from: Progress,
  to: Progress = { at: route.edges.length - 1, alongM: route.endM },
): RestOfWay {
  const { table, tenantId, atMs, mode } = sight
  let [lengthM, durationS, freeFlowS, deviationS, squares] = [0, 0, 0, 0, 0]
  let trafficAtMs: EpochMs | null = null
  let closed = false
  for (let at = from.at; at <= to.at; at++) {
    const edge = route.edges[at] ?? 0
    const wholeM = graph.lengthM[edge >> 1] ?? 0
    const beginM = at === from.at ? from.alongM : 0
    const endM = at === to.at ? to.alongM : wholeM
    const partM = Math.max(0, endM - beginM)
    const usual = usualKmh(graph, edge, mode)
    const segmentId = route.segmentIds[at] ?? ''
    const live = mode === 'car' ? liveSegment(table, { tenantId, segmentId }) : undefined
    const { durationS: partS, spread } = stretchTime(partM, usual, live, atMs)
    lengthM += partM
    durationS += partS
    freeFlowS += (partM * 3.6) / (graph.freeFlowKmh[edge >> 1] ?? 30)
    deviationS += partS * spread
    squares += (partS * spread) ** 2
    if (live === undefined) continue
    if (live.closed && at > from.at) closed = true
    trafficAtMs = Math.max(trafficAtMs ?? 0, live.observedAtMs)
  }
  const variance = SHARED_SPREAD * deviationS ** 2 + (1 - SHARED_SPREAD) * squares
  const spread = durationS === 0 ? 0 : Math.sqrt(variance) / durationS
  return { lengthM, durationS, freeFlowS, spread, trafficAtMs, closed }
}

/** Points of a line that is shown; longer ways are thinned. */
const MAX_LINE_POINTS = 400

/** The way as longitude and latitude, for a map. */
export function lineOfRoute(
  graph: RoadGraph,
  route: Route,
): readonly (readonly [number, number])[] {
  const points: [number, number][] = []
  for (const edge of route.edges) {
    const line = graph.lineOf(edge)
    for (let at = points.length === 0 ? 0 : 2; at < line.length; at += 2) {
      points.push([line[at] ?? 0, line[at + 1] ?? 0])
    }
  }
  const step = Math.ceil(points.length / MAX_LINE_POINTS)
  return points.filter((_, at) => at % step === 0 || at === points.length - 1)
}
