// What was promised, what is to be expected, and whether the two still agree.

import type { DurationMs, EpochMs } from '../../kernel/time.ts'
import { MILESTONE_TYPES } from './events.ts'
import { factOf } from './facts.ts'
import { journey, type Position } from './journey.ts'
import type { Shipment } from './shipment.ts'

/**
 * `at-risk`: the expected delivery is after the promise. `late`: the promise has passed, or it was delivered
 * after it. `kept`: delivered in time. `none`: nothing was promised, or it ended without a delivery.
 */
export const PROMISES = ['none', 'on-track', 'at-risk', 'late', 'kept'] as const
export type PromiseState = (typeof PROMISES)[number]

/** What an expected delivery rests on, the best first. */
export const EXPECTATION_BASES = ['carrier', 'delay', 'plan'] as const
export type ExpectationBasis = (typeof EXPECTATION_BASES)[number]

export interface Expectation {
  readonly deliveryMs: EpochMs
  readonly basis: ExpectationBasis
}

export interface PromiseJudgement {
  readonly promise: PromiseState
  readonly expected: Expectation | null
  /** How late it is, or is expected to be; null where it is not. */
  readonly lateByMs: DurationMs | null
}

/** `passedMs` is the promise that is known to have passed, at whatever time this is asked. */
export function judgePromise(
  shipment: Shipment,
  position: Position,
  { atMs, passedMs }: { readonly atMs: EpochMs; readonly passedMs: EpochMs | null },
): PromiseJudgement {
  const promisedAtMs = factOf(shipment.statements, 'promisedAtMs')
  const { outcome } = journey[position.state]
  const expected =
    outcome === null && position.deliveredAtMs === null ? expectedDelivery(shipment) : null
  if (promisedAtMs === null) return { promise: 'none', expected, lateByMs: null }
  const { deliveredAtMs } = position
  if (deliveredAtMs !== null) {
    const lateByMs = deliveredAtMs > promisedAtMs ? deliveredAtMs - promisedAtMs : null
    return { promise: lateByMs === null ? 'kept' : 'late', expected, lateByMs }
  }
  if (outcome === 'returned' || outcome === 'canceled') {
    return { promise: 'none', expected, lateByMs: null }
  }
  const expectedLateMs = expected === null ? 0 : expected.deliveryMs - promisedAtMs
  const passed = passedMs === promisedAtMs || atMs > promisedAtMs
  if (passed) {
    return { promise: 'late', expected, lateByMs: Math.max(0, atMs - promisedAtMs, expectedLateMs) }
  }
  if (expectedLateMs > 0) return { promise: 'at-risk', expected, lateByMs: expectedLateMs }
  return { promise: 'on-track', expected, lateByMs: null }
}

/**
 * What the carrier says, unless a milestone came after it; else the planned delivery moved by the delay of the
 * newest milestone that was planned. A journey that is ahead of its plan is not expected early.
 */
export function expectedDelivery(shipment: Shipment): Expectation | null {
  const { actual, estimateMs, estimateAtMs, planned } = shipment
  const newestMs = actual.at(-1) ?? Number.NEGATIVE_INFINITY
  if (estimateMs !== null && estimateAtMs >= newestMs) {
    return { deliveryMs: estimateMs, basis: 'carrier' }
  }
  const plannedMs = planned.find(({ type }) => type === 'delivered')?.atMs
  if (plannedMs !== undefined) {
    const delayMs = delayOf(shipment)
    if (delayMs !== null && delayMs > 0) return { deliveryMs: plannedMs + delayMs, basis: 'delay' }
  }
  if (estimateMs !== null) return { deliveryMs: estimateMs, basis: 'carrier' }
  return plannedMs === undefined ? null : { deliveryMs: plannedMs, basis: 'plan' }
}

/** How far the newest milestone is behind its plan, where it was planned at that place. */
function delayOf({ actual, planned, location }: Shipment): DurationMs | null {
  const type = MILESTONE_TYPES[actual.at(-2) ?? -1]
  const atMs = actual.at(-1)
  if (type === undefined || atMs === undefined) return null
  const plan =
    planned.find((each) => each.type === type && each.location === location) ??
    planned.find((each) => each.type === type && each.location === null)
  return plan === undefined ? null : atMs - plan.atMs
}
