// The rules of vehicles: documents as operators write them, each with its cases.

import type { RuleDocument } from '../../rules/rule-document.ts'
import { eventFields, type RuleTopic } from '../../rules/rule-source.ts'
import { vehicleTelemetry } from './events.ts'

const common = { topic: vehicleTelemetry.name, labels: { domain: 'vehicles' } }

const documents: readonly RuleDocument[] = [
  {
    ...common,
    name: 'high-speed',
    description: 'The vehicle is faster than 120 km/h; over once it is at 115 km/h or below.',
    when: 'event.speedKmh > 120',
    resolveWhen: 'event.speedKmh <= 115',
    severity: 'major',
    peak: 'event.speedKmh',
    fields: ['speedKmh', 'model', 'color', 'lat', 'lon'],
    summary: '{speedKmh} km/h, above 120 km/h',
    cases: [
      {
        name: 'above 120 km/h fires, and 115 km/h is the end',
        events: [
          { at: '0s', speedKmh: 120 },
          { at: '1s', speedKmh: 121 },
          { at: '2s', speedKmh: 118 },
          { at: '3s', speedKmh: 115 },
        ],
        alerts: [{ status: 'resolved', startsAt: '1s', endsAt: '3s' }],
      },
    ],
  },
  {
    ...common,
    name: 'engine-stress',
    description:
      'The engine turns more than 6,000 times a minute; over once it is at 5,500 or below.',
    when: 'event.rpm > 6000',
    resolveWhen: 'event.rpm <= 5500',
    severity: 'major',
    peak: 'event.rpm',
    fields: ['rpm', 'speedKmh', 'gear', 'model', 'lat', 'lon'],
    summary: '{rpm} revolutions a minute, above 6000',
    cases: [
      {
        name: 'above 6,000 fires and holds until 5,500',
        events: [
          { at: '0s', speedKmh: 80, rpm: 6100 },
          { at: '1s', speedKmh: 80, rpm: 5600 },
          { at: '2s', speedKmh: 80, rpm: 5500 },
        ],
        alerts: [{ startsAt: '0s', endsAt: '2s' }],
      },
    ],
  },
  {
    ...common,
    name: 'gear-mismatch',
    description:
      'The gear has been another than the one expected at the speed for two seconds: longer than changing gear takes.',
    when: 'derived.gearMismatch',
    for: '2s',
    resolveWhen: 'derived.gearMismatch == false',
    severity: 'warning',
    peak: 'derived.gearsApart',
    fields: ['gear', 'expectedGear', 'speedKmh', 'rpm', 'model'],
    summary: 'Gear {gear} at {speedKmh} km/h, expected {expectedGear}',
    cases: [
      {
        name: 'third gear at 100 km/h for two seconds',
        events: [
          { at: '0s', speedKmh: 100, gear: 3 },
          { at: '2s', speedKmh: 100, gear: 3 },
          { at: '3s', speedKmh: 100, gear: 6 },
        ],
        alerts: [{ startsAt: '0s', endsAt: '3s', severity: 'warning' }],
      },
      {
        name: 'changing gear takes a second, and is no mismatch',
        events: [
          { at: '0s', speedKmh: 95, gear: 5 },
          { at: '1s', speedKmh: 95, gear: 6 },
        ],
        alerts: [],
      },
    ],
  },
  {
    ...common,
    name: 'harsh-braking',
    description:
      'It loses 4.4 m/s or more in a second, between readings at most 3 s apart; over with the first that does not.',
    when: 'derived.brakingMs2 >= 4.4',
    resolveWhen: 'derived.brakingMs2 < 4.4',
    severity: 'minor',
    peak: 'derived.brakingMs2',
    fields: ['brakingMs2', 'speedKmh', 'model', 'lat', 'lon'],
    summary: 'Braked with {brakingMs2} m/s², down to {speedKmh} km/h',
    cases: [
      {
        name: '20 km/h lost in a second are harsh, and the next second is the end',
        events: [
          { at: '0s', speedKmh: 80 },
          { at: '1s', speedKmh: 60 },
          { at: '2s', speedKmh: 55 },
        ],
        alerts: [{ status: 'resolved', startsAt: '1s', endsAt: '2s' }],
      },
      {
        name: 'the same over two seconds is not, nor what lies between readings that are far apart',
        events: [
          { at: '0s', speedKmh: 80 },
          { at: '2s', speedKmh: 60 },
          { at: '6s', speedKmh: 0 },
        ],
        alerts: [],
      },
    ],
  },
  {
    ...common,
    name: 'vehicle-silent',
    description: 'A vehicle that was sending has sent nothing for ten minutes.',
    noDataFor: '10m',
    severity: 'minor',
    summary: 'No telemetry for {silentForS} s',
    cases: [
      {
        name: 'ten minutes without telemetry fire, and the next reading is the end',
        events: [
          { at: '0s', speedKmh: 50 },
          { at: '15m', speedKmh: 50 },
        ],
        alerts: [{ status: 'resolved', startsAt: '10m', endsAt: '15m' }],
      },
      {
        name: 'a position is heard of, too',
        events: [
          { at: '0s', speedKmh: 50 },
          { at: '9m', lat: -1.3, lon: 36.8 },
        ],
        until: '18m',
        alerts: [],
      },
    ],
  },
  {
    ...common,
    name: 'posted-limit',
    description: 'The vehicle is faster than the limit that its sender knows for the road.',
    when: 'event.speedKmh > event.postedLimitKmh',
    severity: 'info',
    peak: 'derived.overLimitKmh',
    fields: ['speedKmh', 'postedLimitKmh', 'overLimitKmh', 'lat', 'lon'],
    summary: '{speedKmh} km/h where {postedLimitKmh} km/h are allowed',
  },
]

export const vehicleRules: RuleTopic = {
  topic: vehicleTelemetry,
  entityType: 'vehicle',
  documents,
  origins: { derived: ['speedKmh', 'gear', 'postedLimitKmh'] },
  vocabulary: {
    event: eventFields(vehicleTelemetry.schema),
    last: eventFields(vehicleTelemetry.schema),
    derived: {
      known: 'flag',
      brand: 'text',
      model: 'text',
      color: 'text',
      expectedGear: 'number',
      gearMismatch: 'flag',
      gearsApart: 'number',
      overLimitKmh: 'number',
      brakingMs2: 'number',
    },
    reference: { known: 'flag', brand: 'text', model: 'text', color: 'text' },
  },
}
