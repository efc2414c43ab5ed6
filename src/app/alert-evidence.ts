// What an alert rests on beside its events: the reference tables that its task saw when it opened, as the
// journal has it, and the rows of them that belong to its entity.

import type { AlertEvidence, ReferenceRow } from '../api/alert-evidence.ts'
import type { Database } from '../ports/database.ts'
import type { ReferenceStore } from '../ports/reference-source.ts'
import { isRuleTable } from '../rules/rule-source.ts'
import type { Settings } from './settings.ts'
import { allDomains, topicName } from './topics.ts'

/** Versions of tables that are held; the one looked at longest ago goes first. */
const MAX_KEPT_TABLES = 8

export function createAlertEvidence(options: {
  readonly settings: Pick<Settings, 'topicNames'>
  readonly database: Database
  readonly references: ReferenceStore
}): AlertEvidence {
  const { settings, database, references } = options

  const versionsAt = async (
    pipeline: string,
    { partition, offset }: { readonly partition: number; readonly offset: number },
  ): Promise<ReadonlyMap<string, number>> => {
    const [row] = await database.query(
      `SELECT reference_versions FROM task_journal
       WHERE pipeline = $1 AND log_partition = $2 AND log_offset <= $3
       ORDER BY log_offset DESC, step DESC LIMIT 1`,
      [pipeline, partition, offset],
    )
    const entries = Object.entries(Object(row?.reference_versions))
    return new Map(entries.map(([name, version]) => [name, Number(version)]))
  }

  const loaded = new Map<string, unknown>()
  /** A version never changes. */
  const contentOf = async (name: string, version: number): Promise<unknown> => {
    const key = `${name} ${version}`
    const content = loaded.has(key) ? loaded.get(key) : await references.load(name, version)
    loaded.delete(key)
    loaded.set(key, content)
    for (const [oldest] of loaded) {
      if (loaded.size <= MAX_KEPT_TABLES) break
      loaded.delete(oldest)
    }
    return content
  }

  return {
    async referenceRows({ position: { topic, partition, offset }, value }, event) {
      // Events may leave out what an earlier one said; the alert shows what the rule saw.
      const fields = { ...present(value), ...present(event) }
      for (const domain of allDomains) {
        const pipeline = domain.pipelines.find(
          (each) => topicName(settings, each.topic.name) === topic,
        )
        if (pipeline === undefined || domain.referenceRows === undefined) continue
        const versions = await versionsAt(pipeline.name, { partition, offset })
        const tables = new Map<string, unknown>()
        for (const { name } of domain.referenceTables) {
          const version = versions.get(name)
          if (version === undefined || isRuleTable(name)) continue
          tables.set(name, await contentOf(name, version))
        }
        return domain
          .referenceRows(pipeline.topic.name, fields, (name) => tables.get(name))
          .map((found): ReferenceRow => ({ ...found, version: versions.get(found.table) ?? null }))
      }
      return []
    },
  }
}

function present(fields: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))
}
