// The only door to the arrivals domain.

import type { Domain } from '../domain.ts'
import { journeyPositions } from './events.ts'
import { journeyPipeline, journeyPipelineWith } from './pipeline.ts'
import { journeyPlanPipeline } from './plans.ts'
import { checkRoads, ROAD_TABLE, roadsRow } from './roads/road-document.ts'
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
  referenceRows: (topic, _event, tables) =>
    topic === journeyPositions.name ? roadsRow(tables(ROAD_TABLE)) : [],
  referenceTables: [{ name: ROAD_TABLE, check: checkRoads }],
  fleets: arrivalFleets,
}
