// Events that were refused, as they are kept in Postgres.

import type { Database, SqlRow } from '../ports/database.ts'
import { Conditions } from '../ports/sql-conditions.ts'
import { decodeCursor, encodeCursor, pageOf } from './cursor.ts'
import { epochMsOf, isoOf, isoOrNull, textOrNull } from './sql-values.ts'
import type { OpenRange } from './validation.ts'

export interface DeadLetterFilter extends OpenRange {
  readonly tenantId: string
  readonly topic: string | undefined
  readonly code: string | undefined
}

/** Newest first. */
export async function deadLetterPage(
  database: Database,
  filter: DeadLetterFilter,
  page: { readonly limit: number; readonly cursor: string | undefined },
) {
  const conditions = new Conditions().add('tenant_id = $', filter.tenantId)
  if (filter.topic !== undefined) conditions.add('topic = $', filter.topic)
  if (filter.code !== undefined) conditions.add('code = $', filter.code)
  if (filter.fromMs !== undefined) conditions.add('received_at >= $', new Date(filter.fromMs))
  if (filter.toMs !== undefined) conditions.add('received_at < $', new Date(filter.toMs))
  if (page.cursor !== undefined) {
    const [atMs = 0, id = ''] = decodeCursor('dead-letters', ['number', 'string'], page.cursor)
    const receivedAt = conditions.parameter(new Date(Number(atMs)))
    conditions.addText(
      `(received_at, id) < (${receivedAt}::timestamptz, ${conditions.parameter(id)}::uuid)`,
    )
  }
  const rows = await database.query(
    `select id, topic, received_at, door, code, message, path, raw, raw_encoding,
       log_topic, log_partition, log_offset, replayed_at
     from dead_letter ${conditions.where}
     order by received_at desc, id desc limit ${conditions.parameter(page.limit + 1)}`,
    conditions.parameters,
  )
  const cut = pageOf(rows, page.limit, (row) =>
    encodeCursor('dead-letters', [epochMsOf(row.received_at), String(row.id)]),
  )
  return { items: cut.rows.map(documentOf), next: cut.next }
}

function documentOf(row: SqlRow) {
  return {
    id: String(row.id),
    topic: String(row.topic),
    receivedAt: isoOf(row.received_at),
    door: String(row.door),
    reason: {
      code: String(row.code),
      message: String(row.message),
      path: String(row.path),
    },
    raw: String(row.raw),
    rawEncoding: textOrNull(row.raw_encoding) ?? 'text',
    position:
      row.log_topic == null
        ? null
        : {
            topic: String(row.log_topic),
            partition: Number(row.log_partition),
            offset: Number(row.log_offset),
          },
    replayedAt: isoOrNull(row.replayed_at),
  }
}
