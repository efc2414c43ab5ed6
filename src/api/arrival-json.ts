// A journey to an appointment, as JSON: the agreement, the newest estimate, and what was decided.

import { type Static, Type } from '@sinclair/typebox'
import { ARRIVAL_STATUSES } from '../domains/arrivals/queries.ts'
import type { SqlRow } from '../ports/database.ts'
import { instant, nullable } from './schemas.ts'
import { isoOf, isoOrNull, numberOrNull, textOrNull } from './sql-values.ts'

export const arrivalSchema = Type.Object({
  journeyId: Type.String(),
  appointmentId: Type.String(),
  title: Type.String(),
  place: nullable(Type.String()),
  startsAt: instant('As it is agreed now'),
  firstStartsAt: instant('As it was agreed first'),
  destinationLat: Type.Number(),
  destinationLon: Type.Number(),
  organizerEmail: Type.String(),
  travelerEmail: Type.String(),
  travelerName: nullable(Type.String()),
  onlineUrl: nullable(Type.String()),
  mode: Type.String(),
  status: Type.Union(ARRIVAL_STATUSES.map((status) => Type.Literal(status))),
  etaP50: nullable(instant('As likely earlier as later')),
  etaP90: nullable(instant('Nine times out of ten not later')),
  lateProbability: nullable(Type.Number({ description: 'From 0 to 1' })),
  estimatedAt: nullable(Type.String()),
  remainingM: nullable(Type.Number()),
  freeFlowS: nullable(Type.Number({ description: 'The rest of the way on empty roads' })),
  expectedS: nullable(Type.Number({ description: 'The rest of the way as it is now' })),
  pace: nullable(Type.Number({ description: 'Time taken over time expected so far' })),
  positionAt: nullable(Type.String()),
  lat: nullable(Type.Number()),
  lon: nullable(Type.Number()),
  speedKmh: nullable(Type.Number()),
  trafficAt: nullable(instant('Of the newest traffic that the estimate saw on the way')),
  source: nullable(Type.String({ description: 'roads, provider or straight-line' })),
  arrivedAt: nullable(Type.String()),
  firstLateAt: nullable(Type.String()),
  decision: nullable(Type.String()),
  decidedAt: nullable(Type.String()),
  rescheduledAt: nullable(Type.String()),
  joinedOnlineAt: nullable(Type.String()),
})

export type ArrivalJson = Static<typeof arrivalSchema>

export const estimateSchema = Type.Object({
  estimatedAt: Type.String(),
  cause: Type.String({ description: 'position, traffic, plan or time' }),
  startsAt: Type.String(),
  etaP50: Type.String(),
  etaP90: Type.String(),
  lateProbability: Type.Number(),
  remainingM: Type.Number(),
  positionAt: Type.String(),
  source: Type.String(),
})

export const journeySchema = Type.Composite([
  arrivalSchema,
  Type.Object({
    route: Type.Array(Type.Tuple([Type.Number(), Type.Number()]), {
      description: 'The way that the estimate follows, as longitude and latitude',
    }),
    estimates: Type.Array(estimateSchema, { description: 'Oldest first' }),
    decisions: Type.Array(
      Type.Object({
        decision: Type.String(),
        decidedAt: Type.String(),
        alertId: nullable(Type.String()),
        workflowId: nullable(Type.String()),
        detail: nullable(Type.String()),
      }),
    ),
  }),
])

export function arrivalJson(row: SqlRow): ArrivalJson {
  return {
    journeyId: String(row.journey_id),
    appointmentId: String(row.appointment_id),
    title: String(row.title),
    place: textOrNull(row.place),
    startsAt: isoOf(row.starts_at),
    firstStartsAt: isoOf(row.first_starts_at),
    destinationLat: Number(row.destination_lat),
    destinationLon: Number(row.destination_lon),
    organizerEmail: String(row.organizer_email),
    travelerEmail: String(row.traveler_email),
    travelerName: textOrNull(row.traveler_name),
    onlineUrl: textOrNull(row.online_url),
    mode: String(row.mode),
    status: ARRIVAL_STATUSES.find((status) => status === row.status) ?? 'waiting',
    etaP50: isoOrNull(row.eta_p50),
    etaP90: isoOrNull(row.eta_p90),
    lateProbability: numberOrNull(row.late_probability),
    estimatedAt: isoOrNull(row.estimated_at),
    remainingM: numberOrNull(row.remaining_m),
    freeFlowS: numberOrNull(row.free_flow_s),
    expectedS: numberOrNull(row.expected_s),
    pace: numberOrNull(row.pace),
    positionAt: isoOrNull(row.position_at),
    lat: numberOrNull(row.lat),
    lon: numberOrNull(row.lon),
    speedKmh: numberOrNull(row.speed_kmh),
    trafficAt: isoOrNull(row.traffic_at),
    source: textOrNull(row.source),
    arrivedAt: isoOrNull(row.arrived_at),
    firstLateAt: isoOrNull(row.first_late_at),
    decision: textOrNull(row.decision),
    decidedAt: isoOrNull(row.decided_at),
    rescheduledAt: isoOrNull(row.rescheduled_at),
    joinedOnlineAt: isoOrNull(row.joined_online_at),
  }
}

export function estimateJson(row: SqlRow): Static<typeof estimateSchema> {
  return {
    estimatedAt: isoOf(row.estimated_at),
    cause: String(row.cause),
    startsAt: isoOf(row.starts_at),
    etaP50: isoOf(row.eta_p50),
    etaP90: isoOf(row.eta_p90),
    lateProbability: Number(row.late_probability),
    remainingM: Number(row.remaining_m),
    positionAt: isoOf(row.position_at),
    source: String(row.source),
  }
}

export function decisionJson(row: SqlRow) {
  return {
    decision: String(row.decision),
    decidedAt: isoOf(row.decided_at),
    alertId: textOrNull(row.alert_id),
    workflowId: textOrNull(row.workflow_id),
    detail: textOrNull(row.detail),
  }
}

/** Pairs of numbers; anything else is no way. */
export function routeOf(value: unknown): [number, number][] {
  if (!Array.isArray(value)) return []
  return value.flatMap((point: unknown): [number, number][] => {
    const [lon, lat]: readonly unknown[] = Array.isArray(point) ? point : []
    return typeof lon === 'number' && typeof lat === 'number' ? [[lon, lat]] : []
  })
}
