// What the dashboard shows of a vehicle now.

import { toIso } from '../../kernel/time.ts'
import type { Episode } from '../../streams/episode.ts'
import type { ViewFacts } from '../../streams/pipeline.ts'
import type { VehicleTelemetry } from './events.ts'
import { expectedGear } from './gears.ts'
import type { VehicleProfile } from './reference.ts'

export const VEHICLE_VIEW = 'vehicles'

/** Slower than this counts as standing. */
export const REST_SPEED_KMH = 1

export interface VehicleFacts extends Pick<ViewFacts, 'receivedAtMs' | 'open'> {
  readonly last: VehicleTelemetry
  readonly profile: VehicleProfile
}

export function vehicleDocument(facts: VehicleFacts): Readonly<Record<string, unknown>> {
  const { last, profile, open, receivedAtMs } = facts
  const { recordedAtMs, eventId: _, ...telemetry } = last
  return {
    ...telemetry,
    recordedAt: toIso(recordedAtMs),
    receivedAt: toIso(receivedAtMs),
    known: profile.known,
    brand: profile.brand,
    model: profile.model,
    color: profile.color,
    expectedGear: last.speedKmh === null ? null : expectedGear(last.speedKmh, profile.gears),
    moving: last.speedKmh !== null && last.speedKmh >= REST_SPEED_KMH,
    alerts: open.map(shortAlert),
  }
}

function shortAlert(episode: Episode): Readonly<Record<string, unknown>> {
  const { id, rule, severity, startsAtMs } = episode
  return { id, rule, severity, startsAt: toIso(startsAtMs) }
}
