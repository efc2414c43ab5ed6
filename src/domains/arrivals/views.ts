// What the dashboard shows of a journey now.

import { toIso } from '../../kernel/time.ts'
import type { ViewFacts } from '../../streams/pipeline.ts'
import type { JourneyState } from './journey-state.ts'

export const ARRIVAL_VIEW = 'arrivals'

export function arrivalDocument(
  state: Readonly<JourneyState>,
  _key: string,
  { receivedAtMs, open }: ViewFacts,
): Readonly<Record<string, unknown>> | undefined {
  const { position, estimate, arrivedAtMs, appointmentId } = state
  if (position === null) return undefined
  return {
    journeyId: position.journeyId,
    appointmentId,
    lat: position.lat,
    lon: position.lon,
    speedKmh: position.speedKmh,
    recordedAt: toIso(position.recordedAtMs),
    receivedAt: toIso(receivedAtMs),
    startsAt: estimate === null ? null : toIso(estimate.startsAtMs),
    estimatedAt: estimate === null ? null : toIso(estimate.atMs),
    etaP50: estimate === null ? null : toIso(estimate.p50Ms),
    etaP90: estimate === null ? null : toIso(estimate.p90Ms),
    lateProbability: estimate?.lateProbability ?? null,
    remainingM: estimate?.remainingM ?? null,
    source: estimate?.source ?? null,
    arrivedAt: arrivedAtMs === null ? null : toIso(arrivedAtMs),
    alerts: open.map(({ id, rule, severity, startsAtMs }) => ({
      ...{ id, rule, severity },
      startsAt: toIso(startsAtMs),
    })),
  }
}
