// Traffic as every task of journeys holds it: the newest observation of each stretch, and what it says of the
// time that the stretch takes.

import { DEFAULT_TENANT } from '../../kernel/tenants.ts'
import { type DurationMs, type EpochMs, HOUR_MS, MINUTE_MS } from '../../kernel/time.ts'
import type { BroadcastRecord } from '../../streams/pipeline.ts'
import { scopedKey } from '../../streams/scoped-key.ts'
import { traffic } from './traffic.ts'

/** Stretches of road with traffic; beyond it those that were heard of longest ago are forgotten. */
export const MAX_TRAFFIC_SEGMENTS = 200_000
/** What was observed longer ago says nothing of now. */
export const TRAFFIC_LASTS_MS: DurationMs = HOUR_MS
/** After so long an observation counts for a third: then the usual speed counts for the rest. */
const TRAFFIC_FADES_MS: DurationMs = 15 * MINUTE_MS
/** Standing traffic moves on in the end. */
export const CRAWL_KMH = 2

/** Plain data: snapshots hold it. */
export interface LiveSegment {
  readonly speedKmh: number
  readonly freeFlowKmh: number | null
  readonly closed: boolean
  readonly observedAtMs: EpochMs
}

export interface TrafficTable {
  readonly segments: Record<string, LiveSegment>
  count: number
}

export function emptyTraffic(): TrafficTable {
  return { segments: {}, count: 0 }
}

/** An observation that is older than what is known changes nothing. */
export function applyTraffic(table: unknown, { tenantId, value }: BroadcastRecord): unknown {
  const parsed = traffic.parse(value)
  if (!parsed.ok || !isTrafficTable(table)) return table
  const { segmentId, recordedAtMs, speedKmh, freeFlowKmh, closed } = parsed.value
  const key = scopedKey(tenantId, segmentId)
  const known = Object.hasOwn(table.segments, key) ? table.segments[key] : undefined
  if (known !== undefined && known.observedAtMs > recordedAtMs) return table
  table.segments[key] = {
    speedKmh,
    freeFlowKmh: freeFlowKmh ?? known?.freeFlowKmh ?? null,
    closed: closed ?? false,
    observedAtMs: recordedAtMs,
  }
  if (known === undefined && ++table.count > MAX_TRAFFIC_SEGMENTS) dropOldest(table)
  return table
}

/** What the tenant itself observed counts before what everybody is told. */
export function liveSegment(
  table: unknown,
  { tenantId, segmentId }: { readonly tenantId: string; readonly segmentId: string },
): LiveSegment | undefined {
  if (!isTrafficTable(table)) return undefined
  const { segments } = table
  const own = tenantId === DEFAULT_TENANT ? undefined : segments[scopedKey(tenantId, segmentId)]
  return own ?? segments[segmentId]
}

export function isTrafficTable(table: unknown): table is TrafficTable {
  return typeof table === 'object' && table !== null && 'segments' in table
}

export interface StretchTime {
  readonly durationS: number
  /** Standard deviation over duration. */
  readonly spread: number
}

/** Spread of what was observed just now, and of what is only usual. */
const OBSERVED_SPREAD = 0.12
const USUAL_SPREAD = 0.35

/** How long a stretch takes at an instant: what was observed fades into what is usual. */
export function stretchTime(
  lengthM: number,
  usualKmh: number,
  live: LiveSegment | undefined,
  atMs: EpochMs,
): StretchTime {
  const usualS = (lengthM * 3.6) / (live?.freeFlowKmh ?? usualKmh)
  const ageMs = live === undefined ? TRAFFIC_LASTS_MS : Math.max(0, atMs - live.observedAtMs)
  if (live === undefined || ageMs >= TRAFFIC_LASTS_MS) {
    return { durationS: usualS, spread: USUAL_SPREAD }
  }
  const weight = Math.exp(-ageMs / TRAFFIC_FADES_MS)
  const liveS = (lengthM * 3.6) / Math.max(CRAWL_KMH, live.speedKmh)
  return {
    durationS: weight * liveS + (1 - weight) * usualS,
    spread: weight * OBSERVED_SPREAD + (1 - weight) * USUAL_SPREAD,
  }
}

/** A tenth goes, so that it need not be done again at once. */
function dropOldest(table: TrafficTable): void {
  const byAge = Object.entries(table.segments).sort(
    ([, one], [, other]) => one.observedAtMs - other.observedAtMs,
  )
  for (const [key] of byAge.slice(0, MAX_TRAFFIC_SEGMENTS / 10)) {
    delete table.segments[key]
    table.count--
  }
}
