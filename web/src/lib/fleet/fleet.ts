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
