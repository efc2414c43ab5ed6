// What shipments consume: milestones of a shipment, planned, estimated or actual, each with what is known of
// the shipment by then.

import { type Static, Type } from '@sinclair/typebox'
import { AMOUNT_PATTERN, CURRENCY_PATTERN, exactAmount, MAX_AMOUNT } from '../../kernel/money.ts'
import { type EpochMs, parseInstant } from '../../kernel/time.ts'
import type { ArchiveTable } from '../../ports/archive.ts'
import { compileParser } from '../../streams/parse.ts'
import type { StreamEvent, TopicDefinition } from '../../streams/topic.ts'

const closedRange = (minimum: number, maximum: number, description?: string) =>
  Type.Optional(
    Type.Number({ minimum, maximum, ...(description === undefined ? {} : { description }) }),
  )
const shortText = (description?: string) =>
  Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 200,
      ...(description === undefined ? {} : { description }),
    }),
  )
const instant = (description: string) => Type.Union([Type.String(), Type.Number()], { description })

/** In the order of a usual journey; of milestones at one instant the later one here counts as later. */
export const MILESTONE_TYPES = [
  'created',
  'picked-up',
  'departed',
  'arrived',
  'customs',
  'out-for-delivery',
  'attempt-failed',
  'available-for-pickup',
  'delivered',
  'exception',
  'returned',
  'canceled',
  'expired',
] as const
export type MilestoneType = (typeof MILESTONE_TYPES)[number]

/** Source: DCSA Track & Trace, where they are PLN, EST and ACT. */
export const TIMINGS = ['planned', 'estimated', 'actual'] as const
export type Timing = (typeof TIMINGS)[number]

export const MAX_ITEMS = 200
/** Fields whose words are kept where a number or a time was asked for. */
const MAX_WORDED_FIELDS = 20

export interface ShipmentItem {
  readonly sku: string
  readonly quantity: number
}

export const shipmentEventSchema = Type.Object({
  shipmentId: Type.String({ minLength: 1, maxLength: 200 }),
  recordedAt: instant('When it was recorded: ISO 8601 with offset, or epoch milliseconds'),
  eventId: shortText(),
  type: Type.Union(
    MILESTONE_TYPES.map((type) => Type.Literal(type)),
    { expected: MILESTONE_TYPES.join(', ') },
  ),
  timing: Type.Optional(
    Type.Union(
      TIMINGS.map((timing) => Type.Literal(timing)),
      { expected: TIMINGS.join(', '), description: 'Default: actual' },
    ),
  ),
  milestoneAt: Type.Optional(
    instant('When the milestone is planned, estimated, or was; default: recordedAt'),
  ),
  merchantId: Type.String({ minLength: 1, maxLength: 200, description: 'Whose shipment it is' }),
  carrier: shortText(),
  mode: shortText('Such as air, ocean, truck, rail'),
  truckId: shortText('Truck that carries it from this milestone on'),
  warehouseId: shortText('Warehouse that holds it from this milestone on'),
  location: shortText('Where the milestone is'),
  region: shortText('Region of the facility'),
  lat: closedRange(-90, 90),
  lon: closedRange(-180, 180),
  destination: shortText(),
  promisedAt: Type.Optional(instant('When the customer was told that it would be delivered')),
  createdAt: Type.Optional(instant('When it was ordered, where no event of its own says so')),
  orderedAt: Type.Optional(instant('When it was ordered from who supplies it')),
  customerName: shortText(),
  customerEmail: Type.Optional(Type.String({ minLength: 3, maxLength: 254 })),
  customerPhone: Type.Optional(Type.String({ minLength: 3, maxLength: 40 })),
  reason: shortText('Why, for exceptions, failed attempts and returns'),
  consignment: shortText(
    'Number that shipments which travel together share, such as a delivery note',
  ),
  items: Type.Optional(
    Type.Array(
      Type.Object({
        sku: Type.String({ minLength: 1, maxLength: 200 }),
        quantity: Type.Number({ minimum: 0, maximum: 1e12 }),
      }),
      { maxItems: MAX_ITEMS },
    ),
  ),
  weightKg: closedRange(0, 1e9),
  freightCost: Type.Optional(
    Type.Union(
      [
        Type.Number({ minimum: -MAX_AMOUNT, maximum: MAX_AMOUNT }),
        Type.String({ pattern: AMOUNT_PATTERN }),
      ],
      { expected: 'an amount of money: a number, or a decimal as text' },
    ),
  ),
  currency: Type.Optional(Type.String({ pattern: CURRENCY_PATTERN, description: 'ISO 4217' })),
  words: Type.Optional(
    Type.Record(Type.String({ maxLength: 64 }), Type.String({ maxLength: 200 }), {
      maxProperties: MAX_WORDED_FIELDS,
      description: 'By field: what was written where a number or a time was asked for',
    }),
  ),
})

