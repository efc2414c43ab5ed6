// The only door to the vehicles domain.

import type { Domain } from '../domain.ts'
import { vehiclesPipeline, vehiclesPipelineOver, vehiclesPipelineWith } from './pipeline.ts'
import {
  COLORS_TABLE,
  checkColors,
  checkModels,
  checkVehicles,
  MODELS_TABLE,
  rowsOfVehicle,
  VEHICLES_TABLE,
} from './reference.ts'
import { vehicleRules } from './rules.ts'
import { vehicleFleet } from './simulate.ts'

export const vehicles: Domain = {
  name: 'vehicles',
  pipelines: [vehiclesPipeline],
  rules: [vehicleRules],
  pipelinesWith: (rules) => [vehiclesPipelineWith(rules(vehicleRules))],
  pipelinesUnder: ({ vehicleWindows }) => [vehiclesPipelineOver(vehicleWindows)],
  fleets: [vehicleFleet],
  referenceRows: (_topic, { vehicleId }, tables) => rowsOfVehicle(String(vehicleId), tables),
  referenceTables: [
    { name: VEHICLES_TABLE, check: checkVehicles },
    { name: MODELS_TABLE, check: checkModels },
    { name: COLORS_TABLE, check: checkColors },
  ],
}
