// Drives of a vehicle, and so the stops between them: from the first reading on the move to the last before it stood
// for five minutes, or was silent for an hour. A drive that leads nowhere is none.

import { carriedInto, known } from '../kernel/plain-data.ts'
import { type DurationMs, type EpochMs, HOUR_MS, MINUTE_MS } from '../kernel/time.ts'
import type { RowTable } from '../ports/row-table.ts'

/** A shorter way or time is moving about, no drive. */
export const LEAST_DRIVE_KM = 0.5
export const LEAST_DRIVE_MS: DurationMs = 5 * MINUTE_MS
/** Standing for so long ends a drive. */
export const STOP_MS: DurationMs = 5 * MINUTE_MS
/** Nothing heard for so long ends it, too. */
const DRIVE_GAP_MS: DurationMs = HOUR_MS

/** Plain data, changed in place by whoever owns the state; NaN: not known. */
export interface Drive {
  readonly entityType: string
  readonly entityId: string
  readonly startsAtMs: EpochMs
  readonly startLat: number
  readonly startLon: number
  /** Of its newest reading on the move. */
  endsAtMs: EpochMs
  endLat: number
  endLon: number
  distanceKm: number
  maxSpeedKmh: number
  /** Nothing ended it yet. */
  underWay: boolean
}

export const drives: RowTable<Drive> = {
  name: 'drive',
  columns: [
    { name: 'entity_type', type: 'text' },
    { name: 'entity_id', type: 'text' },
    { name: 'starts_at', type: 'timestamptz' },
    { name: 'start_lat', type: 'float8' },
    { name: 'start_lon', type: 'float8' },
    { name: 'ends_at', type: 'timestamptz' },
    { name: 'end_lat', type: 'float8' },
    { name: 'end_lon', type: 'float8' },
    { name: 'distance_km', type: 'float8' },
    { name: 'max_speed_kmh', type: 'float8' },
    { name: 'under_way', type: 'bool' },
  ],
  keyColumns: 3,
  write(row, drive) {
    row.text(drive.entityType)
    row.text(drive.entityId)
    row.timestamp(drive.startsAtMs)
    row.float8(known(drive.startLat))
    row.float8(known(drive.startLon))
    row.timestamp(drive.endsAtMs)
    row.float8(known(drive.endLat))
    row.float8(known(drive.endLon))
    row.float8(drive.distanceKm)
    row.float8(drive.maxSpeedKmh)
    row.bool(drive.underWay)
  },
}

/** NaN: not known. */
interface Place {
  readonly lat: number
  readonly lon: number
}

/** A reading as drives see it. */
export interface Movement {
  readonly entityType: string
  readonly entityId: string
  readonly atMs: EpochMs
  /** Since the reading before it. */
  readonly stepMs: DurationMs
  readonly wayKm: number
  readonly speedKmh: number
  readonly moves: boolean
  /** The reading before it, and itself. */
  readonly last: Place
  readonly now: Place
}

/** The drive after a reading, or null where none is going on; `before` goes on, and is changed in place. */
export function driveAfter(before: Drive | null, movement: Movement): Drive | null {
  if (before === null) return movement.moves ? newDrive(movement) : null
  before.distanceKm += movement.wayKm
  if (!movement.moves) return before
  const { now, speedKmh } = movement
  before.endsAtMs = movement.atMs
  if (!Number.isNaN(now.lat)) before.endLat = now.lat
  if (!Number.isNaN(now.lon)) before.endLon = now.lon
  if (speedKmh > before.maxSpeedKmh) before.maxSpeedKmh = speedKmh
  return before
}

/** As it was, from what JSON made of it. */
export function restoreDrive(carried: Drive): Drive {
  const nowhere = {
    startLat: Number.NaN,
    startLon: Number.NaN,
    endLat: Number.NaN,
    endLon: Number.NaN,
  }
  return carriedInto({ ...carried, ...nowhere }, carried)
}

/** Long enough to be told. */
export function leadsSomewhere({ startsAtMs, endsAtMs, distanceKm }: Drive): boolean {
  return endsAtMs - startsAtMs >= LEAST_DRIVE_MS && distanceKm >= LEAST_DRIVE_KM
}

/** It stood or was silent too long for this reading to be of the same drive. */
export function isOver(drive: Drive, { atMs, stepMs, moves }: Movement): boolean {
  return stepMs >= DRIVE_GAP_MS || (!moves && atMs - drive.endsAtMs >= STOP_MS)
}

/** It began at the reading before, unless that is long ago. */
function newDrive(movement: Movement): Drive {
  const { entityType, entityId, atMs, stepMs, wayKm, speedKmh, last, now } = movement
  const fromBefore = stepMs < STOP_MS
  const from = fromBefore ? last : now
  return {
    entityType,
    entityId,
    startsAtMs: fromBefore ? atMs - stepMs : atMs,
    startLat: from.lat,
    startLon: from.lon,
    endsAtMs: atMs,
    endLat: now.lat,
    endLon: now.lon,
    distanceKm: fromBefore ? wayKm : 0,
    maxSpeedKmh: speedKmh,
    underWay: true,
  }
}
