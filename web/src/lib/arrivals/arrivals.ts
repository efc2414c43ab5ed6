// Journeys to appointments as the API gives them, and the words for them.

import type { Severity } from '$lib/api/types.ts'

export interface Arrival {
  readonly journeyId: string
  readonly appointmentId: string
  readonly title: string
  readonly place: string | null
  readonly startsAt: string
  readonly firstStartsAt: string
  readonly destinationLat: number
  readonly destinationLon: number
  readonly organizerEmail: string
  readonly travelerEmail: string
  readonly travelerName: string | null
  readonly onlineUrl: string | null
  readonly mode: string
  readonly status: string
  readonly etaP50: string | null
  readonly etaP90: string | null
  readonly lateProbability: number | null
  readonly estimatedAt: string | null
  readonly remainingM: number | null
  readonly freeFlowS: number | null
  readonly expectedS: number | null
  readonly pace: number | null
  readonly positionAt: string | null
  readonly lat: number | null
  readonly lon: number | null
  readonly source: string | null
  readonly arrivedAt: string | null
  readonly firstLateAt: string | null
  readonly decision: string | null
  readonly decidedAt: string | null
}

export interface Estimate {
  readonly estimatedAt: string
  readonly cause: string
  readonly startsAt: string
  readonly etaP50: string
  readonly etaP90: string
  readonly lateProbability: number
  readonly remainingM: number
  readonly source: string
}

export interface Journey extends Arrival {
  readonly route: readonly (readonly [number, number])[]
  readonly estimates: readonly Estimate[]
  readonly decisions: readonly {
    readonly decision: string
    readonly decidedAt: string
    readonly workflowId: string | null
    readonly detail: string | null
  }[]
}

export interface Outcomes {
  readonly journeys: number
  readonly byOutcome: Readonly<Record<string, number>>
  readonly onTimeRate: number | null
}

export const arrivalWords: Readonly<Record<string, string>> = {
  waiting: 'No position yet',
  'on-time': 'On time',
  late: 'Late',
  arrived: 'Arrived',
  'joined-online': 'Joined online',
  rescheduled: 'Rescheduled',
  canceled: 'Canceled',
}

export const decisionWords: Readonly<Record<string, string>> = {
  'link-sent': 'Link sent to the traveller',
  'reschedule-asked': 'Organizer asked to reschedule',
  rescheduled: 'Rescheduled',
  declined: 'Organizer declined',
  'joined-online': 'Traveller joined online',
  escalated: 'Passed on',
  'timed-out': 'No answer in time',
}

export const causeWords: Readonly<Record<string, string>> = {
  position: 'Position',
  traffic: 'Traffic',
  plan: 'Appointment',
  time: 'Nothing heard',
}

/** Colour and shape are for what needs somebody; the rest is a word. */
export function severityOf({ status, lateProbability }: Arrival): Severity | null {
  if (status !== 'late') return null
  return (lateProbability ?? 0) > 0.9 ? 'major' : 'warning'
}

export function percent(share: number | null): string {
  return share === null ? '–' : `${Math.round(share * 100)} %`
}

/** Minutes after the start, in words; before it, too. */
export function againstStart(instant: string | null, startsAt: string): string {
  if (instant === null) return '–'
  const minutes = Math.round((Date.parse(instant) - Date.parse(startsAt)) / 60_000)
  if (minutes === 0) return 'at the start'
  return minutes > 0 ? `${minutes} min after` : `${-minutes} min before`
}
