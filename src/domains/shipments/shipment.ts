// The state of one shipment: what its events say of it, put together so that their order of arrival does not
// matter. What it promises and where it is are computed from that.

import type { EpochMs } from '../../kernel/time.ts'
import type { MilestoneType, ShipmentEvent } from './events.ts'
import { NO_STATEMENTS, type Statements, withStatement } from './facts.ts'
import { type Milestones, withMilestone } from './journey.ts'
import { sharedText } from './shared-text.ts'

/** Planned milestones of one shipment that are kept in state; beyond it the ones told first go. */
export const MAX_PLANNED = 32

export interface PlannedMilestone {
  readonly type: MilestoneType
  readonly location: string | null
  readonly atMs: EpochMs
  readonly saidAtMs: EpochMs
}

/**
 * Plain data, never changed in place: copies of a state share it. Flat, since a million of them are kept, of
 * which each event asks for another: what is in one piece is found at once. A moment `…AtMs` is null
 * where what it is of was never told.
 */
export interface Shipment {
  readonly shipmentId: string
  /** Of its first event; events that name another merchant are no news of this shipment. */
  readonly merchantId: string
  /** Time of the newest event. */
  readonly recordedAtMs: EpochMs
  readonly actual: Milestones
  readonly planned: readonly PlannedMilestone[]
  /** When the carrier says that it will be delivered, and when it said so. */
  readonly estimateMs: EpochMs | null
  readonly estimateAtMs: EpochMs | null
  readonly statements: Statements
  /** Where it is: of the newest milestone that told. */
  readonly placeAtMs: EpochMs | null
  readonly location: string | null
  readonly lat: number | null
  readonly lon: number | null
  readonly regionAtMs: EpochMs | null
  readonly region: string | null
  /** Who has it: a truck, a warehouse, both where it is loaded in one, or neither known. */
  readonly holderAtMs: EpochMs | null
  readonly truckId: string | null
  readonly warehouseId: string | null
  /** Why the newest milestone was; null where it gave no reason. */
  readonly reasonAtMs: EpochMs | null
  readonly reason: string | null
}

const NO_MILESTONES: Milestones = []
const NONE_PLANNED: readonly PlannedMilestone[] = []

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
  const before = known ?? unknownShipment(event)
  const saidAtMs = Math.min(event.recordedAtMs, atMs)
  const milestoneAtMs = milestoneMs(event, atMs)
  const estimates = event.timing === 'estimated' && event.type === 'delivered'
  const estimated = estimates && isNewer(saidAtMs, before.estimateAtMs)
  // Actual milestones alone say where it is.
  const actual = event.timing === 'actual'
  const placed = actual && tellsPlace(event) && isNewer(milestoneAtMs, before.placeAtMs)
  const inRegion = actual && event.region !== null && isNewer(milestoneAtMs, before.regionAtMs)
  const held = actual && tellsHolder(event) && isNewer(milestoneAtMs, before.holderAtMs)
  const reasoned = actual && isNewer(milestoneAtMs, before.reasonAtMs)
  return {
    shipmentId: before.shipmentId,
    merchantId: before.merchantId,
    recordedAtMs: known === null ? saidAtMs : Math.max(before.recordedAtMs, saidAtMs),
    actual: actualAfter(before.actual, event, atMs),
    planned: plannedAfter(before.planned, event, saidAtMs),
    estimateMs: estimated ? milestoneMs(event, saidAtMs) : before.estimateMs,
    estimateAtMs: estimated ? saidAtMs : before.estimateAtMs,
    statements: withStatement(before.statements, event, saidAtMs),
    placeAtMs: placed ? milestoneAtMs : before.placeAtMs,
    location: placed ? sharedText(event.location) : before.location,
    lat: placed ? event.lat : before.lat,
    lon: placed ? event.lon : before.lon,
    regionAtMs: inRegion ? milestoneAtMs : before.regionAtMs,
    region: inRegion ? sharedText(event.region) : before.region,
    holderAtMs: held ? milestoneAtMs : before.holderAtMs,
    truckId: held ? sharedText(event.truckId) : before.truckId,
    warehouseId: held ? sharedText(event.warehouseId) : before.warehouseId,
    reasonAtMs: reasoned ? milestoneAtMs : before.reasonAtMs,
    reason: reasoned ? event.reason : before.reason,
  }
}

function unknownShipment({ shipmentId, merchantId, recordedAtMs }: ShipmentEvent): Shipment {
  return {
    shipmentId,
    merchantId: sharedText(merchantId),
    recordedAtMs,
    actual: NO_MILESTONES,
    planned: NONE_PLANNED,
    estimateMs: null,
    estimateAtMs: null,
    statements: NO_STATEMENTS,
    placeAtMs: null,
    location: null,
    lat: null,
    lon: null,
    regionAtMs: null,
    region: null,
    holderAtMs: null,
    truckId: null,
    warehouseId: null,
    reasonAtMs: null,
    reason: null,
  }
}

function isNewer(atMs: EpochMs, knownAtMs: EpochMs | null): boolean {
  return knownAtMs === null || atMs >= knownAtMs
}

function tellsPlace({ location, lat }: ShipmentEvent): boolean {
  return location !== null || lat !== null
}

function tellsHolder({ type, truckId, warehouseId }: ShipmentEvent): boolean {
  return truckId !== null || warehouseId !== null || LEAVING.has(type) || HANDED_OVER.has(type)
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
