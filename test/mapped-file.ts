// A file of somebody else's through a built-in mapping, row by row as the import reads it, and what came of
// it through the tasks of its topic, in memory.

import { basename } from 'node:path'
import { domains } from '../src/domains/registry.ts'
import { openBytes } from '../src/doors/import/file-bytes.ts'
import { openRows } from '../src/doors/import/rows.ts'
import { compileMapping, type Mapping } from '../src/doors/mapping.ts'
import { findMapping } from '../src/doors/mapping-library.ts'
import { showIssue } from '../src/doors/mapping-text.ts'
import { partitionOf } from '../src/kernel/partitioner.ts'
import type { Alert } from '../src/ports/alert.ts'
import type { DeadLetter, WindowResult } from '../src/ports/checkpoint-store.ts'
import type { LogRecord } from '../src/ports/log.ts'
import { NO_INPUTS } from '../src/streams/batch.ts'
import type { AnyPipeline } from '../src/streams/pipeline.ts'
import { Task } from '../src/streams/task.ts'
import type { StreamEvent, TopicDefinition } from '../src/streams/topic.ts'

export interface MappedFile {
  readonly topic: TopicDefinition<StreamEvent>
  /** As the door would be given them, each with the number of its row. */
  readonly events: readonly { readonly row: number; readonly event: MappedEvent }[]
  readonly skipped: number
  /** Rows that no event came of: refused by the mapping, or by the topic's schema. */
  readonly refused: readonly RefusedRow[]
}

export type MappedEvent = Readonly<Record<string, unknown>>

export interface RefusedRow {
  readonly row: number
  readonly reason: string
  /** What the other fields gave. */
  readonly event: MappedEvent
}

const topics = new Map(
  domains.flatMap(({ pipelines }) => pipelines.map(({ topic }) => [topic.name, topic] as const)),
)

export async function builtInMapping(name: string): Promise<Mapping> {
  const source = await findMapping(name)
  if (!source.ok) throw new Error(source.error)
  const mapping = compileMapping(source.value, topics)
  if (!mapping.ok) throw new Error(mapping.error.map(showIssue).join('\n'))
  return mapping.value
}

export async function mapFile(file: string, mappingName: string): Promise<MappedFile> {
  const mapping = await builtInMapping(mappingName)
  const mapper = mapping.forFile(basename(file))
  if (!mapper.ok) throw new Error(mapper.error)
  const rows = openRows(openBytes(file, process.stdin), { mapping, columns: mapper.value.columns })
  const events: { row: number; event: MappedEvent }[] = []
  const refused: RefusedRow[] = []
  let skipped = 0
  for await (const items of rows.batches) {
    for (const item of items) {
      if (item.kind === 'broken') {
        refused.push({ row: item.number, reason: item.problem, event: {} })
        continue
      }
      const row = item.row.number
      const mapped = mapper.value.map(item.row)
      if (mapped.kind === 'skipped') skipped++
      else if (mapped.kind === 'unmappable') {
        refused.push({ row, reason: `${mapped.field}: ${mapped.message}`, event: mapped.event })
      } else {
        const judged = mapping.topic.parse(mapped.event)
        if (judged.ok) events.push({ row, event: mapped.event })
        else refused.push({ row, reason: judged.error.message, event: mapped.event })
      }
    }
  }
  return { topic: mapping.topic, events, skipped, refused }
}

export interface Processed {
  readonly alerts: readonly Alert[]
  /** The newest result of each window, group, partition and era. */
  readonly windows: readonly WindowResult[]
  readonly deadLetters: readonly DeadLetter[]
  readonly duplicates: number
}

/** One partition after the other, in batches, all arriving at one moment; then the silence after it. */
export function processEvents(
  pipeline: AnyPipeline,
  events: readonly MappedEvent[],
  { partitions = 8, receivedAtMs }: { readonly partitions?: number; readonly receivedAtMs: number },
): Processed {
  const alerts = new Map<string, Alert>()
  const windows = new Map<string, WindowResult>()
  const deadLetters: DeadLetter[] = []
  let duplicates = 0
  const records = Array.from({ length: partitions }, (): LogRecord[] => [])
  for (const event of events) {
    const parsed = pipeline.topic.parse(event)
    const key = parsed.ok ? pipeline.topic.keyOf(parsed.value) : ''
    const list = records[partitionOf(key, partitions)]
    const value = Buffer.from(JSON.stringify(event))
    list?.push({ offset: list.length, key, tenantId: 'default', receivedAtMs, value })
  }
  for (const [partition, list] of records.entries()) {
    const encoder = { pendingBytes: 0, add() {}, take: noChunk }
    const task = new Task({ pipeline, topic: pipeline.topic.name, partition, encoder })
    const batches = [list, []]
    for (const [index, batch] of batches.entries()) {
      const tickMs = index === 0 ? null : receivedAtMs + 3_600_000
      const output = task.process(batch, list.length, { ...NO_INPUTS, tickMs })
      for (const alert of output.alerts) alerts.set(alert.id, alert)
      for (const each of output.windows) {
        windows.set(
          JSON.stringify([partition, each.window, each.era, each.group, each.startMs]),
          each,
        )
      }
      deadLetters.push(...output.deadLetters)
      duplicates += output.counts.duplicates
    }
  }
  return { alerts: [...alerts.values()], windows: [...windows.values()], deadLetters, duplicates }
}

function noChunk() {
  return { table: '', rows: 0, bytes: 0, payload: [] }
}
