// The story of one synthetic shipment, step by step: what happens at each report, delays, failed attempts,
// customs, damage and returns among it.

import type { Dice } from '../../dice.ts'
import type { MilestoneType, Timing } from '../events.ts'
import { carriers, type Hub, hubs, type Merchant, merchants, skuOf } from './network.ts'

export interface Step {
  readonly type: MilestoneType
  readonly timing: Timing
  /** Of what is planned or estimated: how many reports after the beginning. */
  readonly atStep?: number
  readonly place: Hub | null
  readonly location?: string
  readonly truckId?: string
  readonly inWarehouse?: boolean
  readonly reason?: string
  /** Reports that pass before it. */
  readonly waits: number
}

export interface Story {
  readonly merchant: Merchant
  readonly carrier: string
  readonly items: readonly { readonly sku: string; readonly quantity: number }[]
  readonly pallet: boolean
  readonly from: Hub
  readonly to: Hub
  readonly customer: string
  /** Reports after the beginning at which the delivery is promised. */
  readonly promisedStep: number
  readonly steps: readonly Step[]
}

const FIRST_NAMES = [
  'Amina',
  'Brian',
  'Chebet',
  'David',
  'Esther',
  'Faith',
  'Hassan',
  'Joy',
] as const
const LAST_NAMES = ['Kamau', 'Otieno', 'Mutua', 'Wanjiru', 'Njoroge', 'Akinyi', 'Hassan'] as const
/** Slack between the plan and the promise. */
const PROMISE_SLACK_STEPS = 2

/** `truckOf` names a truck of the corridors by its number. */
export function newStory(
  dice: Dice,
  {
    failures,
    variability,
    truckOf,
  }: {
    readonly failures: boolean
    readonly variability: number
    readonly truckOf: (index: number) => string
  },
): Story {
  const merchant = dice.weighted(merchants)
  const from = dice.weighted(hubs)
  const to = dice.weighted(hubs)
  const pallet = dice.chance(0.2)
  const befalls = (share: number): boolean => failures && dice.chance(share * 2 * variability)
  const plan = plannedSteps(from, to, dice, truckOf)
  const plannedDelivery = plan.length
  const late = befalls(0.08)
  const told: Step[] = [
    { type: 'delivered', timing: 'planned', atStep: plannedDelivery, place: null, waits: 0 },
    ...plan
      .slice(2)
      .flatMap((step, index): Step[] =>
        step.type === 'arrived'
          ? [{ type: 'arrived', timing: 'planned', atStep: index + 2, place: step.place, waits: 0 }]
          : [],
      ),
  ]
  const [created, ...journey] = plan
  const steps = [
    ...(created === undefined ? [] : [created]),
    ...told.slice(0, 2),
    ...troubled(journey, dice, { late, befalls }),
    ...ending(to, dice, befalls),
  ]
  return {
    merchant,
    carrier: dice.pick(carriers),
    items: Array.from({ length: 1 + Math.floor(dice.next() * 3) }, () => ({
      sku: skuOf(merchant, dice.pick(merchant.goods)),
      quantity: pallet ? Math.floor(dice.between(40, 400)) : Math.floor(dice.between(1, 4)),
    })),
    pallet,
    from,
    to,
    customer: `${dice.pick(FIRST_NAMES)} ${dice.pick(LAST_NAMES)}`,
    promisedStep: plannedDelivery + told.length + PROMISE_SLACK_STEPS,
    steps,
  }
}

function plannedSteps(
  from: Hub,
  to: Hub,
  dice: Dice,
  truckOf: (index: number) => string,
): readonly Step[] {
  const actual = (step: Omit<Step, 'timing' | 'waits'>): Step => ({
    timing: 'actual',
    waits: 0,
    ...step,
  })
  const van = (place: Hub): string => `VAN ${place.warehouseId} ${1 + Math.floor(dice.next() * 9)}`
  const first = [
    actual({ type: 'created', place: from }),
    actual({ type: 'picked-up', place: from, truckId: van(from) }),
    actual({ type: 'arrived', place: from, inWarehouse: true }),
  ]
  const last = [actual({ type: 'out-for-delivery', place: to, truckId: van(to) })]
  if (from === to) return [...first, ...last]
  const crosses = from.country !== to.country
  return [
    ...first,
    actual({ type: 'departed', place: from, truckId: truckOf(Math.floor(dice.next() * 30)) }),
    ...(crosses
      ? [actual({ type: 'customs', place: null, location: `${to.country} border` })]
      : []),
    actual({ type: 'arrived', place: to, inWarehouse: true }),
    ...last,
  ]
}

/** What may go wrong on the way; a late one waits on the road, and its carrier says so. */
function troubled(
  journey: readonly Step[],
  dice: Dice,
  { late, befalls }: { readonly late: boolean; readonly befalls: (share: number) => boolean },
): readonly Step[] {
  const damaged = befalls(0.02)
  return journey.flatMap((step): Step[] => {
    if (step.type !== 'departed') return [step]
    const waits = late ? 3 + Math.floor(dice.next() * 6) : 0
    return [
      step,
      ...(damaged
        ? [
            {
              ...step,
              type: 'exception' as const,
              reason: dice.pick(['damaged', 'wrong label', 'road closed']),
            },
          ]
        : []),
      ...(late
        ? [
            {
              type: 'delivered' as const,
              timing: 'estimated' as const,
              atStep: journey.length + 4 + waits,
              place: null,
              waits,
            },
          ]
        : []),
    ]
  })
}

function ending(to: Hub, dice: Dice, befalls: (share: number) => boolean): readonly Step[] {
  const step = (type: MilestoneType, more: Partial<Step> = {}): Step => ({
    type,
    timing: 'actual',
    place: to,
    waits: 0,
    ...more,
  })
  const van = `VAN ${to.warehouseId} ${1 + Math.floor(dice.next() * 9)}`
  const failed = step('attempt-failed', {
    reason: dice.pick(['nobody in', 'address unknown', 'refused']),
  })
  const again = step('out-for-delivery', { truckId: van, waits: 2 })
  if (befalls(0.02)) return [failed, again, failed, step('returned', { reason: 'undeliverable' })]
  if (befalls(0.04)) {
    const waiting = step('available-for-pickup', { inWarehouse: true })
    return [failed, waiting, step('delivered', { waits: 2 })]
  }
  if (befalls(0.08)) return [failed, again, step('delivered')]
  // A parcel that was mixed up with another one.
  if (befalls(0.004)) {
    return [step('delivered'), step('departed', { truckId: van }), step('delivered', { waits: 3 })]
  }
  return [step('delivered')]
}
