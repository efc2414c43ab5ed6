// What is done about goods that are too warm or too cold: the driver is told at once, the dispatchers where nobody
// took notice, quality in the end. It stops as soon as somebody acknowledges, or it is over; who was told stands on
// the alert's timeline.

import { PlatformError } from '../../kernel/errors.ts'
import { derivedId } from '../../kernel/ids.ts'
import {
  type DurationMs,
  type EpochMs,
  HOUR_MS,
  MINUTE_MS,
  parseDuration,
  toIso,
} from '../../kernel/time.ts'
import type { AlertFacts, AlertReader } from '../../ports/alert-reader.ts'
import type { MessageTemplate } from '../../ports/message.ts'
import type { WorkflowContext, WorkflowDefinition } from '../../ports/workflow-engine.ts'
import type { Delivering } from '../messages/delivery.ts'
import { tell } from '../messages/message-workflows.ts'
import type { Placing } from '../messages/place-message.ts'

export const EXCURSION_WORKFLOW = 'excursion'
const CATEGORY = 'excursion'

const example = {
  entityId: 'KDA-101',
  summary: '9.4 °C, outside 2 to 7 °C (fresh)',
  severity: 'critical',
  startsAt: '2026-11-27T10:00:00Z',
  alertUrl: 'https://outrider.example/alerts?alert=1',
}
const facts = [
  { label: 'Truck', value: '{entityId}' },
  { label: 'Since', value: '{startsAt}' },
  { label: 'Severity', value: '{severity}' },
] as const
const actions = [{ label: 'Open the alert', url: '{alertUrl}' }] as const

export const excursionTemplates = {
  driver: {
    name: 'excursion-driver',
    purpose: 'The driver of a truck whose goods are out of range.',
    subject: '{entityId}: {summary}',
    lines: ['Please check the reefer and the doors at the next safe stop.'],
    facts,
    actions,
    example,
  },
  dispatcher: {
    name: 'excursion-dispatcher',
    purpose: 'The dispatchers, where nobody took notice of an excursion.',
    subject: 'Nobody took notice: {entityId}, {summary}',
    lines: ['The driver was told and nobody acknowledged the alert. Please call.'],
    facts,
    actions,
    example,
  },
  quality: {
    name: 'excursion-quality',
    purpose: 'Quality assurance, where an excursion goes on and nobody took notice.',
    subject: 'Goods at risk: {entityId}, {summary}',
    lines: ['Driver and dispatchers were told and nobody acknowledged. The goods need a decision.'],
    facts,
    actions,
    example,
  },
} as const satisfies Readonly<Record<string, MessageTemplate>>

/** Who is told, by which channel, and how long somebody then has to take notice. */
interface Stage {
  readonly channel: string
  /** The channel `driver:KDA-101` goes before `driver` for the truck KDA-101. */
  readonly isOfEntity: boolean
  readonly template: MessageTemplate
  readonly patienceMs: DurationMs
  /** A label of the rule that says another patience, as in `10m`. */
  readonly patienceLabel: string
}

const STAGES: readonly Stage[] = [
  {
    channel: 'driver',
    isOfEntity: true,
    template: excursionTemplates.driver,
    patienceMs: 10 * MINUTE_MS,
    patienceLabel: 'driverWait',
  },
  {
    channel: 'dispatch',
    isOfEntity: false,
    template: excursionTemplates.dispatcher,
    patienceMs: 20 * MINUTE_MS,
    patienceLabel: 'dispatchWait',
  },
  {
    channel: 'quality',
    isOfEntity: false,
    template: excursionTemplates.quality,
    patienceMs: 4 * HOUR_MS,
    patienceLabel: 'qualityWait',
  },
]

export interface ExcursionOptions extends Placing, Delivering {
  readonly alerts: AlertReader
}

