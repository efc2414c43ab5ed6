// Curves for a chart, thinned so that no peak is lost: of each bucket the lowest and the highest value are
// kept, at their own instants, and of each unbroken line both ends. Silence is a break in the line.

import { type DurationMs, type EpochMs, SECOND_MS, toIso } from '../../kernel/time.ts'
import { type Channel, MinMaxChannel } from '../min-max-channel.ts'
import type { StoredReading } from './queries.ts'

/** Stretches of one kind that are listed. */
export const MAX_STRETCHES = 1_000

export interface SeriesScope {
  /** `[fromMs, toMs)`. */
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
  /** Values of one channel at most; breaks and the ends of lines come on top. */
  readonly points: number
  readonly gapLimitMs: DurationMs
}

export interface Stretch {
  readonly from: string
  readonly to: string
}

export interface Series {
  readonly from: string
  readonly to: string
  readonly readings: number
  readonly bucketS: number
  readonly gapLimitS: number
  readonly channels: {
    readonly temperatureC: Channel
    readonly fuelPercent: Channel
    readonly speedKmh: Channel
  }
  readonly doorOpen: readonly Stretch[]
  readonly gaps: readonly Stretch[]
}

export interface SeriesBuilder {
  /** Readings inside the range, in order of their time. */
  add(reading: StoredReading): void
  finish(): Series
}

export function seriesBuilder(scope: SeriesScope): SeriesBuilder {
  const { fromMs, toMs, points, gapLimitMs } = scope
  const bucketMs = Math.max(1, Math.ceil((2 * (toMs - fromMs)) / points))
  const temperature = new MinMaxChannel(fromMs, bucketMs)
  const fuel = new MinMaxChannel(fromMs, bucketMs)
  const speed = new MinMaxChannel(fromMs, bucketMs)
  const gaps: Stretch[] = []
  const doorOpen: Stretch[] = []
  let readings = 0
  let lastMs = fromMs
  let doorOpenSinceMs: EpochMs | undefined

  const stretch = (list: Stretch[], startMs: EpochMs, endMs: EpochMs): void => {
    if (list.length < MAX_STRETCHES) list.push({ from: toIso(startMs), to: toIso(endMs) })
  }

  const closeDoor = (atMs: EpochMs): void => {
    if (doorOpenSinceMs !== undefined) stretch(doorOpen, doorOpenSinceMs, atMs)
    doorOpenSinceMs = undefined
  }

  const breakLines = (atMs: EpochMs): void => {
    const knownUntilMs = readings === 0 ? fromMs : lastMs + gapLimitMs
    stretch(gaps, knownUntilMs, atMs)
    closeDoor(knownUntilMs)
    for (const channel of [temperature, fuel, speed]) channel.breakAt(knownUntilMs)
  }

  return {
    add(reading) {
      const { recordedAtMs } = reading
      if (recordedAtMs - lastMs > gapLimitMs) breakLines(recordedAtMs)
      readings += 1
      lastMs = recordedAtMs
      temperature.add(recordedAtMs, reading.temperatureC)
      if (reading.fuelPercent !== null) fuel.add(recordedAtMs, reading.fuelPercent)
      if (reading.speedKmh !== null) speed.add(recordedAtMs, reading.speedKmh)
      if (reading.doorOpen === true) doorOpenSinceMs ??= recordedAtMs
      if (reading.doorOpen === false) closeDoor(recordedAtMs)
    },
    finish() {
      if (toMs - lastMs > gapLimitMs) breakLines(toMs)
      closeDoor(Math.min(toMs, lastMs + gapLimitMs))
      return {
        from: toIso(fromMs),
        to: toIso(toMs),
        readings,
        bucketS: bucketMs / SECOND_MS,
        gapLimitS: gapLimitMs / SECOND_MS,
        channels: {
          temperatureC: temperature.finish(),
          fuelPercent: fuel.finish(),
          speedKmh: speed.finish(),
        },
        doorOpen,
        gaps,
      }
    },
  }
}
