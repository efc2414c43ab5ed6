// The provider of travel times that the settings name.

import { google } from '../adapters/travel-times/google.ts'
import { here } from '../adapters/travel-times/here.ts'
import { tomtom } from '../adapters/travel-times/tomtom.ts'
import { createTravelTimeClient } from '../adapters/travel-times/travel-time-client.ts'
import type { Clock } from '../ports/clock.ts'
import type { TravelTimes } from '../ports/travel-times.ts'
import type { Settings } from './settings.ts'

const PROVIDERS = { tomtom, here, google } as const

/** Null where nobody is asked. */
export function openTravelTimes(
  { traffic, trafficKey }: Settings,
  clock: Clock,
): TravelTimes | null {
  if (traffic === 'simulated' || traffic === 'none' || trafficKey === null) return null
  return createTravelTimeClient({ provider: PROVIDERS[traffic], key: trafficKey, clock })
}
