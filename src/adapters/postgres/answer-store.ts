// What is asked by signed links, in PostgreSQL, with the key that signs them.

import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { together } from '../../kernel/together.ts'
import type { AnswerStore } from '../../ports/answer-store.ts'
import { databaseError } from './failures.ts'
import { storable, storableInstant, storableJson } from './stored-text.ts'

const KEY_BYTES = 32
const PURPOSE = 'answer-links'

export function createAnswerStore(pool: Pick<pg.Pool, 'query'>): AnswerStore {
  let known: Buffer | null = null
  const ask = together(async (requests: readonly Parameters<AnswerStore['ask']>[0][]) => {
    await pool
      .query(
        `INSERT INTO answer_request (id, tenant_id, workflow_id, kind, asked, document, expires_at)
         SELECT id, tenant_id, workflow_id, kind, asked, document::jsonb, expires_at
         FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
           AS request (id, tenant_id, workflow_id, kind, asked, document, expires_at)
         ORDER BY id ON CONFLICT (id) DO NOTHING`,
        [
          requests.map(({ id }) => id),
          requests.map(({ tenantId }) => tenantId),
          requests.map(({ workflowId }) => workflowId),
          requests.map(({ kind }) => kind),
          requests.map(({ asked }) => storable(asked)),
          requests.map(({ document }) => storableJson(document)),
          requests.map(({ expiresAtMs }) => storableInstant(expiresAtMs)),
        ],
      )
      .catch((cause: unknown) => {
        throw databaseError('Cannot keep what is asked', cause)
      })
    return requests
  })
  return {
    async signingKey() {
      if (known !== null) return known
      try {
        // The first one to come makes it; everybody reads it.
        await pool.query(
          'INSERT INTO signing_key (purpose, key) VALUES ($1, $2) ON CONFLICT (purpose) DO NOTHING',
          [PURPOSE, randomBytes(KEY_BYTES)],
        )
        const { rows } = await pool.query<{ key: Buffer }>(
          'SELECT key FROM signing_key WHERE purpose = $1',
          [PURPOSE],
        )
        if (rows[0] === undefined) throw new Error('It was not there after it was written.')
        known = rows[0].key
        return known
      } catch (cause) {
        throw databaseError('Cannot read the key of answer links', cause)
      }
    },
    async ask(request) {
      await ask(request)
    },
  }
}
