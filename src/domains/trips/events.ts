// What trips consume: states of rides, each with what is known of the ride by then.

import { type Static, Type } from '@sinclair/typebox'
import { AMOUNT_PATTERN, CURRENCY_PATTERN, exactAmount, MAX_AMOUNT } from '../../kernel/money.ts'
import { type EpochMs, parseInstant } from '../../kernel/time.ts'
import type { ArchiveTable } from '../../ports/archive.ts'
import { compileParser } from '../../streams/parse.ts'
import type { StreamEvent, TopicDefinition } from '../../streams/topic.ts'

const closedRange = (minimum: number, maximum: number) =>
  Type.Optional(Type.Number({ minimum, maximum }))
const shortText = () => Type.Optional(Type.String({ minLength: 1, maxLength: 200 }))
const instant = (description: string) => Type.Union([Type.String(), Type.Number()], { description })
/** Far above what any ride is: the ones that are too long are for the rule to flag. */
const MAX_DISTANCE_KM = 10_000_000

export const TRIP_STATUSES = ['in-progress', 'completed', 'canceled'] as const
export type TripStatus = (typeof TRIP_STATUSES)[number]

export const PAYMENT_METHODS = [
  'card',
  'cash',
  'wallet',
  'no-charge',
  'dispute',
  'unknown',
] as const
export type PaymentMethod = (typeof PAYMENT_METHODS)[number]

export const tripEventSchema = Type.Object({
  tripId: Type.String({ minLength: 1, maxLength: 200 }),
  recordedAt: instant('Device time: ISO 8601 with offset, or epoch milliseconds'),
  eventId: shortText(),
  status: Type.Union(
    TRIP_STATUSES.map((status) => Type.Literal(status)),
    { expected: TRIP_STATUSES.join(', ') },
  ),
  pickupAt: instant('ISO 8601 with offset, or epoch milliseconds'),
  dropoffAt: Type.Optional(instant('ISO 8601 with offset, or epoch milliseconds')),
  pickupLocation: shortText(),
  dropoffLocation: shortText(),
  pickupLat: closedRange(-90, 90),
  pickupLon: closedRange(-180, 180),
  dropoffLat: closedRange(-90, 90),
  dropoffLon: closedRange(-180, 180),
  distanceKm: closedRange(0, MAX_DISTANCE_KM),
  fare: Type.Optional(
    Type.Union(
      [
        Type.Number({ minimum: -MAX_AMOUNT, maximum: MAX_AMOUNT }),
        Type.String({ pattern: AMOUNT_PATTERN }),
      ],
      { expected: 'an amount of money: a number, or a decimal as text' },
    ),
  ),
  currency: Type.Optional(Type.String({ pattern: CURRENCY_PATTERN, description: 'ISO 4217' })),
  paymentMethod: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 200,
      description: `${PAYMENT_METHODS.join(', ')}; any other word counts as unknown, and is kept`,
    }),
  ),
  vehicleId: shortText(),
  driverId: shortText(),
  dropoffClockBeforePickup: Type.Optional(
    Type.Boolean({
      description: "The meter's own clock read earlier at dropoff than at pickup",
    }),
  ),
})

type WireTripEvent = Static<typeof tripEventSchema>

export interface TripEvent extends StreamEvent {
  readonly tripId: string
  readonly status: TripStatus
  readonly pickupAtMs: EpochMs
  readonly dropoffAtMs: EpochMs | null
  readonly pickupLocation: string | null
  readonly dropoffLocation: string | null
  readonly pickupLat: number | null
  readonly pickupLon: number | null
  readonly dropoffLat: number | null
  readonly dropoffLon: number | null
  readonly distanceKm: number | null
  /** Exact decimal. */
  readonly fare: string | null
  readonly currency: string | null
  /** Null: it was not recorded. */
  readonly paymentMethod: PaymentMethod | null
  /** What the sender wrote, where it is none of our words. */
  readonly paymentMethodOriginal: string | null
  readonly vehicleId: string | null
  readonly driverId: string | null
  readonly dropoffClockBeforePickup: boolean | null
}

