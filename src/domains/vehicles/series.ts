// Curves of one vehicle for a chart: speed, revolutions, gear, and the gear that is expected at its speed.

import { type DurationMs, type EpochMs, SECOND_MS, toIso } from '../../kernel/time.ts'
import { type Channel, MinMaxChannel } from '../min-max-channel.ts'
import { expectedGear, type GearTable } from './gears.ts'
import type { StoredTelemetry } from './queries.ts'

/** Silence longer than this is a gap in the lines. */
export const GAP_LIMIT_MS: DurationMs = 120 * SECOND_MS
/** Gaps that are listed. */
const MAX_GAPS = 1_000

export interface VehicleSeriesScope {
  /** `[fromMs, toMs)`. */
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
  /** Values of one channel at most; breaks and the ends of lines come on top. */
  readonly points: number
  readonly gears: GearTable
}

const CHANNELS = ['speedKmh', 'postedLimitKmh', 'rpm', 'gear', 'expectedGear'] as const
type ChannelName = (typeof CHANNELS)[number]

export interface VehicleSeries {
  readonly from: string
  readonly to: string
  readonly readings: number
  readonly bucketS: number
  readonly gapLimitS: number
  readonly channels: Readonly<Record<ChannelName, Channel>>
  readonly gaps: readonly { readonly from: string; readonly to: string }[]
}

export interface VehicleSeriesBuilder {
  /** Readings inside the range, in order of their time. */
  add(reading: StoredTelemetry): void
  finish(): VehicleSeries
}

export function vehicleSeriesBuilder(scope: VehicleSeriesScope): VehicleSeriesBuilder {
  const { fromMs, toMs, points, gears } = scope
  const bucketMs = Math.max(1, Math.ceil((2 * (toMs - fromMs)) / points))
  const lines = new Map(CHANNELS.map((name) => [name, new MinMaxChannel(fromMs, bucketMs)]))
  const gaps: { from: string; to: string }[] = []
  let readings = 0
  let lastMs = fromMs

  const breakLines = (atMs: EpochMs): void => {
    const knownUntilMs = readings === 0 ? fromMs : lastMs + GAP_LIMIT_MS
    if (gaps.length < MAX_GAPS) gaps.push({ from: toIso(knownUntilMs), to: toIso(atMs) })
    for (const line of lines.values()) line.breakAt(knownUntilMs)
  }
  const put = (name: ChannelName, atMs: EpochMs, value: number | null): void => {
    if (value !== null) lines.get(name)?.add(atMs, value)
  }

  return {
    add(reading) {
      const { recordedAtMs, speedKmh } = reading
      if (recordedAtMs - lastMs > GAP_LIMIT_MS) breakLines(recordedAtMs)
      readings += 1
      lastMs = recordedAtMs
      put('speedKmh', recordedAtMs, speedKmh)
      put('postedLimitKmh', recordedAtMs, reading.postedLimitKmh)
      put('rpm', recordedAtMs, reading.rpm)
      if (reading.gear === null) return
      put('gear', recordedAtMs, reading.gear)
      put('expectedGear', recordedAtMs, speedKmh === null ? null : expectedGear(speedKmh, gears))
    },
    finish() {
      if (toMs - lastMs > GAP_LIMIT_MS) breakLines(toMs)
      const channel = (name: ChannelName): Channel =>
        lines.get(name)?.finish() ?? { recordedAtMs: [], values: [] }
      return {
        from: toIso(fromMs),
        to: toIso(toMs),
        readings,
        bucketS: bucketMs / SECOND_MS,
        gapLimitS: GAP_LIMIT_MS / SECOND_MS,
        channels: {
          speedKmh: channel('speedKmh'),
          postedLimitKmh: channel('postedLimitKmh'),
          rpm: channel('rpm'),
          gear: channel('gear'),
          expectedGear: channel('expectedGear'),
        },
        gaps,
      }
    },
  }
}
