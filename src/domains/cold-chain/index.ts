// The only door to the cold-chain domain.

import type { Domain } from '../domain.ts'
import {
  checkProfileTable,
  coldChainPipeline,
  coldChainPipelineWith,
  PROFILE_TABLE,
} from './pipeline.ts'
import { coldChainRules } from './rules.ts'
import { truckFleet } from './simulate.ts'

export const coldChain: Domain = {
  name: 'cold-chain',
  pipelines: [coldChainPipeline],
  rules: [coldChainRules],
  pipelinesWith: (rules) => [coldChainPipelineWith(rules(coldChainRules))],
  fleets: [truckFleet],
  referenceTables: [{ name: PROFILE_TABLE, check: checkProfileTable }],
}
