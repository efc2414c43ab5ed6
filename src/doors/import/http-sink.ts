// Sends an import through the HTTP door of a running server, and asks the server what became of it.

import { createInterface } from 'node:readline/promises'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { PlatformError } from '../../kernel/errors.ts'
import { type DurationMs, SECOND_MS, toIso } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { DeliveryOutcome } from '../ingest.ts'
import type { EventSink, SentSummary, Settled } from './event-sink.ts'

/** Longest wait for one answer. */
export const REQUEST_TIMEOUT_MS: DurationMs = 60 * SECOND_MS
/** Longest wait for the first sign of a server. */
const PROBE_TIMEOUT_MS: DurationMs = 2 * SECOND_MS
/** How long a batch that cannot be taken is tried again. */
export const RETRY_FOR_MS: DurationMs = 60 * SECOND_MS
const RETRY_PAUSE_MS: DurationMs = SECOND_MS
/** How long the archive is waited for after the last batch. */
export const SETTLE_FOR_MS: DurationMs = 60 * SECOND_MS
const SETTLE_PAUSE_MS: DurationMs = 100
/** Archived events that are read back at most to count repeats among them. */
export const MAX_COUNTED_EVENTS = 2_000_000

export interface HttpSinkOptions {
  readonly baseUrl: string
  readonly token: string | null
  readonly clock: Clock
  /** Ends waiting between tries. */
  readonly signal: AbortSignal
  readonly retryForMs?: DurationMs
  readonly settleForMs?: DurationMs
}

/** True where an Outrider answers at this address. */
export async function answersAt(baseUrl: string): Promise<boolean> {
  try {
    const response = await fetch(`${baseUrl}/healthz`, {
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
      redirect: 'error',
    })
    const body: unknown = await response.json()
    return typeof body === 'object' && body !== null && 'status' in body && body.status === 'alive'
  } catch {
    return false
  }
}

export function createHttpSink(options: HttpSinkOptions): EventSink {
  return new HttpSink(options)
}

class HttpSink implements EventSink {
  readonly name: string
  readonly #options: HttpSinkOptions
  /** Where the topic ended before the first batch, by partition. */
  #begins: ReadonlyMap<number, number> = new Map()

  constructor(options: HttpSinkOptions) {
    this.name = options.baseUrl
    this.#options = options
  }

  async begin(topic: string): Promise<void> {
    const partitions = await this.#partitions(topic)
    this.#begins = new Map(partitions.map(({ partition, endOffset }) => [partition, endOffset]))
  }

  async send(topic: string, events: readonly Buffer[]): Promise<DeliveryOutcome> {
    const { clock, signal, retryForMs = RETRY_FOR_MS } = this.#options
    const untilMs = clock.monotonicMs() + retryForMs
    for (;;) {
      const answer = await this.#post(topic, events)
      if (answer.kind === 'done') return answer.outcome
      if (answer.kind === 'too-large') return this.#sendInHalves(topic, events)
      if (clock.monotonicMs() + answer.pauseMs > untilMs || signal.aborted) throw answer.error
      await clock.sleep(answer.pauseMs, signal)
    }
  }

  async settle(sent: SentSummary): Promise<Settled> {
    if (sent.recordedAtMs === null) return { duplicates: 0, note: 'Nothing was sent.' }
    if (!(await this.#archived(sent.topic))) {
      const note =
        'Not counted: the archive has not caught up. Nothing is lost; ask the history later.'
      return { duplicates: null, note }
    }
    return this.#count(sent, sent.recordedAtMs)
  }

  async close(): Promise<void> {}

  async #sendInHalves(topic: string, events: readonly Buffer[]): Promise<DeliveryOutcome> {
    const middle = Math.ceil(events.length / 2)
    if (events.length < 2) {
      throw serverFailed(`${this.name} finds a single event too large.`)
    }
    const first = await this.send(topic, events.slice(0, middle))
    const second = await this.send(topic, events.slice(middle))
    return {
      accepted: first.accepted + second.accepted,
      rejected: [
        ...first.rejected,
        ...second.rejected.map((event) => ({ ...event, index: event.index + middle })),
      ],
    }
  }

