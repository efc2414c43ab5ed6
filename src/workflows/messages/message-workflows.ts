// The workflows that tell somebody something: a message that a domain asked for, what routing decided, and the
// delivery of one of several.

import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { PlatformError } from '../../kernel/errors.ts'
import type { AlertReader, NotificationFacts } from '../../ports/alert-reader.ts'
import { MESSAGE_EFFECT, type MessageTemplate } from '../../ports/message.ts'
import type { PlacedMessage } from '../../ports/message-store.ts'
import type {
  WorkflowContext,
  WorkflowDefinition,
  WorkflowOutcome,
} from '../../ports/workflow-engine.ts'
import { attempt, attemptOrHandOn, type Delivering, deliver } from './delivery.ts'
import { type Placing, placeMessages, type Wanted } from './place-message.ts'
import { ALERTS_NAMED, ALERTS_TEMPLATE, numberedValues } from './templates.ts'

export const NOTIFICATION_WORKFLOW = 'notification'
export const DELIVER_WORKFLOW = 'deliver'

export interface MessageWorkflowOptions extends Delivering, Placing {
  readonly alerts: AlertReader
  readonly templates: ReadonlyMap<string, MessageTemplate>
}

export function messageWorkflows(options: MessageWorkflowOptions): readonly WorkflowDefinition[] {
  return [
    {
      name: MESSAGE_EFFECT,
      async run(context, input) {
        const request = requestOf(input)
        const wanted = wantedOf(context, request, options.templates)
        return carryOut(context, async () => wanted, options)
      },
    },
    {
      name: NOTIFICATION_WORKFLOW,
      async run(context, input) {
        const id = textOf(input, 'notificationId')
        const wanted = async (): Promise<Wanted> => {
          const facts = await options.alerts.notification(id, ALERTS_NAMED)
          if (facts === undefined) throw unknown('notification', id)
          return alertsTold(facts, options.publicUrl)
        }
        return carryOut(context, wanted, options)
      },
    },
    {
      name: DELIVER_WORKFLOW,
      run(context, input) {
        const first = Math.max(1, Number(Object(input).attempt ?? 1))
        return deliver(context, { messageId: textOf(input, 'messageId'), first }, options)
      },
    },
  ]
}

/**
 * Tells somebody in the midst of a workflow, which goes on while a message has to be repeated. One step places the
 * message and tries it first: each is recognised when it is done again. `prepare` belongs to the step, and gives
 * further values.
 */
export async function tell(
  context: WorkflowContext,
  wanted: Wanted,
  options: Placing & Delivering,
  prepare: () => Promise<Wanted['values']> = async () => ({}),
): Promise<void> {
  await context.step(`tell: ${wanted.template.name}`, async () => {
    const values = { ...wanted.values, ...(await prepare()) }
    const placed = kept(await placeMessages({ ...wanted, values }, options))
    const only = readyOf(placed)
    return only === null
      ? placed
      : [{ id: only.id, status: await attemptOrHandOn(only.id, options) }]
  })
}

type KeptPlaced = readonly { readonly id: string; readonly status: string }[]

function kept(placed: readonly PlacedMessage[]): KeptPlaced {
  return placed.map(({ id, status }) => ({ id, status }))
}

/** A workflow that does nothing but tell: it stays until the message is through, or handed on. */
async function carryOut(
  context: WorkflowContext,
  wanted: () => Promise<Wanted>,
  options: MessageWorkflowOptions,
): Promise<WorkflowOutcome> {
  const { placed, dueMs } = await context.step('attempt 1', async () => {
    const all = kept(await placeMessages(await wanted(), options))
    const ready = readyOf(all)
    if (ready === null) return { placed: all, dueMs: 0 }
    const tried = await attempt(ready.id, 1, options)
    return { placed: [{ id: ready.id, status: tried.status }], dueMs: tried.dueMs }
  })
  const [only, ...others] = placed
  if (only === undefined) return { outcome: 'nobody' }
  if (others.length > 0) return { outcome: 'handed-on', detail: placed }
  if (only.status !== 'retrying') {
    return { outcome: only.status, failed: only.status === 'dead', detail: placed }
  }
  await context.sleepUntil(dueMs)
  return deliver(context, { messageId: only.id, first: 2 }, options)
}

