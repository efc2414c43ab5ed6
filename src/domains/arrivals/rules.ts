// The rules of arrivals: documents as operators write them, and what their conditions may name.

import type { EpochMs } from '../../kernel/time.ts'
import type { FieldValue } from '../../ports/alert.ts'
import type { RuleDocument } from '../../rules/rule-document.ts'
import { eventFields, type RuleTopic } from '../../rules/rule-source.ts'
import { journeyPositions } from './events.ts'
import { type JourneyState, nobodyWaits } from './journey-state.ts'
import type { JourneyPlan } from './plans.ts'

export const LATE_ARRIVAL = 'late-arrival'

const documents: readonly RuleDocument[] = [
  {
    topic: journeyPositions.name,
    labels: {
      domain: 'arrivals',
      appointmentId: '{derived.appointmentId}',
      online: '{derived.online}',
      workflow: 'late-arrival',
    },
    name: LATE_ARRIVAL,
    description:
      'For a minute now the traveller is more likely than not, by a clear margin, to arrive after the start. ' +
      'Taken back when being in time has become likely again, and when nobody needs to arrive any more.',
    when: 'derived.lateProbability > 0.6',
    for: '60s',
    resolveWhen: 'derived.lateProbability < 0.35 || derived.over',
    severity: { default: 'warning', major: 'derived.lateProbability > 0.9' },
    peak: 'derived.latePercent',
    fields: ['title', 'lateByMinutes', 'latePercent', 'remainingKm', 'source'],
    summary: 'Likely {lateByMinutes} min late for {title} ({latePercent} %)',
    cases: [],
  },
]

export const journeyRules: RuleTopic = {
  topic: journeyPositions,
  entityType: 'journey',
  documents,
  // Where the traveller is decides when the journey is looked at again.
  origins: { always: ['lat', 'lon', 'accuracyM'] },
  vocabulary: {
    event: eventFields(journeyPositions.schema),
    derived: {
      appointmentId: 'text',
      title: 'text',
      online: 'text',
      over: 'flag',
      arrived: 'flag',
      lateProbability: 'number',
      latePercent: 'number',
      lateByMinutes: 'number',
      remainingKm: 'number',
      paceRatio: 'number',
      source: 'text',
    },
  },
}

/** Fields for conditions and texts; `lateByMinutes` is that of the median, and negative where it is in time. */
export function derivedFields(
  state: Readonly<JourneyState>,
  plan: JourneyPlan,
  nowMs: EpochMs,
): Readonly<Record<string, FieldValue>> {
  const { estimate, arrivedAtMs } = state
  const arrived = arrivedAtMs !== null
  const over = arrived || nobodyWaits(plan, nowMs)
  const lateProbability = over ? 0 : (estimate?.lateProbability ?? 0)
  const lateByMs = (estimate?.p50Ms ?? plan.startsAtMs) - plan.startsAtMs
  return {
    appointmentId: plan.appointmentId,
    title: plan.title,
    online: plan.online ? 'yes' : 'no',
    over,
    arrived,
    lateProbability,
    latePercent: Math.round(lateProbability * 100),
    lateByMinutes: Math.round(lateByMs / 60_000),
    remainingKm: (estimate?.remainingM ?? 0) / 1_000,
    paceRatio: estimate?.pace ?? 1,
    source: estimate?.source ?? null,
  }
}
