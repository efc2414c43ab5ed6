// Where appointments and journeys are made and changed: the row first, then the plan that every task of
// journeys hears. Both are said again without harm, so whoever met an error between them says it once more.

import { type EpochMs, toIso } from '../../kernel/time.ts'
import { together } from '../../kernel/together.ts'
import type { Database, SqlRow } from '../../ports/database.ts'
import { type JourneyPlan, modeOf, type PlannedTravelTime, type TravelMode } from './plans.ts'

/** Journeys of one appointment; a further one is refused. */
export const MAX_JOURNEYS_PER_APPOINTMENT = 1_000

export interface AppointmentInput {
  readonly appointmentId: string
  readonly title: string
  readonly startsAtMs: EpochMs
  readonly lat: number
  readonly lon: number
  readonly organizerEmail: string
  readonly onlineUrl: string | null
  readonly place: string | null
}

export interface JourneyInput {
  readonly journeyId: string
  readonly appointmentId: string
  readonly travelerEmail: string
  readonly travelerName: string | null
  readonly mode: TravelMode
}

export const DECISIONS = [
  'link-sent',
  'reschedule-asked',
  'rescheduled',
  'declined',
  'joined-online',
  'escalated',
  'timed-out',
] as const
export type Decision = (typeof DECISIONS)[number]

export interface DecisionInput {
  readonly journeyId: string
  /** The same decision told twice is kept once. */
  readonly decisionId: string
  readonly decision: Decision
  readonly decidedAtMs: EpochMs
  readonly alertId?: string
  readonly workflowId?: string
  readonly detail?: string
}

/** Who asks, and when. */
export interface DeskCall {
  readonly tenantId: string
  readonly nowMs: EpochMs
}

export type Refusal = 'unknown-appointment' | 'unknown-journey' | 'other-appointment' | 'full'

export interface ArrivalDesk {
  /** Makes it, or changes it; journeys to it are estimated anew. */
  saveAppointment(call: DeskCall, input: AppointmentInput): Promise<void>
  /** Makes it, or changes it; a journey never moves to another appointment. */
  saveJourney(call: DeskCall, input: JourneyInput): Promise<Refusal | null>
  /** Another start was agreed; `journeyId` is the one that was late. */
  reschedule(
    call: DeskCall,
    change: {
      readonly appointmentId: string
      readonly startsAtMs: EpochMs
      readonly journeyId?: string
    },
  ): Promise<Refusal | null>
  cancel(call: DeskCall, appointmentId: string): Promise<Refusal | null>
  /** The traveller is there, online: nobody waits for the arrival. */
  joinOnline(call: DeskCall, journeyId: string): Promise<Refusal | null>
  /** Keeps what was decided; changes nothing else. */
  recordDecision(call: DeskCall, decision: DecisionInput): Promise<Refusal | null>
  /** Passes on how long a provider says the rest of the way takes. */
  tellTravelTime(
    call: DeskCall,
    journeyId: string,
    travelTime: PlannedTravelTime,
  ): Promise<Refusal | null>
}

export interface DeskOptions {
  readonly database: Database
  /** Appends plans to their topic; resolves once they are durable. */
  tell(tenantId: string, plans: readonly JourneyPlan[]): Promise<void>
}

