// The only door to the arrivals domain.

import type { Domain } from '../domain.ts'
import { journeyPlanPipeline } from './plans.ts'
import { trafficPipeline } from './traffic.ts'

export const arrivals: Domain = {
  name: 'arrivals',
  pipelines: [trafficPipeline, journeyPlanPipeline],
  rules: [],
  pipelinesWith: () => [trafficPipeline, journeyPlanPipeline],
  referenceTables: [],
  fleets: [],
}
