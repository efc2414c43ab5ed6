// Versions of reference tables, numbered and kept, so that a replay finds the one that a batch saw.

import { PlatformError } from '../../kernel/errors.ts'
import type { Database } from '../../ports/database.ts'
import type { ReferenceStore } from '../../ports/reference-source.ts'

/** Another process may take the next number at the same moment; the one after it is then tried. */
const MAX_ATTEMPTS = 10

export function createReferenceStore(database: Database): ReferenceStore {
  return {
    async register({ name, content, tag }) {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        const rows = await database.query(
          `WITH newest AS (
             SELECT version, tag FROM reference_version WHERE name = $1
             ORDER BY version DESC LIMIT 1
           ), added AS (
             INSERT INTO reference_version (name, version, tag, content)
             SELECT $1, coalesce((SELECT version FROM newest), 0) + 1, $2, $3::json
             WHERE NOT EXISTS (SELECT FROM newest WHERE tag = $2)
             ON CONFLICT (name, version) DO NOTHING
             RETURNING version
           )
           SELECT version FROM added UNION ALL SELECT version FROM newest WHERE tag = $2`,
          [name, tag, JSON.stringify(content)],
        )
        const version = rows[0]?.version
        if (typeof version === 'number') return version
      }
      throw new PlatformError(
        'database-unavailable',
        `Cannot register a version of reference table ${name}: other processes were quicker ` +
          `${MAX_ATTEMPTS} times.`,
        { retry: 'later' },
      )
    },
    async newest() {
      const rows = await database.query(
        'SELECT DISTINCT ON (name) name, version, content FROM reference_version ORDER BY name, version DESC',
      )
      return rows.map((row) => ({
        name: String(row.name),
        version: Number(row.version),
        content: row.content,
      }))
    },
    async load(name, version) {
      const rows = await database.query(
        'SELECT content FROM reference_version WHERE name = $1 AND version = $2',
        [name, version],
      )
      if (rows[0] !== undefined) return rows[0].content
      throw new PlatformError('not-found', `Reference table ${name} has no version ${version}.`, {
        retry: 'never',
      })
    },
  }
}
