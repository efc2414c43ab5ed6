// The stretch of time that a page of one truck or vehicle shows, as it stands in the address.

import { refine } from '$lib/address.ts'

const HOUR_MS = 3_600_000

export const spans = {
  '1h': HOUR_MS,
  '6h': 6 * HOUR_MS,
  '24h': 24 * HOUR_MS,
  '7d': 7 * 24 * HOUR_MS,
} as const

export type SpanName = keyof typeof spans

export interface ChosenRange {
  readonly fromMs: number
  readonly toMs: number
  /** A span that ends now and moves along; null for a range with both ends fixed. */
  readonly span: SpanName | null
}

const FIRST_SPAN: SpanName = '6h'
/** A moving range moves in steps, so that nothing is asked for anew every second. */
const stepsMs: Readonly<Record<SpanName, number>> = {
  '1h': 30_000,
  '6h': 60_000,
  '24h': 300_000,
  '7d': 900_000,
}

export function rangeFrom(parameters: URLSearchParams, nowMs: number): ChosenRange {
  const fromMs = Date.parse(parameters.get('from') ?? '')
  const toMs = Date.parse(parameters.get('to') ?? '')
  if (fromMs < toMs) return { fromMs, toMs, span: null }
  const span = spanNames.find((name) => name === parameters.get('range')) ?? FIRST_SPAN
  const end = Math.ceil(nowMs / stepsMs[span]) * stepsMs[span]
  return { fromMs: end - spans[span], toMs: end, span }
}

export const spanNames: readonly SpanName[] = ['1h', '6h', '24h', '7d']

export const spanWords: Readonly<Record<SpanName, string>> = {
  '1h': '1 h',
  '6h': '6 h',
  '24h': '24 h',
  '7d': '7 d',
}

/** A key for each span, by its place. */
export const rangeKeys = spanNames.map((span, index) => ({
  keys: String(index + 1),
  does: `Last ${spanWords[span]}`,
  run: () => refine({ range: span, from: null, to: null }),
}))
