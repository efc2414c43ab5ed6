// Asks one provider over HTTP: never more often than the quota allows, not at all while it fails, and with the
// last good answer, and its age, for as long as that is worth something. Its key is in no message.

import type { Result } from '../../kernel/result.ts'
import { failed } from '../../kernel/result.ts'
import { type DurationMs, type EpochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type {
  TravelTime,
  TravelTimeAnswer,
  TravelTimeQuestion,
  TravelTimes,
} from '../../ports/travel-times.ts'
import type { Provider, ProviderTimes } from './provider.ts'

/** An answer is taken again for this long, for places less than about 100 m away. */
export const FRESH_MS: DurationMs = 2 * MINUTE_MS
/** The last good answer counts so long where a newer one is not to be had. */
export const LAST_GOOD_MS: DurationMs = 30 * MINUTE_MS
/** Answers kept; beyond it the oldest goes. */
export const MAX_ANSWERS = 10_000
export const REQUEST_TIMEOUT_MS: DurationMs = 5 * SECOND_MS
const MAX_ANSWER_BYTES = 1024 * 1024
const FIRST_WAIT_MS: DurationMs = 2 * SECOND_MS
const LONGEST_WAIT_MS: DurationMs = 5 * MINUTE_MS
const PLACES_DEGREES = 3

export interface TravelTimeClientOptions {
  readonly provider: Provider
  readonly key: string
  readonly clock: Clock
  /** Where the provider answers; its own address where none is given. */
  readonly address?: string
  readonly requestsPerMinute?: number
  readonly requestsPerDay?: number
  readonly timeoutMs?: DurationMs
}

interface Kept {
  readonly travelTime: TravelTime
  readonly atMs: EpochMs
}

export function createTravelTimeClient(options: TravelTimeClientOptions): TravelTimes {
  const { provider, clock, requestsPerMinute = 60, requestsPerDay = 2_500 } = options
  const kept = new Map<string, Kept>()
  const quotas = [
    { spanMs: MINUTE_MS, most: requestsPerMinute, startMs: Number.NEGATIVE_INFINITY, used: 0 },
    { spanMs: 24 * HOUR_MS, most: requestsPerDay, startMs: Number.NEGATIVE_INFINITY, used: 0 },
  ]
  let failures = 0
  let notBeforeMs = Number.NEGATIVE_INFINITY

  const keep = (name: string, times: ProviderTimes): TravelTimeAnswer => {
    const nowMs = clock.nowMs()
    const arriveAtMs = nowMs + times.durationS * SECOND_MS
    const travelTime = { ...times, departAtMs: nowMs, arriveAtMs, source: provider.name }
    kept.delete(name)
    kept.set(name, { travelTime, atMs: nowMs })
    const [oldest] = kept.keys()
    if (kept.size > MAX_ANSWERS && oldest !== undefined) kept.delete(oldest)
    return { kind: 'known', travelTime, ageMs: 0 }
  }
  const lastGood = (name: string, reason: string): TravelTimeAnswer => {
    const known = kept.get(name)
    const ageMs = known === undefined ? Number.POSITIVE_INFINITY : clock.nowMs() - known.atMs
    return known !== undefined && ageMs <= LAST_GOOD_MS
      ? { kind: 'known', travelTime: known.travelTime, ageMs }
      : { kind: 'unknown', reason }
  }
  const spend = (nowMs: EpochMs): boolean => {
    for (const quota of quotas) {
      if (nowMs - quota.startMs < quota.spanMs) continue
      quota.startMs = nowMs
      quota.used = 0
    }
    if (quotas.some(({ used, most }) => used >= most)) return false
    for (const quota of quotas) quota.used++
    return true
  }
  return {
    async ask(question) {
      const name = nameOf(question)
      const nowMs = clock.nowMs()
      const known = kept.get(name)
      if (known !== undefined && nowMs - known.atMs <= FRESH_MS) {
        return { kind: 'known', travelTime: known.travelTime, ageMs: nowMs - known.atMs }
      }
      if (nowMs < notBeforeMs) return lastGood(name, `${provider.name} failed just now`)
      if (!spend(nowMs)) return lastGood(name, `the quota of ${provider.name} is used up`)
      const answer = await fetched(options, question)
      if (answer.ok) {
        failures = 0
        return keep(name, answer.value)
      }
      failures++
      const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1))
      notBeforeMs = clock.nowMs() + Math.max(waitMs, answer.error.waitMs)
      return lastGood(name, answer.error.reason)
    },
  }
}

function nameOf({ from, to }: TravelTimeQuestion): string {
  return [from.lat, from.lon, to.lat, to.lon].map((each) => each.toFixed(PLACES_DEGREES)).join(' ')
}

interface Failure {
  readonly reason: string
  readonly waitMs: DurationMs
}

async function fetched(
  { provider, key, address, timeoutMs = REQUEST_TIMEOUT_MS, clock }: TravelTimeClientOptions,
  question: TravelTimeQuestion,
): Promise<Result<ProviderTimes, Failure>> {
  const { url, headers, body } = provider.request(question, {
    base: address ?? provider.address,
    key,
  })
  const attempt = new AbortController()
  const done = new AbortController()
  void clock.sleep(timeoutMs, done.signal).then(() => {
    if (!done.signal.aborted) attempt.abort()
  })
  try {
    const response = await fetch(url, {
      method: body === undefined ? 'GET' : 'POST',
      redirect: 'error',
      headers: { accept: 'application/json', 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: attempt.signal,
    })
    const text = await textOf(response)
    if (!response.ok) {
      return failedWith(provider, `answered ${response.status}`, retryAfterMs(response))
    }
    const read = provider.read(JSON.parse(text))
    return read.ok ? read : failedWith(provider, `answered nonsense: ${read.error}`)
  } catch (error) {
    // What fetch says may hold the address, and with it the key: only its kind is passed on.
    if (attempt.signal.aborted) return failedWith(provider, `did not answer within ${timeoutMs} ms`)
    return failedWith(
      provider,
      error instanceof SyntaxError ? 'answered what is no JSON' : 'cannot be reached',
    )
  } finally {
    done.abort()
  }
}

function failedWith(provider: Provider, what: string, waitMs: DurationMs = 0) {
  return failed({ reason: `${provider.name} ${what}`, waitMs })
}

/** Rejects where the answer is longer than any good one. */
async function textOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of response.body ?? []) {
    bytes += part.length
    if (bytes > MAX_ANSWER_BYTES) throw new SyntaxError('too long')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function retryAfterMs(response: Response): DurationMs {
  const seconds = Number(response.headers.get('retry-after') ?? 0)
  return Number.isFinite(seconds) ? Math.min(HOUR_MS, Math.max(0, seconds * SECOND_MS)) : 0
}
