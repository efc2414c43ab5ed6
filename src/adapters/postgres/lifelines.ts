// Lifelines as advisory locks of sessions: the server lets go of them as soon as the connection of whoever held them
// closes, which the operating system of a killed process does at once.

import type pg from 'pg'
import type { DurationMs } from '../../kernel/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Lifelines } from '../../ports/lifelines.ts'
import type { DatabaseAddress } from './address.ts'
import { createPool } from './database.ts'
import { databaseError } from './failures.ts'

/** A name that nobody holds for so long has ended: whoever lives and lost its connection has another by then. */
export const ENDED_AFTER_MS: DurationMs = 1_000
const ANSWER_TIMEOUT_MS: DurationMs = 5_000
/** One key of 64 bits, which never meets the two of 32 bits that stand for tasks. */
const KEY = `hashtextextended('outrider lifeline ' || name, 0)`
/** Shared, so that nobody ever waits for it. */
const HOLD = `SELECT pg_advisory_lock_shared(${KEY}) FROM (SELECT $1::text AS name) AS ours`
const HELD = `SELECT name FROM unnest($1::text[]) AS name
  WHERE ${KEY} IN (
    SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`

export interface LifelinesOptions {
  readonly address: DatabaseAddress
  readonly clock: Clock
}

/** Connects with the first name. */
export function openLifelines(options: LifelinesOptions): Lifelines {
  return new PostgresLifelines(options)
}

class PostgresLifelines implements Lifelines {
  readonly #clock: Clock
  readonly #pool: pg.Pool
  /** The connection that holds our name; another one after it broke. */
  #client: Promise<pg.PoolClient> | null = null
  #name: string | null = null
  /** Who was seen to hold its name on this connection, and since when it does not; null while it does. */
  #seen = new Map<string, DurationMs | null>()
  #closed = false

  constructor({ address, clock }: LifelinesOptions) {
    this.#clock = clock
    this.#pool = createPool({ address, maxConnections: 1, answerTimeoutMs: ANSWER_TIMEOUT_MS })
  }

  async hold(name: string): Promise<void> {
    if (name === this.#name) {
      await this.#connected()
      return
    }
    this.#name = name
    await this.#ask('SELECT pg_advisory_unlock_all()', [])
    await this.#ask(HOLD, [name])
  }

  async ended(names: readonly string[]): Promise<readonly string[]> {
    const rows = await this.#ask(HELD, [names])
    const held = new Set(rows.map(({ name }) => name))
    const nowMs = this.#clock.monotonicMs()
    const seen = new Map<string, DurationMs | null>()
    const ended: string[] = []
    for (const name of names) {
      if (held.has(name)) seen.set(name, null)
      else if (this.#seen.has(name)) {
        const sinceMs = this.#seen.get(name) ?? nowMs
        if (nowMs - sinceMs >= ENDED_AFTER_MS) ended.push(name)
        else seen.set(name, sinceMs)
      }
    }
    this.#seen = seen
    return ended
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const client = await this.#client?.catch(() => undefined)
    client?.release(true)
    await this.#pool.end()
  }

  async #ask(
    sql: string,
    parameters: readonly unknown[],
  ): Promise<readonly { readonly name: string }[]> {
    try {
      const client = await this.#connected()
      const { rows } = await client.query<{ name: string }>(sql, [...parameters])
      return rows
    } catch (cause) {
      throw databaseError('Cannot look at who lives', cause)
    }
  }

  #connected(): Promise<pg.PoolClient> {
    this.#client ??= this.#connect().catch((error: unknown) => {
      this.#client = null
      throw error
    })
    return this.#client
  }

  async #connect(): Promise<pg.PoolClient> {
    const client = await this.#pool.connect()
    // What was seen on the connection before says nothing of who lives now.
    this.#seen = new Map()
    let ended = false
    const end = (): void => {
      if (ended || this.#closed) return
      ended = true
      client.release(true)
      this.#client = null
      // At once: others must see us again before they take us for dead.
      this.#connected().catch(() => undefined)
    }
    client.once('end', end)
    if (this.#name !== null) {
      await client.query(HOLD, [this.#name]).catch((error: unknown) => {
        ended = true
        client.release(true)
        throw error
      })
    }
    return client
  }
}