  async #post(topic: string, events: readonly Buffer[]): Promise<PostAnswer> {
    let response: Response
    let body: unknown
    try {
      response = await this.#request(`/api/v1/events/${encodeURIComponent(topic)}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body: ndjson(events),
      })
      body = await response.json()
    } catch (error) {
      return { kind: 'later', pauseMs: RETRY_PAUSE_MS, error: unreachable(this.name, error) }
    }
    if (response.status === 202 && acceptedCheck.Check(body)) {
      return { kind: 'done', outcome: body }
    }
    if (response.status === 422 && noneGoodCheck.Check(body)) {
      return { kind: 'done', outcome: { accepted: 0, rejected: body.errors } }
    }
    if (response.status === 413) return { kind: 'too-large' }
    const error = refusal(this.name, response.status, body)
    if (response.status !== 429 && response.status !== 503) throw error
    return { kind: 'later', pauseMs: retryAfterMs(response), error }
  }

  /** False where it does not happen in time. */
  async #archived(topic: string): Promise<boolean> {
    const { clock, signal, settleForMs = SETTLE_FOR_MS } = this.#options
    const untilMs = clock.monotonicMs() + settleForMs
    const ends = await this.#partitions(topic)
    for (;;) {
      const now = new Map((await this.#partitions(topic)).map((each) => [each.partition, each]))
      const behind = ends.some(
        ({ partition, endOffset }) => (now.get(partition)?.committedOffset ?? 0) < endOffset,
      )
      if (!behind) return true
      if (clock.monotonicMs() > untilMs || signal.aborted) return false
      await clock.sleep(SETTLE_PAUSE_MS, signal)
    }
  }

  async #count(
    { topic, accepted, eventIdPrefix }: SentSummary,
    times: { readonly first: number; readonly last: number },
  ): Promise<Settled> {
    if (accepted > MAX_COUNTED_EVENTS) {
      const note = `Not counted: more than ${MAX_COUNTED_EVENTS} events. The history shows them flagged.`
      return { duplicates: null, note }
    }
    const query = new URLSearchParams({
      from: toIso(times.first),
      to: toIso(times.last + 1),
      duplicates: 'true',
    })
    const response = await this.#request(`/api/v1/history/${encodeURIComponent(topic)}?${query}`, {
      headers: { accept: 'application/x-ndjson' },
    })
    if (!response.ok || response.body === null) {
      const note = `Not counted: the history answered with status ${response.status}.`
      return { duplicates: null, note }
    }
    let duplicates = 0
    let read = 0
    // The types of the two stream worlds differ; the object is the same.
    const body = Readable.fromWeb(response.body as ReadableStream)
    for await (const line of createInterface({
      input: body,
      crlfDelay: Number.POSITIVE_INFINITY,
    })) {
      if (++read > MAX_COUNTED_EVENTS) {
        body.destroy()
        return { duplicates: null, note: 'Not counted: too many other events at the same times.' }
      }
      if (line.includes('"duplicate"') && this.#isOurs(line, eventIdPrefix)) duplicates++
    }
    const which = eventIdPrefix === null ? 'repeats that arrived meanwhile' : 'repeats of this file'
    return { duplicates, note: `Counted in the archive: ${which} are kept, and change nothing.` }
  }

  #isOurs(line: string, eventIdPrefix: string | null): boolean {
    const item: unknown = JSON.parse(line)
    if (!historyCheck.Check(item) || item.flags?.includes('duplicate') !== true) return false
    if (item.offset < (this.#begins.get(item.partition) ?? 0)) return false
    return eventIdPrefix === null || (item.eventId ?? '').startsWith(eventIdPrefix)
  }

  async #partitions(topic: string): Promise<readonly PartitionState[]> {
    let response: Response
    let body: unknown
    try {
      response = await this.#request('/api/v1/topics', {})
      body = await response.json()
    } catch (error) {
      throw unreachable(this.name, error)
    }
    if (response.status !== 200) throw refusal(this.name, response.status, body)
    if (!topicsCheck.Check(body)) {
      throw serverFailed(`${this.name} answers, but not as an Outrider of this version does.`)
    }
    return body.find((each) => each.topic === topic)?.partitions ?? []
  }

  #request(path: string, init: RequestInit): Promise<Response> {
    const { baseUrl, token } = this.#options
    const headers = new Headers(init.headers)
    if (token !== null) headers.set('authorization', `Bearer ${token}`)
    return fetch(`${baseUrl}${path}`, {
      ...init,
      headers,
      redirect: 'error',
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    })
  }
}

