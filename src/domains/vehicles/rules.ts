// The rules of vehicles, as data.

import { SECOND_MS } from '../../kernel/time.ts'
import type { RuleVocabulary } from '../../rules/compile.ts'
import type { RuleDefinition } from '../../rules/definition.ts'
import { vehicleTelemetry } from './events.ts'

const common = {
  version: 1,
  topic: vehicleTelemetry.name,
  entityType: 'vehicle',
  labels: { domain: 'vehicles' },
} as const

export const vehicleRules: readonly RuleDefinition[] = [
  {
    ...common,
    name: 'high-speed',
    when: 'event.speedKmh != null && event.speedKmh > 120.0',
    resolveWhen: 'event.speedKmh != null && event.speedKmh <= 115.0',
    severity: 'major',
    peak: 'event.speedKmh',
    fields: ['speedKmh', 'model', 'color', 'lat', 'lon'],
    summary: '{speedKmh} km/h, above 120 km/h',
    description: 'The vehicle is faster than 120 km/h; over once it is at 115 km/h or below.',
  },
  {
    ...common,
    name: 'engine-stress',
    when: 'event.rpm != null && event.rpm > 6000.0',
    resolveWhen: 'event.rpm != null && event.rpm <= 5500.0',
    severity: 'major',
    peak: 'event.rpm',
    fields: ['rpm', 'speedKmh', 'gear', 'model', 'lat', 'lon'],
    summary: '{rpm} revolutions a minute, above 6000',
    description:
      'The engine turns more than 6,000 times a minute; over once it is at 5,500 or below.',
  },
  {
    ...common,
    name: 'gear-mismatch',
    when: 'derived.gearMismatch == true',
    forMs: 2 * SECOND_MS,
    resolveWhen: 'derived.gearMismatch == false',
    severity: 'warning',
    peak: 'derived.gearsApart',
    fields: ['gear', 'expectedGear', 'speedKmh', 'rpm', 'model'],
    summary: 'Gear {gear} at {speedKmh} km/h, expected {expectedGear}',
    description:
      'The gear has been another than the one expected at the speed for two seconds: longer than changing gear takes.',
  },
  {
    ...common,
    name: 'posted-limit',
    when: 'event.postedLimitKmh != null && event.speedKmh != null && event.speedKmh > event.postedLimitKmh',
    severity: 'minor',
    peak: 'derived.overLimitKmh',
    fields: ['speedKmh', 'postedLimitKmh', 'overLimitKmh', 'lat', 'lon'],
    summary: '{speedKmh} km/h where {postedLimitKmh} km/h are allowed',
    description: 'The vehicle is faster than the limit that its sender knows for the road.',
  },
]

export const vehicleVocabulary: RuleVocabulary = {
  event: [
    'vehicleId',
    'recordedAtMs',
    'speedKmh',
    'rpm',
    'gear',
    'lat',
    'lon',
    'headingDeg',
    'odometerKm',
    'fuelLph',
    'postedLimitKmh',
    'stateOfChargePercent',
  ],
  derived: [
    'known',
    'brand',
    'model',
    'color',
    'expectedGear',
    'gearMismatch',
    'gearsApart',
    'overLimitKmh',
  ],
}
