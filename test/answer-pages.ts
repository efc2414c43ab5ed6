// The pages where people answer by signed links, over HTTP, on a real database whose signing key is known.

import type { TestContext } from 'node:test'
import type { Database } from '../src/ports/database.ts'
import { startApiServer } from './api-server.ts'
import { testPostgres } from './postgres-server.ts'

export const ANSWER_KEY = Buffer.alloc(32, 7)

export async function startAnswerPages(
  t: TestContext,
): Promise<{ readonly database: Database; readonly url: string }> {
  const { database } = await testPostgres(t)
  const server = await startApiServer({ database })
  t.after(() => server.close())
  await database.query(
    "INSERT INTO signing_key (purpose, key) VALUES ('answer-links', decode($1, 'hex'))",
    [ANSWER_KEY.toString('hex')],
  )
  return { database, url: server.url }
}
