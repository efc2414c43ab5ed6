// The people of the simulated city read what they are sent and answer it: each opens a link of the message, as
// anybody would. What they do follows from the question alone, so that the same question has the same answer.

import { ANSWER_ACTIONS, type AnswerAction } from '../../kernel/answer-link.ts'
import { isRetryable } from '../../kernel/errors.ts'
import { DEFAULT_TENANT } from '../../kernel/tenants.ts'
import { type DurationMs, type EpochMs, MINUTE_MS, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Database } from '../../ports/database.ts'
import type { Logger } from '../../ports/logger.ts'

const LOOK_MS: DurationMs = 2 * SECOND_MS
/** Nobody answers older mail. */
const MAIL_AGE_MS: DurationMs = 30 * MINUTE_MS
const MAILS_A_LOOK = 200
/** Below the limit of the page that takes answers. */
const ANSWERS_A_LOOK = 2
const READS_AFTER_MS: DurationMs = 8 * SECOND_MS
const SLOWEST_READER_MS: DurationMs = 25 * SECOND_MS
/** What somebody proposes lies so far ahead. */
const PROPOSED_AFTER_MS: DurationMs = 45 * MINUTE_MS
const PROPOSED_STEP_MS: DurationMs = 5 * MINUTE_MS
/** Questions that were answered or left; beyond it all are forgotten, and the page says of those asked again that they are used. */
const MAX_REMEMBERED = 10_000
const TIMED_OUT = 408
const TOO_MANY = 429
const SERVER_FAILED = 500
const TOKENS = /\/answer\/([0-9a-f-]{36}\.[a-z]+\.[0-9a-z]+\.[\w-]+)/g

/** What people do who may move an appointment, and who may join online, in parts of a hundred; the rest says nothing. */
const HABITS: readonly (readonly [AnswerAction, number])[] = [
  ['accept', 60],
  ['propose', 15],
  ['decline', 15],
]
const JOINS = 85

export interface Question {
  readonly requestId: string
  /** By action, as the links have them. */
  readonly tokens: ReadonlyMap<AnswerAction, string>
}

/** The questions in the text of a message, by their links. */
export function questionsIn(text: string): readonly Question[] {
  const questions = new Map<string, Map<AnswerAction, string>>()
  for (const [, token = ''] of text.matchAll(TOKENS)) {
    const [requestId = '', name] = token.split('.')
    const action = ANSWER_ACTIONS.find((each) => each === name)
    if (action === undefined) continue
    const tokens = questions.get(requestId) ?? new Map<AnswerAction, string>()
    questions.set(requestId, tokens.set(action, token))
  }
  return [...questions].map(([requestId, tokens]) => ({ requestId, tokens }))
}

export interface Habit {
  /** Null for those who do not answer. */
  readonly action: AnswerAction | null
  /** From the message to the answer. */
  readonly afterMs: DurationMs
}

/** The first digits of an id say what is done, and the next how soon. */
export function habitOf({ requestId, tokens }: Question): Habit {
  const chance = Number.parseInt(requestId.slice(0, 4), 16) % 100
  const share = Number.parseInt(requestId.slice(4, 8), 16) / 0xffff
  const afterMs = READS_AFTER_MS + share * (SLOWEST_READER_MS - READS_AFTER_MS)
  if (tokens.has('join')) return { action: chance < JOINS ? 'join' : null, afterMs }
  let below = 0
  for (const [action, percent] of HABITS) {
    below += percent
    if (chance < below) return { action: tokens.has(action) ? action : null, afterMs }
  }
  return { action: null, afterMs }
}

export interface PeopleOptions {
  readonly database: Database
  /** Where answers are taken, such as `http://127.0.0.1:8080`. */
  readonly address: string
  readonly clock: Clock
  readonly logger: Logger
  readonly signal: AbortSignal
}

/** Runs until aborted. A server or database that is away is asked again at the next look. */
export async function runPeople(options: PeopleOptions): Promise<void> {
  const { clock, logger, signal } = options
  const settled = new Set<string>()
  while (!signal.aborted) {
    try {
      await look(options, settled)
    } catch (error) {
      if (!isRetryable(error) && !signal.aborted) logger.error('simulated-people-failed', error)
    }
    await clock.sleep(LOOK_MS, signal)
  }
}

async function look(options: PeopleOptions, settled: Set<string>): Promise<void> {
  const { database, clock } = options
  const nowMs = clock.nowMs()
  // Addresses below example.com belong to nobody: what real people are sent is not ours to open.
  const mails = await database.query(
    `SELECT content::text AS text, created_at FROM message
     WHERE tenant_id = $2 AND category = 'late-arrival' AND kind = 'email'
       AND address LIKE '%@example.com' AND status IN ('kept', 'sent') AND created_at >= $1
     ORDER BY created_at DESC LIMIT ${MAILS_A_LOOK}`,
    [new Date(nowMs - MAIL_AGE_MS), DEFAULT_TENANT],
  )
  let answered = 0
  for (const { text, created_at: createdAt } of mails) {
    if (!(createdAt instanceof Date)) continue
    for (const question of questionsIn(String(text))) {
      if (settled.has(question.requestId) || answered >= ANSWERS_A_LOOK) continue
      const { action, afterMs } = habitOf(question)
      if (nowMs < createdAt.getTime() + afterMs) continue
      const token = action === null ? undefined : question.tokens.get(action)
      if (token !== undefined && action !== null) {
        answered++
        // Who finds the page busy or broken comes back at the next look.
        if (!(await isTaken(options, token, formOf(action, nowMs)))) continue
      }
      if (settled.size >= MAX_REMEMBERED) settled.clear()
      settled.add(question.requestId)
    }
  }
}

function formOf(action: AnswerAction, nowMs: EpochMs): URLSearchParams {
  const form = new URLSearchParams()
  if (action !== 'propose') return form
  const atMs = Math.ceil((nowMs + PROPOSED_AFTER_MS) / PROPOSED_STEP_MS) * PROPOSED_STEP_MS
  form.set('startsAt', new Date(atMs).toISOString().slice(0, 'YYYY-MM-DDTHH:MM'.length))
  return form
}

/** False where the same answer may be taken later; one that is refused for good is not given again. */
async function isTaken(
  { address, logger, signal }: PeopleOptions,
  token: string,
  body: URLSearchParams,
): Promise<boolean> {
  const response = await fetch(`${address}/answer/${token}`, {
    ...{ method: 'POST', redirect: 'error', body, signal },
  })
  await response.arrayBuffer()
  const { ok, status } = response
  if (ok) return true
  const isFinal = status !== TOO_MANY && status !== TIMED_OUT && status < SERVER_FAILED
  logger.debug('simulated-answer-not-taken', { status, again: !isFinal })
  return isFinal
}
