// What the vehicles domain consumes: telemetry of cars, vans, ships, anything with a speed or a position.

import { type Static, Type } from '@sinclair/typebox'
import { failed, type Result } from '../../kernel/result.ts'
import type { ArchiveTable } from '../../ports/archive.ts'
import { compileParser } from '../../streams/parse.ts'
import type { Rejection, StreamEvent, TopicDefinition } from '../../streams/topic.ts'

const closedRange = (minimum: number, maximum: number) =>
  Type.Optional(Type.Number({ minimum, maximum }))

export const vehicleTelemetrySchema = Type.Object(
  {
    vehicleId: Type.String({ minLength: 1, maxLength: 200 }),
    recordedAt: Type.Union([Type.String(), Type.Number()], {
      description: 'Device time: ISO 8601 with offset, or epoch milliseconds',
    }),
    eventId: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    speedKmh: closedRange(0, 400),
    rpm: closedRange(0, 20_000),
    gear: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 12, description: 'Engaged forward gear; 0 is neutral' }),
    ),
    lat: closedRange(-90, 90),
    lon: closedRange(-180, 180),
    headingDeg: closedRange(0, 360),
    odometerKm: closedRange(0, 10_000_000),
    fuelLph: closedRange(0, 10_000),
    postedLimitKmh: closedRange(0, 400),
    stateOfChargePercent: closedRange(0, 100),
  },
  { description: 'At least one of speedKmh and lat with lon' },
)

type WireTelemetry = Static<typeof vehicleTelemetrySchema>

export interface VehicleTelemetry extends StreamEvent {
  readonly vehicleId: string
  readonly speedKmh: number | null
  readonly rpm: number | null
  /** Engaged forward gear; 0 is neutral. */
  readonly gear: number | null
  readonly lat: number | null
  readonly lon: number | null
  readonly headingDeg: number | null
  readonly odometerKm: number | null
  readonly fuelLph: number | null
  /** Limit of the road where the vehicle is, as far as the sender knows it. */
  readonly postedLimitKmh: number | null
  readonly stateOfChargePercent: number | null
}

const archive: ArchiveTable<VehicleTelemetry> = {
  name: 'vehicle_telemetry',
  columns: [
    { name: 'vehicle_id', type: 'text' },
    { name: 'recorded_at', type: 'timestamptz' },
    { name: 'speed_kmh', type: 'float8' },
    { name: 'rpm', type: 'float8' },
    { name: 'gear', type: 'int4' },
    { name: 'lat', type: 'float8' },
    { name: 'lon', type: 'float8' },
    { name: 'heading_deg', type: 'float8' },
    { name: 'odometer_km', type: 'float8' },
    { name: 'fuel_lph', type: 'float8' },
    { name: 'posted_limit_kmh', type: 'float8' },
    { name: 'state_of_charge_percent', type: 'float8' },
  ],
  entityColumn: 'vehicle_id',
  recordedAtColumn: 'recorded_at',
  write(row, event) {
    row.text(event.vehicleId)
    row.timestamp(event.recordedAtMs)
    row.float8(event.speedKmh)
    row.float8(event.rpm)
    row.int4(event.gear)
    row.float8(event.lat)
    row.float8(event.lon)
    row.float8(event.headingDeg)
    row.float8(event.odometerKm)
    row.float8(event.fuelLph)
    row.float8(event.postedLimitKmh)
    row.float8(event.stateOfChargePercent)
  },
  read(row) {
    return {
      vehicleId: row.text() ?? '',
      recordedAtMs: row.timestamp() ?? 0,
      eventId: null,
      speedKmh: row.float8(),
      rpm: row.float8(),
      gear: row.int4(),
      lat: row.float8(),
      lon: row.float8(),
      headingDeg: row.float8(),
      odometerKm: row.float8(),
      fuelLph: row.float8(),
      postedLimitKmh: row.float8(),
      stateOfChargePercent: row.float8(),
    }
  },
}

const parseFields = compileParser(
  vehicleTelemetrySchema,
  (wire: WireTelemetry, recordedAtMs): VehicleTelemetry => ({
    vehicleId: wire.vehicleId,
    recordedAtMs,
    eventId: wire.eventId ?? null,
    speedKmh: wire.speedKmh ?? null,
    rpm: wire.rpm ?? null,
    gear: wire.gear ?? null,
    lat: wire.lat ?? null,
    lon: wire.lon ?? null,
    headingDeg: wire.headingDeg ?? null,
    odometerKm: wire.odometerKm ?? null,
    fuelLph: wire.fuelLph ?? null,
    postedLimitKmh: wire.postedLimitKmh ?? null,
    stateOfChargePercent: wire.stateOfChargePercent ?? null,
  }),
)

function parse(value: unknown): Result<VehicleTelemetry, Rejection> {
  const parsed = parseFields(value)
  if (!parsed.ok) return parsed
  const { speedKmh, lat, lon } = parsed.value
  if (speedKmh !== null || (lat !== null && lon !== null)) return parsed
  const message = 'speedKmh, or lat with lon, is required.'
  return failed({ code: 'missing-field', message, path: '/speedKmh' })
}

export const vehicleTelemetry: TopicDefinition<VehicleTelemetry> = {
  name: 'vehicle-telemetry',
  schema: vehicleTelemetrySchema,
  parse,
  keyOf: (event) => event.vehicleId,
  archive,
}
