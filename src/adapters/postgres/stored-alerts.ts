// Alerts as they were last committed: those that are open fill live views that lost theirs, and those that
// nobody confirmed are told again.

import type pg from 'pg'
import type { Alert } from '../../ports/alert.ts'
import type { Database } from '../../ports/database.ts'

const BATCH_ROWS = 1_000

/** A document of `alert_transition`: the alert with its times as ISO 8601. */
type StoredAlert = Omit<Alert, 'startsAtMs' | 'endsAtMs' | 'updatedAtMs' | 'receivedAtMs'> & {
  readonly startsAt: string
  readonly endsAt: string | null
  readonly updatedAt: string
  readonly receivedAt: string
}

/** Newest revision of each, batch by batch. Rejects with `database-unavailable` (retry later). */
export async function* openAlerts(database: Database): AsyncIterable<readonly Alert[]> {
  const rows = database.stream(
    `SELECT document FROM alert JOIN alert_transition AS newest
       ON newest.alert_id = alert.id AND newest.revision = alert.revision
     WHERE alert.status <> 'resolved' ORDER BY alert.starts_at, alert.id`,
    [],
    { batchRows: BATCH_ROWS },
  )
  for await (const batch of rows) yield batch.map((row) => alertFrom(row.document as StoredAlert))
}

/** Newest revision of each that is recorded, the oldest first. */
export async function newestOf(
  client: pg.ClientBase,
  ids: readonly string[],
): Promise<readonly Alert[]> {
  const { rows } = await client.query<{ document: StoredAlert }>(
    `SELECT document FROM alert JOIN alert_transition AS newest
       ON newest.alert_id = alert.id AND newest.revision = alert.revision
     WHERE alert.id = ANY ($1) ORDER BY alert.updated_at, alert.id`,
    [ids],
  )
  return rows.map(({ document }) => alertFrom(document))
}

function alertFrom({ startsAt, endsAt, updatedAt, receivedAt, ...rest }: StoredAlert): Alert {
  return {
    ...rest,
    startsAtMs: Date.parse(startsAt),
    endsAtMs: endsAt === null ? null : Date.parse(endsAt),
    updatedAtMs: Date.parse(updatedAt),
    receivedAtMs: Date.parse(receivedAt),
  }
}
