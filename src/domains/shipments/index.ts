// The only door to the shipments domain: shipments, and the warehouses that hold them.

import type { Domain } from '../domain.ts'
import { customerTemplate } from './customer-messages.ts'
import { shipmentsPipeline, shipmentsPipelineWith } from './pipeline.ts'
import { shipmentRules } from './rules.ts'
import { shipmentFleet } from './simulate.ts'
import { warehouseEvents } from './warehouses/events.ts'
import { warehousesPipeline, warehousesPipelineWith } from './warehouses/pipeline.ts'
import { checkReorderPoints, REORDER_TABLE, reorderRow } from './warehouses/reorder-points.ts'
import { warehouseRules } from './warehouses/rules.ts'
import { warehouseFleet } from './warehouses/simulate.ts'

export const shipmentsDomain: Domain = {
  name: 'shipments',
  pipelines: [shipmentsPipeline, warehousesPipeline],
  rules: [shipmentRules, warehouseRules],
  pipelinesWith: (rules) => [
    shipmentsPipelineWith(rules(shipmentRules)),
    warehousesPipelineWith(rules(warehouseRules)),
  ],
  referenceRows: (topic, event, tables) =>
    topic === warehouseEvents.name ? reorderRow(event, tables(REORDER_TABLE)) : [],
  referenceTables: [{ name: REORDER_TABLE, check: checkReorderPoints }],
  templates: [customerTemplate],
  fleets: [shipmentFleet, warehouseFleet],
}
