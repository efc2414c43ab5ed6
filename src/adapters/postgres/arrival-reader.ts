// Journeys and their appointments for workflows, as they are now.

import type pg from 'pg'
import type { ArrivalFacts, ArrivalReader } from '../../ports/arrival-reader.ts'
import { databaseError } from './failures.ts'

export function createArrivalReader(pool: pg.Pool): ArrivalReader {
  return {
    async arrival(tenantId, journeyId) {
      const { rows } = await pool
        .query<Readonly<Record<string, unknown>>>(
          `SELECT tenant_id, journey_id, journey.appointment_id, traveler_email, traveler_name, title, place, appointment.starts_at, organizer_email, online_url, eta_p50, eta_p90,
             joined_online_at IS NOT NULL OR arrived_at IS NOT NULL OR status = 'canceled' AS over
           FROM journey JOIN appointment USING (tenant_id, appointment_id)
             LEFT JOIN arrival USING (tenant_id, journey_id)
           WHERE tenant_id = $1 AND journey_id = $2`,
          [tenantId, journeyId],
        )
        .catch((cause: unknown) => {
          throw databaseError('Cannot look an appointment up', cause)
        })
      return rows[0] === undefined ? undefined : arrivalOf(rows[0])
    },
  }
}

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
