// What arrivals consume from people on their way: where they are.

import { type Static, Type } from '@sinclair/typebox'
import type { ArchiveTable } from '../../ports/archive.ts'
import { compileParser } from '../../streams/parse.ts'
import type { StreamEvent, TopicDefinition } from '../../streams/topic.ts'

const range = (minimum: number, maximum: number) => Type.Number({ minimum, maximum })

export const journeyPositionSchema = Type.Object({
  journeyId: Type.String({ minLength: 1, maxLength: 200 }),
  recordedAt: Type.Union([Type.String(), Type.Number()], {
    description: 'Device time: ISO 8601 with offset, or epoch milliseconds',
  }),
  eventId: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  lat: range(-90, 90),
  lon: range(-180, 180),
  speedKmh: Type.Optional(range(0, 500)),
  headingDeg: Type.Optional(range(0, 360)),
  accuracyM: Type.Optional(range(0, 1_000_000)),
})

type WirePosition = Static<typeof journeyPositionSchema>

export interface JourneyPosition extends StreamEvent {
  readonly journeyId: string
  readonly lat: number
  readonly lon: number
  readonly speedKmh: number | null
  readonly headingDeg: number | null
  readonly accuracyM: number | null
}

const archive: ArchiveTable<JourneyPosition> = {
  name: 'journey_position',
  columns: [
    { name: 'journey_id', type: 'text' },
    { name: 'recorded_at', type: 'timestamptz' },
    { name: 'lat', type: 'float8' },
    { name: 'lon', type: 'float8' },
    { name: 'speed_kmh', type: 'float8' },
    { name: 'heading_deg', type: 'float8' },
    { name: 'accuracy_m', type: 'float8' },
  ],
  entityColumn: 'journey_id',
  recordedAtColumn: 'recorded_at',
  write(row, event) {
    row.text(event.journeyId)
    row.timestamp(event.recordedAtMs)
    row.float8(event.lat)
    row.float8(event.lon)
    row.float8(event.speedKmh)
    row.float8(event.headingDeg)
    row.float8(event.accuracyM)
  },
  read(row) {
    return {
      journeyId: row.text() ?? '',
      recordedAtMs: row.timestamp() ?? 0,
      eventId: null,
      lat: row.float8() ?? 0,
      lon: row.float8() ?? 0,
      speedKmh: row.float8(),
      headingDeg: row.float8(),
      accuracyM: row.float8(),
    }
  },
}

export const journeyPositions: TopicDefinition<JourneyPosition> = {
  name: 'journeys',
  schema: journeyPositionSchema,
  parse: compileParser(
    journeyPositionSchema,
    (wire: WirePosition, recordedAtMs): JourneyPosition => ({
      journeyId: wire.journeyId,
      recordedAtMs,
      eventId: wire.eventId ?? null,
      lat: wire.lat,
      lon: wire.lon,
      speedKmh: wire.speedKmh ?? null,
      headingDeg: wire.headingDeg ?? null,
      accuracyM: wire.accuracyM ?? null,
    }),
  ),
  keyOf: ({ journeyId }) => journeyId,
  archive,
}
