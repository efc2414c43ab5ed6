// What the dashboard shows of a truck now.

import { REST_SPEED_KMH } from '../../driving/fuel-balance.ts'
import { toIso } from '../../kernel/time.ts'
import type { Episode } from '../../streams/episode.ts'
import type { ViewFacts } from '../../streams/pipeline.ts'
import type { TruckReading } from './events.ts'
import type { CompartmentState } from './temperature.ts'

export type TruckCondition = 'in-range' | 'excursion' | 'silent' | 'no-profile'

export interface TruckFacts extends Pick<ViewFacts, 'receivedAtMs' | 'open'> {
  readonly last: TruckReading
  readonly compartments: readonly CompartmentState[]
  /** Range of the profile in force; null where the profile is not known. */
  readonly limits: { readonly minC: number; readonly maxC: number } | null
}

export const TRUCK_VIEW = 'trucks'

export function truckDocument(facts: TruckFacts): Readonly<Record<string, unknown>> {
  const { last, compartments, limits, open } = facts
  const { recordedAtMs, eventId: _, ...reading } = last
  return {
    ...reading,
    recordedAt: toIso(recordedAtMs),
    receivedAt: toIso(facts.receivedAtMs),
    limits,
    condition: conditionOf(facts),
    moving: last.speedKmh !== null && last.speedKmh >= REST_SPEED_KMH,
    alerts: open.map(shortAlert),
    ...(compartments.length > 1 ? { zones: zonesOf(compartments) } : {}),
  }
}

function conditionOf({ open, limits }: TruckFacts): TruckCondition {
  if (open.some(({ rule }) => rule === 'reefer-silent')) return 'silent'
  if (open.some(({ rule }) => rule === 'temperature-excursion')) return 'excursion'
  return limits === null ? 'no-profile' : 'in-range'
}

function shortAlert(episode: Episode): Readonly<Record<string, unknown>> {
  const { id, rule, severity, startsAtMs } = episode
  return { id, rule, severity, startsAt: toIso(startsAtMs) }
}

function zonesOf(compartments: readonly CompartmentState[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    compartments.map(({ zone, lastC, lastMs }) => [
      zone,
      { temperatureC: lastC, recordedAt: toIso(lastMs) },
    ]),
  )
}
