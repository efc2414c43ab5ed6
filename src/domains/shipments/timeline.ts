// The timeline of a shipment and who had it when, from all its events. Unlike the state it knows every event,
// however old.

import type { EpochMs } from '../../kernel/time.ts'
import { MILESTONE_TYPES, type MilestoneType, type ShipmentEvent } from './events.ts'

export interface TimelineEntry {
  readonly type: MilestoneType
  readonly location: string | null
  readonly region: string | null
  readonly plannedMs: EpochMs | null
  readonly estimatedMs: EpochMs | null
  readonly actualMs: EpochMs | null
  readonly truckId: string | null
  readonly warehouseId: string | null
  readonly reason: string | null
  readonly lat: number | null
  readonly lon: number | null
  /** When the newest of it was told. */
  readonly recordedAtMs: EpochMs
}

export type CustodyKind = 'truck' | 'warehouse' | 'unknown'

/** Who had the goods in `[fromMs, toMs)`; null: still. */
export interface Custody {
  readonly kind: CustodyKind
  readonly id: string | null
  readonly fromMs: EpochMs
  readonly toMs: EpochMs | null
  readonly location: string | null
}

type Draft = { -readonly [Name in keyof TimelineEntry]: TimelineEntry[Name] }

/** One entry a milestone, by its time: actual, else estimated, else planned. */
export function timelineOf(events: readonly ShipmentEvent[]): readonly TimelineEntry[] {
  const drafts: Draft[] = []
  for (const event of actualsOf(events)) {
    const atMs = momentOf(event)
    const known = drafts.find(
      (each) => each.type === event.type && each.actualMs === atMs && sameplace(each, event),
    )
    if (known === undefined) drafts.push(draftOf(event, 'actualMs', atMs))
  }
  addCreated(drafts, events)
  for (const event of told(events, 'planned')) attach(drafts, event, 'plannedMs')
  for (const event of told(events, 'estimated')) attach(drafts, event, 'estimatedMs')
  return drafts.sort((a, b) => momentOfEntry(a) - momentOfEntry(b) || rank(a.type) - rank(b.type))
}

/** The chain of custody: each actual milestone that names a holder, or takes the goods from one, begins a part. */
export function custodyOf(events: readonly ShipmentEvent[]): readonly Custody[] {
  const chain: { -readonly [Name in keyof Custody]: Custody[Name] }[] = []
  for (const event of actualsOf(events)) {
    const atMs = momentOf(event)
    const last = chain.at(-1)
    const ends = event.type === 'delivered' || event.type === 'returned'
    const named = event.truckId !== null || event.warehouseId !== null
    if (!named && !ends && !LEAVING.has(event.type)) continue
    if (last !== undefined && last.toMs === null) last.toMs = atMs
    if (ends) continue
    const kind =
      event.truckId !== null ? 'truck' : event.warehouseId !== null ? 'warehouse' : 'unknown'
    const id = event.truckId ?? event.warehouseId
    if (last !== undefined && last.kind === kind && last.id === id && last.toMs === atMs) {
      last.toMs = null
      continue
    }
    chain.push({ kind, id, fromMs: atMs, toMs: null, location: event.location })
  }
  return chain
}

const LEAVING: ReadonlySet<MilestoneType> = new Set(['picked-up', 'departed', 'out-for-delivery'])

function actualsOf(events: readonly ShipmentEvent[]): readonly ShipmentEvent[] {
  return events
    .filter(({ timing }) => timing === 'actual')
    .sort((a, b) => momentOf(a) - momentOf(b) || rank(a.type) - rank(b.type))
}

/** In the order they were said, so that what was said last counts. */
function told(
  events: readonly ShipmentEvent[],
  timing: ShipmentEvent['timing'],
): readonly ShipmentEvent[] {
  return events
    .filter((event) => event.timing === timing)
    .sort((a, b) => a.recordedAtMs - b.recordedAtMs)
}

function addCreated(drafts: Draft[], events: readonly ShipmentEvent[]): void {
  const event = told(events, 'actual').findLast(({ createdAtMs }) => createdAtMs !== null)
  if (event?.createdAtMs == null || drafts.some(({ type }) => type === 'created')) return
  const { createdAtMs, recordedAtMs } = event
  drafts.push({ ...NOTHING, type: 'created', actualMs: createdAtMs, recordedAtMs })
}

/** To the first milestone of that type and place that has none yet, or the one that had it from before. */
function attach(drafts: Draft[], event: ShipmentEvent, field: 'plannedMs' | 'estimatedMs'): void {
  const atMs = momentOf(event)
  const fitting = drafts.filter((each) => each.type === event.type && sameplace(each, event))
  const entry = fitting.find((each) => each[field] === null) ?? fitting.at(-1)
  if (entry === undefined) {
    drafts.push(draftOf(event, field, atMs))
    return
  }
  entry[field] = atMs
  entry.location ??= event.location
  entry.recordedAtMs = Math.max(entry.recordedAtMs, event.recordedAtMs)
}

function sameplace(entry: Draft, { location }: ShipmentEvent): boolean {
  return entry.location === location || entry.location === null || location === null
}

const NOTHING = {
  location: null,
  region: null,
  plannedMs: null,
  estimatedMs: null,
  actualMs: null,
  truckId: null,
  warehouseId: null,
  reason: null,
  lat: null,
  lon: null,
} as const

function draftOf(
  event: ShipmentEvent,
  field: 'plannedMs' | 'estimatedMs' | 'actualMs',
  atMs: EpochMs,
): Draft {
  const { type, location, region, truckId, warehouseId, reason, lat, lon, recordedAtMs } = event
  const about = { type, location, region, truckId, warehouseId, reason, lat, lon, recordedAtMs }
  return { ...NOTHING, ...about, [field]: atMs }
}

function momentOf({ milestoneAtMs, recordedAtMs }: ShipmentEvent): EpochMs {
  return milestoneAtMs ?? recordedAtMs
}

function momentOfEntry({ actualMs, estimatedMs, plannedMs }: TimelineEntry): EpochMs {
  return actualMs ?? estimatedMs ?? plannedMs ?? 0
}

function rank(type: MilestoneType): number {
  return MILESTONE_TYPES.indexOf(type)
}
