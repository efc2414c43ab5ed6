// The rules of warehouses: documents as operators write them, each with its cases.

import type { RuleDocument } from '../../../rules/rule-document.ts'
import { eventFields, type RuleTopic } from '../../../rules/rule-source.ts'
import { warehouseEvents } from './events.ts'

const labels = {
  domain: 'warehouses',
  merchantId: '{merchantId}',
  region: '{region}',
  sku: '{sku}',
}
const usual = { merchantId: 'acme', sku: 'TEA-1', region: 'coast' }

const documents: readonly RuleDocument[] = [
  {
    topic: warehouseEvents.name,
    labels,
    name: 'stock-low',
    description:
      'No more than the reorder point is on hand: 10, unless the table reorder-points says another.',
    when: 'derived.low',
    resolveWhen: '!derived.low',
    severity: { default: 'warning', minor: 'derived.onHand <= 0.0' },
    instanceField: 'item',
    fields: ['merchantId', 'sku', 'onHand', 'reorderPoint', 'picked'],
    summary: '{sku} of {merchantId}: {onHand} on hand, reorder at {reorderPoint}',
    cases: [
      {
        name: 'low after a dispatch, and well again after goods came',
        events: [
          { at: '0s', ...usual, type: 'received', quantity: 40 },
          { at: '60s', ...usual, type: 'dispatched', quantity: 31 },
          { at: '120s', ...usual, type: 'received', quantity: 20 },
        ],
        alerts: [{ status: 'resolved', startsAt: '60s', endsAt: '120s' }],
      },
    ],
  },
  {
    topic: warehouseEvents.name,
    labels,
    name: 'stock-negative',
    description: 'More left than ever came: a movement was not recorded, or not rightly.',
    when: 'derived.onHand < 0.0',
    resolveWhen: 'derived.onHand >= 0.0',
    severity: 'major',
    instanceField: 'item',
    fields: ['merchantId', 'sku', 'onHand'],
    summary: '{sku} of {merchantId}: {onHand} on hand, which cannot be',
    cases: [
      {
        name: 'more is dispatched than was there, and a count settles it',
        events: [
          { at: '0s', ...usual, type: 'received', quantity: 20 },
          { at: '60s', ...usual, type: 'dispatched', quantity: 25 },
          { at: '120s', ...usual, type: 'counted', quantity: 15 },
        ],
        alerts: [{ status: 'resolved', severity: 'major', startsAt: '60s', endsAt: '120s' }],
      },
    ],
  },
]

export const warehouseRules: RuleTopic = {
  topic: warehouseEvents,
  entityType: 'warehouse',
  documents,
  origins: {
    // No more lines are watched than there is room for.
    always: ['merchantId', 'sku'],
    derived: ['type', 'quantity'],
  },
  vocabulary: {
    event: eventFields(warehouseEvents.schema),
    derived: {
      item: 'text',
      onHand: 'number',
      picked: 'number',
      reorderPoint: 'number',
      low: 'flag',
      countDifference: 'number',
    },
  },
}
