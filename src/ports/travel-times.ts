// How long a way takes with the traffic of now, as somebody outside knows it.

import type { Coordinates } from '../kernel/geo.ts'
import type { DurationMs, EpochMs } from '../kernel/time.ts'

export interface TravelTimeQuestion {
  readonly from: Coordinates
  readonly to: Coordinates
}

export interface TravelTime {
  readonly durationS: number
  /** On empty roads, and as it usually is; null where the provider does not say. */
  readonly freeFlowS: number | null
  readonly typicalS: number | null
  readonly distanceM: number
  readonly departAtMs: EpochMs
  readonly arriveAtMs: EpochMs
  readonly source: string
}

export type TravelTimeAnswer =
  /** `ageMs` since the provider said so: more than nothing where it does not answer now. */
  | { readonly kind: 'known'; readonly travelTime: TravelTime; readonly ageMs: DurationMs }
  | { readonly kind: 'unknown'; readonly reason: string }

export interface TravelTimes {
  /** Never rejects: what goes wrong outside is an answer. */
  ask(question: TravelTimeQuestion): Promise<TravelTimeAnswer>
}
