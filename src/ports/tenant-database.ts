// SQL on behalf of somebody: the database itself keeps back the rows that are not theirs.

import type { Database } from './database.ts'

/** Whose rows are seen. */
export interface TenantScope {
  readonly tenantId: string
  /** Set: only rows of this merchant, of the tables that have merchants; nothing of the others. */
  readonly merchantId: string | null
}

export interface TenantDatabase {
  /**
   * Everything asked through it sees rows of the scope and no others, whatever the SQL says. Rejects with
   * `tenancy-not-enforced` for a merchant where the database has no means to keep rows apart.
   */
  within(scope: TenantScope): Database
}
