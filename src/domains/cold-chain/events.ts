// What cold chain consumes: readings of refrigerated trucks.

import { type Static, Type } from '@sinclair/typebox'
import type { ArchiveTable } from '../../ports/archive.ts'
import { compileParser } from '../../streams/parse.ts'
import type { StreamEvent, TopicDefinition } from '../../streams/topic.ts'

const closedRange = (minimum: number, maximum: number) =>
  Type.Optional(Type.Number({ minimum, maximum }))
const shortText = () => Type.Optional(Type.String({ minLength: 1, maxLength: 200 }))

export const truckReadingSchema = Type.Object({
  truckId: Type.String({ minLength: 1, maxLength: 200 }),
  recordedAt: Type.Union([Type.String(), Type.Number()], {
    description: 'Device time: ISO 8601 with offset, or epoch milliseconds',
  }),
  eventId: shortText(),
  temperatureC: Type.Number({ minimum: -80, maximum: 85 }),
  fuelPercent: closedRange(0, 100),
  fuelLitres: closedRange(0, 10_000),
  lat: closedRange(-90, 90),
  lon: closedRange(-180, 180),
  speedKmh: closedRange(0, 400),
  headingDeg: closedRange(0, 360),
  odometerKm: closedRange(0, 10_000_000),
  doorOpen: Type.Optional(Type.Boolean()),
  reeferOn: Type.Optional(Type.Boolean()),
  loadKg: closedRange(0, 1_000_000),
  brokenDown: Type.Optional(
    Type.Boolean({ description: 'The truck says that it cannot drive on' }),
  ),
  zone: shortText(),
  shipmentId: shortText(),
  profile: shortText(),
})

type WireReading = Static<typeof truckReadingSchema>

export interface TruckReading extends StreamEvent {
  readonly truckId: string
  readonly temperatureC: number
  readonly fuelPercent: number | null
  readonly fuelLitres: number | null
  readonly lat: number | null
  readonly lon: number | null
  readonly speedKmh: number | null
  readonly headingDeg: number | null
  readonly odometerKm: number | null
  readonly doorOpen: boolean | null
  readonly reeferOn: boolean | null
  /** Mass of what it carries. */
  readonly loadKg: number | null
  /** It says that it cannot drive on. */
  readonly brokenDown: boolean | null
  /** Compartment of the box, where it has several with temperatures of their own. */
  readonly zone: string | null
  readonly shipmentId: string | null
  /** Goods profile that the reading is judged by. */
  readonly profile: string | null
}

const archive: ArchiveTable<TruckReading> = {
  name: 'truck_reading',
  columns: [
    { name: 'truck_id', type: 'text' },
    { name: 'recorded_at', type: 'timestamptz' },
    { name: 'temperature_c', type: 'float8' },
    { name: 'fuel_percent', type: 'float8' },
    { name: 'fuel_litres', type: 'float8' },
    { name: 'lat', type: 'float8' },
    { name: 'lon', type: 'float8' },
    { name: 'speed_kmh', type: 'float8' },
    { name: 'heading_deg', type: 'float8' },
    { name: 'odometer_km', type: 'float8' },
    { name: 'door_open', type: 'bool' },
    { name: 'reefer_on', type: 'bool' },
    { name: 'zone', type: 'text' },
    { name: 'shipment_id', type: 'text' },
    { name: 'profile', type: 'text' },
    { name: 'load_kg', type: 'float8' },
    { name: 'broken_down', type: 'bool' },
  ],
  entityColumn: 'truck_id',
  recordedAtColumn: 'recorded_at',
  write(row, event) {
    row.text(event.truckId)
    row.timestamp(event.recordedAtMs)
    row.float8(event.temperatureC)
    row.float8(event.fuelPercent)
    row.float8(event.fuelLitres)
    row.float8(event.lat)
    row.float8(event.lon)
    row.float8(event.speedKmh)
    row.float8(event.headingDeg)
    row.float8(event.odometerKm)
    row.bool(event.doorOpen)
    row.bool(event.reeferOn)
    row.text(event.zone)
    row.text(event.shipmentId)
    row.text(event.profile)
    row.float8(event.loadKg)
    row.bool(event.brokenDown)
  },
  read(row) {
    return {
      truckId: row.text() ?? '',
      recordedAtMs: row.timestamp() ?? 0,
      eventId: null,
      temperatureC: row.float8() ?? Number.NaN,
      fuelPercent: row.float8(),
      fuelLitres: row.float8(),
      lat: row.float8(),
      lon: row.float8(),
      speedKmh: row.float8(),
      headingDeg: row.float8(),
      odometerKm: row.float8(),
      doorOpen: row.bool(),
      reeferOn: row.bool(),
      zone: row.text(),
      shipmentId: row.text(),
      profile: row.text(),
      loadKg: row.float8(),
      brokenDown: row.bool(),
    }
  },
}

export const truckReadings: TopicDefinition<TruckReading> = {
  name: 'truck-readings',
  schema: truckReadingSchema,
  parse: compileParser(truckReadingSchema, (wire: WireReading, recordedAtMs) => ({
    truckId: wire.truckId,
    recordedAtMs,
    eventId: wire.eventId ?? null,
    temperatureC: wire.temperatureC,
    fuelPercent: wire.fuelPercent ?? null,
    fuelLitres: wire.fuelLitres ?? null,
    lat: wire.lat ?? null,
    lon: wire.lon ?? null,
    speedKmh: wire.speedKmh ?? null,
    headingDeg: wire.headingDeg ?? null,
    odometerKm: wire.odometerKm ?? null,
    doorOpen: wire.doorOpen ?? null,
    reeferOn: wire.reeferOn ?? null,
    zone: wire.zone ?? null,
    shipmentId: wire.shipmentId ?? null,
    profile: wire.profile ?? null,
    loadKg: wire.loadKg ?? null,
    brokenDown: wire.brokenDown ?? null,
  })),
  keyOf: (event) => event.truckId,
  archive,
}
