// The quickest way between two places: A* over edges, by whatever time each takes now.

import FlatQueue from 'flatqueue'
import { type Coordinates, distanceM } from '../../../kernel/geo.ts'
import type { RoadGraph, RoadPlace } from './road-graph.ts'

/** A place farther from every road than this is off the network. */
export const OFF_ROAD_M = 300
/** Stretches that a search may begin or end on. */
const MAX_ENDS = 6
const SAME_PLACE_M = 3
/** Nodes that one search may settle; a way that needs more is not found. */
export const MAX_SETTLED = 500_000

/** Seconds that an edge takes, as a whole; infinite where nobody gets through. */
export type EdgeTimeS = (edge: number) => number

export interface FoundRoute {
  readonly edges: readonly number[]
  /** Where on the first edge it begins, and on the last it ends, in the direction of travel. */
  readonly startM: number
  readonly endM: number
  readonly lengthM: number
  readonly durationS: number
}

export interface RouteQuestion {
  readonly from: Coordinates
  readonly to: Coordinates
  readonly users: number
  readonly timeS: EdgeTimeS
}

/** Null where an end is off the network, or no way leads from one to the other. */
export function searchRoute(graph: RoadGraph, question: RouteQuestion): FoundRoute | null {
  const near = { users: question.users, withinM: OFF_ROAD_M, limit: MAX_ENDS }
  const starts = graph.placesNear(question.from, near)
  const ends = graph.placesNear(question.to, near)
  // Others than the nearest only where the nearest lead nowhere.
  return (
    search(graph, asNearAsAny(starts), asNearAsAny(ends), question) ??
    search(graph, starts, ends, question)
  )
}

/** Stretches meet at a place: all of them are equally near, and the way may take any. */
function asNearAsAny(places: readonly RoadPlace[]): readonly RoadPlace[] {
  const nearestM = places[0]?.awayM ?? 0
  return places.filter(({ awayM }) => awayM <= nearestM + SAME_PLACE_M)
}

function search(
  graph: RoadGraph,
  starts: readonly RoadPlace[],
  ends: readonly RoadPlace[],
  question: RouteQuestion,
): FoundRoute | null {
  const { users, timeS, to } = question
  const startOn = new Map(starts.map((place) => [place.segment, place]))
  const endOn = new Map(ends.map((place) => [place.segment, place]))
  const queue = new FlatQueue<number>()
  const costS = new Map<number, number>()
  const cameBy = new Map<number, number>()
  const fastestMps = graph.fastestKmh / 3.6
  const aheadS = (node: number): number =>
    distanceM({ lat: graph.latOf(node), lon: graph.lonOf(node) }, to) / fastestMps
  let best: FoundRoute | null = null
  for (const start of starts) {
    const end = endOn.get(start.segment)
    const direct = end === undefined ? null : alongOneEdge(graph, start, end, question)
    if (direct !== null && direct.durationS < (best?.durationS ?? Number.POSITIVE_INFINITY)) {
      best = direct
    }
    const lengthM = graph.lengthM[start.segment] ?? 0
    for (const edge of [2 * start.segment, 2 * start.segment + 1]) {
      const leftM = edge & 1 ? start.alongM : lengthM - start.alongM
      offer(edge, shareOf(leftM, lengthM) * timeS(edge), -1)
    }
  }
  let settled = 0
  const done = new Set<number>()
  while (queue.length > 0 && settled < MAX_SETTLED) {
    const boundS = queue.peekValue() ?? 0
    if (best !== null && boundS >= best.durationS) break
    const edge = queue.pop() ?? 0
    if (done.has(edge)) continue
    done.add(edge)
    settled++
    const soFarS = costS.get(edge) ?? 0
    const node = graph.endOf(edge)
    const last = graph.firstOut(node + 1)
    for (let place = graph.firstOut(node); place < last; place++) {
      const next = graph.edgeAt(place)
      const end = endOn.get(next >> 1)
      if (end !== undefined) finish(end, { edge: next, by: edge, soFarS })
      // Turning round on the spot is no way to get anywhere, but at a dead end.
      if (next === (edge ^ 1) && last - graph.firstOut(node) > 1) continue
      offer(next, soFarS + timeS(next), edge)
    }
  }
  return best

  function offer(edge: number, totalS: number, by: number): void {
    if (((graph.users[edge] ?? 0) & users) === 0 || !Number.isFinite(totalS)) return
    if (totalS >= (costS.get(edge) ?? Number.POSITIVE_INFINITY)) return
    costS.set(edge, totalS)
    cameBy.set(edge, by)
    queue.push(edge, totalS + aheadS(graph.endOf(edge)))
  }

  function finish(end: RoadPlace, { edge, by, soFarS }: LastStep): void {
    if (((graph.users[edge] ?? 0) & users) === 0) return
    const wholeM = graph.lengthM[end.segment] ?? 0
    const endM = edge & 1 ? wholeM - end.alongM : end.alongM
    const durationS = soFarS + shareOf(endM, wholeM) * timeS(edge)
    if (!(durationS < (best?.durationS ?? Number.POSITIVE_INFINITY))) return
    const edges = [edge]
    for (let at = by; at !== -1; at = cameBy.get(at) ?? -1) edges.unshift(at)
    const start = startOn.get((edges[0] ?? 0) >> 1)
    if (start !== undefined) best = routeOf(graph, edges, { start, endM, durationS })
  }
}

interface LastStep {
  readonly edge: number
  readonly by: number
  readonly soFarS: number
}

function alongOneEdge(
  graph: RoadGraph,
  start: RoadPlace,
  end: RoadPlace,
  { users, timeS }: RouteQuestion,
): FoundRoute | null {
  if (start.segment !== end.segment) return null
  const edge = 2 * start.segment + (end.alongM >= start.alongM ? 0 : 1)
  if (((graph.users[edge] ?? 0) & users) === 0) return null
  const wholeM = graph.lengthM[start.segment] ?? 0
  const durationS = shareOf(Math.abs(end.alongM - start.alongM), wholeM) * timeS(edge)
  if (!Number.isFinite(durationS)) return null
  const endM = edge & 1 ? wholeM - end.alongM : end.alongM
  return routeOf(graph, [edge], { start, endM, durationS })
}

function routeOf(
  graph: RoadGraph,
  edges: readonly number[],
  facts: { readonly start: RoadPlace; readonly endM: number; readonly durationS: number },
): FoundRoute {
  const { start, endM, durationS } = facts
  const first = edges[0] ?? 0
  const last = edges.at(-1) ?? 0
  const firstM = graph.lengthM[first >> 1] ?? 0
  const startM = first & 1 ? firstM - start.alongM : start.alongM
  const wholeM = edges.reduce((sum, edge) => sum + (graph.lengthM[edge >> 1] ?? 0), 0)
  const lengthM = wholeM - startM - ((graph.lengthM[last >> 1] ?? 0) - endM)
  return { edges, startM, endM, lengthM: Math.max(0, lengthM), durationS }
}

function shareOf(partM: number, wholeM: number): number {
  return wholeM === 0 ? 0 : Math.max(0, Math.min(1, partM / wholeM))
}
