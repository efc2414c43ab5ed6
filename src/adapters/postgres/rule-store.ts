// Rules that operators write, and the versions of all rules, in PostgreSQL; and the rule tables as tasks
// read them.

import { PlatformError } from '../../kernel/errors.ts'
import type { Database, SqlRow } from '../../ports/database.ts'
import type { ReferenceSource } from '../../ports/reference-source.ts'
import type { RuleStore, RuleVersion } from '../../ports/rule-store.ts'

/** Another process may take the next number at the same moment; the one after it is then tried. */
const MAX_ATTEMPTS = 10
const MAX_VERSIONS = 200

export function createRuleStore(database: Database): RuleStore {
  return {
    async written() {
      const rows = await database.query(
        'SELECT name, text, author, updated_at FROM rule_written ORDER BY name',
      )
      return rows.map((row) => ({
        name: String(row.name),
        text: String(row.text),
        author: String(row.author),
        updatedAtMs: instantOf(row.updated_at),
      }))
    },
    async write({ name, text, author }) {
      await database.query(
        `INSERT INTO rule_written (name, text, author) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET text = excluded.text, author = excluded.author,
           updated_at = now()`,
        [name, text, author],
      )
    },
    async erase(name) {
      const rows = await database.query('DELETE FROM rule_written WHERE name = $1 RETURNING name', [
        name,
      ])
      return rows.length > 0
    },
    async register({ name, source, document, author, tag }) {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        const rows = await database.query(
          `WITH newest AS (
             SELECT version, tag FROM rule_version WHERE name = $1 ORDER BY version DESC LIMIT 1
           ), added AS (
             INSERT INTO rule_version (name, version, source, tag, document, author)
             SELECT $1, coalesce((SELECT version FROM newest), 0) + 1, $2, $3, $4::json, $5
             WHERE NOT EXISTS (SELECT FROM newest WHERE tag = $3)
             ON CONFLICT (name, version) DO NOTHING
             RETURNING version
           )
           SELECT version FROM added UNION ALL SELECT version FROM newest WHERE tag = $3`,
          [name, source, tag, JSON.stringify(document), author],
        )
        const version = rows[0]?.version
        if (typeof version === 'number') return version
      }
      throw new PlatformError(
        'database-unavailable',
        `Cannot register a version of rule ${name}: other processes were quicker ${MAX_ATTEMPTS} times.`,
        { retry: 'later' },
      )
    },
    async versions(name) {
      const rows = await database.query(
        `SELECT name, version, source, document, author, created_at FROM rule_version
         WHERE name = $1 ORDER BY version DESC LIMIT ${MAX_VERSIONS}`,
        [name],
      )
      return rows.map(versionOf)
    },
    async newest() {
      const rows = await database.query(
        `SELECT DISTINCT ON (name) name, version, source, document, author, created_at
         FROM rule_version ORDER BY name, version DESC`,
      )
      return rows.map(versionOf)
    },
  }
}

/** Tables whose names begin so, as they were registered last, for tasks to take over. */
export function registeredTables(database: Database, prefix: string): ReferenceSource {
  return {
    async load() {
      const rows = await database.query(
        `SELECT DISTINCT ON (name) name, tag, content FROM reference_version
         WHERE starts_with(name, $1) ORDER BY name, version DESC`,
        [prefix],
      )
      const documents = rows.map((row) => ({
        name: String(row.name),
        tag: String(row.tag),
        content: row.content,
      }))
      return { documents, problems: [] }
    },
  }
}

function versionOf(row: SqlRow): RuleVersion {
  return {
    name: String(row.name),
    version: Number(row.version),
    source: String(row.source),
    document: row.document,
    author: String(row.author),
    createdAtMs: instantOf(row.created_at),
  }
}

function instantOf(value: unknown): number {
  return value instanceof Date ? value.getTime() : 0
}
