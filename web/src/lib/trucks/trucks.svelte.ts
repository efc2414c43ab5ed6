// The trucks that the feed holds, and the order in which they want somebody.

import type { Condition, Truck } from '$lib/api/types.ts'
import { live } from '$lib/live.svelte.ts'
import { conditions, severityRank, worst } from '$lib/severity.ts'

/** Reactive. */
export function currentTrucks(): Truck[] {
  void live.truckTick
  return [...live.trucks.values()]
}

/** After all severities: trucks without an alert. */
const NO_ALERT = 9

function need(truck: Truck): number {
  const severity = worst(truck.alerts)
  return severity === undefined ? NO_ALERT : severityRank(severity)
}

/** Alerts first, then by condition, then by name: the order does not change with every reading. */
export function byNeed(a: Truck, b: Truck): number {
  return (
    need(a) - need(b) ||
    conditions.indexOf(a.condition) - conditions.indexOf(b.condition) ||
    byName(a, b)
  )
}

export function byName(a: Truck, b: Truck): number {
  return a.truckId < b.truckId ? -1 : a.truckId > b.truckId ? 1 : 0
}

export interface TruckFilter {
  readonly condition: Condition | undefined
  /** Lower case. */
  readonly text: string
}

export function truckPasses(truck: Truck, { condition, text }: TruckFilter): boolean {
  if (condition !== undefined && truck.condition !== condition) return false
  if (text === '') return true
  return [truck.truckId, truck.shipmentId, truck.profile].some(
    (part) => part?.toLowerCase().includes(text) ?? false,
  )
}
