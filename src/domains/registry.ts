// The domains of the platform: one line each.

import { arrivals } from './arrivals/index.ts'
import { coldChain } from './cold-chain/index.ts'
import type { Domain } from './domain.ts'
import { shipmentsDomain } from './shipments/index.ts'
import { tripsDomain } from './trips/index.ts'
import { vehicles } from './vehicles/index.ts'

export const domains: readonly Domain[] = [
  coldChain,
  vehicles,
  tripsDomain,
  shipmentsDomain,
  arrivals,
]
