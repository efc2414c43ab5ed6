// The rules of cold chain: documents as operators write them, each with its cases.

import type { RuleDocument } from '../../rules/rule-document.ts'
import { eventFields, type RuleTopic } from '../../rules/rule-source.ts'
import { truckReadings } from './events.ts'

const common = { topic: truckReadings.name, labels: { domain: 'cold-chain' } }

const documents: readonly RuleDocument[] = [
  {
    ...common,
    name: 'temperature-excursion',
    description: 'The temperature passed a limit of the goods profile.',
    when: 'derived.breached',
    resolveWhen: 'derived.recovered',
    labels: { ...common.labels, workflow: 'excursion' },
    severity: {
      default: 'major',
      critical: 'derived.severity == "critical"',
      major: 'derived.severity == "major"',
      minor: 'derived.severity == "minor"',
      warning: 'derived.severity == "warning"',
      info: 'derived.severity == "info"',
    },
    peak: 'derived.deviationC',
    fields: ['temperatureC', 'profile', 'minC', 'maxC', 'limitC', 'shipmentId'],
    instanceField: 'zone',
    summary: '{temperatureC} °C, outside {minC} to {maxC} °C ({profile})',
    cases: [
      {
        name: 'the first reading above 7 °C fires, and half a degree inside is the end',
        events: [
          { at: '0s', temperatureC: 6.9 },
          { at: '60s', temperatureC: 7.1 },
          { at: '120s', temperatureC: 6.8 },
          { at: '180s', temperatureC: 6.4 },
        ],
        alerts: [{ severity: 'major', status: 'resolved', startsAt: '60s', endsAt: '180s' }],
      },
      {
        name: 'a freezing vaccine is critical',
        events: [{ at: '0s', temperatureC: 1.5, profile: 'vaccine' }],
        alerts: [{ severity: 'critical', status: 'firing' }],
      },
    ],
  },
  {
    ...common,
    name: 'reefer-silent',
    description: 'A truck that was sending has sent nothing for ten minutes.',
    noDataFor: '10m',
    severity: 'major',
    summary: 'No reading for {silentForS} s',
    cases: [
      {
        name: 'ten minutes without a reading fire, the next reading is the end',
        events: [
          { at: '0s', temperatureC: 5 },
          { at: '15m', temperatureC: 5 },
        ],
        alerts: [{ status: 'resolved', startsAt: '10m', endsAt: '15m' }],
      },
      {
        name: 'nine minutes are no silence',
        events: [{ at: '0s', temperatureC: 5 }],
        until: '9m',
        alerts: [],
      },
    ],
  },
  {
    ...common,
    name: 'door-open-moving',
    description: 'The box has been open for ten seconds while the truck moves.',
    when: 'event.doorOpen && event.speedKmh > 5',
    for: '10s',
    resolveWhen: 'event.doorOpen == false || event.speedKmh < 3',
    severity: 'critical',
    peak: 'event.speedKmh',
    fields: ['speedKmh', 'doorOpen', 'lat', 'lon'],
    summary: 'Door open at {speedKmh} km/h',
    cases: [
      {
        name: 'ten seconds on the road with an open door fire',
        events: [
          { at: '0s', temperatureC: 5, doorOpen: true, speedKmh: 20 },
          { at: '10s', temperatureC: 5, doorOpen: true, speedKmh: 30 },
          { at: '20s', temperatureC: 5, doorOpen: false, speedKmh: 30 },
        ],
        alerts: [{ startsAt: '0s', endsAt: '20s', summary: 'Door open at 30 km/h' }],
      },
      {
        name: 'a door open at the ramp is no matter',
        events: [
          { at: '0s', temperatureC: 5, doorOpen: true, speedKmh: 0 },
          { at: '60s', temperatureC: 5, doorOpen: true, speedKmh: 0 },
        ],
        alerts: [],
      },
    ],
  },
  {
    ...common,
    name: 'fuel-drop',
    description:
      'The tank lost a twentieth of its volume within half an hour while the truck stood.',
    when: 'derived.fuelDropPercent >= 5',
    resolveWhen: 'derived.moving || derived.fuelDropPercent < 1',
    severity: 'warning',
    peak: 'derived.fuelDropPercent',
    fields: ['fuelDropPercent', 'fuelPercent', 'fuelLitres', 'lat', 'lon'],
    summary: 'Fuel fell by {fuelDropPercent} % at rest',
  },
]

export const coldChainRules: RuleTopic = {
  topic: truckReadings,
  entityType: 'truck',
  documents,
  origins: {
    derived: [
      ...['temperatureC', 'zone', 'shipmentId', 'profile'],
      ...['fuelPercent', 'fuelLitres', 'speedKmh'],
    ],
    profile: ['profile'],
    silence: ['shipmentId'],
  },
  vocabulary: {
    event: eventFields(truckReadings.schema),
    last: eventFields(truckReadings.schema),
    derived: {
      profile: 'text',
      minC: 'number',
      maxC: 'number',
      limitC: 'number',
      breached: 'flag',
      recovered: 'flag',
      side: 'text',
      severity: 'text',
      deviationC: 'number',
      fuelDropPercent: 'number',
      moving: 'flag',
    },
    profile: { name: 'text', title: 'text', minC: 'number', maxC: 'number', hysteresisC: 'number' },
  },
}
