// Delivers one message: attempt after attempt with a growing pause between, until the other side takes it, says
// that it never will, or the attempts are used up.

import { derivedId } from '../../kernel/ids.ts'
import { type DurationMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type {
  ChannelKind,
  Delivery,
  MessageTransport,
  OutgoingMessage,
} from '../../ports/message.ts'
import type { MessageStore } from '../../ports/message-store.ts'
import type { WorkflowContext, WorkflowOutcome } from '../../ports/workflow-engine.ts'
import { fillTemplate } from './fill-template.ts'
import { GATHERED_NAMED, GATHERED_TEMPLATE, numberedValues } from './templates.ts'

export interface RetryPolicy {
  readonly attempts: number
  readonly firstPauseMs: DurationMs
  readonly longestPauseMs: DurationMs
}

/** Mail servers are given a night: 8 hours. Web addresses a quarter of an hour. */
export const RETRY_POLICIES: Readonly<Record<ChannelKind, RetryPolicy>> = {
  email: { attempts: 18, firstPauseMs: 2 * SECOND_MS, longestPauseMs: HOUR_MS },
  webhook: { attempts: 10, firstPauseMs: 2 * SECOND_MS, longestPauseMs: 5 * MINUTE_MS },
  slack: { attempts: 10, firstPauseMs: 2 * SECOND_MS, longestPauseMs: 5 * MINUTE_MS },
  teams: { attempts: 10, firstPauseMs: 2 * SECOND_MS, longestPauseMs: 5 * MINUTE_MS },
  inbox: { attempts: 1, firstPauseMs: 0, longestPauseMs: 0 },
}

export interface Delivering {
  readonly store: MessageStore
  readonly transport: MessageTransport
  readonly clock: Clock
  /** Where the dashboard is, for links; null: none are made. */
  readonly publicUrl: string | null
  readonly policies: Readonly<Record<ChannelKind, RetryPolicy>>
}

/** The workflow that delivers this message and does nothing else. Its steps are named `attempt n`. */
export async function deliver(
  context: WorkflowContext,
  { messageId, first = 1 }: { readonly messageId: string; readonly first?: number },
  delivering: Delivering,
): Promise<WorkflowOutcome> {
  for (let number = first; ; number++) {
    const { status, dueMs } = await context.step(`attempt ${number}`, () =>
      attempt(messageId, number, delivering),
    )
    if (status !== 'retrying') return { outcome: status, failed: status === 'dead' }
    await context.sleepUntil(dueMs)
  }
}

/** One attempt, within a step; where it has to be repeated a workflow of its own does so, and the caller goes on. */
export async function attemptOrHandOn(
  messageId: string,
  delivering: Delivering,
): Promise<Attempted['status']> {
  const { status, dueMs } = await attempt(messageId, 1, delivering)
  if (status === 'retrying') {
    await delivering.store.handOn(messageId, derivedId('deliver', messageId), dueMs)
  }
  return status
}

export type Attempted = {
  readonly status: 'retrying' | 'sent' | 'kept' | 'dead' | 'not-needed'
  readonly dueMs: number
}

/** Within a step: what was sent already is not sent again. */
export async function attempt(
  messageId: string,
  number: number,
  { store, transport, clock, publicUrl, policies }: Delivering,
): Promise<Attempted> {
  const found = await store.outgoing(messageId)
  if (found === undefined) return { status: 'not-needed', dueMs: 0 }
  const message =
    found.template === GATHERED_TEMPLATE.name ? await gathered(found, store, publicUrl) : found
  const startedMs = clock.monotonicMs()
  const delivery = await transport.send(message)
  const after = outcomeOf(delivery, number, policies[message.kind])
  const dueMs = after.status === 'retrying' ? clock.nowMs() + after.pauseMs : 0
  await store.attempted(messageId, {
    number,
    tookMs: clock.monotonicMs() - startedMs,
    delivery,
    status: after.status,
    dueMs: after.status === 'retrying' ? dueMs : null,
  })
  return { status: after.status, dueMs }
}

/** Pure: what an attempt's result means for the message. */
export function outcomeOf(
  delivery: Delivery,
  number: number,
  { attempts, firstPauseMs, longestPauseMs }: RetryPolicy,
):
  | { readonly status: 'sent' | 'kept' | 'dead' }
  | { readonly status: 'retrying'; readonly pauseMs: DurationMs } {
  if (delivery.outcome === 'sent' || delivery.outcome === 'kept')
    return { status: delivery.outcome }
  if (delivery.outcome === 'refused' || number >= attempts) return { status: 'dead' }
  const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (number - 1))
  return {
    status: 'retrying',
    pauseMs: Math.min(longestPauseMs, Math.max(pauseMs, delivery.retryAfterMs ?? 0)),
  }
}

/** What was gathered until now; later ones open another gathering. */
async function gathered(
  message: OutgoingMessage,
  store: MessageStore,
  publicUrl: string | null,
): Promise<OutgoingMessage> {
  const { total, items } = await store.groupedWith(message.id, GATHERED_NAMED)
  const values = {
    count: total,
    ...numberedValues(
      'item',
      items.map(({ subject }) => subject),
      { named: GATHERED_NAMED, total },
    ),
    messagesUrl: publicUrl === null ? null : `${publicUrl}/messages`,
  }
  const content = fillTemplate(GATHERED_TEMPLATE, values, 'UTC')
  await store.write(message.id, content)
  return { ...message, content }
}
