// Webhooks signed as Standard Webhooks has it, and messages shaped for Slack and Teams.
// Source: standardwebhooks.com, specification 1.0.

import { createHmac } from 'node:crypto'
import { type DurationMs, MINUTE_MS, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Delivery, MessageTransport, OutgoingMessage } from '../../ports/message.ts'
import { slackBody, teamsBody } from './chat-bodies.ts'
import { createOutboundHttp, type OutboundAnswer } from './outbound-http.ts'

/** What a channel's document says beside the address. */
export interface WebChannel {
  /** `whsec_` and base64; null: unsigned. */
  readonly secret: string | null
  readonly allowPrivateAddress: boolean
}

export interface WebTransportOptions {
  readonly clock: Clock
  /** Of the channel by name; undefined where there is none any more. */
  readonly channel: (name: string) => WebChannel | undefined
  readonly timeoutMs?: DurationMs
}

const SECRET_PREFIX = 'whsec_'
const MAX_RESPONSE_CHARACTERS = 300
const LONGEST_RETRY_AFTER_MS: DurationMs = 60 * MINUTE_MS

export function createWebTransport(options: WebTransportOptions): MessageTransport {
  const { clock, channel } = options
  const http = createOutboundHttp(options)
  return {
    async send(message) {
      const settings = channel(message.channel)
      if (settings === undefined) {
        return {
          outcome: 'refused',
          response: `There is no channel "${message.channel}" any more.`,
        }
      }
      const body = JSON.stringify(bodyOf(message))
      const atS = Math.floor(clock.nowMs() / SECOND_MS)
      const answer = await http.post({
        url: message.address,
        allowPrivateAddress: settings.allowPrivateAddress,
        body,
        headers: {
          'content-type': 'application/json',
          'user-agent': 'Outrider',
          ...(message.kind === 'webhook' ? signedHeaders(message.id, atS, body, settings) : {}),
        },
      })
      return deliveryOf(answer)
    },
    async close() {},
  }
}

/** The id is the message's, the same at each attempt: a receiver recognises a repeat by it. */
function signedHeaders(
  id: string,
  atS: number,
  body: string,
  { secret }: WebChannel,
): Record<string, string> {
  const headers = { 'webhook-id': id, 'webhook-timestamp': String(atS) }
  if (secret === null) return headers
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')
  const signature = createHmac('sha256', key).update(`${id}.${atS}.${body}`).digest('base64')
  return { ...headers, 'webhook-signature': `v1,${signature}` }
}

function bodyOf(message: OutgoingMessage): unknown {
  if (message.kind === 'slack') return slackBody(message)
  if (message.kind === 'teams') return teamsBody(message)
  const { id, category, severity, template, content, about, createdAtMs } = message
  return {
    type: `message.${category}`,
    timestamp: new Date(createdAtMs).toISOString(),
    data: { id, severity, template, about, ...content },
  }
}

/** 410 says that nobody wants it any more; other refusals of the content are final, the rest may pass. */
function deliveryOf(answer: OutboundAnswer): Delivery {
  if (answer.kind === 'inside') return { outcome: 'refused', response: answer.message }
  if (answer.kind === 'failed') return { outcome: 'failed', response: answer.message }
  const { status, text, headers } = answer
  const response = `${status} ${text}`.slice(0, MAX_RESPONSE_CHARACTERS).trim()
  if (status >= 200 && status < 300) return { outcome: 'sent', response }
  if (status >= 300 && status < 400) {
    return { outcome: 'refused', response: `${status}: redirects are not followed` }
  }
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const retryAfterS = Number(headers['retry-after'])
    return {
      outcome: 'failed',
      response,
      ...(retryAfterS > 0
        ? { retryAfterMs: Math.min(LONGEST_RETRY_AFTER_MS, retryAfterS * SECOND_MS) }
        : {}),
    }
  }
  return status === 404 || status === 401 || status === 403
    ? { outcome: 'failed', response }
    : { outcome: 'refused', response }
}