type WireShipmentEvent = Static<typeof shipmentEventSchema>

export interface ShipmentEvent extends StreamEvent {
  readonly shipmentId: string
  readonly type: MilestoneType
  readonly timing: Timing
  /** Null: at `recordedAtMs`. */
  readonly milestoneAtMs: EpochMs | null
  readonly merchantId: string
  readonly carrier: string | null
  readonly mode: string | null
  readonly truckId: string | null
  readonly warehouseId: string | null
  readonly location: string | null
  readonly region: string | null
  readonly lat: number | null
  readonly lon: number | null
  readonly destination: string | null
  readonly promisedAtMs: EpochMs | null
  readonly createdAtMs: EpochMs | null
  readonly orderedAtMs: EpochMs | null
  readonly customerName: string | null
  readonly customerEmail: string | null
  readonly customerPhone: string | null
  readonly reason: string | null
  readonly consignment: string | null
  readonly items: readonly ShipmentItem[] | null
  readonly weightKg: number | null
  /** Exact decimal. */
  readonly freightCost: string | null
  readonly currency: string | null
  readonly words: Readonly<Record<string, string>> | null
}

const archive: ArchiveTable<ShipmentEvent> = {
  name: 'shipment_event',
  columns: [
    { name: 'shipment_id', type: 'text' },
    { name: 'recorded_at', type: 'timestamptz' },
    { name: 'type', type: 'text' },
    { name: 'timing', type: 'text' },
    { name: 'milestone_at', type: 'timestamptz' },
    { name: 'merchant_id', type: 'text' },
    { name: 'carrier', type: 'text' },
    { name: 'mode', type: 'text' },
    { name: 'truck_id', type: 'text' },
    { name: 'warehouse_id', type: 'text' },
    { name: 'location', type: 'text' },
    { name: 'region', type: 'text' },
    { name: 'lat', type: 'float8' },
    { name: 'lon', type: 'float8' },
    { name: 'destination', type: 'text' },
    { name: 'promised_at', type: 'timestamptz' },
    { name: 'created_at', type: 'timestamptz' },
    { name: 'customer_name', type: 'text' },
    { name: 'customer_email', type: 'text' },
    { name: 'customer_phone', type: 'text' },
    { name: 'reason', type: 'text' },
    { name: 'consignment', type: 'text' },
    { name: 'items', type: 'jsonb' },
    { name: 'weight_kg', type: 'float8' },
    { name: 'freight_cost', type: 'numeric' },
    { name: 'currency', type: 'text' },
    { name: 'words', type: 'jsonb' },
    { name: 'ordered_at', type: 'timestamptz' },
  ],
  entityColumn: 'shipment_id',
  recordedAtColumn: 'recorded_at',
  write(row, event) {
    row.text(event.shipmentId)
    row.timestamp(event.recordedAtMs)
    row.text(event.type)
    row.text(event.timing)
    row.timestamp(event.milestoneAtMs)
    row.text(event.merchantId)
    row.text(event.carrier)
    row.text(event.mode)
    row.text(event.truckId)
    row.text(event.warehouseId)
    row.text(event.location)
    row.text(event.region)
    row.float8(event.lat)
    row.float8(event.lon)
    row.text(event.destination)
    row.timestamp(event.promisedAtMs)
    row.timestamp(event.createdAtMs)
    row.text(event.customerName)
    row.text(event.customerEmail)
    row.text(event.customerPhone)
    row.text(event.reason)
    row.text(event.consignment)
    row.json(event.items)
    row.float8(event.weightKg)
    row.numeric(event.freightCost)
    row.text(event.currency)
    row.json(event.words)
    row.timestamp(event.orderedAtMs)
  },
  read(row) {
    return {
      shipmentId: row.text() ?? '',
      recordedAtMs: row.timestamp() ?? 0,
      eventId: null,
      type: MILESTONE_TYPES.find(isOneOf(row.text())) ?? 'exception',
      timing: TIMINGS.find(isOneOf(row.text())) ?? 'actual',
      milestoneAtMs: row.timestamp(),
      merchantId: row.text() ?? '',
      carrier: row.text(),
      mode: row.text(),
      truckId: row.text(),
      warehouseId: row.text(),
      location: row.text(),
      region: row.text(),
      lat: row.float8(),
      lon: row.float8(),
      destination: row.text(),
      promisedAtMs: row.timestamp(),
      createdAtMs: row.timestamp(),
      customerName: row.text(),
      customerEmail: row.text(),
      customerPhone: row.text(),
      reason: row.text(),
      consignment: row.text(),
      items: itemsOf(row.json()),
      weightKg: row.float8(),
      freightCost: row.numeric(),
      currency: row.text(),
      words: wordsOf(row.json()),
      orderedAtMs: row.timestamp(),
    }
  },
}

