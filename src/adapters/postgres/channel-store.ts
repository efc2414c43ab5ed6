// Channels in PostgreSQL.

import { type ChannelStore, MAX_STORED_CHANNELS } from '../../ports/channel-store.ts'
import type { Database } from '../../ports/database.ts'
import { storable, storableJson } from './stored-text.ts'

export function createChannelStore(database: Pick<Database, 'query'>): ChannelStore {
  return {
    async list() {
      const rows = await database.query(
        'SELECT name, document, updated_at, updated_by FROM channel ORDER BY name LIMIT $1',
        [MAX_STORED_CHANNELS],
      )
      return rows.map((row) => ({
        name: String(row.name),
        document: row.document,
        updatedAtMs: row.updated_at instanceof Date ? row.updated_at.getTime() : 0,
        updatedBy: String(row.updated_by),
      }))
    },
    async save({ name, document, updatedBy }) {
      const rows = await database.query(
        `INSERT INTO channel (name, document, updated_by)
         SELECT $1, $2::jsonb, $3
         WHERE (SELECT count(*) FROM channel) < $4 OR EXISTS (SELECT FROM channel WHERE name = $1)
         ON CONFLICT (name) DO UPDATE SET document = excluded.document, updated_at = now(),
           updated_by = excluded.updated_by
         RETURNING name`,
        [name, storableJson(document), storable(updatedBy), MAX_STORED_CHANNELS],
      )
      return rows.length > 0
    },
    async remove(name) {
      const rows = await database.query('DELETE FROM channel WHERE name = $1 RETURNING name', [
        name,
      ])
      return rows.length > 0
    },
  }
}
