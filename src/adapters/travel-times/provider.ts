// A provider of travel times as the client meets it: what to send, and how to read what comes back.

import type { Result } from '../../kernel/result.ts'
import type { TravelTimeQuestion } from '../../ports/travel-times.ts'

export interface ProviderRequest {
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  /** Sent by POST as JSON; GET where there is none. */
  readonly body?: unknown
}

export interface ProviderTimes {
  readonly durationS: number
  readonly freeFlowS: number | null
  readonly typicalS: number | null
  readonly distanceM: number
}

export interface Provider {
  readonly name: string
  /** Where it answers, unless told otherwise. */
  readonly address: string
  request(
    question: TravelTimeQuestion,
    options: { readonly base: string; readonly key: string },
  ): ProviderRequest
  read(answer: unknown): Result<ProviderTimes, string>
}

/** A way of more than this is no answer to our question. */
const MAX_DURATION_S = 7 * 86_400
const MAX_DISTANCE_M = 40_000_000

/** What providers say, held against what can be. */
export function plausible(times: ProviderTimes): boolean {
  const { durationS, distanceM, freeFlowS, typicalS } = times
  const inRange = (value: number, most: number): boolean =>
    Number.isFinite(value) && value >= 0 && value <= most
  return (
    inRange(durationS, MAX_DURATION_S) &&
    inRange(distanceM, MAX_DISTANCE_M) &&
    [freeFlowS, typicalS].every((value) => value === null || inRange(value, MAX_DURATION_S))
  )
}

/** Not a number where it is none. */
export function numberIn(object: unknown, name: string): number {
  const found: unknown = Reflect.get(Object(object), name)
  return typeof found === 'number' ? found : Number.NaN
}

export function optionalNumberIn(object: unknown, name: string): number | null {
  const found = numberIn(object, name)
  return Number.isNaN(found) ? null : found
}

export function firstIn(object: unknown, name: string): unknown {
  const found: unknown = Reflect.get(Object(object), name)
  return Array.isArray(found) ? found[0] : undefined
}