export function excursionWorkflow(options: ExcursionOptions): WorkflowDefinition {
  return {
    name: EXCURSION_WORKFLOW,
    async run(context, input) {
      const alertId: unknown = Object(input).alertId
      if (typeof alertId !== 'string') {
        throw new PlatformError('invariant-broken', 'An excursion names no alert.', {
          retry: 'never',
        })
      }
      for (const stage of STAGES) {
        const alert = await context.step('look at the alert', async () =>
          looked(await options.alerts.alert(alertId), options.nowMs()),
        )
        if (alert === null) return { outcome: 'unknown-alert', failed: true }
        if (alert.ended !== null) return { outcome: alert.ended }
        await tellStage(context, stage, alert, alertId, options)
        const noticed = await heard(context, alert.atMs + patienceOf(stage, alert))
        if (noticed !== null) return { outcome: noticed }
      }
      await note(
        context,
        alertId,
        'timed-out',
        'Nobody took notice, though all were told.',
        options,
      )
      return { outcome: 'timed-out', failed: true }
    },
  }
}

type Looked = {
  /** When it was looked at. */
  readonly atMs: number
  readonly ended: string | null
  readonly entityType: string
  readonly entityId: string
  readonly summary: string
  readonly severity: string
  readonly startsAt: string
  readonly labels: Readonly<Record<string, string>>
}

function looked(alert: AlertFacts | undefined, atMs: EpochMs): Looked | null {
  if (alert === undefined) return null
  const { entityType, entityId, summary, severity, startsAtMs, labels } = alert
  return {
    atMs,
    labels,
    ended: endOf(alert),
    entityType,
    entityId,
    summary,
    severity,
    startsAt: toIso(startsAtMs),
  }
}

function endOf({ status, acknowledgedBy, isQuiet }: AlertFacts): string | null {
  if (status !== 'firing') return 'over'
  if (acknowledgedBy !== null) return 'acknowledged'
  return isQuiet ? 'silenced' : null
}

function patienceOf({ patienceMs, patienceLabel }: Stage, { labels }: Looked): DurationMs {
  const said = labels[patienceLabel]
  return (said === undefined ? undefined : parseDuration(said)) ?? patienceMs
}

async function tellStage(
  context: WorkflowContext,
  { channel, isOfEntity, template }: Stage,
  { entityType, entityId, summary, severity, startsAt }: Looked,
  alertId: string,
  options: ExcursionOptions,
): Promise<void> {
  const { publicUrl } = options
  await tell(
    context,
    {
      causeId: derivedId('tell', context.id, template.name),
      workflowId: context.id,
      tenantId: context.tenantId,
      template,
      category: CATEGORY,
      severity: severity === 'critical' ? 'critical' : 'major',
      about: { entityType, entityId, alertId },
      to: [isOfEntity ? { channel: `${channel}:${entityId}`, instead: channel } : { channel }],
      values: {
        entityId,
        summary,
        severity,
        startsAt,
        alertUrl: publicUrl === null ? null : `${publicUrl}/alerts?alert=${alertId}`,
      },
    },
    options,
  )
  await note(context, alertId, channel, `Told by the channel “${channel}”.`, options)
}

/** On the alert's timeline, once. */
async function note(
  context: WorkflowContext,
  alertId: string,
  what: string,
  text: string,
  { alerts }: ExcursionOptions,
): Promise<void> {
  const id = derivedId('excursion', context.id, what)
  await context.step(`note: ${what}`, async () => {
    await alerts.comment(alertId, { id, author: 'outrider', text })
    return text
  })
}

/** What the alert's end or acknowledgement makes of the workflow; null once it is `untilMs`. */
async function heard(context: WorkflowContext, untilMs: EpochMs): Promise<string | null> {
  for (;;) {
    const signal = await context.receive('answer', untilMs)
    if (signal === null) return null
    const { kind, status, acknowledgedBy }: Record<string, unknown> = Object(signal)
    if (kind === 'alert' && status === 'resolved') return 'over'
    if (kind === 'alert' && typeof acknowledgedBy === 'string') return 'acknowledged'
  }
}
