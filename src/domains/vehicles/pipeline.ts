// Vehicles as the engine runs them: joins reference data to each event, derives the expected gear, feeds
// the rules, keeps the vehicle's last state; its sliding windows are in windows.ts.

import { drives } from '../../driving/drives.ts'
import {
  copyDriving,
  type DrivingState,
  drive,
  HARSH_FIXES_MS,
  KMH_PER_MS,
  newDriving,
  prefetchDriving,
  putOpen,
  restoreDriving,
} from '../../driving/driving.ts'
import { drivingPeriods } from '../../driving/period.ts'
import { carriedInto } from '../../kernel/plain-data.ts'
import { DAY_MS, type EpochMs, SECOND_MS } from '../../kernel/time.ts'
import type { RuleInput } from '../../rules/field-table.ts'
import { copyRuns, openEpisodesOf, type RuleRuns } from '../../rules/rule-set.ts'
import {
  archiveColumnsFor,
  liveRules,
  pipelineRules,
  type RuleSource,
} from '../../rules/rule-source.ts'
import type { EventContext, Pipeline } from '../../streams/pipeline.ts'
import { type VehicleTelemetry, vehicleTelemetry } from './events.ts'
import { expectedGear } from './gears.ts'
import { profileAt } from './profile.ts'
import { UNKNOWN_VEHICLE, type VehicleProfile } from './reference.ts'
import { vehicleRules } from './rules.ts'
import { VEHICLE_VIEW, vehicleDocument } from './views.ts'
import { DEFAULT_WINDOW_SPANS, vehicleWindow, type WindowSpan } from './windows.ts'

/** State of one vehicle; plain data. */
export interface VehicleState {
  /** Of the last event; NaN where it did not say, and before the first. */
  speedKmh: number
  recordedAtMs: EpochMs
  /** As the last event was joined. */
  profile: VehicleProfile | null
  runs: RuleRuns
  driving: DrivingState
}

function newState(): VehicleState {
  return {
    speedKmh: Number.NaN,
    recordedAtMs: Number.NaN,
    profile: null,
    runs: [],
    driving: newDriving(),
  }
}

/** The pipeline with other rules than the built-in ones, for trying them over history. */
export function vehiclesPipelineWith(rules: RuleSource): Pipeline<VehicleTelemetry, VehicleState> {
  // Filled anew for every event, and looked at during it only.
  const input = newInput()
  return {
    name: 'vehicles',
    topic: vehicleTelemetry,
    ...archiveColumnsFor(rules, vehicleTelemetry.archive),
    stateFormat: 6,
    forgetAfterMs: 30 * DAY_MS,
    newState,
    copyState({ speedKmh, recordedAtMs, profile, runs, driving }, spare = newState()) {
      spare.speedKmh = speedKmh
      spare.recordedAtMs = recordedAtMs
      spare.profile = profile
      spare.runs = copyRuns(runs)
      spare.driving = rules.scope.alertsOnly ? driving : copyDriving(driving, spare.driving)
      return spare
    },
    prefetch: ({ speedKmh, driving }) => speedKmh + prefetchDriving(driving),
    restoreState: (carried) => ({
      ...carriedInto(newState(), carried),
      driving: restoreDriving(carried.driving),
    }),
    onEvent(state, event, context) {
      const profile = profileAt(event, context, state.profile)
      input.event = event
      input.context = context
      input.reference = profile
      derive(input.derived, event, profile)
      input.derived.brakingMs2 = brakingMs2(state, event)
      rules.at(context).onEvent(state.runs, input, context)
      state.speedKmh = event.speedKmh ?? Number.NaN
      state.recordedAtMs = event.recordedAtMs
      state.profile = profile
      if (rules.scope.alertsOnly) return
      const model = profile.known ? profile.model : null
      drive(state.driving, { entityType: 'vehicle', now: event, model }, context)
    },
    onTimer() {
      // Vehicles set no timers: their durations are judged at the readings themselves.
    },
    openEpisodes: (state) => openEpisodesOf(state.runs),
    silences: [],
    rules: pipelineRules<VehicleState>(rules, { runs: ({ runs }) => runs }),
    rows: {
      tables: [drivingPeriods, drives],
      open: ({ driving }, _key, put) => putOpen(driving, put),
    },
    windows: DEFAULT_WINDOW_SPANS.map(vehicleWindow),
    broadcasts: [],
    view: {
      name: VEHICLE_VIEW,
      document({ profile }, _key, facts) {
        const last = facts.newest()
        if (last === null) return undefined
        return vehicleDocument({ ...facts, last, profile: profile ?? UNKNOWN_VEHICLE })
      },
    },
  }
}

export const vehiclesPipeline = vehiclesPipelineWith(liveRules(vehicleRules))

/** The same with windows of these sizes, the first of which is shown unless another is asked for. */
export function vehiclesPipelineOver(
  spans: readonly WindowSpan[],
): Pipeline<VehicleTelemetry, VehicleState> {
  return { ...vehiclesPipeline, windows: spans.map(vehicleWindow) }
}

interface Derived {
  known: boolean
  brand: string | null
  model: string
  color: string
  expectedGear: number | null
  gearsApart: number | null
  gearMismatch: boolean | null
  overLimitKmh: number | null
  /** Loss of speed since the reading before; null where that is more than a few seconds ago. */
  brakingMs2: number | null
}

interface Input extends RuleInput {
  event: object
  readonly derived: Derived
  reference: object | null
  context: EventContext<VehicleTelemetry> | null
}

function newInput(): Input {
  const { known, brand, model, color } = UNKNOWN_VEHICLE
  const nothing = { expectedGear: null, gearsApart: null, gearMismatch: null, overLimitKmh: null }
  const unknown = { ...nothing, brakingMs2: null }
  return {
    event: {},
    derived: { known, brand, model, color, ...unknown },
    reference: null,
    context: null,
    get last() {
      return this.context?.previous() ?? null
    },
  }
}

function brakingMs2(
  last: Pick<VehicleState, 'speedKmh' | 'recordedAtMs'>,
  now: VehicleTelemetry,
): number | null {
  if (Number.isNaN(last.speedKmh) || now.speedKmh === null) return null
  const stepMs = now.recordedAtMs - last.recordedAtMs
  if (stepMs <= 0 || stepMs > HARSH_FIXES_MS) return null
  return (last.speedKmh - now.speedKmh) / KMH_PER_MS / (stepMs / SECOND_MS)
}

function derive(derived: Derived, event: VehicleTelemetry, profile: VehicleProfile): void {
  const { speedKmh, gear, postedLimitKmh } = event
  const expected = speedKmh === null ? null : expectedGear(speedKmh, profile.gears)
  const apart = gear === null || expected === null ? null : Math.abs(gear - expected)
  derived.known = profile.known
  derived.brand = profile.brand
  derived.model = profile.model
  derived.color = profile.color
  derived.expectedGear = expected
  derived.gearsApart = apart
  derived.gearMismatch = apart === null ? null : apart > 0
  derived.overLimitKmh =
    speedKmh === null || postedLimitKmh === null ? null : speedKmh - postedLimitKmh
}
