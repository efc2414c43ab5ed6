// Windows as they are shown: the parts of partitions and eras put together.

import type { EpochMs } from '../../kernel/time.ts'
import type { WindowPart } from './queries.ts'

export interface WindowFigures {
  readonly windowStartMs: EpochMs
  readonly windowEndMs: EpochMs
  readonly model: string
  readonly readings: number
  readonly maxSpeedKmh: number | null
  readonly activeVehicles: number
  /** How many vehicles have which colour. */
  readonly colors: Readonly<Record<string, number>>
  /** 1 for a window that nothing late has changed. */
  readonly revision: number
  readonly final: boolean
}

/** In the order in which the windows come first. Of two tellings of one part the later revision counts. */
export function windowFigures(parts: readonly WindowPart[]): readonly WindowFigures[] {
  const windows = new Map<string, Map<string, WindowPart>>()
  for (const part of parts) {
    const name = `${part.startMs} ${part.group}`
    const place = `${part.partition} ${part.era}`
    const known = windows.get(name) ?? new Map<string, WindowPart>()
    windows.set(name, known)
    const before = known.get(place)
    if (before === undefined || isLater(part, before)) known.set(place, part)
  }
  return [...windows.values()].map((known) => merged([...known.values()]))
}

function isLater(part: WindowPart, before: WindowPart): boolean {
  return part.final === before.final ? part.revision > before.revision : part.final
}

/**
 * Keys are disjoint across partitions, so counts add up and maxima compare. Eras of one partition with the
 * same keys are one history told twice: its vehicles count once.
 */
function merged(parts: readonly WindowPart[]): WindowFigures {
  const colors: Record<string, number> = {}
  let readings = 0
  let activeVehicles = 0
  let maxSpeedKmh: number | null = null
  let amendments = 0
  const counted = new Set<string>()
  const partitions = new Set<number>()
  for (const part of parts) {
    const { values, partition, keysHash } = part
    const maximum = numberOf(values.maxSpeedKmh)
    if (maximum !== null) maxSpeedKmh = Math.max(maxSpeedKmh ?? maximum, maximum)
    amendments += part.revision - 1 + (partitions.has(partition) ? 1 : 0)
    partitions.add(partition)
    const whole = `${partition} ${keysHash} ${JSON.stringify(values)}`
    if (!counted.has(whole)) readings += numberOf(values.readings) ?? 0
    counted.add(whole)
    const keys = `${partition} ${keysHash}`
    if (keysHash !== null && counted.has(keys)) continue
    counted.add(keys)
    activeVehicles += numberOf(values.activeVehicles) ?? 0
    for (const [color, count] of Object.entries(Object(values.colors))) {
      colors[color] = (colors[color] ?? 0) + Number(count)
    }
  }
  const [first] = parts
  return {
    windowStartMs: first?.startMs ?? 0,
    windowEndMs: first?.endMs ?? 0,
    model: first?.group ?? '',
    readings,
    maxSpeedKmh,
    activeVehicles,
    colors,
    revision: 1 + amendments,
    final: parts.every(({ final }) => final),
  }
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' ? value : null
}
