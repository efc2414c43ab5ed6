// Journeys as the engine runs them: every position, every change of traffic on the way, every change of the plan
// and every minute of silence gives an estimate; each is kept, and the rules judge it.

import { DAY_MS } from '../../kernel/time.ts'
import { copyRuns, openEpisodesOf } from '../../rules/rule-set.ts'
import {
  archiveColumnsFor,
  liveRules,
  pipelineRules,
  type RuleSource,
} from '../../rules/rule-source.ts'
import type { KeyContext, Pipeline } from '../../streams/pipeline.ts'
import { type JourneyPosition, journeyPositions } from './events.ts'
import {
  arrivalAt,
  type EstimateCause,
  estimate,
  type JourneyState,
  newJourney,
  nextLook,
  type Surroundings,
  travel,
} from './journey-state.ts'
import { applyTraffic, emptyTraffic } from './live-traffic.ts'
import { applyPlan, emptyPlans, planOf } from './plan-table.ts'
import { journeyPlans } from './plans.ts'
import { LATE_PROBABILITY } from './queries.ts'
import { ROAD_TABLE } from './roads/road-document.ts'
import { roadGraphOf } from './roads/road-graph.ts'
import { lineOfRoute, type Route } from './route.ts'
import { arrivalTable, estimateTable } from './rows.ts'
import { derivedFields, journeyRules } from './rules.ts'
import { traffic } from './traffic.ts'
import { ARRIVAL_VIEW, arrivalDocument } from './views.ts'

const NO_SEGMENTS: readonly string[] = []

interface Look {
  readonly cause: EstimateCause
  /** Where the traveller was seen. */
  readonly seen?: JourneyPosition
}

/** The pipeline with other rules than the built-in ones, for trying them over history. */
export function journeyPipelineWith(rules: RuleSource): Pipeline<JourneyPosition, JourneyState> {
  const look = (state: JourneyState, context: KeyContext, { cause, seen }: Look): void => {
    const around = surroundings(context)
    if (around === null) {
      state.position = seen ?? state.position
      return
    }
    if (state.arrivedAtMs !== null) return
    const { plan } = around
    const before = state.route
    // Clocks differ: what is expected later never goes before what was expected already.
    const atMs = Math.max(context.eventTimeMs, state.estimate?.atMs ?? 0)
    if (seen !== undefined) travel(state, seen, context.eventTimeMs, around)
    state.appointmentId = plan.appointmentId
    const found =
      state.arrivedAtMs === null
        ? estimate(state, cause, atMs, around)
        : arrivalAt(atMs, plan.startsAtMs, state.pace)
    if (found !== null) {
      state.estimate = found
      if (found.lateProbability >= LATE_PROBABILITY) state.firstLateAtMs ??= atMs
      if (!rules.scope.alertsOnly) putRows(state, context, lineIfNew(before, state.route, around))
    }
    state.wakeAtMs = nextLook(state, atMs, plan)
    if (state.position === null) return
    const derived = derivedFields(state, plan, atMs)
    rules.at(context).onEvent(state.runs, { event: state.position, derived }, context)
  }
  return {
    name: 'journeys',
    topic: journeyPositions,
    ...archiveColumnsFor(rules, journeyPositions.archive),
    stateFormat: 1,
    forgetAfterMs: DAY_MS,
    newState: newJourney,
    copyState: (state) => ({ ...state, runs: copyRuns(state.runs) }),
    onEvent(state, seen, context) {
      look(state, context, { cause: 'position', seen })
    },
    onTimer: () => undefined,
    deadline: {
      atMs: ({ wakeAtMs }) => wakeAtMs,
      onPassed(state, context) {
        state.wakeAtMs = null
        look(state, context, { cause: 'time' })
      },
    },
    openEpisodes: (state) => openEpisodesOf(state.runs),
    silences: [],
    rules: pipelineRules<JourneyState>(rules, { runs: ({ runs }) => runs }),
    windows: [],
    broadcasts: [
      {
        topic: traffic.name,
        empty: emptyTraffic,
        apply: applyTraffic,
        listeners: {
          subjects: ({ route, arrivedAtMs }) =>
            arrivedAtMs === null ? (route?.segmentIds ?? NO_SEGMENTS) : NO_SEGMENTS,
          onRecord(state, record, context) {
            const from = state.progress?.at ?? 0
            if (state.route?.segmentIds.includes(record.key, from) !== true) return
            look(state, context, { cause: 'traffic' })
          },
        },
      },
      {
        topic: journeyPlans.name,
        empty: emptyPlans,
        apply: applyPlan,
        listeners: {
          subjects: ({ self }) => self,
          onRecord(state, _record, context) {
            look(state, context, { cause: 'plan' })
          },
        },
      },
    ],
    rows: {
      tables: [arrivalTable, estimateTable],
      open(state, journeyId, put) {
        const { estimate: found, position, appointmentId } = state
        if (found === null || position === null || appointmentId === null) return
        const { arrivedAtMs, firstLateAtMs } = state
        const positionAtMs = position.recordedAtMs
        const row = { journeyId, appointmentId, estimate: found, positionAtMs, position }
        put(arrivalTable, { ...row, arrivedAtMs, firstLateAtMs, line: null })
      },
    },
    view: { name: ARRIVAL_VIEW, document: arrivalDocument },
  }
}

export const journeyPipeline = journeyPipelineWith(liveRules(journeyRules))

/** Null where nobody said where the journey leads, or that was long ago. */
function surroundings(context: KeyContext): Surroundings | null {
  const { tenantId, key } = context
  const plan = planOf(context.broadcast(journeyPlans.name), { tenantId, key })
  if (plan === undefined) return null
  return {
    plan,
    tenantId,
    graph: roadGraphOf(context.reference(ROAD_TABLE)),
    trafficTable: context.broadcast(traffic.name),
  }
}

type Line = readonly (readonly [number, number])[] | null

function lineIfNew(before: Route | null, now: Route | null, { graph }: Surroundings): Line {
  if (now === before) return null
  return graph === null || now === null ? [] : lineOfRoute(graph, now)
}

/** Arrivals are no estimates: they are what estimates are held against. */
function putRows(state: JourneyState, context: KeyContext, line: Line): void {
  const { estimate: found, position, appointmentId, arrivedAtMs, firstLateAtMs } = state
  if (found === null || position === null || appointmentId === null) return
  const journeyId = context.key
  const row = { journeyId, appointmentId, estimate: found, positionAtMs: position.recordedAtMs }
  context.put(arrivalTable, { ...row, position, arrivedAtMs, firstLateAtMs, line })
  if (arrivedAtMs === null) context.put(estimateTable, row)
}
