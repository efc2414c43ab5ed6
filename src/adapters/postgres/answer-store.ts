// What is asked by signed links, in PostgreSQL, with the key that signs them.

import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import type { AnswerStore } from '../../ports/answer-store.ts'
import { databaseError } from './failures.ts'
import { storable, storableInstant, storableJson } from './stored-text.ts'

const KEY_BYTES = 32
const PURPOSE = 'answer-links'

export function createAnswerStore(pool: Pick<pg.Pool, 'query'>): AnswerStore {
  let known: Buffer | null = null
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
    async ask({ id, tenantId, workflowId, kind, asked, document, expiresAtMs }) {
      await pool
        .query(
          `INSERT INTO answer_request (id, tenant_id, workflow_id, kind, asked, document, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7) ON CONFLICT (id) DO NOTHING`,
          [
            id,
            tenantId,
            workflowId,
            kind,
            storable(asked),
            storableJson(document),
            storableInstant(expiresAtMs),
          ],
        )
        .catch((cause: unknown) => {
          throw databaseError('Cannot keep what is asked', cause)
        })
    },
  }
}
