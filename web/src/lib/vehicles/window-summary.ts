// Windows as the charts show them: the newest one over all models, and one point a window over time.

import type { VehicleWindow, WindowSize } from './types.ts'

/** Models and colours that are shown by name; the rest is one row. */
const MAX_BARS = 12

export interface Bar {
  readonly name: string
  readonly value: number
}

export interface WindowNow {
  readonly windowStart: string
  readonly windowEnd: string
  readonly final: boolean
  readonly activeVehicles: number
  readonly readings: number
  readonly maxSpeeds: readonly Bar[]
  readonly colors: readonly Bar[]
}

/** The open window that has run longest; where none is open, the newest final one. */
export function newestWindow(windows: readonly VehicleWindow[]): WindowNow | undefined {
  const starts = [...new Set(windows.map(({ windowStart }) => windowStart))].sort()
  const open = starts.filter((start) =>
    windows.some(({ windowStart, final }) => windowStart === start && !final),
  )
  const chosen = open[0] ?? starts.at(-1)
  const parts = windows.filter(({ windowStart }) => windowStart === chosen)
  const [first] = parts
  if (first === undefined) return undefined
  const colors = new Map<string, number>()
  for (const { colors: counts } of parts) {
    for (const [color, count] of Object.entries(counts)) {
      colors.set(color, (colors.get(color) ?? 0) + count)
    }
  }
  const total = (value: (part: VehicleWindow) => number): number =>
    parts.reduce((sum, part) => sum + value(part), 0)
  return {
    windowStart: first.windowStart,
    windowEnd: first.windowEnd,
    final: parts.every(({ final }) => final),
    activeVehicles: total((part) => part.activeVehicles),
    readings: total((part) => part.readings),
    maxSpeeds: parts
      .flatMap(({ model, maxSpeedKmh }) =>
        maxSpeedKmh === null ? [] : [{ name: model, value: maxSpeedKmh }],
      )
      .sort(byValue)
      .slice(0, MAX_BARS),
    colors: [...colors]
      .map(([name, value]) => ({ name, value }))
      .sort(byValue)
      .slice(0, MAX_BARS),
  }
}

const MINUTE_S = 60
const LEAST_HISTORY_S = 180 * MINUTE_S
/** Points of a chart over time, at most. */
const MAX_POINTS = 36

/** How far back to ask for the window that fills now and for those before it, and every how long. */
export function lookBackOver({ sizeS, slideS }: WindowSize): {
  readonly newestMs: number
  readonly historyMs: number
  readonly everyS: number
} {
  const historyS = Math.max(LEAST_HISTORY_S, 12 * sizeS)
  return {
    newestMs: (sizeS + 2 * slideS + MINUTE_S) * 1_000,
    historyMs: historyS * 1_000,
    everyS: Math.ceil(historyS / MAX_POINTS / slideS) * slideS,
  }
}

function byValue(a: Bar, b: Bar): number {
  return b.value - a.value || (a.name < b.name ? -1 : 1)
}

export interface WindowPoint {
  /** End of the window, in seconds since 1970. */
  readonly atS: number
  readonly activeVehicles: number
  readonly maxSpeedKmh: number | null
}

export function windowPoints(windows: readonly VehicleWindow[]): readonly WindowPoint[] {
  const byEnd = new Map<string, WindowPoint>()
  for (const { windowEnd, activeVehicles, maxSpeedKmh } of windows) {
    const before = byEnd.get(windowEnd)
    byEnd.set(windowEnd, {
      atS: Date.parse(windowEnd) / 1000,
      activeVehicles: activeVehicles + (before?.activeVehicles ?? 0),
      maxSpeedKmh:
        maxSpeedKmh === null
          ? (before?.maxSpeedKmh ?? null)
          : Math.max(maxSpeedKmh, before?.maxSpeedKmh ?? maxSpeedKmh),
    })
  }
  return [...byEnd.values()].sort((a, b) => a.atS - b.atS)
}
