// The rules of cold chain, as data.

import { MINUTE_MS, SECOND_MS } from '../../kernel/time.ts'
import type { RuleVocabulary } from '../../rules/compile.ts'
import type { RuleDefinition } from '../../rules/definition.ts'
import { truckReadings } from './events.ts'

const common = {
  version: 1,
  topic: truckReadings.name,
  entityType: 'truck',
  labels: { domain: 'cold-chain' },
} as const

export const coldChainRules: readonly RuleDefinition[] = [
  {
    ...common,
    name: 'temperature-excursion',
    when: 'derived.breached == true',
    resolveWhen: 'derived.recovered == true',
    severity: 'major',
    severityField: 'severity',
    peak: 'derived.deviationC',
    fields: ['temperatureC', 'profile', 'minC', 'maxC', 'limitC', 'shipmentId'],
    instanceField: 'zone',
    summary: '{temperatureC} °C, outside {minC} to {maxC} °C ({profile})',
    description: 'The temperature passed a limit of the goods profile.',
  },
  {
    ...common,
    name: 'reefer-silent',
    noDataForMs: 10 * MINUTE_MS,
    severity: 'major',
    fields: [],
    summary: 'No reading for {silentForS} s',
    description: 'A truck that was sending has sent nothing for ten minutes.',
  },
  {
    ...common,
    name: 'door-open-moving',
    when: 'event.doorOpen == true && event.speedKmh != null && event.speedKmh > 5.0',
    forMs: 10 * SECOND_MS,
    resolveWhen: 'event.doorOpen == false || (event.speedKmh != null && event.speedKmh < 3.0)',
    severity: 'critical',
    peak: 'event.speedKmh',
    fields: ['speedKmh', 'doorOpen', 'lat', 'lon'],
    summary: 'Door open at {speedKmh} km/h',
    description: 'The box has been open for ten seconds while the truck moves.',
  },
  {
    ...common,
    name: 'fuel-drop',
    when: 'derived.fuelDropPercent >= 5.0',
    resolveWhen: 'derived.moving == true || derived.fuelDropPercent < 1.0',
    severity: 'warning',
    peak: 'derived.fuelDropPercent',
    fields: ['fuelDropPercent', 'fuelPercent', 'fuelLitres', 'lat', 'lon'],
    summary: 'Fuel fell by {fuelDropPercent} % at rest',
    description:
      'The tank lost a twentieth of its volume within half an hour while the truck stood.',
  },
]

export const coldChainVocabulary: RuleVocabulary = {
  event: [
    'truckId',
    'recordedAtMs',
    'temperatureC',
    'fuelPercent',
    'fuelLitres',
    'lat',
    'lon',
    'speedKmh',
    'headingDeg',
    'odometerKm',
    'doorOpen',
    'reeferOn',
    'zone',
    'shipmentId',
    'profile',
  ],
  derived: [
    'profile',
    'minC',
    'maxC',
    'limitC',
    'breached',
    'recovered',
    'side',
    'severity',
    'deviationC',
    'fuelDropPercent',
    'moving',
  ],
}