const archive: ArchiveTable<TripEvent> = {
  name: 'trip_event',
  columns: [
    { name: 'trip_id', type: 'text' },
    { name: 'recorded_at', type: 'timestamptz' },
    { name: 'status', type: 'text' },
    { name: 'pickup_at', type: 'timestamptz' },
    { name: 'dropoff_at', type: 'timestamptz' },
    { name: 'pickup_location', type: 'text' },
    { name: 'dropoff_location', type: 'text' },
    { name: 'pickup_lat', type: 'float8' },
    { name: 'pickup_lon', type: 'float8' },
    { name: 'dropoff_lat', type: 'float8' },
    { name: 'dropoff_lon', type: 'float8' },
    { name: 'distance_km', type: 'float8' },
    { name: 'fare', type: 'numeric' },
    { name: 'currency', type: 'text' },
    { name: 'payment_method', type: 'text' },
    { name: 'payment_method_original', type: 'text' },
    { name: 'vehicle_id', type: 'text' },
    { name: 'driver_id', type: 'text' },
    { name: 'dropoff_clock_before_pickup', type: 'bool' },
  ],
  entityColumn: 'trip_id',
  recordedAtColumn: 'recorded_at',
  write(row, event) {
    row.text(event.tripId)
    row.timestamp(event.recordedAtMs)
    row.text(event.status)
    row.timestamp(event.pickupAtMs)
    row.timestamp(event.dropoffAtMs)
    row.text(event.pickupLocation)
    row.text(event.dropoffLocation)
    row.float8(event.pickupLat)
    row.float8(event.pickupLon)
    row.float8(event.dropoffLat)
    row.float8(event.dropoffLon)
    row.float8(event.distanceKm)
    row.numeric(event.fare)
    row.text(event.currency)
    row.text(event.paymentMethod)
    row.text(event.paymentMethodOriginal)
    row.text(event.vehicleId)
    row.text(event.driverId)
    row.bool(event.dropoffClockBeforePickup)
  },
  read(row) {
    return {
      tripId: row.text() ?? '',
      recordedAtMs: row.timestamp() ?? 0,
      eventId: null,
      status: TRIP_STATUSES.find(isOneOf(row.text())) ?? 'in-progress',
      pickupAtMs: row.timestamp() ?? 0,
      dropoffAtMs: row.timestamp(),
      pickupLocation: row.text(),
      dropoffLocation: row.text(),
      pickupLat: row.float8(),
      pickupLon: row.float8(),
      dropoffLat: row.float8(),
      dropoffLon: row.float8(),
      distanceKm: row.float8(),
      fare: row.numeric(),
      currency: row.text(),
      paymentMethod: PAYMENT_METHODS.find(isOneOf(row.text())) ?? null,
      paymentMethodOriginal: row.text(),
      vehicleId: row.text(),
      driverId: row.text(),
      dropoffClockBeforePickup: row.bool(),
    }
  },
}

export const trips: TopicDefinition<TripEvent> = {
  name: 'trips',
  schema: tripEventSchema,
  parse: compileParser(tripEventSchema, tripEvent, { instants: ['pickupAt', 'dropoffAt'] }),
  keyOf: (event) => event.tripId,
  archive,
}

function tripEvent(wire: WireTripEvent, recordedAtMs: EpochMs): TripEvent {
  return {
    tripId: wire.tripId,
    recordedAtMs,
    eventId: wire.eventId ?? null,
    status: wire.status,
    pickupAtMs: parseInstant(wire.pickupAt) ?? recordedAtMs,
    dropoffAtMs: parseInstant(wire.dropoffAt) ?? null,
    pickupLocation: wire.pickupLocation ?? null,
    dropoffLocation: wire.dropoffLocation ?? null,
    pickupLat: wire.pickupLat ?? null,
    pickupLon: wire.pickupLon ?? null,
    dropoffLat: wire.dropoffLat ?? null,
    dropoffLon: wire.dropoffLon ?? null,
    distanceKm: wire.distanceKm ?? null,
    fare: wire.fare === undefined ? null : exactAmount(wire.fare),
    currency: wire.currency ?? null,
    ...paymentOf(wire.paymentMethod),
    vehicleId: wire.vehicleId ?? null,
    driverId: wire.driverId ?? null,
    dropoffClockBeforePickup: wire.dropoffClockBeforePickup ?? null,
  }
}

/** `No Charge` is `no-charge`; a word that is none of ours is unknown, and kept. */
function paymentOf(
  word: string | undefined,
): Pick<TripEvent, 'paymentMethod' | 'paymentMethodOriginal'> {
  if (word === undefined) return { paymentMethod: null, paymentMethodOriginal: null }
  const known = PAYMENT_METHODS.find(
    isOneOf(
      word
        .trim()
        .toLowerCase()
        .replace(/[\s_-]+/g, '-'),
    ),
  )
  return known === undefined
    ? { paymentMethod: 'unknown', paymentMethodOriginal: word }
    : { paymentMethod: known, paymentMethodOriginal: null }
}

function isOneOf(text: string | null): (known: string) => boolean {
  return (known) => known === text
}
