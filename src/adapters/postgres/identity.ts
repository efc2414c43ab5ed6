// Tells one database from every other, a restored copy included: what lies elsewhere for a database, such as
// live views, must not be taken for that of another.

import { createHash } from 'node:crypto'
import type { Database } from '../../ports/database.ts'

const LENGTH = 12

export async function databaseIdentity(database: Database): Promise<string> {
  const [row] = await database.query(
    `SELECT (SELECT system_identifier FROM pg_control_system()) AS server, oid AS database
     FROM pg_database WHERE datname = current_database()`,
  )
  return createHash('sha256')
    .update(`${row?.server}/${row?.database}`)
    .digest('base64url')
    .slice(0, LENGTH)
}
