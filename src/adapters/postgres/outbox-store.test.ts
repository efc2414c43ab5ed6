import { after } from 'node:test'
import { suitePostgres } from '../../../test/postgres-server.ts'
import { describeOutbox } from '../../ports/outbox.contract.ts'
import { createPool } from './database.ts'
import { createOutbox } from './outbox-store.ts'

const pools: { end(): Promise<void> }[] = []
after(async () => {
  for (const pool of pools) await pool.end()
})

describeOutbox('PostgreSQL', async () => {
  const { address, database } = await suitePostgres()
  const pool = createPool({ address, maxConnections: 3 })
  pools.push(pool)
  return {
    outbox: createOutbox(pool),
    nowMs: () => Date.now(),
    async write(effects) {
      for (const { id, kind, tenantId, payload, notBeforeMs } of effects) {
        await database.query(
          `INSERT INTO outbox (id, kind, tenant_id, payload, not_before)
           VALUES ($1, $2, $3, $4::jsonb, coalesce($5, now()))`,
          [
            ...[id, kind, tenantId, JSON.stringify(payload)],
            notBeforeMs === undefined ? null : new Date(notBeforeMs),
          ],
        )
      }
    },
    async age(executorId) {
      await database.query(
        "UPDATE work_executor SET seen_at = seen_at - interval '1 hour' WHERE id = $1",
        [executorId],
      )
    },
  }
})
