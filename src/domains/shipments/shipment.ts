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

/** In place of a moment: nothing was told yet. Before all dates, so that anything that is told is newer. */
export const NEVER_MS: EpochMs = -8_640_000_000_000_001

/**
 * Plain data, changed in place by the task that owns it; its lists are not, and copies share them. Flat, and its
 * moments numbers from the beginning: a million of them are kept, each event asks for another, and what need not
 * be found elsewhere or made anew costs nothing.
 */
export interface Shipment {
  readonly shipmentId: string
  /** Of its first event; events that name another merchant are no news of this shipment. */
  readonly merchantId: string
  /** Time of the newest event. */
  recordedAtMs: EpochMs
  actual: Milestones
  planned: readonly PlannedMilestone[]
  /** When the carrier says that it will be delivered, and when it said so. */
  estimateMs: EpochMs | null
  estimateAtMs: EpochMs
  statements: Statements
  /** Where it is: of the newest milestone that told. */
  placeAtMs: EpochMs
  location: string | null
  lat: number | null
  lon: number | null
  regionAtMs: EpochMs
  region: string | null
  /** Who has it: a truck, a warehouse, both where it is loaded in one, or neither known. */
  holderAtMs: EpochMs
  truckId: string | null
  warehouseId: string | null
  /** Why the newest milestone was; null where it gave no reason. */
  reasonAtMs: EpochMs
  reason: string | null
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

/** A shipment of which nothing is known but whose it is. */
export function newShipment({ shipmentId, merchantId }: ShipmentEvent): Shipment {
  return {
    shipmentId,
    merchantId: sharedText(merchantId),
    recordedAtMs: NEVER_MS,
    actual: NO_MILESTONES,
    planned: NONE_PLANNED,
    estimateMs: null,
    estimateAtMs: NEVER_MS,
    statements: NO_STATEMENTS,
    placeAtMs: NEVER_MS,
    location: null,
    lat: null,
    lon: null,
    regionAtMs: NEVER_MS,
    region: null,
    holderAtMs: NEVER_MS,
    truckId: null,
    warehouseId: null,
    reasonAtMs: NEVER_MS,
    reason: null,
  }
}

/** Tells the shipment of an event of its merchant; `atMs` is the event's time as the engine believes it. */
export function tell(shipment: Shipment, event: ShipmentEvent, atMs: EpochMs): void {
  const saidAtMs = Math.min(event.recordedAtMs, atMs)
  shipment.recordedAtMs = Math.max(shipment.recordedAtMs, saidAtMs)
  shipment.actual = actualAfter(shipment.actual, event, atMs)
  shipment.planned = plannedAfter(shipment.planned, event, saidAtMs)
  shipment.statements = withStatement(shipment.statements, event, saidAtMs)
  if (event.timing === 'actual') tellWhere(shipment, event, milestoneMs(event, atMs))
  const estimates = event.timing === 'estimated' && event.type === 'delivered'
  if (estimates && saidAtMs >= shipment.estimateAtMs) {
    shipment.estimateMs = milestoneMs(event, saidAtMs)
    shipment.estimateAtMs = saidAtMs
  }
}

/** Actual milestones alone say where it is, each thing as the newest that speaks of it. */
function tellWhere(shipment: Shipment, event: ShipmentEvent, atMs: EpochMs): void {
  if (tellsPlace(event) && atMs >= shipment.placeAtMs) {
    shipment.placeAtMs = atMs
    shipment.location = sharedText(event.location)
    shipment.lat = event.lat
    shipment.lon = event.lon
  }
  if (event.region !== null && atMs >= shipment.regionAtMs) {
    shipment.regionAtMs = atMs
    shipment.region = sharedText(event.region)
  }
  if (tellsHolder(event) && atMs >= shipment.holderAtMs) {
    shipment.holderAtMs = atMs
    shipment.truckId = sharedText(event.truckId)
    shipment.warehouseId = sharedText(event.warehouseId)
  }
  if (atMs >= shipment.reasonAtMs) {
    shipment.reasonAtMs = atMs
    shipment.reason = event.reason
  }
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
