// The rows that journeys leave: each as it was estimated last, and every estimate ever made.

import type { EpochMs } from '../../kernel/time.ts'
import type { RowTable } from '../../ports/row-table.ts'
import type { JourneyPosition } from './events.ts'
import type { Estimate } from './journey-state.ts'

export interface EstimateRow {
  readonly journeyId: string
  readonly appointmentId: string
  readonly estimate: Estimate
  readonly positionAtMs: EpochMs
}

export interface ArrivalRow extends EstimateRow {
  readonly position: JourneyPosition
  readonly arrivedAtMs: EpochMs | null
  readonly firstLateAtMs: EpochMs | null
  /** Longitude and latitude; null where it is as it was. */
  readonly line: readonly (readonly [number, number])[] | null
}

export const estimateTable: RowTable<EstimateRow> = {
  name: 'eta_estimate',
  columns: [
    { name: 'journey_id', type: 'text' },
    { name: 'estimated_at', type: 'timestamptz' },
    { name: 'cause', type: 'text' },
    { name: 'appointment_id', type: 'text' },
    { name: 'starts_at', type: 'timestamptz' },
    { name: 'eta_p50', type: 'timestamptz' },
    { name: 'eta_p90', type: 'timestamptz' },
    { name: 'late_probability', type: 'float8' },
    { name: 'remaining_m', type: 'float8' },
    { name: 'position_at', type: 'timestamptz' },
    { name: 'source', type: 'text' },
  ],
  keyColumns: 2,
  write(row, { journeyId, appointmentId, estimate, positionAtMs }) {
    row.text(journeyId)
    row.timestamp(estimate.atMs)
    row.text(estimate.cause)
    row.text(appointmentId)
    row.timestamp(estimate.startsAtMs)
    row.timestamp(estimate.p50Ms)
    row.timestamp(estimate.p90Ms)
    row.float8(estimate.lateProbability)
    row.float8(estimate.remainingM)
    row.timestamp(positionAtMs)
    row.text(estimate.source)
  },
}

export const arrivalTable: RowTable<ArrivalRow> = {
  name: 'arrival',
  columns: [
    { name: 'journey_id', type: 'text' },
    { name: 'estimated_at', type: 'timestamptz' },
    { name: 'appointment_id', type: 'text' },
    { name: 'starts_at', type: 'timestamptz' },
    { name: 'eta_p50', type: 'timestamptz' },
    { name: 'eta_p90', type: 'timestamptz' },
    { name: 'late_probability', type: 'float8' },
    { name: 'remaining_m', type: 'float8' },
    { name: 'free_flow_s', type: 'float8' },
    { name: 'expected_s', type: 'float8' },
    { name: 'pace', type: 'float8' },
    { name: 'position_at', type: 'timestamptz' },
    { name: 'lat', type: 'float8' },
    { name: 'lon', type: 'float8' },
    { name: 'speed_kmh', type: 'float8' },
    { name: 'traffic_at', type: 'timestamptz' },
    { name: 'source', type: 'text' },
    { name: 'arrived_at', type: 'timestamptz' },
    { name: 'first_late_at', type: 'timestamptz' },
    { name: 'route', type: 'jsonb' },
  ],
  keyColumns: 1,
  newestBy: 'estimated_at',
  keptWhereNull: ['route'],
  write(row, { journeyId, appointmentId, estimate, positionAtMs, ...rest }) {
    row.text(journeyId)
    row.timestamp(estimate.atMs)
    row.text(appointmentId)
    row.timestamp(estimate.startsAtMs)
    row.timestamp(estimate.p50Ms)
    row.timestamp(estimate.p90Ms)
    row.float8(estimate.lateProbability)
    row.float8(estimate.remainingM)
    row.float8(estimate.freeFlowS)
    row.float8(estimate.expectedS)
    row.float8(estimate.pace)
    row.timestamp(positionAtMs)
    row.float8(rest.position.lat)
    row.float8(rest.position.lon)
    row.float8(rest.position.speedKmh)
    row.timestamp(estimate.trafficAtMs)
    row.text(estimate.source)
    row.timestamp(rest.arrivedAtMs)
    row.timestamp(rest.firstLateAtMs)
    row.json(rest.line)
  },
}
