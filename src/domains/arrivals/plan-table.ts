// The newest plan of each journey, as every task of journeys holds it.

import { DAY_MS, type DurationMs, type EpochMs } from '../../kernel/time.ts'
import type { BroadcastRecord } from '../../streams/pipeline.ts'
import { scopedKey } from '../../streams/scoped-key.ts'
import { type JourneyPlan, journeyPlans } from './plans.ts'

/** A plan is forgotten so long after its start. */
export const PLAN_LASTS_MS: DurationMs = 2 * DAY_MS
/** Plans held; beyond it those with the earliest starts are forgotten. */
export const MAX_PLANS = 100_000

export interface PlanTable {
  readonly plans: Record<string, JourneyPlan>
  count: number
}

export function emptyPlans(): PlanTable {
  return { plans: {}, count: 0 }
}

/** How long a provider says the way takes stays until it says so again, or the place changes. */
export function applyPlan(table: unknown, { tenantId, value }: BroadcastRecord): unknown {
  const parsed = journeyPlans.parse(value)
  if (!parsed.ok || !isPlanTable(table)) return table
  const plan = parsed.value
  const key = scopedKey(tenantId, plan.journeyId)
  const known = Object.hasOwn(table.plans, key) ? table.plans[key] : undefined
  const samePlace = known?.lat === plan.lat && known.lon === plan.lon
  const kept = samePlace ? (known?.travelTime ?? null) : null
  table.plans[key] = { ...plan, travelTime: plan.travelTime ?? kept }
  if (known === undefined && ++table.count > MAX_PLANS) dropPast(table, plan.recordedAtMs)
  return table
}

export function planOf(
  table: unknown,
  { tenantId, key }: { readonly tenantId: string; readonly key: string },
): JourneyPlan | undefined {
  return isPlanTable(table) ? table.plans[scopedKey(tenantId, key)] : undefined
}

function isPlanTable(table: unknown): table is PlanTable {
  return typeof table === 'object' && table !== null && 'plans' in table
}

function dropPast(table: PlanTable, nowMs: EpochMs): void {
  const byStart = Object.entries(table.plans).sort(
    ([, one], [, other]) => one.startsAtMs - other.startsAtMs,
  )
  byStart.forEach(([key, plan], at) => {
    if (plan.startsAtMs >= nowMs - PLAN_LASTS_MS && at >= MAX_PLANS / 10) return
    delete table.plans[key]
    table.count--
  })
}
