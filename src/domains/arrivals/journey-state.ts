// What a task keeps of one journey, and how each position, change of traffic or plan, and minute of silence
// changes what is expected of it.

import { type Coordinates, distanceM } from '../../kernel/geo.ts'
import { type DurationMs, type EpochMs, HOUR_MS, MINUTE_MS } from '../../kernel/time.ts'
import type { RuleRuns } from '../../rules/rule-set.ts'
import { type Eta, etaOf } from './eta.ts'
import type { JourneyPosition } from './events.ts'
import { NO_PACE, type Pace, paceAfter, paceRatio, paceSpread } from './pace.ts'
import type { JourneyPlan, TravelMode } from './plans.ts'
import type { RoadGraph } from './roads/road-graph.ts'
import {
  beginning,
  findRoute,
  matchOnRoute,
  type Progress,
  type Route,
  restOfWay,
  type TrafficSight,
} from './route.ts'

/** So near the place counts as having arrived. */
export const ARRIVAL_RADIUS_M = 120
/** A position farther from the way than this is off it, unless it is less exact itself. */
const OFF_ROUTE_M = 70
/** So many in a row, and another way is looked for. */
const MISSES_BEFORE_SEARCH = 2
const FASTEST_MPS = 60
/** Nobody has set off before so much of the way lies behind. */
const SET_OFF_M = 100
/** Without roads: how much longer ways are than the bird's, and how fast they are, km/h. */
const DETOUR = 1.35
const STRAIGHT_KMH: Readonly<Record<TravelMode, number>> = { car: 38, bicycle: 15, foot: 4.8 }
const STRAIGHT_SPREAD = 0.4
/** What a provider said longer ago is not used. */
const PROVIDER_LASTS_MS: DurationMs = 10 * MINUTE_MS
const PROVIDER_SPREAD = 0.1
/** Estimates go on so long after the start, where nobody has arrived. */
export const WATCHED_AFTER_START_MS: DurationMs = 2 * HOUR_MS

export type EstimateCause = 'position' | 'traffic' | 'plan' | 'time'
export type EstimateSource = 'roads' | 'provider' | 'straight-line'

export interface Estimate extends Eta {
  readonly atMs: EpochMs
  readonly cause: EstimateCause
  readonly source: EstimateSource
  readonly startsAtMs: EpochMs
  readonly remainingM: number
  readonly freeFlowS: number
  readonly pace: number
  readonly trafficAtMs: EpochMs | null
}

export interface JourneyState {
  /** Names under which plans speak of it: its own. */
  readonly self: readonly string[]
  appointmentId: string | null
  position: JourneyPosition | null
  route: Route | null
  /** Where the route leads: another place means another route. */
  destination: Coordinates | null
  progress: Progress | null
  travelledM: number
  misses: number
  pace: Pace
  estimate: Estimate | null
  arrivedAtMs: EpochMs | null
  firstLateAtMs: EpochMs | null
  /** When it is looked at again, though nothing is heard. */
  wakeAtMs: EpochMs | null
  runs: RuleRuns
}

export function newJourney(journeyId: string): JourneyState {
  return {
    self: [journeyId],
    appointmentId: null,
    position: null,
    route: null,
    destination: null,
    progress: null,
    travelledM: 0,
    misses: 0,
    pace: NO_PACE,
    estimate: null,
    arrivedAtMs: null,
    firstLateAtMs: null,
    wakeAtMs: null,
    runs: [],
  }
}

/** What is around a journey when it is looked at. */
export interface Surroundings {
  readonly graph: RoadGraph | null
  readonly plan: JourneyPlan
  readonly trafficTable: unknown
  readonly tenantId: string
}

/** Follows the traveller to where the event says; the estimate is another step. */
export function travel(
  state: JourneyState,
  event: JourneyPosition,
  atMs: EpochMs,
  around: Surroundings,
): void {
  const before = state.position
  state.position = event
  if (state.arrivedAtMs !== null) return
  if (distanceM(event, around.plan) <= ARRIVAL_RADIUS_M) {
    state.arrivedAtMs = atMs
    return
  }
  ensureRoute(state, atMs, around)
  const { graph } = around
  const { route, progress } = state
  if (graph === null || route === null || progress === null) return
  const takenS = before === null ? 0 : Math.max(0, (atMs - before.recordedAtMs) / 1_000)
  const withinM = Math.max(OFF_ROUTE_M, 2 * (event.accuracyM ?? 0))
  const aheadM = 500 + FASTEST_MPS * takenS
  const next = matchOnRoute(graph, route, progress, event, { withinM, aheadM })
  if (next === null) {
    state.misses++
    if (state.misses >= MISSES_BEFORE_SEARCH) searchAgain(state, atMs, around)
    return
  }
  state.misses = 0
  moveOn(state, { graph, route, from: progress, to: next, takenS }, sightOf(around, atMs))
}

interface Step {
  readonly graph: RoadGraph
  readonly route: Route
  readonly from: Progress
  readonly to: Progress
  readonly takenS: number
}

function moveOn(
  state: JourneyState,
  { graph, route, from, to, takenS }: Step,
  sight: TrafficSight,
) {
  const isAhead = to.at > from.at || (to.at === from.at && to.alongM >= from.alongM)
  // A fix that jumps back is noise: the traveller is taken to stand.
  const stretch = isAhead ? restOfWay(graph, route, sight, from, to) : null
  if (isAhead) state.progress = to
  state.travelledM += stretch?.lengthM ?? 0
  if (state.travelledM >= SET_OFF_M) {
    state.pace = paceAfter(state.pace, takenS, stretch?.durationS ?? 0)
  }
}

