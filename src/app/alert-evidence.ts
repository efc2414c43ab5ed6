// What an alert rests on beside its events: the reference tables that its task saw when it opened, as the
// journal has it, and the rows of them that belong to its entity.

import type { AlertEvidence, ReferenceRow } from '../api/alert-evidence.ts'
import type { Database } from '../ports/database.ts'
import type { ReferenceStore } from '../ports/reference-source.ts'
import { isRuleTable } from '../rules/rule-source.ts'
import type { Settings } from './settings.ts'
import { allDomains, topicName } from './topics.ts'

export function createAlertEvidence(options: {
  readonly settings: Settings
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

  return {
    async referenceRows({ topic, partition, offset }, event) {
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
          tables.set(name, await references.load(name, version))
        }
        return domain
          .referenceRows(event, (name) => tables.get(name))
          .map((found): ReferenceRow => ({ ...found, version: versions.get(found.table) ?? null }))
      }
      return []
    },
  }
}
