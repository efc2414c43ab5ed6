// The rules of shipments: documents as operators write them, each with its cases.

import type { RuleDocument } from '../../rules/rule-document.ts'
import { eventFields, type RuleTopic } from '../../rules/rule-source.ts'
import { shipmentEvents } from './events.ts'

const labels = { domain: 'shipments', merchantId: '{merchantId}', region: '{region}' }
const usual = { merchantId: 'acme', type: 'departed', region: 'coast' }

const documents: readonly RuleDocument[] = [
  {
    topic: shipmentEvents.name,
    labels,
    name: 'shipment-late',
    description:
      'The promised delivery has passed, or is expected to: the carrier says so, or the journey is behind its plan.',
    when: 'derived.late || derived.atRisk',
    resolveWhen: '!(derived.late || derived.atRisk)',
    severity: { default: 'warning', major: 'derived.late' },
    peak: 'derived.lateByMin',
    fields: [
      'merchantId',
      'status',
      'promisedAt',
      'expectedAt',
      'expectedBy',
      'lateByMin',
      'carrier',
    ],
    summary: '{lateness}',
    cases: [
      {
        name: 'the estimate passes the promise, and falls back',
        startsAt: '2026-01-31T08:00:00Z',
        events: [
          { at: '0s', ...usual, promisedAt: '2026-01-31T18:00:00Z' },
          {
            at: '60s',
            ...usual,
            type: 'delivered',
            timing: 'estimated',
            milestoneAt: '2026-01-31T19:00:00Z',
          },
          {
            at: '600s',
            ...usual,
            type: 'delivered',
            timing: 'estimated',
            milestoneAt: '2026-01-31T17:00:00Z',
          },
        ],
        alerts: [
          {
            ...{ status: 'resolved', severity: 'warning', startsAt: '60s', endsAt: '600s' },
            summary: 'At risk: expected 60 min after its promise',
          },
        ],
      },
      {
        name: 'a delivery in time is none',
        startsAt: '2026-01-31T08:00:00Z',
        events: [
          { at: '0s', ...usual, promisedAt: '2026-01-31T18:00:00Z' },
          { at: '3600s', ...usual, type: 'delivered' },
        ],
        alerts: [],
      },
    ],
  },
  {
    topic: shipmentEvents.name,
    labels,
    name: 'shipment-exception',
    description:
      'The carrier reports an exception, or a milestone contradicts what was known: it departed after it was delivered.',
    when: 'derived.exceptional',
    resolveWhen: '!derived.exceptional',
    severity: { default: 'minor', major: 'derived.contradicted' },
    fields: ['merchantId', 'status', 'reason', 'contradiction', 'location', 'carrier'],
    summary: 'Shipment exception: {problem}',
    cases: [
      {
        name: 'delivered, then departed',
        events: [
          { at: '0s', ...usual },
          { at: '60s', ...usual, type: 'delivered' },
          { at: '120s', ...usual },
        ],
        alerts: [{ status: 'firing', severity: 'major', startsAt: '120s' }],
      },
    ],
  },
]

export const shipmentRules: RuleTopic = {
  topic: shipmentEvents,
  entityType: 'shipment',
  documents,
  origins: {
    // A promise that passes is told to the rules with what is known of the shipment by then.
    always: [
      ...['type', 'timing', 'milestoneAt', 'promisedAt', 'createdAt'],
      ...['merchantId', 'carrier', 'region'],
      ...['location', 'lat', 'lon', 'truckId', 'warehouseId'],
    ],
    derived: ['reason'],
  },
  vocabulary: {
    event: eventFields(shipmentEvents.schema),
    derived: {
      status: 'text',
      outcome: 'text',
      promise: 'text',
      late: 'flag',
      atRisk: 'flag',
      lateByMin: 'number',
      lateness: 'text',
      promisedAt: 'text',
      expectedAt: 'text',
      expectedBy: 'text',
      exceptional: 'flag',
      contradicted: 'flag',
      contradiction: 'text',
      problem: 'text',
      hoursInStatus: 'number',
    },
  },
}
