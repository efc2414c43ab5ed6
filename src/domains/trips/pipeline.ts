// Trips as the engine runs them: keeps the state of each, writes it as a row, and judges what is odd.

import { MINUTE_MS } from '../../kernel/time.ts'
import { copyRuns, openEpisodesOf, type RuleRuns } from '../../rules/rule-set.ts'
import {
  archiveColumnsFor,
  liveRules,
  pipelineRules,
  type RuleSource,
} from '../../rules/rule-source.ts'
import type { Pipeline } from '../../streams/pipeline.ts'
import { judgeTrip, TARIFF_TABLE, tariffsOf } from './anomaly.ts'
import { type TripEvent, trips } from './events.ts'
import { tripRules } from './rules.ts'
import { type TripRow, type TripState, tripAfter, tripTable } from './trip.ts'

export interface TripRunState {
  row: TripRow | null
  runs: RuleRuns
}

/** The pipeline with other rules than the built-in ones, for trying them over history. */
export function tripsPipelineWith(rules: RuleSource): Pipeline<TripEvent, TripRunState> {
  return {
    name: 'trips',
    topic: trips,
    ...archiveColumnsFor(rules, trips.archive),
    stateFormat: 1,
    forgetAfterMs: 10 * MINUTE_MS,
    newState: () => ({ row: null, runs: [] }),
    copyState: ({ row, runs }) => ({ row, runs: copyRuns(runs) }),
    onEvent(state, event, context) {
      const known: TripState | null = state.row?.trip ?? null
      const trip = tripAfter(known, event, context.eventTimeMs)
      const { anomalies, ...judged } = judgeTrip(trip, tariffsOf(context.reference(TARIFF_TABLE)))
      const derived = {
        ...judged,
        anomalous: anomalies.length > 0 && !isKnownSo(state.row, anomalies),
        anomalies: anomalies.join(', '),
        // For conditions only: money is added up from the exact one.
        fare: trip.fare === null ? null : Number(trip.fare),
      }
      rules.at(context).onEvent(state.runs, { event, derived }, context)
      state.row = { trip, anomalies }
      if (!rules.scope.alertsOnly) context.put(tripTable, state.row)
    },
    onTimer() {
      // Trips set no timers.
    },
    openEpisodes: (state) => openEpisodesOf(state.runs),
    silences: [],
    rules: pipelineRules<TripRunState>(rules, { runs: ({ runs }) => runs }),
    windows: [],
    broadcasts: [],
    rows: {
      tables: [tripTable],
      open(state, _key, put) {
        if (state.row !== null) put(tripTable, state.row)
      },
    },
  }
}

/** A finished trip that is told once more, and is odd as it was. */
function isKnownSo(row: TripRow | null, anomalies: TripRow['anomalies']): boolean {
  return row !== null && row.trip.status !== 'in-progress' && areSame(row.anomalies, anomalies)
}

function areSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((each) => other.includes(each))
}

export const tripsPipeline = tripsPipelineWith(liveRules(tripRules))
