// The archive of any topic, read by its own definition: its columns become the fields of the event again.

import type { ArchiveColumn } from '../ports/archive.ts'
import type { Database, SqlRow } from '../ports/database.ts'
import { Conditions } from '../ports/sql-conditions.ts'
import { decodeCursor, encodeCursor, pageOf } from './cursor.ts'
import type { ArchivedTopic } from './options.ts'
import { epochMsOf, isoOf, isoOrNull, numberOrNull, textOrNull } from './sql-values.ts'
import type { OpenRange } from './validation.ts'

const BATCH_ROWS = 1_000

export interface HistoryFilter extends OpenRange {
  readonly tenantId: string
  readonly entity: string | undefined
  readonly order: 'asc' | 'desc'
  readonly duplicates: boolean
}

export type EventDocument = Readonly<Record<string, unknown>>

const META_COLUMNS = ['log_partition', 'log_offset', 'received_at', 'event_id', 'flags']

export async function historyPage(
  database: Database,
  topic: ArchivedTopic,
  filter: HistoryFilter,
  page: { readonly limit: number; readonly cursor: string | undefined },
) {
  const conditions = conditionsOf(topic, filter)
  const tag = `${topic.name}/${filter.order}`
  if (page.cursor !== undefined) {
    const [atMs = 0, partition = 0, offset = 0] = decodeCursor(
      tag,
      ['number', 'number', 'number'],
      page.cursor,
    )
    const after = [
      `${conditions.parameter(new Date(Number(atMs)))}::timestamptz`,
      `${conditions.parameter(partition)}::int`,
      `${conditions.parameter(offset)}::bigint`,
    ].join(', ')
    const comparison = filter.order === 'asc' ? '>' : '<'
    conditions.addText(`(${orderColumns(topic).join(', ')}) ${comparison} (${after})`)
  }
  const limit = conditions.parameter(page.limit + 1)
  const sql = `${selectOf(topic, filter, conditions)} limit ${limit}`
  const rows = await database.query(sql, conditions.parameters)
  const cut = pageOf(rows, page.limit, (row) =>
    encodeCursor(tag, [
      epochMsOf(row[topic.archive.recordedAtColumn]),
      Number(row.log_partition),
      Number(row.log_offset),
    ]),
  )
  return { items: cut.rows.map((row) => eventDocument(topic, row)), next: cut.next }
}

/** Everything that the filter lets through, or its first `limit`, batch by batch. */
export async function* historyStream(
  database: Database,
  topic: ArchivedTopic,
  filter: HistoryFilter,
  limit: number | undefined,
): AsyncIterable<readonly EventDocument[]> {
  const conditions = conditionsOf(topic, filter)
  const select = selectOf(topic, filter, conditions)
  const sql = limit === undefined ? select : `${select} limit ${conditions.parameter(limit)}`
  const batches = database.stream(sql, conditions.parameters, { batchRows: BATCH_ROWS })
  for await (const rows of batches) yield rows.map((row) => eventDocument(topic, row))
}

/** The event at one position; undefined where it is not archived (yet). */
export async function archivedEvent(
  database: Database,
  topic: ArchivedTopic,
  at: { readonly partition: number; readonly offset: number; readonly tenantId: string },
): Promise<EventDocument | undefined> {
  const conditions = new Conditions()
    .add('tenant_id = $', at.tenantId)
    .add('log_partition = $', at.partition)
    .add('log_offset = $', at.offset)
  const sql = `select ${columnsOf(topic).join(', ')} from ${topic.archive.name} ${conditions.where}`
  const [row] = await database.query(sql, conditions.parameters)
  return row === undefined ? undefined : eventDocument(topic, row)
}

/** Names of the fields of a document, in order. */
export function fieldNames(topic: ArchivedTopic): readonly string[] {
  return columnsOf(topic).map(fieldName)
}

/** `temperature_c` is `temperatureC`; what the archive prefixes with `log_` goes without it. */
function fieldName(column: string): string {
  return column.replace(/^log_/, '').replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase())
}

function columnsOf(topic: ArchivedTopic): readonly string[] {
  return [...topic.archive.columns.map((column) => column.name), ...META_COLUMNS]
}

function orderColumns(topic: ArchivedTopic): readonly string[] {
  return [topic.archive.recordedAtColumn, 'log_partition', 'log_offset']
}

function conditionsOf(topic: ArchivedTopic, filter: HistoryFilter): Conditions {
  const { entityColumn, recordedAtColumn } = topic.archive
  const conditions = new Conditions().add('tenant_id = $', filter.tenantId)
  if (filter.entity !== undefined) conditions.add(`${entityColumn} = $`, filter.entity)
  if (filter.fromMs !== undefined) {
    conditions.add(`${recordedAtColumn} >= $`, new Date(filter.fromMs))
  }
  if (filter.toMs !== undefined) conditions.add(`${recordedAtColumn} < $`, new Date(filter.toMs))
  if (!filter.duplicates) conditions.addText(`coalesce('duplicate' <> all (flags), true)`)
  return conditions
}

function selectOf(topic: ArchivedTopic, filter: HistoryFilter, conditions: Conditions): string {
  const order = orderColumns(topic).map((column) => `${column} ${filter.order}`)
  const columns = columnsOf(topic).join(', ')
  return `select ${columns} from ${topic.archive.name} ${conditions.where} order by ${order.join(', ')}`
}

function eventDocument(topic: ArchivedTopic, row: SqlRow): EventDocument {
  const document: Record<string, unknown> = {}
  for (const column of topic.archive.columns) {
    document[fieldName(column.name)] = fieldValue(column, row[column.name])
  }
  document.partition = Number(row.log_partition)
  document.offset = Number(row.log_offset)
  document.receivedAt = isoOf(row.received_at)
  document.eventId = textOrNull(row.event_id)
  document.flags = row.flags ?? []
  return document
}

function fieldValue(column: ArchiveColumn, value: unknown): unknown {
  switch (column.type) {
    case 'timestamptz':
      return isoOrNull(value)
    case 'int8':
    case 'int4':
    case 'float8':
      return numberOrNull(value)
    case 'numeric':
    case 'text':
      return textOrNull(value)
    case 'bool':
    case 'jsonb':
      return value ?? null
  }
}
