// The sliding windows over vehicles: what they hold, and the sizes and slides that an operator may choose.

import {
  DAY_MS,
  type DurationMs,
  durationText,
  MINUTE_MS,
  parseDuration,
  SECOND_MS,
} from '../../kernel/time.ts'
import type { WindowDefinition } from '../../streams/windows.ts'
import type { VehicleTelemetry } from './events.ts'
import { profileAt } from './profile.ts'

/** Windows `sizeMs` long, one of which begins every `slideMs`. */
export interface WindowSpan {
  readonly sizeMs: DurationMs
  readonly slideMs: DurationMs
}

/** Every event is added to each of them. */
export const MAX_WINDOW_SPANS = 4
/** Windows that hold one moment: all of them are shown while they fill. */
const MAX_SLIDES = 60
/** Late readings amend final windows for so long, and for a slide at least. */
const AMENDABLE_MS: DurationMs = 15 * MINUTE_MS
const NAME = /^vehicles-(\w+)-(\w+)$/

export const DEFAULT_WINDOW_SPANS: readonly WindowSpan[] = [
  { sizeMs: 15 * MINUTE_MS, slideMs: MINUTE_MS },
]

/** Reads `15m/1m,1h/5m`: sizes with their slides. Throws an `Error` that says what is wrong. */
export function windowSpansOf(text: string): readonly WindowSpan[] {
  const spans = text.split(',').map((each) => windowSpanOf(each.trim()))
  if (spans.length > MAX_WINDOW_SPANS) {
    throw new Error(`names ${spans.length} windows; there may be ${MAX_WINDOW_SPANS}`)
  }
  const names = spans.map(windowSpanText)
  const twice = names.find((name, index) => names.indexOf(name) < index)
  if (twice !== undefined) throw new Error(`names ${twice} twice`)
  return spans
}

function windowSpanOf(text: string): WindowSpan {
  const [size = '', slide = '', ...rest] = text.split('/')
  const sizeMs = parseDuration(size.trim()) ?? 0
  const slideMs = parseDuration(slide.trim()) ?? 0
  if (rest.length > 0 || sizeMs === 0 || slideMs === 0) {
    throw new Error(`must be sizes and slides such as 15m/1m,1h/5m; found "${text}"`)
  }
  if (slideMs % SECOND_MS !== 0 || sizeMs > DAY_MS) {
    throw new Error(`must be whole seconds, and a day at most; found "${text}"`)
  }
  if (sizeMs % slideMs !== 0) {
    throw new Error(`has a slide that does not divide the size in "${text}"`)
  }
  if (sizeMs / slideMs > MAX_SLIDES) {
    const least = durationText(Math.ceil(sizeMs / MAX_SLIDES / SECOND_MS) * SECOND_MS)
    throw new Error(
      `has more than ${MAX_SLIDES} slides in "${text}"; choose one of ${least} or more`,
    )
  }
  return { sizeMs, slideMs }
}

/** As settings have it: `15m/1m`. */
export function windowSpanText({ sizeMs, slideMs }: WindowSpan): string {
  return `${durationText(sizeMs)}/${durationText(slideMs)}`
}

/** Says all that matters for what a window holds, so that windows of other settings are others. */
export function windowName({ sizeMs, slideMs }: WindowSpan): string {
  return `vehicles-${durationText(sizeMs)}-${durationText(slideMs)}`
}

/** Undefined for windows of something else. */
export function windowSpanNamed(name: string): WindowSpan | undefined {
  const [, size = '', slide = ''] = NAME.exec(name) ?? []
  const sizeMs = parseDuration(size)
  const slideMs = parseDuration(slide)
  return sizeMs === undefined || slideMs === undefined ? undefined : { sizeMs, slideMs }
}

export function vehicleWindow(span: WindowSpan): WindowDefinition<VehicleTelemetry> {
  return {
    ...span,
    name: windowName(span),
    allowanceMs: 30 * SECOND_MS,
    amendableForMs: Math.ceil(AMENDABLE_MS / span.slideMs) * span.slideMs,
    // Figures of driving: who reports a position alone is on the map, and not in here.
    counts: (event) => event.speedKmh !== null,
    group: (event, tables) => profileAt(event, tables).model,
    values: {
      readings: { kind: 'count' },
      maxSpeedKmh: { kind: 'maximum', value: (event) => event.speedKmh },
      activeVehicles: { kind: 'distinct-keys' },
      colors: {
        kind: 'keys-by-label',
        label: (event, tables) => profileAt(event, tables).color,
      },
    },
  }
}
