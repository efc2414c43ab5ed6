// Links by which somebody outside answers: what they mean stands in them, signed, so that none can be made up or
// stretched. That each is used once is the business of whoever keeps the answers.

import { createHmac, timingSafeEqual } from 'node:crypto'
import { type EpochMs, SECOND_MS } from './time.ts'

export const ANSWER_ACTIONS = ['accept', 'decline', 'propose', 'join'] as const
export type AnswerAction = (typeof ANSWER_ACTIONS)[number]

export interface AnswerLink {
  /** What is answered. */
  readonly requestId: string
  readonly action: AnswerAction
  readonly expiresAtMs: EpochMs
}

export type AnswerLinkProblem = 'malformed' | 'forged' | 'expired'

const MAX_TOKEN_CHARACTERS = 200

/** `id.action.expiry.signature`, safe in an address. */
export function signAnswerLink(link: AnswerLink, key: Uint8Array): string {
  const content = contentOf(link)
  return `${content}.${signatureOf(content, key)}`
}

export function readAnswerLink(
  token: string,
  key: Uint8Array,
  nowMs: EpochMs,
): AnswerLink | AnswerLinkProblem {
  if (token.length > MAX_TOKEN_CHARACTERS) return 'malformed'
  const [requestId = '', name, expiry = '', signature = '', ...rest] = token.split('.')
  const action = ANSWER_ACTIONS.find((each) => each === name)
  const isWhole =
    /^[0-9a-f-]{36}$/.test(requestId) && /^[0-9a-z]{1,9}$/.test(expiry) && rest.length === 0
  if (action === undefined || !isWhole) return 'malformed'
  const link = { requestId, action, expiresAtMs: Number.parseInt(expiry, 36) * SECOND_MS }
  const expected = Buffer.from(signatureOf(contentOf(link), key))
  const given = Buffer.from(signature)
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'forged'
  return link.expiresAtMs <= nowMs ? 'expired' : link
}

function contentOf({ requestId, action, expiresAtMs }: AnswerLink): string {
  return `${requestId}.${action}.${Math.floor(expiresAtMs / SECOND_MS).toString(36)}`
}

function signatureOf(content: string, key: Uint8Array): string {
  return createHmac('sha256', key).update(content).digest('base64url')
}