export function createArrivalDesk({ database, tell }: DeskOptions): ArrivalDesk {
  const keepDecision = decisionKeeper(database)
  const tellOf = async (
    { tenantId, nowMs }: DeskCall,
    where: { readonly appointmentId?: string; readonly journeyId?: string },
    travelTime: PlannedTravelTime | null = null,
  ): Promise<boolean> => {
    const plans = await plansOf(database, { tenantId, ...where })
    if (plans.length === 0) return false
    await tell(
      tenantId,
      plans.map((row) => planOf(row, nowMs, travelTime)),
    )
    return true
  }
  return {
    async saveAppointment(call, input) {
      await upsertAppointment(database, call, input)
      await tellOf(call, { appointmentId: input.appointmentId })
    },
    async saveJourney(call, input) {
      const refusal = await upsertJourney(database, call, input)
      if (refusal === null) await tellOf(call, { journeyId: input.journeyId })
      return refusal
    },
    async reschedule(call, { appointmentId, startsAtMs, journeyId }) {
      const changed = await changeStart(database, call, { appointmentId, startsAtMs })
      if (!changed) return 'unknown-appointment'
      if (journeyId !== undefined) await markJourney(database, call, journeyId, 'rescheduled_at')
      await tellOf(call, { appointmentId })
      return null
    },
    async cancel(call, appointmentId) {
      const [row] = await database.query(
        `UPDATE appointment SET status = 'canceled', revision = revision + 1, updated_at = $3
         WHERE tenant_id = $1 AND appointment_id = $2 RETURNING 1 AS found`,
        [call.tenantId, appointmentId, new Date(call.nowMs)],
      )
      if (row === undefined) return 'unknown-appointment'
      await tellOf(call, { appointmentId })
      return null
    },
    async joinOnline(call, journeyId) {
      const found = await markJourney(database, call, journeyId, 'joined_online_at')
      if (!found) return 'unknown-journey'
      await tellOf(call, { journeyId })
      return null
    },
    recordDecision: ({ tenantId }, decision) => keepDecision({ ...decision, tenantId }),
    async tellTravelTime(call, journeyId, travelTime) {
      return (await tellOf(call, { journeyId }, travelTime)) ? null : 'unknown-journey'
    },
  }
}

/** The first order said once more does not undo what was agreed since. */
async function upsertAppointment(
  database: Database,
  { tenantId, nowMs }: DeskCall,
  input: AppointmentInput,
): Promise<void> {
  await database.query(
    `INSERT INTO appointment AS known (tenant_id, appointment_id, title, place, starts_at,
       first_starts_at, lat, lon, organizer_email, online_url, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10, $10)
     ON CONFLICT (tenant_id, appointment_id) DO UPDATE SET title = excluded.title,
       place = excluded.place, lat = excluded.lat,
       starts_at = CASE WHEN excluded.starts_at = known.first_starts_at THEN known.starts_at
         ELSE excluded.starts_at END, lon = excluded.lon, organizer_email = excluded.organizer_email,
       online_url = excluded.online_url, updated_at = excluded.updated_at, status = 'planned',
       revision = known.revision + 1`,
    [
      tenantId,
      input.appointmentId,
      input.title,
      input.place,
      new Date(input.startsAtMs),
      input.lat,
      input.lon,
      input.organizerEmail,
      input.onlineUrl,
      new Date(nowMs),
    ],
  )
}

async function upsertJourney(
  database: Database,
  { tenantId, nowMs }: DeskCall,
  input: JourneyInput,
): Promise<Refusal | null> {
  const [about] = await database.query(
    `SELECT (SELECT appointment_id FROM journey WHERE tenant_id = $1 AND journey_id = $3) AS present,
       (SELECT count(*)::int FROM journey WHERE tenant_id = $1 AND appointment_id = $2) AS journeys
     FROM appointment WHERE tenant_id = $1 AND appointment_id = $2`,
    [tenantId, input.appointmentId, input.journeyId],
  )
  if (about === undefined) return 'unknown-appointment'
  if (about.present === null && Number(about.journeys) >= MAX_JOURNEYS_PER_APPOINTMENT) {
    return 'full'
  }
  const [saved] = await database.query(
    `INSERT INTO journey AS known (tenant_id, journey_id, appointment_id, traveler_email,
       traveler_name, mode, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
     ON CONFLICT (tenant_id, journey_id) DO UPDATE SET traveler_email = excluded.traveler_email,
       traveler_name = excluded.traveler_name, mode = excluded.mode, updated_at = excluded.updated_at
       WHERE known.appointment_id = excluded.appointment_id
     RETURNING journey_id`,
    [
      tenantId,
      input.journeyId,
      input.appointmentId,
      input.travelerEmail,
      input.travelerName,
      input.mode,
      new Date(nowMs),
    ],
  )
  return saved === undefined ? 'other-appointment' : null
}

async function changeStart(
  database: Database,
  { tenantId, nowMs }: DeskCall,
  { appointmentId, startsAtMs }: { readonly appointmentId: string; readonly startsAtMs: EpochMs },
): Promise<boolean> {
  const [row] = await database.query(
    `UPDATE appointment SET starts_at = $3, revision = revision + 1, updated_at = $4
     WHERE tenant_id = $1 AND appointment_id = $2 RETURNING 1 AS found`,
    [tenantId, appointmentId, new Date(startsAtMs), new Date(nowMs)],
  )
  return row !== undefined
}

