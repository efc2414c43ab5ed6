// SQL on behalf of somebody: a transaction as the role that row-level security binds, with settings that say
// who asks. Source: docs/decisions/0025-tenants.md

import pg from 'pg'
import { PlatformError } from '../../kernel/errors.ts'
import type { SqlParameter, SqlRow } from '../../ports/database.ts'
import type { TenantDatabase, TenantScope } from '../../ports/tenant-database.ts'
import { type ConnectOptions, createPool, firstWords, streamFrom } from './database.ts'
import { databaseError } from './failures.ts'

const ROLE = 'outrider_api'

export interface PostgresTenantDatabase extends TenantDatabase {
  close(): Promise<void>
}

export function connectTenantDatabase(options: ConnectOptions): PostgresTenantDatabase {
  const pool = createPool(options)
  let bound: boolean | null = null
  /** True where this login may act as the bound role. */
  const isBound = async (client: pg.ClientBase): Promise<boolean> => {
    if (bound !== true) {
      const { rows } = await client.query<{ bound: boolean }>(
        `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1
           AND pg_has_role(current_user, oid, 'MEMBER')) AS bound`,
        [ROLE],
      )
      bound = rows[0]?.bound === true
    }
    return bound
  }
  const begin = async (client: pg.ClientBase, scope: TenantScope, how: string): Promise<void> => {
    if (await isBound(client)) {
      await client.query(
        `BEGIN ${how}; SET LOCAL ROLE ${ROLE};
         SET LOCAL outrider.tenant = ${pg.escapeLiteral(scope.tenantId)};
         SET LOCAL outrider.merchant = ${pg.escapeLiteral(scope.merchantId ?? '')}`,
      )
    } else if (scope.merchantId === null) await client.query(`BEGIN ${how}`)
    else throw notEnforced()
  }
  return {
    within: (scope) => ({
      query: (sql, parameters = []) =>
        inTransaction(pool, { sql, parameters }, (client) => begin(client, scope, '')),
      stream: (sql, parameters, { batchRows }) =>
        streamFrom(pool, { sql, parameters, batchRows }, (client) =>
          begin(client, scope, 'READ ONLY'),
        ),
    }),
    close: () => pool.end(),
  }
}

async function inTransaction(
  pool: pg.Pool,
  { sql, parameters }: { readonly sql: string; readonly parameters: readonly SqlParameter[] },
  begin: (client: pg.ClientBase) => Promise<void>,
): Promise<readonly SqlRow[]> {
  const tried = `Cannot run "${firstWords(sql)}"`
  const client = await pool.connect().catch((cause: unknown) => {
    throw databaseError(tried, cause)
  })
  let ended = false
  try {
    await begin(client)
    const { rows } = await client.query<SqlRow>(sql, [...parameters])
    await client.query('COMMIT')
    ended = true
    return rows
  } catch (cause) {
    ended = await client.query('ROLLBACK').then(
      () => true,
      () => false,
    )
    throw cause instanceof PlatformError ? cause : databaseError(tried, cause)
  } finally {
    // Where it is not known how the transaction ended, the connection is not used again.
    client.release(!ended)
  }
}

function notEnforced(): PlatformError {
  return new PlatformError(
    'tenancy-not-enforced',
    `The database does not keep merchants apart: this login may not act as the role ${ROLE}. As a superuser: CREATE ROLE ${ROLE} NOLOGIN; GRANT ${ROLE} TO the login of OUTRIDER_DATABASE_URL; then restart.`,
    { retry: 'never' },
  )
}
