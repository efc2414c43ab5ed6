// The database as the caller of the request at hand may see it. Routes ask it like any other; what they leave
// out of a WHERE, or get wrong, the database keeps back.

import { AsyncLocalStorage } from 'node:async_hooks'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { PlatformError } from '../kernel/errors.ts'
import type { Database } from '../ports/database.ts'
import type { TenantDatabase, TenantScope } from '../ports/tenant-database.ts'
import { principalOf } from './access.ts'

const scopes = new AsyncLocalStorage<TenantScope>()

/** From here on, what a request asks is asked within the scope of its caller. */
export function installCallerScope(app: FastifyInstance): void {
  app.addHook('preHandler', (request, _reply, done) => {
    const { principal } = request
    if (principal === null) done()
    else scopes.run({ tenantId: principal.tenantId, merchantId: principal.merchantId }, done)
  })
}

/** Refuses where no caller is known: outside of a request, and on a route that needs no credential. */
export function callersDatabase(database: TenantDatabase): Database {
  return {
    query: async (sql, parameters) => database.within(callersScope()).query(sql, parameters),
    stream: (sql, parameters, options) =>
      database.within(callersScope()).stream(sql, parameters, options),
  }
}

/**
 * What is asked for, as conditions of a query: a merchant asks for its own, whether it says so or not. The policies
 * of the tables let nothing else through, but they are no condition that an index answers.
 */
export function askedScope(
  request: FastifyRequest,
  merchant: string | undefined,
): { readonly tenantId: string; readonly merchantId: string | undefined } {
  const { tenantId, merchantId } = principalOf(request)
  return { tenantId, merchantId: merchant ?? merchantId ?? undefined }
}

/** For what a caller may know though its rows are not theirs; whoever calls this has seen to that. */
export function asPlatform<T>(request: FastifyRequest, work: () => Promise<T>): Promise<T> {
  const { tenantId } = principalOf(request)
  return scopes.run({ tenantId, merchantId: null }, work)
}

function callersScope(): TenantScope {
  const scope = scopes.getStore()
  if (scope !== undefined) return scope
  throw new PlatformError(
    'invariant-broken',
    'The database was asked through the API, and it is not known for whom.',
    { retry: 'never' },
  )
}