type PostAnswer =
  | { readonly kind: 'done'; readonly outcome: DeliveryOutcome }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'later'; readonly pauseMs: DurationMs; readonly error: PlatformError }

const LINE_END = Buffer.from('\n')

function ndjson(events: readonly Buffer[]): Buffer {
  return Buffer.concat(events.flatMap((event) => [event, LINE_END]))
}

/** Longest pause that a server may ask for. */
const MAX_PAUSE_MS: DurationMs = 30 * SECOND_MS

function retryAfterMs(response: Response): DurationMs {
  const seconds = Number(response.headers.get('retry-after'))
  const pauseMs = Number.isFinite(seconds) && seconds > 0 ? seconds * SECOND_MS : RETRY_PAUSE_MS
  return Math.min(pauseMs, MAX_PAUSE_MS)
}

function unreachable(server: string, cause: unknown): PlatformError {
  return new PlatformError(
    'server-failed',
    `${server} does not answer. Start it, or give another address with --to. The same command goes on where it stopped.`,
    { retry: 'later', cause },
  )
}

function serverFailed(message: string): PlatformError {
  return new PlatformError('server-failed', message, { retry: 'never' })
}

function refusal(server: string, status: number, body: unknown): PlatformError {
  const detail = problemCheck.Check(body) ? ` ${body.detail}` : ''
  if (status === 401 || status === 403) {
    const advice = 'Set OUTRIDER_ADMIN_TOKEN to the token of the server.'
    return new PlatformError('bad-setting', `${server} refuses the credential. ${advice}`, {
      retry: 'never',
    })
  }
  return new PlatformError('server-failed', `${server} answers with status ${status}.${detail}`, {
    retry: status === 429 || status === 503 ? 'later' : 'never',
  })
}

const rejectedSchema = Type.Array(
  Type.Object({
    index: Type.Integer(),
    code: Type.Unsafe<DeliveryOutcome['rejected'][number]['code']>(Type.String()),
    message: Type.String(),
    path: Type.String(),
  }),
)

const acceptedCheck = TypeCompiler.Compile(
  Type.Object({ accepted: Type.Integer(), rejected: rejectedSchema }),
)
const noneGoodCheck = TypeCompiler.Compile(Type.Object({ errors: rejectedSchema }))
const problemCheck = TypeCompiler.Compile(Type.Object({ detail: Type.String() }))

interface PartitionState {
  readonly partition: number
  readonly endOffset: number
  readonly committedOffset: number
}

const topicsCheck = TypeCompiler.Compile(
  Type.Array(
    Type.Object({
      topic: Type.String(),
      partitions: Type.Array(
        Type.Object({
          partition: Type.Integer(),
          endOffset: Type.Integer(),
          committedOffset: Type.Integer(),
        }),
      ),
    }),
  ),
)

const historyCheck = TypeCompiler.Compile(
  Type.Object({
    partition: Type.Integer(),
    offset: Type.Integer(),
    eventId: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    flags: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
  }),
)
