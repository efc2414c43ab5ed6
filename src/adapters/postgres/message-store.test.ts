import { after } from 'node:test'
import { suitePostgres } from '../../../test/postgres-server.ts'
import { describeMessageStore } from '../../ports/message-store.contract.ts'
import { createPool } from './database.ts'
import { createMessageStore } from './message-store.ts'

const pools: { end(): Promise<void> }[] = []
after(async () => {
  for (const pool of pools) await pool.end()
})

describeMessageStore('PostgreSQL', async () => {
  const { address, database } = await suitePostgres()
  const [pool, otherPool] = [
    createPool({ address, maxConnections: 3, isPipelined: true }),
    createPool({ address, maxConnections: 3 }),
  ]
  pools.push(pool, otherPool)
  return {
    store: createMessageStore(pool),
    other: createMessageStore(otherPool),
    async prefer(tenantId, to, { zone, quietFrom, quietTo, refused }) {
      await database.query(
        `INSERT INTO contact_preference (tenant_id, address, zone, quiet_from, quiet_to, refused, updated_by)
         VALUES ($1, $2, $3, $4, $5, $6, 'test')`,
        [tenantId, to, zone, quietFrom, quietTo, refused],
      )
    },
    async stored(id) {
      const [row] = await database.query(
        `SELECT status, attempts, reason, group_id, ended_at
         FROM message WHERE id = $1`,
        [id],
      )
      if (row === undefined) return undefined
      return {
        status: String(row.status),
        attempts: Number(row.attempts),
        reason: row.reason === null ? null : String(row.reason),
        groupId: row.group_id === null ? null : String(row.group_id),
        hasEnded: row.ended_at !== null,
      }
    },
    async asked() {
      const rows = await database.query('SELECT id, payload FROM outbox')
      return rows.map(({ id, payload }) => ({ id: String(id), payload }))
    },
  }
})
