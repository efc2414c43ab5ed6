// The contract of reference stores against a real server.

import { suitePostgres, type TestPostgres } from '../../../test/postgres-server.ts'
import { referenceStoreContract } from '../../ports/reference-store.contract.ts'
import { createReferenceStore } from './reference-store.ts'

let shared: Promise<TestPostgres> | null = null

referenceStoreContract('PostgreSQL', async () => {
  shared ??= suitePostgres()
  return createReferenceStore((await shared).database)
})
