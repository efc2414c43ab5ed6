// The tabs and filters of the alerts page, as they stand in the address.

import type { Query } from '$lib/api/client.ts'
import type { Alert, Severity } from '$lib/api/types.ts'
import { severities } from '$lib/severity.ts'
import { byUrgency, isSuppressed, needsAction } from './open-alerts.svelte.ts'

export type AlertTab = 'waiting' | 'acknowledged' | 'suppressed' | 'open' | 'resolved' | 'all'

interface TabDefinition {
  readonly value: AlertTab
  readonly label: string
  readonly passes: (alert: Alert) => boolean
  /** What to ask the API for; undefined where the live feed holds all of it. */
  readonly query: Query | undefined
  readonly order: (a: Alert, b: Alert) => number
}

const byNewest = (a: Alert, b: Alert) =>
  b.startsAt.localeCompare(a.startsAt) || a.id.localeCompare(b.id)

export const alertTabs: readonly TabDefinition[] = [
  {
    value: 'waiting',
    label: 'Needs action',
    passes: needsAction,
    query: undefined,
    order: byUrgency,
  },
  {
    value: 'acknowledged',
    label: 'Acknowledged',
    passes: (alert) => alert.status !== 'resolved' && alert.acknowledgedAt !== null,
    query: undefined,
    order: byUrgency,
  },
  {
    value: 'suppressed',
    label: 'Silenced',
    passes: (alert) => alert.status !== 'resolved' && isSuppressed(alert),
    query: undefined,
    order: byUrgency,
  },
  {
    value: 'open',
    label: 'All open',
    passes: (alert) => alert.status !== 'resolved',
    query: undefined,
    order: byUrgency,
  },
  {
    value: 'resolved',
    label: 'Resolved',
    passes: (alert) => alert.status === 'resolved',
    query: { status: 'resolved' },
    order: byNewest,
  },
  { value: 'all', label: 'All', passes: () => true, query: {}, order: byNewest },
]

export interface AlertFilter {
  readonly tab: TabDefinition
  readonly severities: ReadonlySet<Severity>
  /** Lower case; matches truck, rule, summary, assignee. */
  readonly text: string
}

export function filterFrom(parameters: URLSearchParams): AlertFilter {
  const wanted = (parameters.get('severity') ?? '').split(',')
  return {
    tab: alertTabs.find((tab) => tab.value === parameters.get('state')) ?? firstTab(),
    severities: new Set(severities.filter((severity) => wanted.includes(severity))),
    text: (parameters.get('q') ?? '').trim().toLowerCase(),
  }
}

export function passes(filter: AlertFilter, alert: Alert): boolean {
  return filter.tab.passes(alert) && hasSeverity(filter, alert) && hasText(filter, alert)
}

export function hasSeverity(filter: AlertFilter, alert: Alert): boolean {
  return filter.severities.size === 0 || filter.severities.has(alert.severity)
}

export function hasText({ text }: AlertFilter, alert: Alert): boolean {
  if (text === '') return true
  return [alert.entityId, alert.rule, alert.summary, alert.assignee ?? ''].some((part) =>
    part.toLowerCase().includes(text),
  )
}

function firstTab(): TabDefinition {
  const [first] = alertTabs
  if (first === undefined) throw new Error('there are no tabs')
  return first
}