export const shipmentEvents: TopicDefinition<ShipmentEvent> = {
  name: 'shipment-events',
  schema: shipmentEventSchema,
  parse: compileParser(shipmentEventSchema, shipmentEvent, {
    instants: ['milestoneAt', 'promisedAt', 'createdAt', 'orderedAt'],
  }),
  keyOf: (event) => event.shipmentId,
  archive,
}

function shipmentEvent(wire: WireShipmentEvent, recordedAtMs: EpochMs): ShipmentEvent {
  return {
    shipmentId: wire.shipmentId,
    recordedAtMs,
    eventId: wire.eventId ?? null,
    type: wire.type,
    timing: wire.timing ?? 'actual',
    milestoneAtMs: parseInstant(wire.milestoneAt) ?? null,
    merchantId: wire.merchantId,
    carrier: wire.carrier ?? null,
    mode: wire.mode ?? null,
    truckId: wire.truckId ?? null,
    warehouseId: wire.warehouseId ?? null,
    location: wire.location ?? null,
    region: wire.region ?? null,
    lat: wire.lat ?? null,
    lon: wire.lon ?? null,
    destination: wire.destination ?? null,
    promisedAtMs: parseInstant(wire.promisedAt) ?? null,
    createdAtMs: parseInstant(wire.createdAt) ?? null,
    orderedAtMs: parseInstant(wire.orderedAt) ?? null,
    customerName: wire.customerName ?? null,
    customerEmail: wire.customerEmail ?? null,
    customerPhone: wire.customerPhone ?? null,
    reason: wire.reason ?? null,
    consignment: wire.consignment ?? null,
    items: wire.items === undefined ? null : itemsOf(wire.items),
    weightKg: wire.weightKg ?? null,
    freightCost: wire.freightCost === undefined ? null : exactAmount(wire.freightCost),
    currency: wire.currency ?? null,
    words: wire.words ?? null,
  }
}

/** The items of a JSON value; what is none is left out. */
export function itemsOf(value: unknown): readonly ShipmentItem[] | null {
  if (!Array.isArray(value)) return null
  return value.flatMap((item: unknown) => {
    const { sku, quantity } = Object(item)
    return typeof sku === 'string' && typeof quantity === 'number' ? [{ sku, quantity }] : []
  })
}

/** The words of a JSON value, by field. */
export function wordsOf(value: unknown): Readonly<Record<string, string>> | null {
  if (typeof value !== 'object' || value === null) return null
  return Object.fromEntries(
    Object.entries(value).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  )
}

function isOneOf(text: string | null): (known: string) => boolean {
  return (known) => known === text
}
