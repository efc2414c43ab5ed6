// Sends an import through the HTTP door of a running server, and asks the server what became of it.

import { createInterface } from 'node:readline/promises'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { PlatformError } from '../../kernel/errors.ts'
import { type DurationMs, type EpochMs, parseInstant, SECOND_MS, toIso } from '../../kernel/time.ts'
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
/** Events of one import that are looked for in the archive, to count repeats among them. */
export const MAX_COUNTED_EVENTS = 1_000_000
/** Archived events, others at the same times included, that are read for it at most. */
const MAX_READ_EVENTS = 4_000_000

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
  /** By the server's clock, to the second below. */
  #begunMs: EpochMs = 0

  constructor(options: HttpSinkOptions) {
    this.name = options.baseUrl
    this.#options = options
  }

  async begin(topic: string): Promise<void> {
    const { dateMs } = await this.#partitions(topic)
    this.#begunMs = dateMs
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
    if (sent.accepted > MAX_COUNTED_EVENTS) return notCounted('there are too many events')
    const { clock, signal, settleForMs = SETTLE_FOR_MS } = this.#options
    const untilMs = clock.monotonicMs() + settleForMs
    for (;;) {
      if (await this.#isIdle(sent.topic)) {
        const found = await this.#readBack(sent, sent.recordedAtMs)
        if (found.settled !== null) return found.settled
      }
      if (clock.monotonicMs() > untilMs || signal.aborted) {
        return notCounted('the archive has not caught up; nothing is lost')
      }
      await clock.sleep(SETTLE_PAUSE_MS, signal)
    }
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

  /** As far as the server last looked; it looks once a second, so this alone proves nothing. */
  async #isIdle(topic: string): Promise<boolean> {
    const { partitions } = await this.#partitions(topic)
    return partitions.every(({ endOffset, committedOffset }) => committedOffset >= endOffset)
  }

  /**
   * Reads the archive over the times of what was sent. Settled once it holds as many events of this
   * import as were accepted. A row that is flagged was there before: counted once, however often.
   */
  async #readBack(
    { topic, accepted, eventIdPrefix }: SentSummary,
    times: { readonly first: EpochMs; readonly last: EpochMs },
  ): Promise<{ readonly settled: Settled | null }> {
    const query = new URLSearchParams({
      from: toIso(times.first),
      to: toIso(times.last + 1),
      duplicates: 'true',
    })
    const response = await this.#request(`/api/v1/history/${encodeURIComponent(topic)}?${query}`, {
      headers: { accept: 'application/x-ndjson' },
    })
    if (!response.ok || response.body === null) {
      return { settled: notCounted(`the history answers with status ${response.status}`) }
    }
    const repeated = new Set<string>()
    let archived = 0
    let read = 0
    // The types of the two stream worlds differ; the object is the same.
    const body = Readable.fromWeb(response.body as ReadableStream)
    for await (const line of createInterface({
      input: body,
      crlfDelay: Number.POSITIVE_INFINITY,
    })) {
      if (++read > MAX_READ_EVENTS) {
        body.destroy()
        return { settled: notCounted('there are too many other events at the same times') }
      }
      const event = this.#ours(line, eventIdPrefix)
      if (event === null) continue
      archived++
      if (event.flags?.includes('duplicate') === true) repeated.add(event.eventId ?? '')
    }
    if (archived < accepted) return { settled: null }
    const note = 'Counted in the archive: repeats are kept, and change nothing.'
    return { settled: { duplicates: repeated.size, note } }
  }

  /** The archived event where it came with this import. */
  #ours(line: string, eventIdPrefix: string | null): ArchivedEvent | null {
    if (eventIdPrefix !== null && !line.includes(eventIdPrefix)) return null
    const item: unknown = JSON.parse(line)
    if (!archivedCheck.Check(item)) return null
    if ((parseInstant(item.receivedAt) ?? 0) < this.#begunMs) return null
    if (eventIdPrefix !== null && item.eventId?.startsWith(eventIdPrefix) !== true) return null
    return item
  }

  async #partitions(topic: string): Promise<TopicState> {
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
    const dateMs = Date.parse(response.headers.get('date') ?? '')
    const partitions = body.find((each) => each.topic === topic)?.partitions ?? []
    return { partitions, dateMs: Number.isNaN(dateMs) ? 0 : dateMs }
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

function notCounted(why: string): Settled {
  return { duplicates: null, note: `Not counted: ${why}. The history shows repeats flagged.` }
}

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

interface TopicState {
  readonly partitions: readonly { readonly endOffset: number; readonly committedOffset: number }[]
  /** The server's clock. */
  readonly dateMs: EpochMs
}

const topicsCheck = TypeCompiler.Compile(
  Type.Array(
    Type.Object({
      topic: Type.String(),
      partitions: Type.Array(
        Type.Object({
          endOffset: Type.Integer(),
          committedOffset: Type.Integer(),
        }),
      ),
    }),
  ),
)

const archivedSchema = Type.Object({
  receivedAt: Type.String(),
  eventId: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  flags: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
})

type ArchivedEvent = Static<typeof archivedSchema>

const archivedCheck = TypeCompiler.Compile(archivedSchema)
