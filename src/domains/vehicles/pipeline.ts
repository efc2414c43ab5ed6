// Vehicles as the engine runs them: joins reference data to each event, derives the expected gear, feeds
// the rules, keeps the vehicle's last state and sliding figures of every model.

import {
  copyDriving,
  type DrivingSample,
  type DrivingState,
  drive,
  newDriving,
  putOpenPeriod,
} from '../../driving/driving.ts'
import { drivingPeriods } from '../../driving/period.ts'
import { DAY_MS, type EpochMs, MINUTE_MS, SECOND_MS } from '../../kernel/time.ts'
import { copyRuns, openEpisodesOf, type RuleRuns } from '../../rules/rule-set.ts'
import {
  archiveColumnsFor,
  liveRules,
  pipelineRules,
  type RuleSource,
} from '../../rules/rule-source.ts'
import type { Pipeline } from '../../streams/pipeline.ts'
import type { ReferenceReader, WindowDefinition } from '../../streams/windows.ts'
import { type VehicleTelemetry, vehicleTelemetry } from './events.ts'
import { expectedGear } from './gears.ts'
import {
  COLORS_TABLE,
  fleetJoin,
  MODELS_TABLE,
  UNKNOWN_VEHICLE,
  VEHICLES_TABLE,
  type VehicleProfile,
} from './reference.ts'
import { vehicleRules } from './rules.ts'
import { VEHICLE_VIEW, vehicleDocument } from './views.ts'

/** State of one vehicle; plain data. */
export interface VehicleState {
  last: VehicleTelemetry | null
  /** As the last event was joined. */
  profile: VehicleProfile | null
  runs: RuleRuns
  driving: DrivingState
}

const fleetOf = fleetJoin()

/** What reference tables say of a vehicle, in the version that `tables` gives. */
export function profileOf(vehicleId: string, tables: ReferenceReader): VehicleProfile {
  const fleet = fleetOf({
    vehicles: tables.reference(VEHICLES_TABLE),
    models: tables.reference(MODELS_TABLE),
    colors: tables.reference(COLORS_TABLE),
  })
  return fleet.get(vehicleId) ?? UNKNOWN_VEHICLE
}

const slidingFigures: WindowDefinition<VehicleTelemetry> = {
  name: 'vehicles-15m-1m',
  sizeMs: 15 * MINUTE_MS,
  slideMs: MINUTE_MS,
  allowanceMs: 30 * SECOND_MS,
  amendableForMs: 15 * MINUTE_MS,
  // Figures of driving: who reports a position alone is on the map, and not in here.
  counts: (event) => event.speedKmh !== null,
  group: (event, tables) => profileOf(event.vehicleId, tables).model,
  values: {
    readings: { kind: 'count' },
    maxSpeedKmh: { kind: 'maximum', value: (event) => event.speedKmh },
    activeVehicles: { kind: 'distinct-keys' },
    colors: {
      kind: 'keys-by-label',
      label: (event, tables) => profileOf(event.vehicleId, tables).color,
    },
  },
}

/** What is computed; the first is what is shown unless asked for another. */
export const vehicleWindows: readonly WindowDefinition<VehicleTelemetry>[] = [slidingFigures]

/** The pipeline with other rules than the built-in ones, for trying them over history. */
export function vehiclesPipelineWith(rules: RuleSource): Pipeline<VehicleTelemetry, VehicleState> {
  return {
    name: 'vehicles',
    topic: vehicleTelemetry,
    ...archiveColumnsFor(rules, vehicleTelemetry.archive),
    stateFormat: 2,
    forgetAfterMs: 30 * DAY_MS,
    newState: () => ({ last: null, profile: null, runs: [], driving: newDriving() }),
    copyState: ({ last, profile, runs, driving }) => ({
      last,
      profile,
      runs: copyRuns(runs),
      driving: copyDriving(driving),
    }),
    eventFields: ['last'],
    onEvent(state, event, context) {
      const profile = profileOf(event.vehicleId, context)
      const { known, brand, model, color, gears } = profile
      const { speedKmh, gear, postedLimitKmh } = event
      const expected = speedKmh === null ? null : expectedGear(speedKmh, gears)
      const gearsApart = gear === null || expected === null ? null : Math.abs(gear - expected)
      const derived = {
        known,
        brand,
        model,
        color,
        expectedGear: expected,
        gearsApart,
        gearMismatch: gearsApart === null ? null : gearsApart > 0,
        overLimitKmh:
          speedKmh === null || postedLimitKmh === null ? null : speedKmh - postedLimitKmh,
      }
      const input = { event, derived, last: state.last, reference: profile }
      rules.at(context).onEvent(state.runs, input, context)
      state.last = event
      state.profile = profile
      if (rules.scope.alertsOnly) return
      const driven = { entityType: 'vehicle', entityId: event.vehicleId }
      drive(state.driving, driven, drivingSample(event, context.eventTimeMs), context)
    },
    onTimer() {
      // Vehicles set no timers: their durations are judged at the readings themselves.
    },
    openEpisodes: (state) => openEpisodesOf(state.runs),
    silences: [],
    rules: pipelineRules<VehicleState>(rules, { runs: ({ runs }) => runs }),
    rows: {
      tables: [drivingPeriods],
      open: ({ driving }, _key, put) => putOpenPeriod(driving, put),
    },
    windows: vehicleWindows,
    broadcasts: [],
    view: {
      name: VEHICLE_VIEW,
      document({ last, profile }, _key, facts) {
        if (last === null) return undefined
        return vehicleDocument({ ...facts, last, profile: profile ?? UNKNOWN_VEHICLE })
      },
    },
  }
}

export const vehiclesPipeline = vehiclesPipelineWith(liveRules(vehicleRules))

/** A vehicle that tells its revolutions tells whether its engine runs. */
function drivingSample(event: VehicleTelemetry, atMs: EpochMs): DrivingSample {
  const { speedKmh, lat, lon, headingDeg, odometerKm, fuelLph, postedLimitKmh, rpm } = event
  return {
    ...{ atMs, speedKmh, lat, lon, headingDeg, odometerKm, fuelLph },
    fuelPercent: null,
    fuelLitres: null,
    limitKmh: postedLimitKmh,
    engineOn: rpm === null ? null : rpm > 0,
  }
}
