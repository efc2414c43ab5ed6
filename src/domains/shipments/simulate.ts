// The synthetic world of shipments: parcels and pallets of several merchants on their way through hubs of several
// regions, on the trucks of the cold chain's corridors between them.

import { type DurationMs, type EpochMs, MINUTE_MS, toIso } from '../../kernel/time.ts'
import { type Actor, type ActorLine, ActorSimulation } from '../actor-simulation.ts'
import { type Dice, diceFrom } from '../dice.ts'
import { GENERAL_BREAKAGES, replaced, type Spoil } from '../faults.ts'
import { plate } from '../plates.ts'
import type { SimulatedFleet, Simulation, SimulationOptions } from '../simulation.ts'
import { shipmentEvents } from './events.ts'
import { newStory, type Step, type Story } from './world/journey-script.ts'

/** How much journeys differ unless asked for otherwise. */
const USUAL_VARIABILITY = 0.5
const MAX_SHIPMENTS = 1_000_000
/** Reports between two shipments that follow each other. */
const MEAN_PAUSE_STEPS = 3

const spoils: readonly Spoil[] = Object.values({
  'unknown milestone': replaced(/"type":"[^"]*"/, '"type":"teleported"'),
  'missing key': replaced(/"shipmentId":"[^"]*",/, ''),
  'no merchant': replaced(/"merchantId":"[^"]*",/, ''),
  'promise that is no time': replaced(/"promisedAt":"[^"]*"/, '"promisedAt":"soon"'),
  ...GENERAL_BREAKAGES,
})

interface Parcel {
  readonly dice: Dice
  readonly number: number
  shipments: number
  story: Story
  shipmentId: string
  beganMs: EpochMs
  next: number
  /** Reports to pass before the next step. */
  waits: number
  /** Said with the first event, since what came before it was not. */
  introduced: boolean
}

export function simulateShipments(options: SimulationOptions): Simulation {
  const { vehicles, random, startMs, intervalMs, failures = true } = options
  const variability = options.variability ?? USUAL_VARIABILITY
  // The third draw of the trucks' world too: one seed gives both worlds the same trucks, as a test makes sure.
  const [, , third] = [random.next(), random.next(), random.next()]
  const plateOffset = Math.floor(third * 0x7fff_ffff)
  const about = { failures, variability, truckOf: (index: number) => plate(index, plateOffset) }
  const actors = Array.from({ length: vehicles }, (_, number): Actor => {
    const dice = diceFrom(random)
    const parcel = beginParcel({ dice, number, shipments: 0 }, startMs, about)
    // Most are on their way already when the simulation begins.
    const passed = Math.floor(dice.next() * parcel.story.steps.length * 0.9)
    parcel.beganMs = startMs - (passed + dice.next()) * intervalMs
    parcel.story = continued(parcel.story, passed)
    return {
      report(atMs, eventId) {
        if (parcel.waits > 0) {
          parcel.waits -= 1
          return null
        }
        const step = parcel.story.steps[parcel.next]
        if (step === undefined) {
          Object.assign(parcel, beginParcel(parcel, atMs, about))
          return null
        }
        const line = lineOf(parcel, step, { atMs, eventId, intervalMs })
        parcel.introduced = true
        parcel.next += 1
        parcel.waits = waitsAfter(parcel)
        return line
      },
      finish(atMs, eventId) {
        const { steps } = parcel.story
        const last = steps.findLastIndex(({ timing }) => timing === 'actual')
        const step = steps[last]
        if (!parcel.introduced || step === undefined || last < parcel.next) return null
        return lineOf(parcel, step, { atMs, eventId, intervalMs })
      },
    }
  })
  return new ActorSimulation(actors, spoils, options)
}

/** The story from its `passed`th step on: what happened last is told first, and then the plan. */
function continued(story: Story, passed: number): Story {
  const { steps } = story
  const at = steps.findLastIndex(({ timing }, index) => timing === 'actual' && index <= passed)
  const [first, ...others] = steps.slice(Math.max(0, at))
  if (at <= 0 || first === undefined) return story
  const plan = steps
    .slice(0, at)
    .filter(({ timing, type }) => timing === 'planned' && type === 'delivered')
  return { ...story, steps: [{ ...first, waits: 0 }, ...plan, ...others] }
}

function waitsAfter({ dice, next, story }: Parcel): number {
  const following = story.steps[next]
  return following?.waits ?? Math.floor(dice.wait(MEAN_PAUSE_STEPS))
}

function beginParcel(
  { dice, number, shipments }: Pick<Parcel, 'dice' | 'number' | 'shipments'>,
  atMs: EpochMs,
  about: Parameters<typeof newStory>[1],
): Parcel {
  const story = newStory(dice, about)
  const kind = story.pallet ? 'PLT' : 'PCL'
  return {
    dice,
    number,
    shipments: shipments + 1,
    story,
    shipmentId:
      `${kind}-${number.toString(36)}-${Math.floor(atMs / MINUTE_MS).toString(36)}-${shipments}`.toUpperCase(),
    beganMs: atMs,
    next: 0,
    waits: 0,
    introduced: false,
  }
}

interface Moment {
  readonly atMs: EpochMs
  readonly eventId: string | null
  readonly intervalMs: DurationMs
}

function lineOf(parcel: Parcel, step: Step, { atMs, eventId, intervalMs }: Moment): ActorLine {
  const { story, shipmentId, beganMs, introduced } = parcel
  const { place } = step
  const location = step.location ?? place?.location
  const line = JSON.stringify({
    shipmentId,
    recordedAt: toIso(atMs),
    ...(eventId === null ? {} : { eventId }),
    type: step.type,
    ...(step.timing === 'actual' ? {} : { timing: step.timing }),
    ...(step.atStep === undefined
      ? {}
      : { milestoneAt: toIso(Math.round(beganMs + step.atStep * intervalMs)) }),
    merchantId: story.merchant.merchantId,
    ...(step.truckId === undefined ? {} : { truckId: step.truckId }),
    ...(step.inWarehouse === true && place !== null ? { warehouseId: place.warehouseId } : {}),
    ...(location === undefined ? {} : { location }),
    ...(place === null ? {} : { region: place.region, lat: place.lat, lon: place.lon }),
    ...(step.reason === undefined ? {} : { reason: step.reason }),
    ...(introduced
      ? {}
      : introduction(story, { beganMs, intervalMs, isCreated: step.type === 'created' })),
  })
  return { key: shipmentId, line }
}

/** Customers are synthetic: their addresses lie in a domain that is kept for examples. */
function introduction(
  story: Story,
  about: {
    readonly beganMs: EpochMs
    readonly intervalMs: DurationMs
    readonly isCreated: boolean
  },
): Readonly<Record<string, unknown>> {
  const { customer, carrier, items, pallet, to, promisedStep } = story
  return {
    carrier,
    mode: 'truck',
    destination: to.location,
    promisedAt: toIso(Math.round(about.beganMs + promisedStep * about.intervalMs)),
    ...(about.isCreated ? {} : { createdAt: toIso(Math.round(about.beganMs)) }),
    customerName: customer,
    customerEmail: `${customer.toLowerCase().replace(' ', '.')}@example.com`,
    items,
    weightKg: pallet ? 320 : 2.4,
  }
}

export const shipmentFleet: SimulatedFleet = {
  topic: shipmentEvents.name,
  members: 'shipments',
  defaultVehicles: 400,
  maxVehicles: MAX_SHIPMENTS,
  defaultIntervalMs: 4 * MINUTE_MS,
  create: simulateShipments,
}
