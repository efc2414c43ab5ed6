// The contract of rule stores against a real server.

import { suitePostgres, type TestPostgres } from '../../../test/postgres-server.ts'
import { ruleStoreContract } from '../../ports/rule-store.contract.ts'
import { createRuleStore } from './rule-store.ts'

let shared: Promise<TestPostgres> | null = null

ruleStoreContract('PostgreSQL', async () => {
  shared ??= suitePostgres()
  return createRuleStore((await shared).database)
})
