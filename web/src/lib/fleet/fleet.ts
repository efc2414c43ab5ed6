// What the fleet screen asks for: fuel and driving of each vehicle, side by side.

import { get } from '$lib/api/client.ts'
import type { DriverBehaviour, FleetEfficiency, FleetReport } from '$lib/api/types.ts'

const DAY_MS = 86_400_000

export interface FleetSpan {
  readonly name: string
  readonly label: string
  readonly spanMs: number
}

const DAY: FleetSpan = { name: '24h', label: '24 hours', spanMs: DAY_MS }
export const fleetSpans: readonly FleetSpan[] = [
  DAY,
  { name: '7d', label: '7 days', spanMs: 7 * DAY_MS },
  { name: '30d', label: '30 days', spanMs: 30 * DAY_MS },
]

export function fleetSpanOf(name: string | null): FleetSpan {
  return fleetSpans.find((span) => span.name === name) ?? DAY
}

export const fleetViews = {
  driving: 'Driving',
  now: 'Now',
  rest: 'Rest',
  compare: 'Compared',
} as const
export type FleetView = keyof typeof fleetViews

export function fleetViewOf(name: string | null): FleetView {
  return name === 'now' || name === 'rest' || name === 'compare' ? name : 'driving'
}

/** Below it a tank is low, above it a load is high; of the tank and of the load capacity. */
export const LOW_FUEL_PERCENT = 10
export const HIGH_LOAD_PERCENT = 90

export interface FleetQuestion {
  readonly span: FleetSpan
  readonly type: string | null
  readonly fleet: string | null
}

/** One of the routes that answer for a range, as a table. */
export function fleetAnswer<T>(route: string, { span, type, fleet }: FleetQuestion, nowMs: number) {
  return (signal: AbortSignal): Promise<FleetReport<T>> =>
    get(`/fleet/${route}`, { from: nowMs - span.spanMs, type, fleet }, signal)
}

/** Where a truck or vehicle has its page. */
export function pageOf(entityType: string, entityId: string): string {
  return `/${entityType === 'truck' ? 'cold-chain' : 'vehicles'}/${encodeURIComponent(entityId)}`
}

export interface FleetRow extends FleetEfficiency, DriverBehaviour {}

export async function fleetRows(
  span: FleetSpan,
  type: string | null,
  about: { readonly nowMs: number; readonly signal: AbortSignal },
): Promise<FleetReport<FleetRow>> {
  const query = { from: about.nowMs - span.spanMs, type }
  const [fuel, drivers] = await Promise.all([
    get<FleetReport<FleetEfficiency>>('/fleet/efficiency', query, about.signal),
    get<FleetReport<DriverBehaviour>>('/fleet/drivers', query, about.signal),
  ])
  const keyOf = (row: { readonly entityType: string; readonly entityId: string }) =>
    JSON.stringify([row.entityType, row.entityId])
  const byKey = new Map(fuel.items.map((row) => [keyOf(row), row]))
  const items = drivers.items.flatMap((row) => {
    const used = byKey.get(keyOf(row))
    return used === undefined ? [] : [{ ...used, ...row }]
  })
  return { ...drivers, items }
}
