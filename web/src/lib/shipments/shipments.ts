// What the screens of shipments and warehouses ask for, and the words that they say it in.

import { get, list } from '$lib/api/client.ts'
import type {
  Page,
  PromiseState,
  Shipment,
  ShipmentStatus,
  ShipmentTotals,
  StockLine,
  Warehouse,
  WarehouseHour,
} from '$lib/api/types.ts'
import type { ChartChannel } from '$lib/chart/channel.ts'

const SHOWN_SHIPMENTS = 200
const SHOWN_LINES = 500

export const shipmentWords: Readonly<Record<ShipmentStatus, string>> = {
  Exception: 'Exception',
  AttemptFail: 'Attempt failed',
  OutForDelivery: 'Out for delivery',
  InTransit: 'In transit',
  AvailableForPickup: 'Ready for pickup',
  InfoReceived: 'Info received',
  Pending: 'Pending',
  Delivered: 'Delivered',
  Expired: 'Expired',
}

export const promiseWords: Readonly<Record<PromiseState, string>> = {
  late: 'Late',
  'at-risk': 'At risk',
  'on-track': 'On track',
  kept: 'In time',
  none: 'No promise',
}

export const milestoneWords: Readonly<Record<string, string>> = {
  created: 'Created',
  'picked-up': 'Picked up',
  departed: 'Departed',
  arrived: 'Arrived',
  customs: 'Customs',
  'out-for-delivery': 'Out for delivery',
  'attempt-failed': 'Attempt failed',
  'available-for-pickup': 'Ready for pickup',
  delivered: 'Delivered',
  exception: 'Exception',
  returned: 'Returned',
  canceled: 'Canceled',
  expired: 'Expired',
}

export const basisWords: Readonly<Record<string, string>> = {
  carrier: 'as the carrier says',
  delay: 'planned, moved by the delay so far',
  plan: 'as planned',
}

export interface ShipmentFilters {
  readonly status: string | null
  readonly promise: string | null
  readonly region: string | null
  readonly merchant: string | null
  readonly search: string | null
  readonly sort: 'recent' | 'promise'
}

export interface ShipmentList {
  readonly totals: ShipmentTotals
  readonly shipments: readonly Shipment[]
  readonly more: boolean
}

/** The figures are of all shipments of the merchant and region; the list is of all filters. */
export async function shipmentList(
  filters: ShipmentFilters,
  signal: AbortSignal,
): Promise<ShipmentList> {
  const { region, merchant } = filters
  const [totals, found] = await Promise.all([
    get<ShipmentTotals>('/shipments/summary', { region, merchant }, signal),
    list<Shipment>('/shipments', { ...filters }, SHOWN_SHIPMENTS, signal),
  ])
  return { totals, shipments: found.items, more: found.more }
}

export async function warehouseList(signal: AbortSignal): Promise<readonly Warehouse[]> {
  return (await get<Page<Warehouse>>('/warehouses', {}, signal)).items
}

export interface WarehouseStock {
  readonly lines: readonly StockLine[]
  readonly more: boolean
  readonly hours: readonly WarehouseHour[]
}

export async function warehouseStock(
  warehouseId: string,
  filters: { readonly attention: boolean },
  signal: AbortSignal,
): Promise<WarehouseStock> {
  const path = `/warehouses/${encodeURIComponent(warehouseId)}`
  const attention = filters.attention ? 'true' : null
  const [stock, hours] = await Promise.all([
    list<StockLine>(`${path}/stock`, { attention }, SHOWN_LINES, signal),
    get<Page<WarehouseHour>>(`${path}/throughput`, {}, signal),
  ])
  return { lines: stock.items, more: stock.more, hours: hours.items }
}

const HOUR_S = 3_600

/** Units received and dispatched by hour; an hour without movements moved nothing. */
export function throughputChannels(
  hours: readonly WarehouseHour[],
  range: { readonly fromMs: number; readonly toMs: number },
): readonly ChartChannel[] {
  const byStart = new Map(hours.map((hour) => [Date.parse(hour.hourStart) / 1_000, hour]))
  const atS: number[] = []
  for (
    let at = Math.ceil(range.fromMs / 3_600_000) * HOUR_S;
    at < range.toMs / 1_000;
    at += HOUR_S
  ) {
    atS.push(at)
  }
  const channel = (title: string, name: 'received' | 'dispatched'): ChartChannel => ({
    title,
    unit: 'units/h',
    digits: 0,
    atS,
    values: atS.map((at) => byStart.get(at)?.[name] ?? 0),
  })
  return [channel('Received', 'received'), channel('Dispatched', 'dispatched')]
}
