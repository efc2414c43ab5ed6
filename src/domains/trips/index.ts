// The only door to the trips domain.

import type { Domain } from '../domain.ts'
import { checkTariffs, TARIFF_TABLE, tariffRow } from './anomaly.ts'
import { tripsPipeline, tripsPipelineWith } from './pipeline.ts'
import { tripRules } from './rules.ts'
import { tripFleet } from './simulate.ts'

export const tripsDomain: Domain = {
  name: 'trips',
  pipelines: [tripsPipeline],
  rules: [tripRules],
  pipelinesWith: (rules) => [tripsPipelineWith(rules(tripRules))],
  referenceRows: (_topic, { currency }, tables) => tariffRow(currency, tables(TARIFF_TABLE)),
  referenceTables: [{ name: TARIFF_TABLE, check: checkTariffs }],
  fleets: [tripFleet],
}
