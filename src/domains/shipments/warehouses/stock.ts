// The stock of one sku of one merchant in one warehouse, from its movements. What comes late is put where it
// belongs as far as the recent movements reach back: a count says what was there at its moment, not now.

import type { EpochMs } from '../../../kernel/time.ts'
import type { WarehouseEvent } from './events.ts'

/** Movements that a late count can be set against; it is not believed where it is older than all of them. */
export const MAX_RECENT_MOVEMENTS = 64
/** Lots for dwell time; beyond it the two oldest become one. */
export const MAX_LOTS = 64

/** Plain data, never changed in place. */
export interface StockLine {
  readonly merchantId: string
  readonly sku: string
  /** May be negative, which says that something was not recorded. */
  readonly onHand: number
  /** Picked and not yet dispatched; still on hand. */
  readonly picked: number
  readonly received: number
  readonly dispatched: number
  /** Sum of adjustments and of what counts found. */
  readonly adjusted: number
  /** Seconds that dispatched units had been there, summed over units, and how many units that is. */
  readonly dwellUnitS: number
  readonly dwellUnits: number
  /** When, how many: first in, first out. */
  readonly lots: readonly number[]
  /** When, by how much on hand changed, in order of time. */
  readonly recent: readonly number[]
  readonly countedAtMs: EpochMs | null
  /** What the last count found more, or less, than was expected. */
  readonly countDifference: number | null
  /** At or below it the line is low; null where nothing is said of it. As of the newest movement. */
  readonly reorderPoint: number | null
  readonly bin: string | null
  readonly region: string | null
  /** Time of the newest movement. */
  readonly recordedAtMs: EpochMs
}

export function emptyLine({ merchantId, sku, recordedAtMs }: WarehouseEvent): StockLine {
  return {
    merchantId,
    sku,
    onHand: 0,
    picked: 0,
    received: 0,
    dispatched: 0,
    adjusted: 0,
    dwellUnitS: 0,
    dwellUnits: 0,
    lots: [],
    recent: [],
    countedAtMs: null,
    countDifference: null,
    reorderPoint: null,
    bin: null,
    region: null,
    recordedAtMs,
  }
}

export function isLow({ onHand, reorderPoint }: StockLine): boolean {
  return reorderPoint !== null && onHand <= reorderPoint
}

/** The line after a movement at `atMs`, whether or not it is the newest. */
export function lineAfter(line: StockLine, event: WarehouseEvent, atMs: EpochMs): StockLine {
  const newer = atMs >= line.recordedAtMs
  const placed: StockLine = {
    ...line,
    bin: newer ? (event.bin ?? line.bin) : (line.bin ?? event.bin),
    region: newer ? (event.region ?? line.region) : (line.region ?? event.region),
    recordedAtMs: Math.max(line.recordedAtMs, atMs),
  }
  const { quantity } = event
  switch (event.type) {
    case 'received':
      return moved({ ...placed, received: placed.received + quantity }, quantity, atMs)
    case 'adjusted':
      return moved({ ...placed, adjusted: placed.adjusted + quantity }, quantity, atMs)
    case 'dispatched':
      return dispatched(placed, quantity, atMs)
    case 'picked':
      return { ...placed, picked: placed.picked + quantity }
    case 'counted':
      return counted(placed, quantity, atMs)
    case 'stored':
    case 'packed':
      return placed
  }
}

function dispatched(line: StockLine, quantity: number, atMs: EpochMs): StockLine {
  const { lots, units, unitS } = takenFrom(line.lots, quantity, atMs)
  const after = moved(line, -quantity, atMs)
  return {
    ...after,
    lots: after.onHand === line.onHand ? line.lots : lots,
    dispatched: line.dispatched + quantity,
    picked: Math.max(0, line.picked - quantity),
    dwellUnits: line.dwellUnits + units,
    dwellUnitS: line.dwellUnitS + unitS,
  }
}

/** Changes what is on hand, unless a count after that moment has seen the change already. */
function moved(line: StockLine, delta: number, atMs: EpochMs): StockLine {
  if (line.countedAtMs !== null && atMs <= line.countedAtMs) return line
  const lots = delta > 0 ? withLot(line.lots, delta, atMs) : takenFrom(line.lots, -delta, atMs).lots
  return {
    ...line,
    onHand: line.onHand + delta,
    lots,
    recent: withRecent(line.recent, delta, atMs),
  }
}

function counted(line: StockLine, quantity: number, atMs: EpochMs): StockLine {
  if (line.countedAtMs !== null && atMs < line.countedAtMs) return line
  const { recent } = line
  const isBeyondMemory = recent.length >= 2 * MAX_RECENT_MOVEMENTS && atMs < (recent[0] ?? 0)
  if (isBeyondMemory) return line
  let sinceThen = 0
  for (let at = 0; at < recent.length; at += 2) {
    if ((recent[at] ?? 0) > atMs) sinceThen += recent[at + 1] ?? 0
  }
  const difference = quantity - (line.onHand - sinceThen)
  return {
    ...line,
    onHand: quantity + sinceThen,
    adjusted: line.adjusted + difference,
    countedAtMs: atMs,
    countDifference: difference,
    lots:
      difference > 0
        ? withLot(line.lots, difference, atMs)
        : takenFrom(line.lots, -difference, atMs).lots,
  }
}

function withRecent(recent: readonly number[], delta: number, atMs: EpochMs): readonly number[] {
  const all = inOrder(recent, delta, atMs)
  return all.length > 2 * MAX_RECENT_MOVEMENTS ? all.slice(2) : all
}

function withLot(lots: readonly number[], units: number, atMs: EpochMs): readonly number[] {
  const all = inOrder(lots, units, atMs)
  if (all.length <= 2 * MAX_LOTS) return all
  const [firstMs = 0, firstUnits = 0, , secondUnits = 0, ...rest] = all
  return [firstMs, firstUnits + secondUnits, ...rest]
}

function inOrder(pairs: readonly number[], amount: number, atMs: EpochMs): readonly number[] {
  let at = pairs.length
  while (at > 0 && (pairs[at - 2] ?? 0) > atMs) at -= 2
  return [...pairs.slice(0, at), atMs, amount, ...pairs.slice(at)]
}

/** The oldest units go first; what is taken beyond the lots has no known age. */
function takenFrom(
  lots: readonly number[],
  units: number,
  atMs: EpochMs,
): { readonly lots: readonly number[]; readonly units: number; readonly unitS: number } {
  let left = units
  let unitS = 0
  let at = 0
  let rest: readonly number[] = []
  while (at < lots.length && left > 0) {
    const [sinceMs = 0, there = 0] = [lots[at], lots[at + 1]]
    const taken = Math.min(there, left)
    left -= taken
    unitS += (taken * Math.max(0, atMs - sinceMs)) / 1_000
    if (taken < there) rest = [sinceMs, there - taken]
    at += 2
  }
  return { lots: [...rest, ...lots.slice(at)], units: units - left, unitS }
}
