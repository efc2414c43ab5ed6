// The only door to the cold-chain domain.

import { checkFleetTable, FLEET_TABLE } from '../../driving/fleet-table.ts'
import type { Domain } from '../domain.ts'
import {
  checkProfileTable,
  coldChainPipeline,
  coldChainPipelineWith,
  PROFILE_TABLE,
  profileRow,
} from './pipeline.ts'
import { coldChainRules } from './rules.ts'
import { truckFleet } from './simulate.ts'

export const coldChain: Domain = {
  name: 'cold-chain',
  pipelines: [coldChainPipeline],
  rules: [coldChainRules],
  pipelinesWith: (rules) => [coldChainPipelineWith(rules(coldChainRules))],
  fleets: [truckFleet],
  referenceRows: (_topic, { profile }, tables) => profileRow(profile, tables(PROFILE_TABLE)),
  referenceTables: [
    { name: PROFILE_TABLE, check: checkProfileTable },
    { name: FLEET_TABLE, check: checkFleetTable },
  ],
}
