// Cold chain as the engine runs it: judges temperature and fuel of each truck, feeds the rules, keeps
// the truck's last state and minutely figures of the fleet.

import { drives } from '../../driving/drives.ts'
import {
  copyDriving,
  type DrivingState,
  drive,
  newDriving,
  prefetchDriving,
  putOpen,
  restoreDriving,
} from '../../driving/driving.ts'
import { REST_SPEED_KMH } from '../../driving/fuel-balance.ts'
import { drivingPeriods } from '../../driving/period.ts'
import { carriedInto } from '../../kernel/plain-data.ts'
import { DAY_MS, type EpochMs, MINUTE_MS, SECOND_MS } from '../../kernel/time.ts'
import type { Severity } from '../../ports/alert.ts'
import type { RuleInput } from '../../rules/field-table.ts'
import { copyRuns, openEpisodesOf, type RuleRuns } from '../../rules/rule-set.ts'
import {
  archiveColumnsFor,
  liveRules,
  pipelineRules,
  type RuleSource,
} from '../../rules/rule-source.ts'
import type { EventContext, Pipeline } from '../../streams/pipeline.ts'
import type { WindowDefinition } from '../../streams/windows.ts'
import { type TruckReading, truckReadings } from './events.ts'
import { copyFuel, type FuelState, fuelDropPercent, newFuel } from './fuel.ts'
import {
  builtInProfiles,
  DEFAULT_PROFILE_NAME,
  type GoodsProfile,
  parseGoodsProfile,
  type Side,
} from './profiles.ts'
import { coldChainRules } from './rules.ts'
import {
  type CompartmentState,
  copyCompartments,
  judgeTemperature,
  newCompartment,
  UNJUDGED,
} from './temperature.ts'
import { TRUCK_VIEW, truckDocument } from './views.ts'

/** Reference table with the operator's own profiles; they come before the built-in ones. */
export const PROFILE_TABLE = 'goods-profiles'
/** Compartments of one truck that are told apart; further ones are judged as the last. */
export const MAX_COMPARTMENTS = 8

/** State of one truck; plain data. */
export interface TruckState {
  compartments: CompartmentState[]
  fuel: FuelState
  /** Of the last reading; null where it named none. */
  shipmentId: string | null
  /** Range of the profile that the last reading was judged by. */
  limits: { readonly minC: number; readonly maxC: number } | null
  runs: RuleRuns
  driving: DrivingState
}

/** What rules see of a reading besides itself. */
interface Derived {
  profile: string
  minC: number | null
  maxC: number | null
  limitC: number | null
  breached: boolean
  recovered: boolean
  side: Side | null
  severity: Severity | null
  deviationC: number
  fuelDropPercent: number | null
  moving: boolean
}

/** What rules are given: filled anew for every reading, and looked at during it only. */
interface Input extends RuleInput {
  event: object
  profile: GoodsProfile | null
  context: EventContext<TruckReading> | null
}

const NO_EVENT: object = {}

type Profiles = ReadonlyMap<string, GoodsProfile>

const builtIn: Profiles = new Map(builtInProfiles.map((profile) => [profile.name, profile]))
const profilesByContent = new WeakMap<object, Profiles>()

/** Says what is wrong with the operator's profiles, or nothing. */
export function checkProfileTable(content: unknown): string | undefined {
  if (!Array.isArray(content)) return 'must be a list of goods profiles'
  for (const [index, document] of content.entries()) {
    const parsed = parseGoodsProfile(document)
    if (!parsed.ok) return `profile ${index}: ${parsed.error}`
  }
  return undefined
}

/** Built-in profiles with the operator's put over them. */
export function profilesOf(content: unknown): Profiles {
  if (typeof content !== 'object' || content === null) return builtIn
  let profiles = profilesByContent.get(content)
  if (profiles === undefined) {
    const own = (Array.isArray(content) ? content : []).flatMap((document) => {
      const parsed = parseGoodsProfile(document)
      return parsed.ok ? [[parsed.value.name, parsed.value] as const] : []
    })
    profiles = new Map([...builtIn, ...own])
    profilesByContent.set(content, profiles)
  }
  return profiles
}

/** What comes of judging a temperature. */
const JUDGED_FIELDS = ['limitC', 'breached', 'recovered', 'side', 'severity', 'deviationC']

/** The profile that an event is judged by, as a row for showing. */
export function profileRow(
  name: unknown,
  content: unknown,
): readonly { readonly table: string; readonly row: Readonly<Record<string, unknown>> }[] {
  const profile = profilesOf(content).get(typeof name === 'string' ? name : DEFAULT_PROFILE_NAME)
  return profile === undefined ? [] : [{ table: PROFILE_TABLE, row: { ...profile } }]
}

const fleetMinutes: WindowDefinition<TruckReading> = {
  name: 'cold-chain-fleet',
  sizeMs: 5 * MINUTE_MS,
  slideMs: MINUTE_MS,
  allowanceMs: 30 * SECOND_MS,
  amendableForMs: 15 * MINUTE_MS,
  group: (event) => event.profile ?? DEFAULT_PROFILE_NAME,
  values: {
    readings: { kind: 'count' },
    activeTrucks: { kind: 'distinct-keys' },
    minimumC: { kind: 'minimum', value: (event) => event.temperatureC },
    maximumC: { kind: 'maximum', value: (event) => event.temperatureC },
  },
}