async function markJourney(
  database: Database,
  { tenantId, nowMs }: DeskCall,
  journeyId: string,
  column: 'joined_online_at' | 'rescheduled_at',
): Promise<boolean> {
  const [row] = await database.query(
    `UPDATE journey SET ${column} = coalesce(${column}, $3), updated_at = $3
     WHERE tenant_id = $1 AND journey_id = $2 RETURNING 1 AS found`,
    [tenantId, journeyId, new Date(nowMs)],
  )
  return row !== undefined
}

/** The journey shows the newest; an older one that is told late is only kept. */
function decisionKeeper(
  database: Database,
): (given: DecisionInput & Pick<DeskCall, 'tenantId'>) => Promise<Refusal | null> {
  return together(async (given) => {
    const rows = await database.query(KEEP_DECISIONS, [
      given.map(({ tenantId }) => tenantId),
      given.map(({ journeyId }) => journeyId),
      given.map(({ decisionId }) => decisionId),
      given.map(({ decision }) => decision),
      given.map(({ decidedAtMs }) => toIso(decidedAtMs)),
      given.map(({ alertId = null }) => alertId),
      given.map(({ workflowId = null }) => workflowId),
      given.map(({ detail = null }) => detail),
    ])
    const known = new Set(rows.map((row) => journeyKey(String(row.tenant_id), row.journey_id)))
    return given.map(({ tenantId, journeyId }) =>
      known.has(journeyKey(tenantId, journeyId)) ? null : 'unknown-journey',
    )
  })
}

const journeyKey = (tenantId: string, journeyId: unknown): string =>
  JSON.stringify([tenantId, journeyId])

const KEEP_DECISIONS = `WITH given AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[],
      $6::text[], $7::text[], $8::text[])
      AS g (tenant_id, journey_id, decision_id, decision, decided_at, alert_id, workflow_id, detail)
  ), newest AS (
    SELECT DISTINCT ON (tenant_id, journey_id) tenant_id, journey_id, decision, decided_at FROM given
    ORDER BY tenant_id, journey_id, decided_at DESC
  ), decided AS (
    UPDATE journey SET
      decision = CASE WHEN journey.decided_at IS NULL OR journey.decided_at <= newest.decided_at
        THEN newest.decision ELSE journey.decision END,
      decided_at = greatest(journey.decided_at, newest.decided_at)
    FROM newest WHERE journey.tenant_id = newest.tenant_id AND journey.journey_id = newest.journey_id
    RETURNING journey.tenant_id, journey.journey_id
  ), kept AS (
    INSERT INTO journey_decision (tenant_id, journey_id, decision_id, decision, decided_at, alert_id, workflow_id, detail)
    SELECT given.* FROM given JOIN decided USING (tenant_id, journey_id)
    ON CONFLICT DO NOTHING
  )
  SELECT tenant_id, journey_id FROM decided`

async function plansOf(
  database: Database,
  where: {
    readonly tenantId: string
    readonly appointmentId?: string
    readonly journeyId?: string
  },
): Promise<readonly SqlRow[]> {
  const { tenantId, appointmentId = null, journeyId = null } = where
  return database.query(
    `SELECT journey_id, appointment_id, title, lat, lon, mode,
       (extract(epoch FROM starts_at) * 1000)::float8 AS starts_at_ms,
       online_url IS NOT NULL AS online, joined_online_at IS NOT NULL OR status = 'canceled' AS over
     FROM journey JOIN appointment USING (tenant_id, appointment_id)
     WHERE tenant_id = $1 AND ($2::text IS NULL OR appointment_id = $2)
       AND ($3::text IS NULL OR journey_id = $3)
     ORDER BY journey_id`,
    [tenantId, appointmentId, journeyId],
  )
}

function planOf(row: SqlRow, nowMs: EpochMs, travelTime: PlannedTravelTime | null): JourneyPlan {
  return {
    journeyId: String(row.journey_id),
    recordedAtMs: nowMs,
    eventId: null,
    appointmentId: String(row.appointment_id),
    title: String(row.title),
    startsAtMs: Number(row.starts_at_ms),
    lat: Number(row.lat),
    lon: Number(row.lon),
    mode: modeOf(String(row.mode)),
    online: row.online === true,
    over: row.over === true,
    travelTime,
  }
}
