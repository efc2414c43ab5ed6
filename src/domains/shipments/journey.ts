// The state machine of a shipment, as data. It runs over the actual milestones in the order of their time, not
// of their arrival: one that comes late takes its place and never turns the state back.
//
//   pending ─► info-received ─► in-transit ◄─► out-for-delivery ◄─► attempt-fail, available-for-pickup
//                                   │                 │
//                                   └────────┬────────┘        delivered, then anything but returned or
//                                            ▼                 exception: contradicted, until it is over anew
//                          delivered · returned · canceled · expired (news reopens it)

import type { EpochMs } from '../../kernel/time.ts'
import { MILESTONE_TYPES, type MilestoneType } from './events.ts'

/** The status that people see. Source: tags of AfterShip's tracking vocabulary. */
export const SHIPMENT_STATUSES = [
  'Pending',
  'InfoReceived',
  'InTransit',
  'OutForDelivery',
  'AttemptFail',
  'AvailableForPickup',
  'Delivered',
  'Exception',
  'Expired',
] as const
export type ShipmentStatus = (typeof SHIPMENT_STATUSES)[number]

/** How a journey ended; null while it goes on. */
export const OUTCOMES = ['delivered', 'returned', 'canceled', 'expired'] as const
export type Outcome = (typeof OUTCOMES)[number]

export type JourneyState =
  | 'pending'
  | 'info-received'
  | 'in-transit'
  | 'out-for-delivery'
  | 'attempt-fail'
  | 'available-for-pickup'
  | 'delivered'
  | 'exception'
  | 'contradicted'
  | 'returned'
  | 'canceled'
  | 'expired'

interface StateDefinition {
  readonly status: ShipmentStatus
  readonly outcome: Outcome | null
  /** What each milestone leads to; one that is not listed contradicts the state. */
  readonly after: Readonly<Partial<Record<MilestoneType, JourneyState>>>
}

type Moves = Readonly<Record<Exclude<MilestoneType, 'created'>, JourneyState>>

const moves: Moves = {
  'picked-up': 'in-transit',
  departed: 'in-transit',
  arrived: 'in-transit',
  customs: 'in-transit',
  'out-for-delivery': 'out-for-delivery',
  'attempt-failed': 'attempt-fail',
  'available-for-pickup': 'available-for-pickup',
  delivered: 'delivered',
  exception: 'exception',
  returned: 'returned',
  canceled: 'canceled',
  expired: 'expired',
}

/** A state that goes on. That it was created is a fact on paper, which changes and contradicts nothing. */
const open = (status: ShipmentStatus, self: JourneyState): StateDefinition => ({
  status,
  outcome: null,
  after: { ...moves, created: self },
})

export const journey: Readonly<Record<JourneyState, StateDefinition>> = {
  pending: { status: 'Pending', outcome: null, after: { ...moves, created: 'info-received' } },
  'info-received': open('InfoReceived', 'info-received'),
  'in-transit': open('InTransit', 'in-transit'),
  'out-for-delivery': open('OutForDelivery', 'out-for-delivery'),
  'attempt-fail': open('AttemptFail', 'attempt-fail'),
  'available-for-pickup': open('AvailableForPickup', 'available-for-pickup'),
  exception: open('Exception', 'exception'),
  delivered: {
    status: 'Delivered',
    outcome: 'delivered',
    after: {
      created: 'delivered',
      delivered: 'delivered',
      returned: 'returned',
      exception: 'exception',
    },
  },
  returned: {
    status: 'Exception',
    outcome: 'returned',
    after: { created: 'returned', returned: 'returned', exception: 'exception' },
  },
  canceled: {
    status: 'Exception',
    outcome: 'canceled',
    after: {
      created: 'canceled',
      canceled: 'canceled',
      returned: 'returned',
      exception: 'exception',
    },
  },
  expired: { status: 'Expired', outcome: 'expired', after: { ...moves, created: 'expired' } },
  // Nobody knows where it is until it is said to be over once more.
  contradicted: {
    status: 'Exception',
    outcome: null,
    after: {
      created: 'contradicted',
      'picked-up': 'contradicted',
      departed: 'contradicted',
      arrived: 'contradicted',
      customs: 'contradicted',
      'out-for-delivery': 'contradicted',
      'attempt-failed': 'contradicted',
      'available-for-pickup': 'contradicted',
      delivered: 'delivered',
      exception: 'contradicted',
      returned: 'returned',
      canceled: 'canceled',
      expired: 'contradicted',
    },
  },
}

/**
 * Actual milestones in the order of their time, two numbers each: index of the type, and when. Numbers alone,
 * since a million shipments have ten each.
 */
export type Milestones = readonly number[]

/** Milestones of one shipment that are kept in state; beyond it the oldest go. The archive has all. */
export const MAX_MILESTONES = 64

export interface Position {
  readonly state: JourneyState
  /** The newest milestone. */
  readonly type: MilestoneType | null
  readonly sinceMs: EpochMs | null
  readonly deliveredAtMs: EpochMs | null
  /** What contradicted what, such as `departed after delivered`; null where nothing does. */
  readonly contradiction: string | null
}

/** Puts a milestone where it belongs; the same one twice is there once. */
export function withMilestone(known: Milestones, type: MilestoneType, atMs: EpochMs): Milestones {
  const index = MILESTONE_TYPES.indexOf(type)
  let at = known.length
  while (at > 0 && isAfter(known[at - 2] ?? 0, known[at - 1] ?? 0, index, atMs)) at -= 2
  if (at > 0 && known[at - 2] === index && known[at - 1] === atMs) return known
  // Unlike a spread, these leave no room behind the last one: it would be more than what is in it.
  const all = at === known.length ? known.concat(index, atMs) : known.toSpliced(at, 0, index, atMs)
  return all.length > 2 * MAX_MILESTONES ? all.slice(all.length - 2 * MAX_MILESTONES) : all
}

function isAfter(index: number, atMs: EpochMs, otherIndex: number, otherMs: EpochMs): boolean {
  return atMs > otherMs || (atMs === otherMs && index > otherIndex)
}

export function positionAfter(milestones: Milestones): Position {
  let state: JourneyState = 'pending'
  let type: MilestoneType | null = null
  let sinceMs: EpochMs | null = null
  let deliveredAtMs: EpochMs | null = null
  let contradiction: string | null = null
  for (let at = 0; at < milestones.length; at += 2) {
    const next = MILESTONE_TYPES[milestones[at] ?? 0] ?? 'exception'
    const atMs = milestones[at + 1] ?? 0
    const led: JourneyState | undefined = journey[state].after[next]
    if (led === undefined) contradiction = `${next} after ${state}`
    else if (led !== 'contradicted') contradiction = null
    const becomes: JourneyState = led ?? 'contradicted'
    // Of several in a row the first counts; after a contradiction the one that settles it does.
    if (becomes === 'delivered' && state !== 'delivered') deliveredAtMs = atMs
    if (becomes !== state || sinceMs === null) sinceMs = atMs
    type = next
    state = becomes
  }
  return { state, type, sinceMs, deliveredAtMs, contradiction }
}