/** The pipeline with other rules than the built-in ones, for trying them over history. */
export function coldChainPipelineWith(rules: RuleSource): Pipeline<TruckReading, TruckState> {
  const { scope } = rules
  const judgesTemperature = scope.looksAt('derived', JUDGED_FIELDS)
  const watchesFuel = scope.looksAt('derived', ['fuelDropPercent'])
  // Filled anew for every reading, and looked at during it only.
  const derived: Derived = {
    ...UNJUDGED,
    profile: '',
    minC: null,
    maxC: null,
    fuelDropPercent: null,
    moving: false,
  }
  const input: Input = {
    ...{ event: NO_EVENT, derived, profile: null, context: null },
    get last() {
      return this.context?.previous() ?? null
    },
  }
  const newState = (): TruckState => ({
    compartments: [],
    fuel: newFuel(),
    shipmentId: null,
    limits: null,
    runs: [],
    driving: newDriving(),
  })
  return {
    name: 'cold-chain',
    topic: truckReadings,
    ...archiveColumnsFor(rules, truckReadings.archive),
    stateFormat: 6,
    forgetAfterMs: 30 * DAY_MS,
    newState,
    copyState(state, spare = newState()) {
      spare.compartments = copyCompartments(state.compartments, spare.compartments)
      spare.fuel = watchesFuel ? copyFuel(state.fuel, spare.fuel) : state.fuel
      spare.shipmentId = state.shipmentId
      spare.limits = state.limits
      spare.runs = copyRuns(state.runs)
      spare.driving = scope.alertsOnly ? state.driving : copyDriving(state.driving, spare.driving)
      return spare
    },
    prefetch({ compartments, fuel, driving }) {
      const compartment = compartments[0]
      let sum = fuel.fullLitres + (fuel.recentPercent[0] ?? 0) + prefetchDriving(driving)
      if (compartment !== undefined) sum += compartment.lastMs
      return sum + (compartment?.limits.at(-1)?.totalMs ?? 0)
    },
    restoreState: (carried) => ({
      ...carried,
      fuel: carriedInto(newFuel(), carried.fuel),
      driving: restoreDriving(carried.driving),
    }),
    onEvent(state, event, context) {
      const profiles = profilesOf(context.reference(PROFILE_TABLE))
      const profile = profiles.get(event.profile ?? DEFAULT_PROFILE_NAME)
      const atMs = context.eventTimeMs
      const judged = judgesTemperature
        ? judgeTemperature(
            compartmentOf(state, event.zone ?? ''),
            { atMs, temperatureC: event.temperatureC, shipmentId: event.shipmentId },
            profile,
          )
        : UNJUDGED
      derived.profile = event.profile ?? DEFAULT_PROFILE_NAME
      derived.minC = profile?.minC ?? null
      derived.maxC = profile?.maxC ?? null
      derived.limitC = judged.limitC
      derived.breached = judged.breached
      derived.recovered = judged.recovered
      derived.side = judged.side
      derived.severity = judged.severity
      derived.deviationC = judged.deviationC
      derived.fuelDropPercent = watchesFuel ? fuelDropOf(state, event, atMs) : null
      derived.moving = event.speedKmh !== null && event.speedKmh >= REST_SPEED_KMH
      input.event = event
      input.profile = profile ?? null
      input.context = context
      rules.at(context).onEvent(state.runs, input, context)
      if (state.shipmentId !== event.shipmentId) state.shipmentId = event.shipmentId
      if (scope.alertsOnly) return
      drive(state.driving, { entityType: 'truck', now: event }, context)
      if (state.limits?.minC !== profile?.minC || state.limits?.maxC !== profile?.maxC) {
        state.limits = profile === undefined ? null : { minC: profile.minC, maxC: profile.maxC }
      }
    },
    onTimer() {
      // Cold chain sets no timers: its durations are judged at the readings themselves.
    },
    openEpisodes: (state) => openEpisodesOf(state.runs),
    silences: [],
    rules: pipelineRules<TruckState>(rules, {
      runs: ({ runs }) => runs,
      silenceLabels: ({ shipmentId }) => (shipmentId === null ? {} : { shipmentId }),
    }),
    rows: {
      tables: [drivingPeriods, drives],
      open: ({ driving }, _key, put) => putOpen(driving, put),
    },
    windows: [fleetMinutes],
    broadcasts: [],
    view: {
      name: TRUCK_VIEW,
      document(state, _key, facts) {
        const { compartments, limits } = state
        const last = facts.newest()
        return last === null ? undefined : truckDocument({ ...facts, last, compartments, limits })
      },
    },
  }
}

export const coldChainPipeline = coldChainPipelineWith(liveRules(coldChainRules))

function fuelDropOf({ fuel }: TruckState, event: TruckReading, atMs: EpochMs): number | null {
  const { fuelPercent, fuelLitres, speedKmh } = event
  return fuelDropPercent(fuel, { atMs, fuelPercent, fuelLitres, speedKmh })
}

function compartmentOf(state: TruckState, zone: string): CompartmentState {
  for (const compartment of state.compartments) if (compartment.zone === zone) return compartment
  const last = state.compartments.at(-1)
  if (last !== undefined && state.compartments.length >= MAX_COMPARTMENTS) return last
  const compartment = newCompartment(zone)
  state.compartments.push(compartment)
  return compartment
}