/** The message that whoever placed it delivers: the only one, where it goes at once. */
function readyOf(placed: KeptPlaced): KeptPlaced[number] | null {
  const [only, ...others] = placed
  if (only === undefined || others.length > 0) return null
  return only.status === 'queued' || only.status === 'retrying' ? only : null
}

const severities = ['critical', 'major', 'minor', 'warning', 'info'] as const
const requestSchema = Type.Object({
  template: Type.String({ maxLength: 100 }),
  to: Type.Union([
    Type.Object({ email: Type.String({ pattern: '^[^\\s@<>",;]{1,64}@[^\\s@<>",;]{1,255}$' }) }),
    Type.Object({ channel: Type.String({ minLength: 1, maxLength: 100 }) }),
  ]),
  category: Type.String({ minLength: 1, maxLength: 100 }),
  severity: Type.Union(severities.map((each) => Type.Literal(each))),
  values: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Null()])),
  about: Type.Optional(
    Type.Object({
      entityType: Type.String(),
      entityId: Type.String(),
      alertId: Type.Optional(Type.String()),
    }),
  ),
})
const checkRequest = TypeCompiler.Compile(requestSchema)

function requestOf(input: unknown): Static<typeof requestSchema> {
  if (checkRequest.Check(input)) return input
  const wrong = checkRequest.Errors(input).First()
  throw refusal(`The request for a message is malformed at "${wrong?.path}": ${wrong?.message}.`)
}

function wantedOf(
  { id, tenantId }: WorkflowContext,
  request: Static<typeof requestSchema>,
  templates: ReadonlyMap<string, MessageTemplate>,
): Wanted {
  const template = templates.get(request.template)
  if (template === undefined) throw unknown('template', request.template)
  const { category, severity, values, about } = request
  return {
    causeId: id,
    workflowId: id,
    tenantId,
    template,
    values,
    category,
    severity,
    about: about ?? null,
    to: [request.to],
  }
}

const HEADLINES: Readonly<Record<NotificationFacts['kind'], string>> = {
  firing: 'fire',
  repeat: 'still fire',
  escalation: 'fire and nobody took notice',
  resolved: 'are over',
}

/** Pure: what a notification says, and to which channels. */
export function alertsTold(facts: NotificationFacts, publicUrl: string | null): Wanted {
  const { id, tenantId, kind, channels, firing, resolved, alerts } = facts
  const worst = alerts[0]
  const severity = severities.find((each) => each === worst?.severity) ?? 'info'
  const count = kind === 'resolved' ? resolved : firing
  const rules = [...new Set(alerts.map(({ rule }) => rule))].join(', ')
  const what =
    count === 1 ? (worst?.summary ?? 'An alert') : `${count} alerts ${HEADLINES[kind]}: ${rules}`
  return {
    causeId: id,
    workflowId: id,
    tenantId,
    template: ALERTS_TEMPLATE,
    category: 'alert',
    severity: kind === 'resolved' ? 'info' : severity,
    about:
      alerts.length === 1 && worst !== undefined
        ? { entityType: worst.entityType, entityId: worst.entityId, alertId: worst.id }
        : null,
    to: channels.map((channel) => ({ channel })),
    values: {
      headline: kind === 'resolved' ? `[over] ${what}` : `[${severity}] ${what}`,
      firing,
      resolved,
      alertsUrl: publicUrl === null ? null : `${publicUrl}/alerts`,
      ...numberedValues(
        'alert',
        alerts.map(
          (alert) => `${alert.status === 'resolved' ? 'over' : alert.severity}: ${alert.summary}`,
        ),
        { named: ALERTS_NAMED, total: firing + resolved },
      ),
    },
  }
}

function textOf(input: unknown, name: string): string {
  const value: unknown = Object(input)[name]
  if (typeof value === 'string') return value
  throw refusal(`The input of the workflow names no ${name}.`)
}

function unknown(what: string, name: string): PlatformError {
  return new PlatformError('not-found', `There is no ${what} "${name}".`, { retry: 'never' })
}

function refusal(message: string): PlatformError {
  return new PlatformError('invariant-broken', message, { retry: 'never' })
}
