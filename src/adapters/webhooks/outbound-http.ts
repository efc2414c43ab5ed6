// The one client for addresses that others gave us: the address check happens inside its own look-up, so that the
// connection goes to what was checked; redirects are not followed; slow and long answers are cut off.

import { lookup as lookUp } from 'node:dns'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import { isPublicAddress } from './public-address.ts'

/** From the look-up to the end of the answer. */
export const ANSWER_TIMEOUT_MS: DurationMs = 10 * SECOND_MS
/** Of an answer, no more is read. */
const MAX_ANSWER_BYTES = 8 * 1024

export interface Outbound {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly allowPrivateAddress: boolean
}

export type OutboundAnswer =
  | {
      readonly kind: 'answered'
      readonly status: number
      readonly headers: IncomingMessage['headers']
      readonly text: string
    }
  /** Nothing was sent: the address leads inside. */
  | { readonly kind: 'inside'; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string }

export interface OutboundHttp {
  post(outbound: Outbound): Promise<OutboundAnswer>
}

class InsideAddress extends Error {}

export function createOutboundHttp({
  clock,
  timeoutMs = ANSWER_TIMEOUT_MS,
}: {
  readonly clock: Clock
  readonly timeoutMs?: DurationMs
}): OutboundHttp {
  return {
    async post(outbound) {
      if (!URL.canParse(outbound.url)) return { kind: 'inside', message: 'It is no address.' }
      const url = new URL(outbound.url)
      if (url.protocol !== 'https:' && url.protocol !== 'http:') {
        return {
          kind: 'inside',
          message: `It is an address of ${url.protocol}, not http or https.`,
        }
      }
      const host = url.hostname.replace(/^\[|\]$/g, '')
      // A literal address is never looked up: it is judged here.
      if (!outbound.allowPrivateAddress && isIP(host) !== 0 && !isPublicAddress(host)) {
        return { kind: 'inside', message: insideMessage(host) }
      }
      const ended = new AbortController()
      try {
        const timeout = clock.sleep(timeoutMs, ended.signal).then(() => {
          if (ended.signal.aborted) return undefined
          throw new Error(`It did not answer within ${timeoutMs / SECOND_MS} s.`)
        })
        const abort = new AbortController()
        const exchange = exchangeOf(url, outbound, abort.signal)
        const answer = await Promise.race([exchange, timeout]).finally(() => abort.abort())
        if (answer === undefined) throw new Error('It was given up.')
        return answer
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        return { kind: error instanceof InsideAddress ? 'inside' : 'failed', message }
      } finally {
        ended.abort()
      }
    },
  }
}

function exchangeOf(url: URL, outbound: Outbound, signal: AbortSignal): Promise<OutboundAnswer> {
  const { headers, body, allowPrivateAddress } = outbound
  return new Promise((resolve, reject) => {
    const make = url.protocol === 'https:' ? httpsRequest : httpRequest
    const options = {
      method: 'POST',
      headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
      lookup: allowPrivateAddress ? lookUp : guardedLookup,
      // A connection for each: a kept one would go where another message went.
      agent: false,
      signal,
    }
    const sent: ClientRequest = make(url, options, (response) => {
      let text = ''
      response.setEncoding('utf8')
      const done = (): void =>
        resolve({
          kind: 'answered',
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: text.slice(0, MAX_ANSWER_BYTES),
        })
      response.on('data', (chunk: string) => {
        text += chunk
        if (text.length < MAX_ANSWER_BYTES) return
        done()
        response.destroy()
      })
      response.on('end', done)
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** All addresses of the name must be public: which one is taken is not ours to choose. */
const guardedLookup: LookupFunction = (hostname, options, callback) => {
  lookUp(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, '')
    const inside = addresses.find(({ address }) => !isPublicAddress(address))
    const first = addresses[0]
    if (inside !== undefined || first === undefined) {
      return callback(new InsideAddress(insideMessage(inside?.address ?? hostname)), '')
    }
    if (options.all === true) return callback(null, addresses)
    return callback(null, first.address, first.family)
  })
}

function insideMessage(address: string): string {
  return `The address leads to ${address}, which is not on the public internet.`
}
