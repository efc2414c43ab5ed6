// What moved in a warehouse in each hour, for each merchant.

import { type EpochMs, HOUR_MS } from '../../../kernel/time.ts'
import type { RowTable } from '../../../ports/row-table.ts'
import type { WarehouseEvent } from './events.ts'

/** Hours of a merchant that late movements are still added to; those before stay as they are. */
export const MAX_OPEN_HOURS = 48

/** Units, in `[startMs, startMs + 1 h)`. */
export interface HourFigures {
  readonly startMs: EpochMs
  readonly movements: number
  readonly received: number
  readonly stored: number
  readonly picked: number
  readonly packed: number
  readonly dispatched: number
}

/** By merchant, the oldest hour first. Never changed in place. */
export type OpenHours = Readonly<Record<string, readonly HourFigures[]>>

export interface WarehouseHour extends HourFigures {
  readonly warehouseId: string
  readonly merchantId: string
  readonly region: string | null
}

/** The hours after a movement, and the one that it fell into; null where that is closed. */
export function hoursAfter(
  hours: OpenHours,
  event: WarehouseEvent,
  atMs: EpochMs,
): { readonly hours: OpenHours; readonly hour: HourFigures } | null {
  const startMs = Math.floor(atMs / HOUR_MS) * HOUR_MS
  const name = ownName(event.merchantId)
  const own = hours[name] ?? []
  const known = own.find((hour) => hour.startMs === startMs)
  const full = own.length >= MAX_OPEN_HOURS
  if (known === undefined && full && startMs < (own[0]?.startMs ?? 0)) return null
  const hour = hourAfter(known ?? emptyHour(startMs), event)
  const others = own.filter((each) => each.startMs !== startMs)
  const all = [...others, hour].sort((a, b) => a.startMs - b.startMs).slice(-MAX_OPEN_HOURS)
  return { hours: { ...hours, [name]: all }, hour }
}

/** No merchant's name is then a property that objects have by themselves. */
export function ownName(merchantId: string): string {
  return `merchant ${merchantId}`
}

export function merchantOf(name: string): string {
  return name.slice('merchant '.length)
}

function emptyHour(startMs: EpochMs): HourFigures {
  return { startMs, movements: 0, received: 0, stored: 0, picked: 0, packed: 0, dispatched: 0 }
}

function hourAfter(hour: HourFigures, { type, quantity }: WarehouseEvent): HourFigures {
  const movements = hour.movements + 1
  if (type === 'adjusted' || type === 'counted') return { ...hour, movements }
  return { ...hour, movements, [type]: hour[type] + quantity }
}

export const warehouseHourTable: RowTable<WarehouseHour> = {
  name: 'warehouse_hour',
  columns: [
    { name: 'warehouse_id', type: 'text' },
    { name: 'merchant_id', type: 'text' },
    { name: 'starts_at', type: 'timestamptz' },
    { name: 'region', type: 'text' },
    { name: 'movements', type: 'float8' },
    { name: 'received', type: 'float8' },
    { name: 'stored', type: 'float8' },
    { name: 'picked', type: 'float8' },
    { name: 'packed', type: 'float8' },
    { name: 'dispatched', type: 'float8' },
  ],
  keyColumns: 3,
  keptWhereNull: ['region'],
  write(row, hour) {
    row.text(hour.warehouseId)
    row.text(hour.merchantId)
    row.timestamp(hour.startMs)
    row.text(hour.region)
    row.float8(hour.movements)
    row.float8(hour.received)
    row.float8(hour.stored)
    row.float8(hour.picked)
    row.float8(hour.packed)
    row.float8(hour.dispatched)
  },
}
