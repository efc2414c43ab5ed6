// The rules of trips: documents as operators write them, each with its cases.

import type { RuleDocument } from '../../rules/rule-document.ts'
import { eventFields, type RuleTopic } from '../../rules/rule-source.ts'
import { trips } from './events.ts'

const START = '2026-01-31T08:00:00Z'
const usual = {
  status: 'completed',
  pickupAt: START,
  dropoffAt: '2026-01-31T08:10:00Z',
  distanceKm: 5,
  fare: 20,
  currency: 'USD',
}

const documents: readonly RuleDocument[] = [
  {
    topic: trips.name,
    labels: { domain: 'trips' },
    name: 'trip-anomaly',
    description:
      'The dropoff is before the pickup, the trip took no time, was faster than 200 km/h on average, or its ' +
      'fare is five times, or less than a fifth of, what such a trip usually costs. It ends with the trip: ' +
      'the list of trips keeps what was odd.',
    when: 'derived.anomalous',
    endWhen: "event.status != 'in-progress'",
    severity: 'minor',
    fields: ['anomalies', 'durationS', 'distanceKm', 'speedKmh', 'fare', 'currency', 'usualFare'],
    summary: 'Odd trip: {anomalies}',
    cases: [
      {
        name: 'a usual trip is none',
        events: [{ at: '600s', ...usual }],
        alerts: [],
      },
      {
        name: 'a dropoff before the pickup',
        events: [{ at: '600s', ...usual, dropoffAt: '2026-01-31T07:59:00Z' }],
        alerts: [{ status: 'resolved', startsAt: '600s', endsAt: '600s' }],
      },
      {
        name: 'odd while it goes on, and over when it is finished, however often that is said',
        events: [
          { at: '60s', ...usual, status: 'in-progress', distanceKm: 900 },
          { at: '600s', ...usual, distanceKm: 900 },
          { at: '610s', ...usual, distanceKm: 900 },
        ],
        alerts: [{ status: 'resolved', startsAt: '60s', endsAt: '600s' }],
      },
    ],
  },
]

export const tripRules: RuleTopic = {
  topic: trips,
  entityType: 'trip',
  documents,
  origins: {
    derived: [
      ...['status', 'pickupAt', 'dropoffAt', 'dropoffClockBeforePickup'],
      ...['distanceKm', 'fare', 'currency'],
    ],
  },
  vocabulary: {
    event: eventFields(trips.schema),
    derived: {
      anomalous: 'flag',
      fare: 'number',
      anomalies: 'text',
      durationS: 'number',
      speedKmh: 'number',
      usualFare: 'number',
    },
  },
}
