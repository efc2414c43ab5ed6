// Hears that something was put into the outbox, on a connection of its own, from whatever process.

import pg from 'pg'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { DatabaseAddress } from './address.ts'
import { CONNECT_TIMEOUT_MS, KEEP_ALIVE_AFTER_MS } from './database.ts'

/** As the trigger on the outbox names it. */
const CHANNEL = 'outrider_outbox'
/** Without a connection it tries again after so long. */
const RETRY_MS: DurationMs = SECOND_MS
/** Of a wait that needs no more; without a reason the runtime would make an error each time, with its stack. */
const OVER = 'over'

export class OutboxEar {
  readonly #address: DatabaseAddress
  readonly #clock: Clock
  #client: pg.Client | null = null
  #isDeaf = true
  #triedMs: DurationMs = Number.NEGATIVE_INFINITY
  /** Something was put since the last wait ended. */
  #heard = false
  #wake: (() => void) | null = null
  #closed = false

  constructor({ address, clock }: { readonly address: DatabaseAddress; readonly clock: Clock }) {
    this.#address = address
    this.#clock = clock
  }

  /** False while nothing would be heard: whoever waits must look by itself. */
  async listens(): Promise<boolean> {
    const nowMs = this.#clock.monotonicMs()
    if (this.#isDeaf && !this.#closed && nowMs - this.#triedMs >= RETRY_MS) {
      this.#triedMs = nowMs
      await this.#connect()
    }
    return !this.#isDeaf
  }

  /** Resolves once something was put since the last wait ended, after `maxWaitMs`, or on abort. */
  async wait(maxWaitMs: DurationMs, signal: AbortSignal): Promise<void> {
    if (!this.#heard && !signal.aborted) {
      const over = new AbortController()
      const end = (): void => over.abort(OVER)
      this.#wake = end
      signal.addEventListener('abort', end, { once: true })
      await this.#clock.sleep(maxWaitMs, over.signal)
      signal.removeEventListener('abort', end)
      this.#wake = null
    }
    this.#heard = false
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#client?.end().catch(() => undefined)
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      ...this.#address,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
      application_name: 'outrider',
    })
    const lose = (): void => {
      if (this.#client !== client) return
      this.#client = null
      this.#isDeaf = true
      client.end().catch(() => undefined)
      this.#hear()
    }
    client.on('error', lose)
    client.on('end', lose)
    client.on('notification', () => this.#hear())
    this.#client = client
    try {
      await client.connect()
      await client.query(`LISTEN ${CHANNEL}`)
      this.#isDeaf = false
      // What was put before it listened.
      this.#hear()
    } catch {
      // Whoever waits looks by itself; what is wrong with the database it hears from its own questions.
      lose()
    }
  }

  #hear(): void {
    this.#heard = true
    this.#wake?.()
  }
}
