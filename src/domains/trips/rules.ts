// The rules of trips, as data.

import type { RuleVocabulary } from '../../rules/compile.ts'
import type { RuleDefinition } from '../../rules/definition.ts'
import { trips } from './events.ts'

export const tripRules: readonly RuleDefinition[] = [
  {
    version: 1,
    topic: trips.name,
    entityType: 'trip',
    labels: { domain: 'trips' },
    name: 'trip-anomaly',
    when: 'derived.anomalous == true',
    resolveWhen: 'derived.anomalous == false',
    severity: 'minor',
    fields: ['anomalies', 'durationS', 'distanceKm', 'speedKmh', 'fare', 'currency', 'usualFare'],
    summary: 'Odd trip: {anomalies}',
    description:
      'The dropoff is before the pickup, the trip took no time, was faster than 200 km/h on average, or its ' +
      'fare is five times, or less than a fifth of, what such a trip usually costs.',
  },
]

export const tripVocabulary: RuleVocabulary = {
  event: [
    'tripId',
    'recordedAtMs',
    'status',
    'pickupAtMs',
    'dropoffAtMs',
    'pickupLocation',
    'dropoffLocation',
    'pickupLat',
    'pickupLon',
    'dropoffLat',
    'dropoffLon',
    'distanceKm',
    'fare',
    'currency',
    'paymentMethod',
    'paymentMethodOriginal',
    'vehicleId',
    'driverId',
    'dropoffClockBeforePickup',
  ],
  derived: ['anomalous', 'anomalies', 'durationS', 'speedKmh', 'usualFare'],
}
