// A pool of connections as the Database port: queries, and answers too large for memory batch by batch.

import pg from 'pg'
import { PlatformError } from '../../kernel/errors.ts'
import { type DurationMs, SECOND_MS } from '../../kernel/time.ts'
import type { Database, SqlParameter, SqlRow } from '../../ports/database.ts'
import type { DatabaseAddress } from './address.ts'
import { databaseError } from './failures.ts'

export const MAX_QUERY_CONNECTIONS = 8
/** A question that takes longer is given up, so that one reader can't hold the pool for ever. */
export const STATEMENT_TIMEOUT_MS: DurationMs = 60 * SECOND_MS
const CONNECT_TIMEOUT_MS: DurationMs = 5 * SECOND_MS
/** Silence on a connection after which the system asks whether the other side is still there. */
const KEEP_ALIVE_AFTER_MS: DurationMs = 10 * SECOND_MS

export interface PostgresDatabase extends Database {
  close(): Promise<void>
}

export interface ConnectOptions {
  readonly address: DatabaseAddress
  readonly maxConnections?: number
  readonly statementTimeoutMs?: DurationMs
  /**
   * How long to wait for an answer before the connection is given up: for a server that can't even
   * end a statement. Nothing: wait as long as the connection lasts.
   */
  readonly answerTimeoutMs?: DurationMs
  /**
   * A commit does not wait for the disk: a crash of the server may take the last ones with it, but never one and
   * not those after it. For what may be done again.
   */
  readonly isRepeatable?: boolean
  /** What is asked of one connection goes out at once, without waiting for earlier answers. No cursors, no COPY. */
  readonly isPipelined?: boolean
}

export function createPool(options: ConnectOptions): pg.Pool {
  const pool = new pg.Pool({
    ...options.address,
    max: options.maxConnections ?? MAX_QUERY_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS,
    ...(options.answerTimeoutMs === undefined ? {} : { query_timeout: options.answerTimeoutMs }),
    ...(options.isPipelined === true ? { pipeline: true } : {}),
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    options: `-c timezone=UTC${options.isRepeatable === true ? ' -c synchronous_commit=off' : ''}`,
    application_name: 'outrider',
  })
  // An idle connection that the server closes is no failure: the next query opens another.
  // One that breaks while it is in use tells its query so; the event itself must not end the thread.
  pool.on('connect', (client) => client.on('error', () => undefined))
  pool.on('error', () => undefined)
  return pool
}

export function connectDatabase(options: ConnectOptions): PostgresDatabase {
  const pool = createPool(options)
  return { ...databaseOf(pool), close: () => pool.end() }
}

/** The port on a pool that somebody else opened, and closes. */
export function databaseOf(pool: pg.Pool): Database {
  return {
    async query(sql, parameters = []) {
      try {
        return (await pool.query<SqlRow>(sql, [...parameters])).rows
      } catch (cause) {
        throw databaseError(`Cannot run "${firstWords(sql)}"`, cause)
      }
    },
    stream: (sql, parameters, { batchRows }) =>
      streamFrom(pool, { sql, parameters, batchRows }, (client) => client.query('BEGIN READ ONLY')),
  }
}

/** Statements of a store on its own pool; what it tried is said where one fails. */
export function queryOf(
  pool: pg.Pool,
): (
  tried: string,
  sql: string,
  parameters: readonly unknown[],
) => Promise<pg.QueryResult<Record<string, unknown>>> {
  return async (tried, sql, parameters) =>
    pool.query<Record<string, unknown>>(sql, [...parameters]).catch((cause: unknown) => {
      throw databaseError(tried, cause)
    })
}

/** Rows of one statement, read by a cursor in a transaction that the caller begins. */
export async function* streamFrom(
  pool: pg.Pool,
  {
    sql,
    parameters,
    batchRows,
  }: {
    readonly sql: string
    readonly parameters: readonly SqlParameter[]
    readonly batchRows: number
  },
  begin: (client: pg.ClientBase) => Promise<unknown>,
): AsyncIterable<readonly SqlRow[]> {
  const tried = `Cannot read "${firstWords(sql)}"`
  const client = await pool.connect().catch((cause: unknown) => {
    throw databaseError(tried, cause)
  })
  let ended = false
  try {
    await begin(client)
    await client.query('SET LOCAL statement_timeout = 0')
    await client.query({
      text: `DECLARE rows NO SCROLL CURSOR FOR ${sql}`,
      values: [...parameters],
    })
    for (;;) {
      const { rows } = await client.query<SqlRow>(`FETCH ${Math.trunc(batchRows)} FROM rows`)
      if (rows.length > 0) yield rows
      if (rows.length < batchRows) break
    }
    await client.query('COMMIT')
    ended = true
  } catch (cause) {
    throw cause instanceof PlatformError ? cause : databaseError(tried, cause)
  } finally {
    // After an early end the transaction is still open: the connection is not used again.
    client.release(!ended)
  }
}

/** Of a statement, for messages. */
export function firstWords(sql: string): string {
  return sql.trim().replaceAll(/\s+/g, ' ').slice(0, 60)
}
