// A journey whose traveller will be late, as the tables hold it, with the alert that says so.

import { derivedId } from '../../src/kernel/ids.ts'
import { MINUTE_MS, toIso } from '../../src/kernel/time.ts'
import type { Database } from '../../src/ports/database.ts'

/** Ids of the `name`d case. */
export function lateIds(name: string): { readonly alertId: string; readonly workflowId: string } {
  const alertId = derivedId('alert', name)
  return { alertId, workflowId: derivedId('workflow', alertId, 'late-arrival') }
}

/** Where each case has an organizer of its own; else one has them all. */
export const organizerOf = (name: string): string => `olga-${name}@example.org`
export const travelerOf = (name: string): string => `ada-${name}@example.org`

/** Resolves with the agreed start. */
export async function someoneIsLate(
  database: Database,
  {
    name = '1',
    onlineUrl,
    startsInMs,
    organizerEmail = 'olga@example.org',
  }: {
    readonly name?: string
    readonly onlineUrl: string | null
    readonly startsInMs: number
    readonly organizerEmail?: string
  },
): Promise<string> {
  const startsAt = toIso(Math.ceil((Date.now() + startsInMs) / MINUTE_MS) * MINUTE_MS)
  await database.query(
    `INSERT INTO appointment (tenant_id, appointment_id, title, starts_at, first_starts_at, lat, lon,
       organizer_email, online_url, created_at, updated_at)
     VALUES ('default', 'A-' || $3, 'Quarterly <b>review</b>', $1, $1, -1.29, 36.82, $4, $2,
       now(), now())`,
    [startsAt, onlineUrl, name, organizerEmail],
  )
  await database.query(
    `INSERT INTO journey (tenant_id, journey_id, appointment_id, traveler_email, traveler_name, mode,
       created_at, updated_at)
     VALUES ('default', 'J-' || $1, 'A-' || $1, $2, 'Ada Otieno', 'car', now(), now())`,
    [name, travelerOf(name)],
  )
  await database.query(
    `INSERT INTO alert (id, tenant_id, rule, rule_version, severity, entity_type, entity_id, status,
       starts_at, updated_at, revision, summary, labels, value, peak, event_count, withdrawn, topic,
       log_partition, log_offset, changed_by, received_at)
     VALUES ($1, 'default', 'late-arrival', 1, 'major', 'journey', 'J-' || $2, 'firing', now(), now(), 1, 'late',
       '{"workflow":"late-arrival"}', '{}', '{}', 1, false, 'journeys', 0, 0, '{}', now())`,
    [lateIds(name).alertId, name],
  )
  return startsAt
}
