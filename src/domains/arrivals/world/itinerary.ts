// Who goes where, and when: each traveller has one appointment after the other. Drawn from seed, traveller and
// round alone, so that whoever sends the appointments and whoever sends the positions tell one story.

import type { Coordinates } from '../../../kernel/geo.ts'
import { type DurationMs, type EpochMs, MINUTE_MS, SECOND_MS, toIso } from '../../../kernel/time.ts'
import { CAR } from '../roads/road-document.ts'
import type { RoadGraph } from '../roads/road-graph.ts'
import { searchRoute } from '../roads/route-search.ts'
import { diceOf } from './jams.ts'

/** From one appointment of a traveller to the next. */
export const ROUND_MS: DurationMs = 40 * MINUTE_MS
const TITLES = [
  'Site visit',
  'Interview',
  'Handover',
  'Contract talk',
  'Service call',
  'Viewing',
] as const
const NAMES = ['Amina', 'Brian', 'Chebet', 'Daudi', 'Esther', 'Fatuma', 'Gitau', 'Halima'] as const
/** The first two are late from the beginning: one can join online, the other cannot. */
const LATE_FROM_THE_START = 2
/** So many begin within two minutes, so that there is something to see. */
const SOON = 14
const LATE_BY_MS: DurationMs = 5 * MINUTE_MS
const SHORTEST_S = 240
/** Places that are drawn for a way before the traveller stays at home. */
const DRAWS = 6

export interface Itinerary {
  readonly appointmentId: string
  readonly journeyId: string
  readonly title: string
  readonly name: string
  readonly online: boolean
  readonly from: Coordinates
  readonly to: Coordinates
  readonly edges: readonly number[]
  readonly startM: number
  readonly lengthM: number
  readonly beginsAtMs: EpochMs
  readonly departsAtMs: EpochMs
  readonly startsAtMs: EpochMs
  /** Own pace: above 1 is slower than the road. */
  readonly pace: number
}

export interface WorldFacts {
  readonly graph: RoadGraph
  readonly startMs: EpochMs
  readonly seed: number
}

/** Which round of a traveller an instant lies in; before the first there is none. */
export function roundOf({ startMs, seed }: WorldFacts, traveller: number, atMs: EpochMs): number {
  return Math.floor((atMs - startMs - offsetMs(seed, traveller)) / ROUND_MS)
}

/** Travellers begin one after the other; the first few at once. */
function offsetMs(seed: number, traveller: number): DurationMs {
  if (traveller < LATE_FROM_THE_START) return 0
  const share = traveller < SOON ? 0.05 : 0.8
  return diceOf(seed, traveller, 77).between(0, share) * ROUND_MS
}

/** Null where the draw gives no way; then the traveller rests for a round. */
export function itineraryOf(world: WorldFacts, traveller: number, round: number): Itinerary | null {
  const { graph, startMs, seed } = world
  const dice = diceOf(seed, traveller, round)
  const beginsAtMs = Math.floor(startMs + offsetMs(seed, traveller) + round * ROUND_MS)
  const place = (): Coordinates => {
    const node = Math.floor(dice.next() * graph.nodeCount)
    return { lat: graph.latOf(node), lon: graph.lonOf(node) }
  }
  const isLate = round === 0 && traveller < LATE_FROM_THE_START
  let [from, to] = isLate ? acrossTown(graph, traveller) : [place(), place()]
  const timeS = (edge: number): number =>
    ((graph.lengthM[edge >> 1] ?? 0) * 3.6) / ((graph.freeFlowKmh[edge >> 1] ?? 30) * 0.85)
  let route = searchRoute(graph, { from, to, users: CAR, timeS })
  // A small network has many places next door, and islands.
  for (let draw = 1; draw < DRAWS && tooShort(route); draw++) {
    ;[from, to] = [place(), place()]
    route = searchRoute(graph, { from, to, users: CAR, timeS })
  }
  if (route === null || tooShort(route)) return null
  const departsAtMs = beginsAtMs + (isLate ? 20 * SECOND_MS : dice.between(1, 5) * MINUTE_MS)
  const spareMs = isLate ? -LATE_BY_MS : dice.between(-1, 9) * MINUTE_MS
  const arrivesMs = departsAtMs + route.durationS * SECOND_MS
  const startsAtMs =
    Math.ceil(Math.max(beginsAtMs + 3 * MINUTE_MS, arrivesMs + spareMs) / MINUTE_MS) * MINUTE_MS
  const id = `${seed.toString(36)}-${traveller}-${Math.floor(startMs / SECOND_MS).toString(36)}-${round}`
  return {
    appointmentId: `A-${id}`,
    journeyId: `J-${id}`,
    title: TITLES[(traveller + round) % TITLES.length] ?? TITLES[0],
    name: NAMES[traveller % NAMES.length] ?? NAMES[0],
    online: isLate ? traveller === 0 : dice.chance(0.5),
    from,
    to,
    edges: route.edges,
    startM: route.startM,
    lengthM: route.lengthM,
    beginsAtMs,
    departsAtMs,
    startsAtMs,
    pace: dice.between(0.9, 1.25),
  }
}

function tooShort(route: { readonly durationS: number } | null): boolean {
  return route === null || route.durationS < SHORTEST_S
}

/** From one corner to the one opposite; the second traveller takes the other two. */
function acrossTown(graph: RoadGraph, traveller: number): readonly [Coordinates, Coordinates] {
  const side = traveller % 2 === 0 ? 1 : -1
  const place = (node: number): Coordinates => ({ lat: graph.latOf(node), lon: graph.lonOf(node) })
  const reach = ({ lat, lon }: Coordinates): number => lon + side * lat
  let [first, last] = [place(0), place(0)]
  for (let node = 1; node < graph.nodeCount; node++) {
    const at = place(node)
    if (reach(at) < reach(first)) first = at
    if (reach(at) > reach(last)) last = at
  }
  return [first, last]
}

/** What is sent to `POST /appointments` and `POST /journeys`. */
export function ordersOf(plan: Itinerary) {
  return {
    appointment: {
      appointmentId: plan.appointmentId,
      title: plan.title,
      startsAt: toIso(plan.startsAtMs),
      lat: plan.to.lat,
      lon: plan.to.lon,
      organizerEmail: 'organizer@example.com',
      ...(plan.online ? { onlineUrl: `https://meet.example.com/${plan.appointmentId}` } : {}),
    },
    journey: {
      journeyId: plan.journeyId,
      appointmentId: plan.appointmentId,
      travelerEmail: `${plan.name.toLowerCase()}@example.com`,
      travelerName: plan.name,
      mode: 'car',
    },
  }
}
