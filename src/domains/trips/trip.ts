// The state of one trip: what its newest event says, and what older ones said where the newest says nothing.
// It is the row of the table `trip`.

import type { EpochMs } from '../../kernel/time.ts'
import type { RowTable } from '../../ports/row-table.ts'
import type { Anomaly } from './anomaly.ts'
import type { PaymentMethod, TripEvent, TripStatus } from './events.ts'

export interface TripState {
  readonly tripId: string
  readonly recordedAtMs: EpochMs
  readonly status: TripStatus
  readonly pickupAtMs: EpochMs
  readonly dropoffAtMs: EpochMs | null
  readonly pickupLocation: string | null
  readonly dropoffLocation: string | null
  readonly distanceKm: number | null
  /** Exact decimal. */
  readonly fare: string | null
  readonly currency: string | null
  readonly paymentMethod: PaymentMethod | null
  readonly paymentMethodOriginal: string | null
  readonly vehicleId: string | null
  readonly driverId: string | null
  readonly dropoffClockBeforePickup: boolean
}

/** The trip after an event that is no older than what is known of it. */
export function tripAfter(known: TripState | null, event: TripEvent, atMs: EpochMs): TripState {
  const said = event.paymentMethod === null ? known : event
  return {
    tripId: event.tripId,
    recordedAtMs: atMs,
    status: event.status,
    pickupAtMs: event.pickupAtMs,
    dropoffAtMs: event.dropoffAtMs ?? known?.dropoffAtMs ?? null,
    pickupLocation: event.pickupLocation ?? known?.pickupLocation ?? null,
    dropoffLocation: event.dropoffLocation ?? known?.dropoffLocation ?? null,
    distanceKm: event.distanceKm ?? known?.distanceKm ?? null,
    fare: event.fare ?? known?.fare ?? null,
    currency: event.currency ?? known?.currency ?? null,
    paymentMethod: said?.paymentMethod ?? null,
    paymentMethodOriginal: said?.paymentMethodOriginal ?? null,
    vehicleId: event.vehicleId ?? known?.vehicleId ?? null,
    driverId: event.driverId ?? known?.driverId ?? null,
    dropoffClockBeforePickup:
      event.dropoffClockBeforePickup ?? known?.dropoffClockBeforePickup ?? false,
  }
}

export interface TripRow {
  readonly trip: TripState
  readonly anomalies: readonly Anomaly[]
}

/**
 * A trip is forgotten in memory soon after its last event. What comes later still finds its row: an older event
 * does not replace it, and a newer one leaves what it does not speak of.
 */
export const tripTable: RowTable<TripRow> = {
  name: 'trip',
  columns: [
    { name: 'trip_id', type: 'text' },
    { name: 'recorded_at', type: 'timestamptz' },
    { name: 'status', type: 'text' },
    { name: 'pickup_time', type: 'timestamptz' },
    { name: 'dropoff_time', type: 'timestamptz' },
    { name: 'pickup_location', type: 'text' },
    { name: 'dropoff_location', type: 'text' },
    { name: 'distance', type: 'float8' },
    { name: 'fare', type: 'numeric' },
    { name: 'currency', type: 'text' },
    { name: 'payment_method', type: 'text' },
    { name: 'payment_method_original', type: 'text' },
    { name: 'vehicle_id', type: 'text' },
    { name: 'driver_id', type: 'text' },
    { name: 'anomalies', type: 'jsonb' },
  ],
  keyColumns: 1,
  newestBy: 'recorded_at',
  keptWhereNull: [
    'dropoff_time',
    'pickup_location',
    'dropoff_location',
    'distance',
    'fare',
    'currency',
    'payment_method',
    'payment_method_original',
    'vehicle_id',
    'driver_id',
  ],
  write(row, { trip, anomalies }) {
    row.text(trip.tripId)
    row.timestamp(trip.recordedAtMs)
    row.text(trip.status)
    row.timestamp(trip.pickupAtMs)
    row.timestamp(trip.dropoffAtMs)
    row.text(trip.pickupLocation)
    row.text(trip.dropoffLocation)
    row.float8(trip.distanceKm)
    row.numeric(trip.fare)
    row.text(trip.currency)
    row.text(trip.paymentMethod)
    row.text(trip.paymentMethodOriginal)
    row.text(trip.vehicleId)
    row.text(trip.driverId)
    row.json(anomalies.length === 0 ? null : anomalies)
  },
}
