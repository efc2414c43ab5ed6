// The only door to the arrivals domain.

import type { Domain } from '../domain.ts'
import { journeyPipeline, journeyPipelineWith } from './pipeline.ts'
import { journeyPlanPipeline } from './plans.ts'
import { checkRoads, ROAD_TABLE } from './roads/road-document.ts'
import { journeyRules } from './rules.ts'
import { arrivalFleets } from './simulate.ts'
import { trafficPipeline } from './traffic.ts'

export const arrivals: Domain = {
  name: 'arrivals',
  pipelines: [journeyPipeline, trafficPipeline, journeyPlanPipeline],
  rules: [journeyRules],
  pipelinesWith: (rules) => [
    journeyPipelineWith(rules(journeyRules)),
    trafficPipeline,
    journeyPlanPipeline,
  ],
  referenceTables: [{ name: ROAD_TABLE, check: checkRoads }],
  fleets: arrivalFleets,
}
