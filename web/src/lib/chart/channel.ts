// One measured quantity over time, in the unit that is shown.

import type { Series } from '$lib/api/types.ts'
import { type Formatter, toMs } from '$lib/format.ts'
import type { Span } from './paint.ts'

export type ChannelName =
  | 'temperatureC'
  | 'fuelPercent'
  | 'speedKmh'
  | 'postedLimitKmh'
  | 'rpm'
  | 'gear'
  | 'expectedGear'

export interface ChartChannel {
  readonly title: string
  readonly unit: string
  /** Seconds since 1970, as the chart library counts. */
  readonly atS: readonly number[]
  /** Null breaks the line. */
  readonly values: readonly (number | null)[]
  readonly digits: number
}

export function channelOf(
  series: Pick<Series, 'channels'>,
  name: ChannelName,
  show: Formatter,
): ChartChannel {
  const { title, unit, digits, convert } = kinds(show)[name]
  const channel = series.channels[name]
  return {
    title,
    unit,
    digits,
    atS: (channel?.recordedAtMs ?? []).map((ms) => ms / 1000),
    values: (channel?.values ?? []).map((value) => (value === null ? null : convert(value))),
  }
}

function kinds(show: Formatter) {
  return {
    temperatureC: {
      title: 'Temperature',
      unit: show.temperatureUnit,
      digits: 1,
      convert: show.temperatureValue,
    },
    fuelPercent: { title: 'Fuel', unit: '%', digits: 0, convert: (value: number) => value },
    speedKmh: { title: 'Speed', unit: show.speedUnit, digits: 0, convert: show.speedValue },
    postedLimitKmh: {
      title: 'Posted limit',
      unit: show.speedUnit,
      digits: 0,
      convert: show.speedValue,
    },
    rpm: { title: 'Engine', unit: 'rpm', digits: 0, convert: same },
    gear: { title: 'Gear', unit: '', digits: 0, convert: same },
    expectedGear: { title: 'Expected gear', unit: '', digits: 0, convert: same },
  }
}

const same = (value: number) => value

export function spansOf(stretches: readonly { from: string; to: string }[]): Span[] {
  return stretches.map(({ from, to }) => ({ fromMs: toMs(from) ?? 0, toMs: toMs(to) ?? 0 }))
}
