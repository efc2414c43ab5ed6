// The topic of traffic: how fast each stretch of road is now. Broadcast: every task of journeys holds all of it.

import { type Static, Type } from '@sinclair/typebox'
import type { ArchiveTable } from '../../ports/archive.ts'
import { compileParser } from '../../streams/parse.ts'
import type { Pipeline } from '../../streams/pipeline.ts'
import type { StreamEvent, TopicDefinition } from '../../streams/topic.ts'
import { archivingPipeline } from './archiving.ts'

export const trafficSchema = Type.Object({
  segmentId: Type.String({ minLength: 1, maxLength: 200 }),
  observedAt: Type.Union([Type.String(), Type.Number()], {
    description: 'ISO 8601 with offset, or epoch milliseconds',
  }),
  eventId: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  speedKmh: Type.Number({ minimum: 0, maximum: 400 }),
  freeFlowKmh: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 400 })),
  closed: Type.Optional(Type.Boolean()),
})

type WireTraffic = Static<typeof trafficSchema>

export interface TrafficObservation extends StreamEvent {
  readonly segmentId: string
  readonly speedKmh: number
  readonly freeFlowKmh: number | null
  readonly closed: boolean | null
}

const archive: ArchiveTable<TrafficObservation> = {
  name: 'traffic_observation',
  columns: [
    { name: 'segment_id', type: 'text' },
    { name: 'observed_at', type: 'timestamptz' },
    { name: 'speed_kmh', type: 'float8' },
    { name: 'free_flow_kmh', type: 'float8' },
    { name: 'closed', type: 'bool' },
  ],
  entityColumn: 'segment_id',
  recordedAtColumn: 'observed_at',
  write(row, event) {
    row.text(event.segmentId)
    row.timestamp(event.recordedAtMs)
    row.float8(event.speedKmh)
    row.float8(event.freeFlowKmh)
    row.bool(event.closed)
  },
  read(row) {
    return {
      segmentId: row.text() ?? '',
      recordedAtMs: row.timestamp() ?? 0,
      eventId: null,
      speedKmh: row.float8() ?? 0,
      freeFlowKmh: row.float8(),
      closed: row.bool(),
    }
  },
}

export const traffic: TopicDefinition<TrafficObservation> = {
  name: 'traffic',
  broadcast: true,
  schema: trafficSchema,
  parse: compileParser(
    trafficSchema,
    (wire: WireTraffic, recordedAtMs): TrafficObservation => ({
      segmentId: wire.segmentId,
      recordedAtMs,
      eventId: wire.eventId ?? null,
      speedKmh: wire.speedKmh,
      freeFlowKmh: wire.freeFlowKmh ?? null,
      closed: wire.closed ?? null,
    }),
    { timeField: 'observedAt' },
  ),
  keyOf: ({ segmentId }) => segmentId,
  archive,
}

export const trafficPipeline: Pipeline<TrafficObservation, null> = archivingPipeline(traffic)
