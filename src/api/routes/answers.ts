// Where people without an account answer what a workflow asks them, by the signed link they were sent.

import type { FastifyInstance, FastifyReply } from 'fastify'
import { Temporal } from 'temporal-polyfill'
import {
  type AnswerLink,
  type AnswerLinkProblem,
  readAnswerLink,
} from '../../kernel/answer-link.ts'
import { DAY_MS, type EpochMs, toIso } from '../../kernel/time.ts'
import type { SqlRow } from '../../ports/database.ts'
import {
  ANSWER_STYLE,
  type Asked,
  answeredPage,
  questionPage,
  refusedPage,
} from '../answer-page.ts'
import type { ApiContext } from '../context.ts'
import { textOrNull } from '../sql-values.ts'

const LIMIT = { max: 60, timeWindow: '1 minute' } as const
const MAX_FORM_BYTES = 1_024
/** A proposed start lies no further ahead. */
const MAX_AHEAD_MS = 366 * DAY_MS
const HTML = 'text/html; charset=utf-8'

const REFUSALS: Readonly<
  Record<AnswerLinkProblem | 'used' | 'unknown', readonly [number, string, string]>
> = {
  malformed: [404, 'This link is not whole', 'Open it from the message again, or copy all of it.'],
  forged: [404, 'This link is not valid', 'It was not sent by this server.'],
  unknown: [404, 'This link is not valid', 'Nobody asks this any more.'],
  expired: [410, 'This link has expired', 'The time to answer is over.'],
  used: [410, 'This was answered already', 'The first answer counts; each question takes one.'],
}

export function answerRoutes(app: FastifyInstance, { options, wholeDatabase }: ApiContext): void {
  const { clock } = options
  const database = wholeDatabase
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: MAX_FORM_BYTES },
    (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(String(body)))),
  )
  const config = { access: 'public', rateLimit: LIMIT } as const

  app.get('/answer/style.css', { config, schema: { hide: true } }, async (_request, reply) =>
    reply
      .type('text/css; charset=utf-8')
      .header('cache-control', 'public, max-age=3600')
      .send(ANSWER_STYLE),
  )

  app.get<{ Params: { token: string } }>(
    '/answer/:token',
    { config, schema: { hide: true } },
    async (request, reply) => {
      const found = await open(request.params.token)
      if (typeof found === 'string') return refuse(reply, found)
      return html(reply, 200, questionPage(found.asked, null))
    },
  )

  app.post<{ Params: { token: string }; Body: unknown }>(
    '/answer/:token',
    { config, schema: { hide: true } },
    async (request, reply) => {
      const found = await open(request.params.token)
      if (typeof found === 'string') return refuse(reply, found)
      const { link, asked } = found
      const answer = answerOf(link, asked, request.body)
      if (typeof answer === 'string') return html(reply, 422, questionPage(asked, answer))
      const counted = await keepAnswer(link.requestId, answer)
      return counted ? html(reply, 200, answeredPage(asked)) : refuse(reply, 'used')
    },
  )

  async function open(
    token: string,
  ): Promise<keyof typeof REFUSALS | { readonly link: AnswerLink; readonly asked: Asked }> {
    const [row] = await database.query("select key from signing_key where purpose = 'answer-links'")
    if (!(row?.key instanceof Uint8Array)) return 'unknown'
    const link = readAnswerLink(token, row.key, clock.nowMs())
    if (typeof link === 'string') return link
    const [request] = await database.query(
      `select r.document, r.answered_at, p.zone from answer_request r
       left join contact_preference p on p.tenant_id = r.tenant_id and p.address = lower(r.asked)
       where r.id = $1`,
      [link.requestId],
    )
    if (request === undefined) return 'unknown'
    if (request.answered_at !== null) return 'used'
    return { link, asked: askedOf(link, request) }
  }

  /** The first answer counts. It and the signal to the workflow are kept together. */
  async function keepAnswer(requestId: string, answer: Answer): Promise<boolean> {
    const [row] = await database.query(
      `with answered as (
         update answer_request set answered_at = now(), answer = $2::jsonb
         where id = $1 and answered_at is null and expires_at > now()
         returning id, tenant_id, workflow_id, answer
       )
       insert into outbox (id, kind, tenant_id, payload)
       select derived_id('answer', id::text), 'signal', tenant_id,
         jsonb_build_object('workflowId', workflow_id, 'topic', 'answer', 'value', answer)
       from answered returning id`,
      [requestId, JSON.stringify(answer)],
    )
    return row !== undefined
  }

  /** What is wrong with it, or the answer. */
  function answerOf({ action }: AnswerLink, { zone }: Asked, body: unknown): Answer | string {
    if (action !== 'propose') return { action }
    const startsAtMs = localInstant(String(Object(body).startsAt ?? ''), zone)
    const nowMs = clock.nowMs()
    if (startsAtMs === undefined) return 'Please say a date and a time.'
    if (startsAtMs <= nowMs) return 'This time is over already. Please choose a later one.'
    if (startsAtMs > nowMs + MAX_AHEAD_MS) return 'Please choose a time within a year.'
    return { action, startsAt: toIso(startsAtMs) }
  }
}

interface Answer {
  readonly action: AnswerLink['action']
  readonly startsAt?: string
}

function askedOf({ action }: AnswerLink, { document, zone }: SqlRow): Asked {
  const facts: Record<string, unknown> = Object(document)
  return {
    action,
    title: String(facts.title),
    place: textOrNull(facts.place),
    traveler: String(facts.traveler),
    startsAt: textOrNull(facts.startsAt),
    etaAt: textOrNull(facts.etaAt),
    proposedAt: textOrNull(facts.proposedAt),
    onlineUrl: textOrNull(facts.onlineUrl),
    zone: textOrNull(zone) ?? 'UTC',
  }
}

/** Undefined where it is no date and time, or one that the zone's clock never shows. */
function localInstant(text: string, zone: string): EpochMs | undefined {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$/.test(text)) return undefined
  try {
    return Temporal.PlainDateTime.from(text, { overflow: 'reject' }).toZonedDateTime(zone)
      .epochMilliseconds
  } catch {
    return undefined
  }
}

function refuse(reply: FastifyReply, problem: keyof typeof REFUSALS): FastifyReply {
  const [status, title, text] = REFUSALS[problem]
  return html(reply, status, refusedPage(title, text))
}

/** Links of answers must not leak to where a page leads, nor stay in caches. */
function html(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply
    .code(status)
    .type(HTML)
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer')
    .send(text)
}
