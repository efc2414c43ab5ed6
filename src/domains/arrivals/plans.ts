// The topic of journey plans: who is to be where, and when. Written by the platform itself whenever an
// appointment or a journey changes, and where a provider says how long the rest of a way takes; every task of
// journeys holds the newest plan of each. Broadcast, so that a change counts from one batch boundary on.

import { type Static, Type } from '@sinclair/typebox'
import { type EpochMs, parseInstant } from '../../kernel/time.ts'
import type { ArchiveTable } from '../../ports/archive.ts'
import { compileParser } from '../../streams/parse.ts'
import type { Pipeline } from '../../streams/pipeline.ts'
import type { StreamEvent, TopicDefinition } from '../../streams/topic.ts'
import { archivingPipeline } from './archiving.ts'

export const TRAVEL_MODES = ['car', 'bicycle', 'foot'] as const
export type TravelMode = (typeof TRAVEL_MODES)[number]

const instant = (description: string) => Type.Union([Type.String(), Type.Number()], { description })
const id = () => Type.String({ minLength: 1, maxLength: 200 })

/** How long a provider says the rest of the way takes, from where the traveller was. */
const travelTimeSchema = Type.Object({
  lat: Type.Number({ minimum: -90, maximum: 90 }),
  lon: Type.Number({ minimum: -180, maximum: 180 }),
  durationS: Type.Number({ minimum: 0 }),
  distanceM: Type.Number({ minimum: 0 }),
  freeFlowS: Type.Union([Type.Number({ minimum: 0 }), Type.Null()]),
  observedAt: instant('When the provider said so'),
  source: Type.String({ minLength: 1, maxLength: 40 }),
})

export const journeyPlanSchema = Type.Object({
  journeyId: id(),
  recordedAt: instant('When it was decided'),
  eventId: Type.Optional(id()),
  appointmentId: id(),
  title: Type.String({ maxLength: 500 }),
  startsAt: instant('Start of the appointment'),
  lat: Type.Number({ minimum: -90, maximum: 90 }),
  lon: Type.Number({ minimum: -180, maximum: 180 }),
  mode: Type.Union(
    TRAVEL_MODES.map((mode) => Type.Literal(mode)),
    { expected: TRAVEL_MODES.join(', ') },
  ),
  online: Type.Boolean({ description: 'There is an online variant' }),
  over: Type.Boolean({ description: 'Nobody needs to arrive any more' }),
  travelTime: Type.Optional(travelTimeSchema),
})

type WirePlan = Static<typeof journeyPlanSchema>

export interface PlannedTravelTime {
  readonly lat: number
  readonly lon: number
  readonly durationS: number
  readonly distanceM: number
  readonly freeFlowS: number | null
  readonly observedAtMs: EpochMs
  readonly source: string
}

export interface JourneyPlan extends StreamEvent {
  readonly journeyId: string
  readonly appointmentId: string
  readonly title: string
  readonly startsAtMs: EpochMs
  readonly lat: number
  readonly lon: number
  readonly mode: TravelMode
  readonly online: boolean
  readonly over: boolean
  readonly travelTime: PlannedTravelTime | null
}

const archive: ArchiveTable<JourneyPlan> = {
  name: 'journey_plan',
  columns: [
    { name: 'journey_id', type: 'text' },
    { name: 'recorded_at', type: 'timestamptz' },
    { name: 'appointment_id', type: 'text' },
    { name: 'title', type: 'text' },
    { name: 'starts_at', type: 'timestamptz' },
    { name: 'lat', type: 'float8' },
    { name: 'lon', type: 'float8' },
    { name: 'mode', type: 'text' },
    { name: 'online', type: 'bool' },
    { name: 'over', type: 'bool' },
    { name: 'travel_time', type: 'jsonb' },
  ],
  entityColumn: 'journey_id',
  recordedAtColumn: 'recorded_at',
  write(row, plan) {
    row.text(plan.journeyId)
    row.timestamp(plan.recordedAtMs)
    row.text(plan.appointmentId)
    row.text(plan.title)
    row.timestamp(plan.startsAtMs)
    row.float8(plan.lat)
    row.float8(plan.lon)
    row.text(plan.mode)
    row.bool(plan.online)
    row.bool(plan.over)
    row.json(plan.travelTime)
  },
  read(row) {
    return {
      journeyId: row.text() ?? '',
      recordedAtMs: row.timestamp() ?? 0,
      eventId: null,
      appointmentId: row.text() ?? '',
      title: row.text() ?? '',
      startsAtMs: row.timestamp() ?? 0,
      lat: row.float8() ?? 0,
      lon: row.float8() ?? 0,
      mode: modeOf(row.text()),
      online: row.bool() ?? false,
      over: row.bool() ?? false,
      travelTime: travelTimeOf(row.json()),
    }
  },
}

export const journeyPlans: TopicDefinition<JourneyPlan> = {
  name: 'journey-plans',
  broadcast: true,
  internal: true,
  schema: journeyPlanSchema,
  parse: compileParser(journeyPlanSchema, fromWire, { instants: ['startsAt'] }),
  keyOf: ({ journeyId }) => journeyId,
  archive,
}

export const journeyPlanPipeline: Pipeline<JourneyPlan, null> = archivingPipeline(journeyPlans)

/** As the topic carries it. */
export function wirePlan(plan: JourneyPlan): Readonly<Record<string, unknown>> {
  const { recordedAtMs, startsAtMs, travelTime, eventId, ...rest } = plan
  return {
    ...rest,
    recordedAt: recordedAtMs,
    startsAt: startsAtMs,
    ...(eventId === null ? {} : { eventId }),
    ...(travelTime === null ? {} : { travelTime: wireTravelTime(travelTime) }),
  }
}

function wireTravelTime({ observedAtMs, ...rest }: PlannedTravelTime) {
  return { ...rest, observedAt: observedAtMs }
}

function fromWire(wire: WirePlan, recordedAtMs: EpochMs): JourneyPlan {
  return {
    journeyId: wire.journeyId,
    recordedAtMs,
    eventId: wire.eventId ?? null,
    appointmentId: wire.appointmentId,
    title: wire.title,
    startsAtMs: parseInstant(wire.startsAt) ?? 0,
    lat: wire.lat,
    lon: wire.lon,
    mode: wire.mode,
    online: wire.online,
    over: wire.over,
    travelTime: wire.travelTime === undefined ? null : plannedTime(wire.travelTime),
  }
}

function plannedTime({
  observedAt,
  ...rest
}: Static<typeof travelTimeSchema>): PlannedTravelTime | null {
  const observedAtMs = parseInstant(observedAt)
  return observedAtMs === undefined ? null : { ...rest, observedAtMs }
}

export function modeOf(text: string | null): TravelMode {
  return TRAVEL_MODES.find((mode) => mode === text) ?? 'car'
}

function travelTimeOf(json: unknown): PlannedTravelTime | null {
  const { lat, lon, durationS, distanceM, freeFlowS, observedAtMs, source } = Object(json)
  const isWhole =
    [lat, lon, durationS, distanceM, observedAtMs].every((each) => typeof each === 'number') &&
    typeof source === 'string'
  if (!isWhole) return null
  const free = typeof freeFlowS === 'number' ? freeFlowS : null
  return { lat, lon, durationS, distanceM, freeFlowS: free, observedAtMs, source }
}
