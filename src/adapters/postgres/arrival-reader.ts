// Journeys and their appointments for workflows, as they are now.

import type pg from 'pg'
import { together } from '../../kernel/together.ts'
import type { ArrivalFacts, ArrivalReader } from '../../ports/arrival-reader.ts'
import { queryOf } from './database.ts'

export function createArrivalReader(pool: pg.Pool): ArrivalReader {
  const query = queryOf(pool)
  const arrival = together(async (keys: readonly Key[]) => {
    const { rows } = await query('Cannot look appointments up', ARRIVALS, [
      keys.map(({ tenantId }) => tenantId),
      keys.map(({ journeyId }) => journeyId),
    ])
    const arrivals = rows.map(arrivalOf)
    const known = new Map(arrivals.map((each) => [keyOf(each), each]))
    return keys.map((key) => known.get(keyOf(key)))
  })
  return { arrival: (tenantId, journeyId) => arrival({ tenantId, journeyId }) }
}

interface Key {
  readonly tenantId: string
  readonly journeyId: string
}

const keyOf = ({ tenantId, journeyId }: Key): string => JSON.stringify([tenantId, journeyId])

const ARRIVALS = `SELECT journey.tenant_id, journey.journey_id, journey.appointment_id, traveler_email, traveler_name,
    title, place, appointment.starts_at, organizer_email, online_url, eta_p50, eta_p90,
    joined_online_at IS NOT NULL OR arrived_at IS NOT NULL OR status = 'canceled' AS over
  FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[])) AS asked (tenant_id, journey_id)
    JOIN journey USING (tenant_id, journey_id)
    JOIN appointment USING (tenant_id, appointment_id)
    LEFT JOIN arrival USING (tenant_id, journey_id)`

function arrivalOf(row: Readonly<Record<string, unknown>>): ArrivalFacts {
  return {
    tenantId: String(row.tenant_id),
    journeyId: String(row.journey_id),
    appointmentId: String(row.appointment_id),
    title: String(row.title),
    place: textOf(row.place),
    startsAtMs: instantOf(row.starts_at) ?? 0,
    organizerEmail: String(row.organizer_email),
    onlineUrl: textOf(row.online_url),
    travelerEmail: String(row.traveler_email),
    travelerName: textOf(row.traveler_name),
    etaP50Ms: instantOf(row.eta_p50),
    etaP90Ms: instantOf(row.eta_p90),
    over: row.over === true,
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function instantOf(value: unknown): number | null {
  return value instanceof Date ? value.getTime() : null
}
