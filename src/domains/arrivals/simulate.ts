// The synthetic world of arrivals: travellers who drive to appointments through a city with jams, the
// appointments they drive to, and what is measured of the traffic.

import { type EpochMs, MINUTE_MS, SECOND_MS, toIso } from '../../kernel/time.ts'
import { type Actor, ActorSimulation } from '../actor-simulation.ts'
import { GENERAL_BREAKAGES, replaced, type Spoil } from '../faults.ts'
import type { SimulatedFleet, SimulationOptions } from '../simulation.ts'
import { journeyPositions } from './events.ts'
import { CAR, ROAD_TABLE } from './roads/road-document.ts'
import { RoadGraph, roadGraphOf } from './roads/road-graph.ts'
import { traffic } from './traffic.ts'
import { sketchOfCity } from './world/city.ts'
import {
  type Itinerary,
  itineraryOf,
  ordersOf,
  roundOf,
  type WorldFacts,
} from './world/itinerary.ts'
import { Jams } from './world/jams.ts'

/** No topic: lines of it are an appointment and a journey to it, for the routes of those names. */
export const ORDERS = 'appointments'
const USUAL_SHARE = 0.85
const DEFAULT_TRAVELLERS = 40
const MAX_TRAVELLERS = 20_000

const positionSpoils: readonly Spoil[] = Object.values({
  'latitude beyond the pole': replaced(/"lat":[^,}]*/, '"lat":123'),
  'missing key': replaced(/"journeyId":"[^"]*",/, ''),
  ...GENERAL_BREAKAGES,
})

let sketch: RoadGraph | null = null

interface World extends WorldFacts {
  readonly jams: Jams
}

/** The operator's roads, or the sketch. The first draw of a seed makes the world, whichever fleet asks. */
function worldOf({ random, startMs, tables }: SimulationOptions): World {
  const graph = roadGraphOf(tables?.get(ROAD_TABLE)) ?? sketchGraph()
  const seed = Math.floor(random.next() * 0x7fff_ffff)
  return { graph, startMs, seed, jams: new Jams(graph, { startMs, seed }) }
}

function sketchGraph(): RoadGraph {
  sketch ??= new RoadGraph(sketchOfCity())
  return sketch
}

interface Traveller {
  readonly number: number
  round: number
  plan: Itinerary | null
  /** Edge of the plan, and how far along it. */
  at: number
  alongM: number
  travelledM: number
  movedAtMs: EpochMs
  restsAfterMs: EpochMs
}

function simulateTravellers(options: SimulationOptions) {
  const world = worldOf(options)
  const actors = Array.from({ length: options.vehicles }, (_, number): Actor => {
    const traveller = newTraveller(number)
    return {
      report(atMs, eventId) {
        follow(traveller, world, atMs)
        const { plan } = traveller
        const isOver = atMs > traveller.restsAfterMs
        if (plan === null || isOver || atMs < plan.beginsAtMs) return null
        return {
          key: plan.journeyId,
          line: positionLine(traveller, plan, world, { atMs, eventId }),
        }
      },
    }
  })
  return new ActorSimulation(actors, positionSpoils, options)
}

function newTraveller(number: number): Traveller {
  const still = { at: 0, alongM: 0, travelledM: 0, movedAtMs: 0 }
  return { number, round: -1, plan: null, ...still, restsAfterMs: Number.POSITIVE_INFINITY }
}

/** Sets off on the plan of the round, and drives on as the road allows. */
function follow(traveller: Traveller, world: World, atMs: EpochMs): void {
  const round = roundOf(world, traveller.number, atMs)
  if (round !== traveller.round) {
    const plan = round < 0 ? null : itineraryOf(world, traveller.number, round)
    const still = { at: 0, alongM: plan?.startM ?? 0, travelledM: 0 }
    const movedAtMs = plan?.departsAtMs ?? 0
    const restsAfterMs = Number.POSITIVE_INFINITY
    Object.assign(traveller, { round, plan, ...still, movedAtMs, restsAfterMs })
  }
  const { plan } = traveller
  if (plan === null || atMs <= traveller.movedAtMs) return
  let leftS = (atMs - traveller.movedAtMs) / SECOND_MS
  traveller.movedAtMs = atMs
  while (leftS > 0 && traveller.travelledM < plan.lengthM) {
    const edge = plan.edges[traveller.at]
    if (edge === undefined) break
    const speedMps = speedOn(world, plan, edge, atMs) / 3.6
    const edgeLeftM = (world.graph.lengthM[edge >> 1] ?? 0) - traveller.alongM
    const stepM = Math.min(speedMps * leftS, edgeLeftM, plan.lengthM - traveller.travelledM)
    traveller.alongM += stepM
    traveller.travelledM += stepM
    leftS -= stepM / speedMps
    if (traveller.alongM < (world.graph.lengthM[edge >> 1] ?? 0) - 0.01) break
    traveller.at++
    traveller.alongM = 0
  }
  // Two reports more from where the appointment is, then the phone is put away.
  if (traveller.travelledM >= plan.lengthM - 1 && !Number.isFinite(traveller.restsAfterMs)) {
    traveller.restsAfterMs = atMs + 30 * SECOND_MS
  }
}

