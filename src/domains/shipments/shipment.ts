// The state of one shipment: what its events say of it, put together so that their order of arrival does not
// matter. What it promises and where it is are computed from that.

import type { EpochMs } from '../../kernel/time.ts'
import type { MilestoneType, ShipmentEvent } from './events.ts'
import { newest, type Statements, type Timed, withStatement } from './facts.ts'
import { type Milestones, withMilestone } from './journey.ts'

/** Planned milestones of one shipment that are kept in state; beyond it the ones told first go. */
export const MAX_PLANNED = 32

export interface PlannedMilestone {
  readonly type: MilestoneType
  readonly location: string | null
  readonly atMs: EpochMs
  readonly saidAtMs: EpochMs
}

export interface Place {
  readonly location: string | null
  readonly lat: number | null
  readonly lon: number | null
}

/** Who has it: a truck, a warehouse, both where it is loaded in one, or neither known. */
export interface Holder {
  readonly truckId: string | null
  readonly warehouseId: string | null
}

/** Plain data, never changed in place: copies of a state share it. */
export interface Shipment {
  readonly shipmentId: string
  /** Of its first event; events that name another merchant are no news of this shipment. */
  readonly merchantId: string
  /** Time of the newest event. */
  readonly recordedAtMs: EpochMs
  readonly actual: Milestones
  readonly planned: readonly PlannedMilestone[]
  /** When the carrier says that it will be delivered. */
  readonly estimate: Timed<EpochMs> | null
  readonly statements: Statements
  readonly place: Timed<Place> | null
  readonly region: Timed<string> | null
  readonly holder: Timed<Holder> | null
  /** Why the newest milestone was; null where it gave no reason. */
  readonly reason: Timed<string | null> | null
}

/** Milestones at which goods leave a place. */
const LEAVING: ReadonlySet<MilestoneType> = new Set(['picked-up', 'departed', 'out-for-delivery'])
/** Milestones after which nobody of ours has them. */
const HANDED_OVER: ReadonlySet<MilestoneType> = new Set(['delivered', 'returned'])

/** When the milestone of an event is. `atMs` is the event's time as the engine believes it. */
export function milestoneMs(event: ShipmentEvent, atMs: EpochMs): EpochMs {
  const saidMs = event.milestoneAtMs ?? event.recordedAtMs
  if (event.timing !== 'actual') return saidMs
  // What has happened is not ahead of the moment that it was told at.
  return Math.min(saidMs, Math.max(atMs, 0))
}

/** The shipment after an event of its merchant. */
export function shipmentAfter(
  known: Shipment | null,
  event: ShipmentEvent,
  atMs: EpochMs,
): Shipment {
  const saidAtMs = Math.min(event.recordedAtMs, atMs)
  return {
    shipmentId: event.shipmentId,
    merchantId: known?.merchantId ?? event.merchantId,
    recordedAtMs: Math.max(known?.recordedAtMs ?? saidAtMs, saidAtMs),
    actual: actualAfter(known?.actual ?? [], event, atMs),
    planned: plannedAfter(known?.planned ?? [], event, saidAtMs),
    estimate: estimateAfter(known?.estimate ?? null, event, saidAtMs),
    statements: withStatement(known?.statements ?? [], event, saidAtMs),
    ...whereAfter(known, event, milestoneMs(event, atMs)),
  }
}

function actualAfter(known: Milestones, event: ShipmentEvent, atMs: EpochMs): Milestones {
  const ordered =
    event.createdAtMs === null ? known : withMilestone(known, 'created', event.createdAtMs)
  if (event.timing !== 'actual') return ordered
  return withMilestone(ordered, event.type, milestoneMs(event, atMs))
}

function plannedAfter(
  known: readonly PlannedMilestone[],
  event: ShipmentEvent,
  saidAtMs: EpochMs,
): readonly PlannedMilestone[] {
  if (event.timing !== 'planned') return known
  const { type, location } = event
  const same = known.find((each) => each.type === type && each.location === location)
  if (same !== undefined && same.saidAtMs > saidAtMs) return known
  const atMs = milestoneMs(event, saidAtMs)
  const others = known.filter((each) => each !== same)
  return [...others, { type, location, atMs, saidAtMs }].slice(-MAX_PLANNED)
}

function estimateAfter(
  known: Shipment['estimate'],
  event: ShipmentEvent,
  saidAtMs: EpochMs,
): Shipment['estimate'] {
  if (event.timing !== 'estimated' || event.type !== 'delivered') return known
  return newest(known, milestoneMs(event, saidAtMs), saidAtMs)
}

type Where = Pick<Shipment, 'place' | 'region' | 'holder' | 'reason'>

const NOWHERE: Where = { place: null, region: null, holder: null, reason: null }

/** Actual milestones alone say where it is. */
function whereAfter(known: Where | null, event: ShipmentEvent, atMs: EpochMs): Where {
  const { place, region, holder, reason } = known ?? NOWHERE
  if (event.timing !== 'actual') return { place, region, holder, reason }
  const { location, lat, lon, truckId, warehouseId } = event
  const tellsPlace = location !== null || lat !== null
  const tellsHolder =
    truckId !== null ||
    warehouseId !== null ||
    LEAVING.has(event.type) ||
    HANDED_OVER.has(event.type)
  return {
    place: tellsPlace ? newest(place, { location, lat, lon }, atMs) : place,
    region: event.region === null ? region : newest(region, event.region, atMs),
    holder: tellsHolder ? newest(holder, { truckId, warehouseId }, atMs) : holder,
    reason: newest(reason, event.reason, atMs),
  }
}