function sightOf({ plan, trafficTable, tenantId }: Surroundings, atMs: EpochMs): TrafficSight {
  return { table: trafficTable, tenantId, atMs, mode: plan.mode }
}

/** The way there is, unless the place or the roads are others now. */
function ensureRoute(state: JourneyState, atMs: EpochMs, around: Surroundings): void {
  const { plan, graph } = around
  const { destination, route } = state
  const samePlace = destination?.lat === plan.lat && destination.lon === plan.lon
  const sameRoads = (route?.roads ?? graph?.version) === graph?.version
  if (samePlace && sameRoads) return
  searchAgain(state, atMs, around)
}

function searchAgain(state: JourneyState, atMs: EpochMs, around: Surroundings): void {
  const { plan, graph } = around
  const { position } = state
  state.misses = 0
  state.destination = { lat: plan.lat, lon: plan.lon }
  const found =
    graph === null || position === null
      ? null
      : findRoute(graph, position, plan, sightOf(around, atMs))
  state.route = found
  state.progress = found === null ? null : beginning(found)
}

/** What is expected now; null where nothing can be: no position yet, or nobody needs to arrive. */
export function estimate(
  state: JourneyState,
  cause: EstimateCause,
  nowMs: EpochMs,
  around: Surroundings,
): Estimate | null {
  const { position } = state
  const { plan } = around
  if (position === null || plan.over || state.arrivedAtMs !== null) return null
  ensureRoute(state, nowMs, around)
  const way = wayAhead(state, nowMs, around)
  const pace = paceRatio(state.pace)
  const positionAtMs = Math.min(nowMs, position.recordedAtMs)
  const eta = etaOf({
    nowMs,
    positionAtMs,
    startsAtMs: plan.startsAtMs,
    remainingS: way.durationS * (way.source === 'provider' ? 1 : pace),
    trafficSpread: way.spread,
    paceSpread: paceSpread(state.pace),
  })
  const { freeFlowS, trafficAtMs, source } = way
  const facts = { atMs: nowMs, cause, source, startsAtMs: plan.startsAtMs, pace, trafficAtMs }
  return { ...eta, ...facts, remainingM: way.lengthM, freeFlowS }
}

/** Being there, said as an estimate is. */
export function arrivalAt(atMs: EpochMs, startsAtMs: EpochMs, pace: Pace): Estimate {
  return {
    atMs,
    cause: 'position',
    source: 'roads',
    startsAtMs,
    p50Ms: atMs,
    p90Ms: atMs,
    lateProbability: atMs > startsAtMs ? 1 : 0,
    expectedS: 0,
    remainingM: 0,
    freeFlowS: 0,
    pace: paceRatio(pace),
    trafficAtMs: null,
  }
}

interface WayAhead {
  readonly lengthM: number
  readonly durationS: number
  readonly freeFlowS: number
  readonly spread: number
  readonly trafficAtMs: EpochMs | null
  readonly source: EstimateSource
}

function wayAhead(state: JourneyState, nowMs: EpochMs, around: Surroundings): WayAhead {
  const own = ownWay(state, nowMs, around)
  const { travelTime } = around.plan
  if (travelTime === null || nowMs - travelTime.observedAtMs > PROVIDER_LASTS_MS) return own
  if (travelTime.distanceM <= 0) return own
  // What the provider said of the whole way, for the share of it that is left.
  const share = Math.min(1, own.lengthM / travelTime.distanceM)
  const ageShare = Math.max(0, nowMs - travelTime.observedAtMs) / PROVIDER_LASTS_MS
  return {
    lengthM: own.lengthM,
    durationS: travelTime.durationS * share,
    freeFlowS: travelTime.freeFlowS === null ? own.freeFlowS : travelTime.freeFlowS * share,
    spread: PROVIDER_SPREAD * (1 + 2 * ageShare),
    trafficAtMs: travelTime.observedAtMs,
    source: 'provider',
  }
}

function ownWay(state: JourneyState, nowMs: EpochMs, around: Surroundings): WayAhead {
  const { graph } = around
  if (graph !== null && state.route !== null && state.progress !== null) {
    const rest = restOfWay(graph, state.route, sightOf(around, nowMs), state.progress)
    if (!rest.closed) return { ...rest, source: 'roads' }
    searchAgain(state, nowMs, around)
    if (state.route !== null && state.progress !== null) {
      const other = restOfWay(graph, state.route, sightOf(around, nowMs), state.progress)
      return { ...other, source: 'roads' }
    }
  }
  const lengthM = state.position === null ? 0 : DETOUR * distanceM(state.position, around.plan)
  const durationS = (lengthM * 3.6) / STRAIGHT_KMH[around.plan.mode]
  const flat = { lengthM, durationS, freeFlowS: durationS, spread: STRAIGHT_SPREAD }
  return { ...flat, trafficAtMs: null, source: 'straight-line' }
}

/** Sooner while it is fresh, ever later the longer nothing is heard; null once nobody waits. */
export function nextLook(state: JourneyState, nowMs: EpochMs, plan: JourneyPlan): EpochMs | null {
  const { position, arrivedAtMs } = state
  if (position === null || arrivedAtMs !== null || nobodyWaits(plan, nowMs)) return null
  const silentMs = Math.max(0, nowMs - position.recordedAtMs)
  const soonMs = nowMs + Math.max(MINUTE_MS, silentMs / 4)
  return Math.min(soonMs, plan.startsAtMs + WATCHED_AFTER_START_MS)
}

/** The appointment is off, or began so long ago that who has not come will not. */
export function nobodyWaits(
  { over, startsAtMs }: Pick<JourneyPlan, 'over' | 'startsAtMs'>,
  nowMs: EpochMs,
): boolean {
  return over || nowMs >= startsAtMs + WATCHED_AFTER_START_MS
}
