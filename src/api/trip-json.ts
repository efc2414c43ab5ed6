// Trips and their sums as JSON. Revenue is an exact decimal: as a number for those who show it, and as text,
// for each currency, for those who go on counting with it.

import { type Static, Type } from '@sinclair/typebox'
import { ANOMALIES } from '../domains/trips/anomaly.ts'
import { TRIP_STATUSES } from '../domains/trips/events.ts'
import type { TripTotals } from '../domains/trips/queries.ts'
import type { SqlRow } from '../ports/database.ts'
import { instant, nullable } from './schemas.ts'
import { isoOf, isoOrNull, numberOrNull, textOrNull } from './sql-values.ts'

const counts = (description: string) => Type.Record(Type.String(), Type.Integer(), { description })

export const totalsProperties = {
  trips: Type.Integer(),
  revenue: Type.Number({
    description:
      'Fares of all trips but the canceled, exact to the last decimal; in the currency that most trips have',
  }),
  currency: nullable(Type.String()),
  revenueByCurrency: Type.Array(
    Type.Object({
      currency: nullable(Type.String()),
      revenue: Type.String({ description: 'Exact decimal' }),
      trips: Type.Integer(),
      byPaymentMethod: Type.Record(Type.String(), Type.String(), {
        description: 'Revenue by payment method',
      }),
    }),
  ),
  averageDistanceKm: nullable(Type.Number({ description: 'Over trips whose distance is known' })),
  byStatus: counts('Trips by status'),
  byPaymentMethod: counts('Trips by payment method; not-recorded where the sender gave none'),
}

export const tripSchema = Type.Object({
  tripId: Type.String(),
  status: Type.Union(TRIP_STATUSES.map((status) => Type.Literal(status))),
  recordedAt: instant('Event time of its newest event'),
  pickupAt: instant('Start'),
  dropoffAt: nullable(instant('End')),
  pickupLocation: nullable(Type.String()),
  dropoffLocation: nullable(Type.String()),
  distanceKm: nullable(Type.Number()),
  fare: nullable(Type.String({ description: 'Exact decimal' })),
  currency: nullable(Type.String()),
  paymentMethod: nullable(Type.String()),
  paymentMethodOriginal: nullable(
    Type.String({ description: 'What the sender wrote, where it is no word of ours' }),
  ),
  vehicleId: nullable(Type.String()),
  driverId: nullable(Type.String()),
  anomalies: Type.Array(Type.Union(ANOMALIES.map((anomaly) => Type.Literal(anomaly)))),
})

export function totalsJson({ trips, revenue, ...rest }: TripTotals) {
  return { trips, revenue: Number(revenue), ...rest }
}

export function tripJson(row: SqlRow): Static<typeof tripSchema> {
  const said: readonly unknown[] = Array.isArray(row.anomalies) ? row.anomalies : []
  return {
    tripId: String(row.trip_id),
    status: TRIP_STATUSES.find((status) => status === row.status) ?? 'in-progress',
    recordedAt: isoOf(row.recorded_at),
    pickupAt: isoOf(row.pickup_time),
    dropoffAt: isoOrNull(row.dropoff_time),
    pickupLocation: textOrNull(row.pickup_location),
    dropoffLocation: textOrNull(row.dropoff_location),
    distanceKm: numberOrNull(row.distance),
    fare: textOrNull(row.fare),
    currency: textOrNull(row.currency),
    paymentMethod: textOrNull(row.payment_method),
    paymentMethodOriginal: textOrNull(row.payment_method_original),
    vehicleId: textOrNull(row.vehicle_id),
    driverId: textOrNull(row.driver_id),
    anomalies: ANOMALIES.filter((anomaly) => said.includes(anomaly)),
  }
}
