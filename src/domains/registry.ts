// The domains of the platform: one line each.

import { coldChain } from './cold-chain/index.ts'
import type { Domain } from './domain.ts'
import { tripsDomain } from './trips/index.ts'
import { vehicles } from './vehicles/index.ts'

export const domains: readonly Domain[] = [coldChain, vehicles, tripsDomain]
