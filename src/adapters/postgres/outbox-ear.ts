// Hears that something was put into the outbox, on a connection of its own, from whatever process.

import type pg from 'pg'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { DatabaseAddress } from './address.ts'
import { createPool } from './database.ts'

/** As the trigger on the outbox names it. */
const CHANNEL = 'outrider_outbox'
/** Without a connection it tries again after so long. */
const RETRY_MS: DurationMs = SECOND_MS

export class OutboxEar {
  readonly #clock: Clock
  readonly #pool: pg.Pool
  /** Null while nothing would be heard. */
  #client: pg.PoolClient | null = null
  #triedMs: DurationMs = Number.NEGATIVE_INFINITY
  /** Aborted once something was put since the last wait ended. */
  #news = new AbortController()

  constructor({ address, clock }: { readonly address: DatabaseAddress; readonly clock: Clock }) {
    this.#clock = clock
    this.#pool = createPool({ address, maxConnections: 1 })
  }

  /** False while nothing would be heard: whoever waits must look by itself. */
  async listens(): Promise<boolean> {
    const nowMs = this.#clock.monotonicMs()
    if (this.#client === null && nowMs - this.#triedMs >= RETRY_MS) {
      this.#triedMs = nowMs
      // Whoever waits looks by itself; what is wrong with the database it hears from its own questions.
      await this.#connect().catch(() => undefined)
    }
    return this.#client !== null
  }

  /** Resolves once something was put since the last wait ended, after `maxWaitMs`, or on abort. */
  async wait(maxWaitMs: DurationMs, signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(maxWaitMs, AbortSignal.any([signal, this.#news.signal]))
    this.#news = new AbortController()
  }

  async close(): Promise<void> {
    const client = this.#client
    this.#client = null
    client?.release(true)
    await this.#pool.end()
  }

  async #connect(): Promise<void> {
    const client = await this.#pool.connect()
    const hear = (): void => this.#news.abort()
    client.on('notification', hear)
    client.once('end', () => {
      if (this.#client !== client) return
      this.#client = null
      client.release(true)
      hear()
    })
    try {
      await client.query(`LISTEN ${CHANNEL}`)
    } catch (error) {
      client.release(true)
      throw error
    }
    this.#client = client
    // What was put before it listened.
    hear()
  }
}