function speedOn({ graph, jams }: World, plan: Itinerary, edge: number, atMs: EpochMs): number {
  const usualKmh = (graph.freeFlowKmh[edge >> 1] ?? 30) * USUAL_SHARE
  return Math.max(3, (usualKmh * jams.shareOf(edge, atMs)) / plan.pace)
}

function positionLine(
  traveller: Traveller,
  plan: Itinerary,
  world: World,
  { atMs, eventId }: { readonly atMs: EpochMs; readonly eventId: string | null },
): string {
  const isThere = traveller.travelledM >= plan.lengthM - 1
  const edge = plan.edges[traveller.at] ?? plan.edges.at(-1) ?? 0
  const isMoving = atMs > plan.departsAtMs && !isThere
  const place = isThere ? plan.to : pointOn(world.graph.lineOf(edge), world, edge, traveller.alongM)
  return JSON.stringify({
    journeyId: plan.journeyId,
    recordedAt: toIso(atMs),
    ...(eventId === null ? {} : { eventId }),
    lat: Math.round(place.lat * 1e6) / 1e6,
    lon: Math.round(place.lon * 1e6) / 1e6,
    speedKmh: isMoving ? Math.round(speedOn(world, plan, edge, atMs) * 10) / 10 : 0,
    accuracyM: 8,
  })
}

/** Between the ends of a stretch, as straight as it is drawn. */
function pointOn(line: readonly number[], { graph }: World, edge: number, alongM: number) {
  const share = Math.max(0, Math.min(1, alongM / Math.max(1, graph.lengthM[edge >> 1] ?? 1)))
  const [lon0 = 0, lat0 = 0] = line
  const [lon1 = lon0, lat1 = lat0] = line.slice(-2)
  return { lon: lon0 + share * (lon1 - lon0), lat: lat0 + share * (lat1 - lat0) }
}

function simulateOrders(options: SimulationOptions) {
  const world = worldOf(options)
  const actors = Array.from({ length: options.vehicles }, (_, number): Actor => {
    let ordered = -1
    return {
      report(atMs) {
        const round = roundOf(world, number, atMs)
        if (round <= ordered) return null
        ordered = round
        const plan = itineraryOf(world, number, round)
        if (plan === null) return null
        return { key: plan.appointmentId, line: JSON.stringify(ordersOf(plan)) }
      },
    }
  })
  return new ActorSimulation(actors, [], { ...options, faults: [], eventIds: false })
}

function simulateTraffic(options: SimulationOptions) {
  const world = worldOf(options)
  const { graph, jams } = world
  const actors = measuredEdges(graph, options.vehicles).map((edge): Actor => {
    const segmentId = graph.idOf(edge)
    const freeFlowKmh = graph.freeFlowKmh[edge >> 1] ?? 30
    return {
      report(atMs, eventId) {
        const speedKmh = freeFlowKmh * USUAL_SHARE * jams.shareOf(edge, atMs)
        const line = JSON.stringify({
          segmentId,
          observedAt: toIso(atMs),
          ...(eventId === null ? {} : { eventId }),
          speedKmh: Math.round(speedKmh * 10) / 10,
          freeFlowKmh,
        })
        return { key: segmentId, line }
      },
    }
  })
  const spoils = [
    replaced(/"speedKmh":[^,}]*/, '"speedKmh":-5'),
    (line: string) => line.slice(0, 20),
  ]
  return new ActorSimulation(actors, spoils, options)
}

/** Main roads first, spread over the city. */
function measuredEdges(graph: RoadGraph, count: number): readonly number[] {
  const edges = Array.from({ length: 2 * graph.segmentCount }, (_, edge) => edge)
    .filter((edge) => ((graph.users[edge] ?? 0) & CAR) !== 0)
    .map((edge) => ({
      edge,
      speedKmh: graph.freeFlowKmh[edge >> 1] ?? 0,
      mixed: Math.imul(edge + 1, 0x9e3779b1) >>> 0,
    }))
  return edges
    .sort((a, b) => b.speedKmh - a.speedKmh || a.mixed - b.mixed)
    .slice(0, count)
    .map(({ edge }) => edge)
}

export const arrivalFleets: readonly SimulatedFleet[] = [
  {
    topic: ORDERS,
    members: 'travellers with appointments',
    defaultVehicles: DEFAULT_TRAVELLERS,
    maxVehicles: MAX_TRAVELLERS,
    defaultIntervalMs: 5 * SECOND_MS,
    create: simulateOrders,
  },
  {
    topic: journeyPositions.name,
    members: 'travellers',
    defaultVehicles: DEFAULT_TRAVELLERS,
    maxVehicles: MAX_TRAVELLERS,
    defaultIntervalMs: 10 * SECOND_MS,
    create: simulateTravellers,
  },
  {
    topic: traffic.name,
    members: 'stretches of road',
    defaultVehicles: 400,
    maxVehicles: MAX_TRAVELLERS,
    defaultIntervalMs: MINUTE_MS,
    create: simulateTraffic,
  },
]
