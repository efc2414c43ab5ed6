// The only door to the cold-chain domain.

import type { Domain } from '../domain.ts'
import { checkProfileTable, coldChainPipeline, PROFILE_TABLE } from './pipeline.ts'
import { coldChainRules } from './rules.ts'

export const coldChain: Domain = {
  name: 'cold-chain',
  pipelines: [coldChainPipeline],
  rules: coldChainRules,
  referenceTables: [{ name: PROFILE_TABLE, check: checkProfileTable }],
}
