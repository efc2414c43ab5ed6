// Templates that belong to no domain: what routing tells, and what was gathered.

import type { MessageTemplate } from '../../ports/message.ts'

/** Alerts that one message names; the rest are counted. */
export const ALERTS_NAMED = 10
/** Messages that a gathering names; the rest are counted. */
export const GATHERED_NAMED = 20

export const ALERTS_TEMPLATE: MessageTemplate = {
  name: 'alerts',
  purpose: 'What the routing of alerts decided to tell a receiver.',
  subject: '{headline}',
  lines: [...numbered('alert', ALERTS_NAMED), '{more}'],
  facts: [
    { label: 'Firing', value: '{firing}' },
    { label: 'Over', value: '{resolved}' },
  ],
  actions: [{ label: 'Open the alerts', url: '{alertsUrl}' }],
  example: {
    headline: '[critical] 2 alerts fire: temperature-excursion',
    alert1: 'critical: Truck KDA-101 is at 9.4 °C, above 7 °C',
    alert2: 'critical: Truck KDB-207 is at 8.1 °C, above 7 °C',
    firing: 2,
    resolved: 0,
    alertsUrl: 'https://outrider.example/alerts',
  },
}

export const GATHERED_TEMPLATE: MessageTemplate = {
  name: 'gathered',
  purpose: 'Several messages to one address that came at once, or in its quiet hours.',
  subject: '{count} messages from Outrider',
  lines: [...numbered('item', GATHERED_NAMED), '{more}'],
  facts: [],
  actions: [{ label: 'Open the messages', url: '{messagesUrl}' }],
  example: {
    count: 3,
    item1: 'Shipment S-1001 is late',
    item2: 'Shipment S-1002 is late',
    item3: 'Shipment S-1003 is late',
    messagesUrl: 'https://outrider.example/messages',
  },
}

export const CHANNEL_TEST_TEMPLATE: MessageTemplate = {
  name: 'channel-test',
  purpose: 'Somebody tries out a channel.',
  subject: 'Outrider reaches “{channel}”',
  lines: ['This is a test of the channel “{channel}”. Nothing has to be done.'],
  facts: [
    { label: 'Asked by', value: '{askedBy}' },
    { label: 'At', value: '{askedAt}' },
  ],
  actions: [],
  example: { channel: 'dispatch', askedBy: 'ada', askedAt: '2026-11-27T10:00:00Z' },
}

function numbered(name: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `{${name}${index + 1}}`)
}

/** Values for the lines of such a template: the texts named, and how many are not. */
export function numberedValues(
  name: string,
  texts: readonly string[],
  { named, total }: { readonly named: number; readonly total: number },
): Record<string, string> {
  const shown = texts.slice(0, named)
  const values = Object.fromEntries(shown.map((text, index) => [`${name}${index + 1}`, text]))
  const left = total - shown.length
  return left > 0 ? { ...values, more: `… and ${left} more.` } : values
}
