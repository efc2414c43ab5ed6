// What warehouses consume: movements of goods, counts and adjustments, each of one merchant's sku.

import { type Static, Type } from '@sinclair/typebox'
import { failed } from '../../../kernel/result.ts'
import type { EpochMs } from '../../../kernel/time.ts'
import type { ArchiveTable } from '../../../ports/archive.ts'
import { compileParser } from '../../../streams/parse.ts'
import type { StreamEvent, TopicDefinition } from '../../../streams/topic.ts'

const shortText = (description?: string) =>
  Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 200,
      ...(description === undefined ? {} : { description }),
    }),
  )
const MAX_QUANTITY = 1e12

export const MOVEMENT_TYPES = [
  'received',
  'stored',
  'picked',
  'packed',
  'dispatched',
  'adjusted',
  'counted',
] as const
export type MovementType = (typeof MOVEMENT_TYPES)[number]

export const warehouseEventSchema = Type.Object({
  warehouseId: Type.String({ minLength: 1, maxLength: 200 }),
  recordedAt: Type.Union([Type.String(), Type.Number()], {
    description: 'Device time: ISO 8601 with offset, or epoch milliseconds',
  }),
  eventId: shortText(),
  type: Type.Union(
    MOVEMENT_TYPES.map((type) => Type.Literal(type)),
    { expected: MOVEMENT_TYPES.join(', ') },
  ),
  sku: Type.String({ minLength: 1, maxLength: 200 }),
  quantity: Type.Number({
    minimum: -MAX_QUANTITY,
    maximum: MAX_QUANTITY,
    description:
      'Units moved; of adjusted: added, negative where taken away; of counted: what is there',
  }),
  merchantId: Type.String({ minLength: 1, maxLength: 200, description: 'Whose goods they are' }),
  shipmentId: shortText(),
  bin: shortText('Place in the warehouse'),
  region: shortText('Region of the warehouse'),
})

type WireWarehouseEvent = Static<typeof warehouseEventSchema>

export interface WarehouseEvent extends StreamEvent {
  readonly warehouseId: string
  readonly type: MovementType
  readonly sku: string
  readonly quantity: number
  readonly merchantId: string
  readonly shipmentId: string | null
  readonly bin: string | null
  readonly region: string | null
}

const archive: ArchiveTable<WarehouseEvent> = {
  name: 'warehouse_event',
  columns: [
    { name: 'warehouse_id', type: 'text' },
    { name: 'recorded_at', type: 'timestamptz' },
    { name: 'type', type: 'text' },
    { name: 'sku', type: 'text' },
    { name: 'quantity', type: 'float8' },
    { name: 'merchant_id', type: 'text' },
    { name: 'shipment_id', type: 'text' },
    { name: 'bin', type: 'text' },
    { name: 'region', type: 'text' },
  ],
  entityColumn: 'warehouse_id',
  recordedAtColumn: 'recorded_at',
  write(row, event) {
    row.text(event.warehouseId)
    row.timestamp(event.recordedAtMs)
    row.text(event.type)
    row.text(event.sku)
    row.float8(event.quantity)
    row.text(event.merchantId)
    row.text(event.shipmentId)
    row.text(event.bin)
    row.text(event.region)
  },
  read(row) {
    return {
      warehouseId: row.text() ?? '',
      recordedAtMs: row.timestamp() ?? 0,
      eventId: null,
      type: movementType(row.text()),
      sku: row.text() ?? '',
      quantity: row.float8() ?? 0,
      merchantId: row.text() ?? '',
      shipmentId: row.text(),
      bin: row.text(),
      region: row.text(),
    }
  },
}

const parse = compileParser(warehouseEventSchema, warehouseEvent)

export const warehouseEvents: TopicDefinition<WarehouseEvent> = {
  name: 'warehouse-events',
  schema: warehouseEventSchema,
  parse(value) {
    const parsed = parse(value)
    if (!parsed.ok || parsed.value.type === 'adjusted' || parsed.value.quantity >= 0) return parsed
    return failed({
      code: 'bad-value',
      message: `quantity must not be negative for ${parsed.value.type}; only adjusted takes away; found ${parsed.value.quantity}.`,
      path: '/quantity',
    })
  },
  keyOf: (event) => event.warehouseId,
  archive,
}

function warehouseEvent(wire: WireWarehouseEvent, recordedAtMs: EpochMs): WarehouseEvent {
  return {
    warehouseId: wire.warehouseId,
    recordedAtMs,
    eventId: wire.eventId ?? null,
    type: wire.type,
    sku: wire.sku,
    quantity: wire.quantity,
    merchantId: wire.merchantId,
    shipmentId: wire.shipmentId ?? null,
    bin: wire.bin ?? null,
    region: wire.region ?? null,
  }
}

function movementType(text: string | null): MovementType {
  return MOVEMENT_TYPES.find((type) => type === text) ?? 'stored'
}
