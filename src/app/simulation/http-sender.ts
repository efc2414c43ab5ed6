// Posts batches to a running Outrider as any outside sender would, and does not give up on one.

import { PlatformError } from '../../kernel/errors.ts'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Delivered } from './run-simulation.ts'

export interface HttpSenderOptions {
  /** Where Outrider listens, such as `http://127.0.0.1:8080`. */
  readonly url: URL
  readonly token?: string | undefined
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Told what keeps a batch from being delivered, each time it is put off. */
  readonly onDelay?: (message: string) => void
}

const REQUEST_TIMEOUT_MS = 30 * SECOND_MS
/** How long a request under way may still take once the signal has come. */
const STOP_GRACE_MS = 3 * SECOND_MS
const FIRST_WAIT_MS = 250
const LONGEST_WAIT_MS = 10 * SECOND_MS
/** A longer Retry-After is cut to this. */
const LONGEST_RETRY_AFTER_MS = 60 * SECOND_MS
/** Bytes of an answer that a message quotes. */
const QUOTED = 300
/** How fetch calls a port that belongs to another protocol. */
const FORBIDDEN_PORT = 'bad port'

/** The door finds the keys in the events. */
type SendOverHttp = (topic: string, ndjsonBatch: string, count: number) => Promise<Delivered>

type Attempt =
  | { readonly kind: 'delivered'; readonly delivered: Delivered }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'later'; readonly reason: string; readonly waitMs: DurationMs | undefined }

/**
 * Sends one batch at a time and tries again until it is taken: after 429, 503 and other 5xx, and
 * where nothing answers. Without event ids an answer lost on the way leads to events that are there
 * twice. Rejects on what trying again can't mend, and once the signal has come.
 */
export function httpSender(options: HttpSenderOptions): SendOverHttp {
  return async function send(topic, ndjsonBatch, count) {
    const target = new URL(`api/v1/events/${topic}`, withSlash(options.url))
    for (let tries = 0; ; tries++) {
      const attempt = await post(options, target, ndjsonBatch, count)
      if (attempt.kind === 'delivered') return attempt.delivered
      if (attempt.kind === 'too-large') return sendHalves(send, topic, ndjsonBatch, count)
      const waitMs = attempt.waitMs ?? Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** tries)
      options.onDelay?.(`${attempt.reason}; trying again in ${(waitMs / 1_000).toFixed(1)} s`)
      await options.clock.sleep(waitMs, options.signal)
      if (options.signal.aborted) {
        throw new PlatformError('log-unavailable', `Stopped before ${target} took the batch.`, {
          retry: 'later',
        })
      }
    }
  }
}

function withSlash(url: URL): URL {
  return url.pathname.endsWith('/') ? url : new URL(`${url.origin}${url.pathname}/`)
}

async function post(
  options: HttpSenderOptions,
  target: URL,
  body: string,
  count: number,
): Promise<Attempt> {
  const attempt = new AbortController()
  const done = new AbortController()
  void giveUpAfter(options, attempt, done.signal)
  try {
    const response = await fetch(target, {
      method: 'POST',
      redirect: 'error',
      headers: {
        'content-type': 'application/x-ndjson',
        ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      },
      body,
      signal: attempt.signal,
    })
    return judge(target, response, await response.text(), count)
  } catch (error) {
    if (error instanceof PlatformError) throw error
    if (causeOf(error) === FORBIDDEN_PORT) throw refused(target, 'no HTTP client may use this port')
    return {
      kind: 'later',
      reason: `Cannot reach ${target.origin} (${causeOf(error)})`,
      waitMs: undefined,
    }
  } finally {
    done.abort()
  }
}

/** Ends an attempt that takes too long: sooner where the whole run is to end. */
async function giveUpAfter(
  { clock, signal }: HttpSenderOptions,
  attempt: AbortController,
  done: AbortSignal,
): Promise<void> {
  await clock.sleep(REQUEST_TIMEOUT_MS, AbortSignal.any([signal, done]))
  if (!done.aborted && signal.aborted) await clock.sleep(STOP_GRACE_MS, done)
  if (!done.aborted) attempt.abort()
}

function judge(target: URL, response: Response, text: string, count: number): Attempt {
  const { status } = response
  if (status === 422) return { kind: 'delivered', delivered: { accepted: 0, rejected: count } }
  if (response.ok) return { kind: 'delivered', delivered: counted(text, count) }
  if (status === 413 && count > 1) return { kind: 'too-large' }
  if (status === 429 || status >= 500) {
    const waitMs = retryAfterMs(response.headers.get('retry-after'))
    return { kind: 'later', reason: `${target.origin} answered ${status}`, waitMs }
  }
  const hint =
    status === 401 || status === 403
      ? ' Set OUTRIDER_ADMIN_TOKEN to the token that the server was started with.'
      : ''
  throw refused(target, `it answered ${status} ${text.slice(0, QUOTED)}.${hint}`)
}

function refused(target: URL, why: string): PlatformError {
  return new PlatformError('bad-setting', `Cannot send events to ${target}: ${why}`, {
    retry: 'never',
  })
}

function counted(text: string, count: number): Delivered {
  const answer = parsed(text)
  const accepted: unknown = Reflect.get(answer, 'accepted')
  const rejected: unknown = Reflect.get(answer, 'rejected')
  return {
    accepted: typeof accepted === 'number' ? accepted : count,
    rejected: Array.isArray(rejected) ? rejected.length : 0,
  }
}

function parsed(text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

async function sendHalves(
  send: SendOverHttp,
  topic: string,
  ndjsonBatch: string,
  count: number,
): Promise<Delivered> {
  const lines = ndjsonBatch.split('\n').slice(0, -1)
  const middle = Math.ceil(count / 2)
  const first = await send(topic, `${lines.slice(0, middle).join('\n')}\n`, middle)
  const second = await send(topic, `${lines.slice(middle).join('\n')}\n`, count - middle)
  return {
    accepted: first.accepted + second.accepted,
    rejected: first.rejected + second.rejected,
  }
}

/** Seconds only: our own servers never send a date. */
function retryAfterMs(header: string | null): DurationMs | undefined {
  const seconds = header === null ? Number.NaN : Number(header)
  if (!Number.isFinite(seconds) || seconds < 0) return undefined
  return Math.min(LONGEST_RETRY_AFTER_MS, seconds * SECOND_MS)
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (!(cause instanceof Error)) return error.message
  const code: unknown = Reflect.get(cause, 'code')
  return typeof code === 'string' ? code : cause.message
}
