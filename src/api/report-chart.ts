// The chart of a report on paper: temperature of one zone against storage range and limits, as SVG. It
// holds nothing but numbers and our own words, so nothing from outside can reach the markup.

import type { Curve, CurveLine, CurvePoint, Span } from '../domains/cold-chain/curve.ts'
import type { GoodsProfile } from '../domains/cold-chain/profiles.ts'
import { DAY_MS, type EpochMs, HOUR_MS, MINUTE_MS, SECOND_MS, toIso } from '../kernel/time.ts'
import { decimal, degrees } from './report-words.ts'

/** In points, as on the page. */
export const CHART_WIDTH = 515
const CHART_HEIGHT = 224
const PLOT = { left: 34, right: 40, top: 12, bottom: 56 }
const PLOT_WIDTH = CHART_WIDTH - PLOT.left - PLOT.right
const PLOT_HEIGHT = CHART_HEIGHT - PLOT.top - PLOT.bottom
/** Twice as fine as a point on paper. */
export const CHART_COLUMNS = 2 * PLOT_WIDTH
/** Each reading is marked where there are so few. */
const MAX_DOTS = 150
const NARROWEST_SPAN = 0.6
const STRIP_HEIGHT = 2.5
const MAX_TIME_TICKS = 8
const TEMPERATURE_TICKS = 5
/** A limit this far from the readings is named below the chart instead of flattening the curve. */
const NEAR_C = 6
/** Labels of two lines closer than this would overlap. */
const LABEL_DISTANCE = 8

const INK = '#1c2733'
const FAINT = '#5b6875'
const GRID = '#dfe4e8'
const RANGE = '#d9efe2'
const RANGE_EDGE = '#2b7a4b'
const LIMIT = '#b3261e'
const EXCURSION = '#f6c9c4'
const GAP = '#c6ccd2'
const CURVE = '#123f73'

export interface ChartScope {
  readonly curve: Curve
  readonly profile: GoodsProfile
  /** `[fromMs, toMs)`. */
  readonly fromMs: EpochMs
  readonly toMs: EpochMs
}

interface Scale {
  x(atMs: EpochMs): number
  y(temperatureC: number): number
  readonly lowestC: number
  readonly highestC: number
}

export function chartSvg(scope: ChartScope): string {
  const scale = scaleOf(scope)
  const { curve } = scope
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${CHART_WIDTH}" height="${CHART_HEIGHT}" viewBox="0 0 ${CHART_WIDTH} ${CHART_HEIGHT}" font-family="Roboto" font-size="7.5">`,
    `<rect x="${PLOT.left}" y="${PLOT.top}" width="${PLOT_WIDTH}" height="${PLOT_HEIGHT}" fill="#ffffff"/>`,
    storageRange(scope, scale),
    ...curve.gaps.map((span) => column(span, scale, GAP)),
    ...curve.excursions.map((span) => column(span, scale, EXCURSION) + strip(span, scale)),
    ...temperatureTicks(scale),
    ...timeTicks(scope, scale),
    ...thresholds(scope, scale),
    `<rect x="${PLOT.left}" y="${PLOT.top}" width="${PLOT_WIDTH}" height="${PLOT_HEIGHT}" fill="none" stroke="${FAINT}" stroke-width="0.6"/>`,
    ...curve.lines.map((line) => linePath(line, scale)),
    ...dots(curve, scale),
    ...extremes(curve, scale),
    legend(),
    '</svg>',
  ].join('')
}

/** Limits that lie so far from the readings that the chart does not show them. */
export function limitsOffChart(scope: ChartScope): readonly string[] {
  const { lowestC, highestC } = scaleOf(scope)
  const far = thresholdsOf(scope.profile).filter(({ atC }) => atC < lowestC || atC > highestC)
  return far.map(({ atC }) => degrees(atC))
}

function scaleOf({ curve, profile, fromMs, toMs }: ChartScope): Scale {
  const measured = [curve.lowest, curve.highest].flatMap((point) =>
    point === undefined ? [] : [point.temperatureC],
  )
  const seen = measured.length > 0 ? measured : [profile.minC, profile.maxC]
  let lowestC = Math.min(...seen)
  let highestC = Math.max(...seen)
  // Whatever the readings went beyond must be seen, and the nearer end of the range in any case.
  const wanted = [
    ...(highestC > profile.maxC || profile.maxC - highestC <= lowestC - profile.minC
      ? [profile.maxC]
      : []),
    ...(lowestC < profile.minC || lowestC - profile.minC < profile.maxC - highestC
      ? [profile.minC]
      : []),
  ]
  const near = thresholdsOf(profile)
    .map(({ atC }) => atC)
    .filter((atC) => atC > lowestC - NEAR_C && atC < highestC + NEAR_C)
  lowestC = Math.min(lowestC, ...wanted, ...near)
  highestC = Math.max(highestC, ...wanted, ...near)
  const margin = Math.max(0.5, (highestC - lowestC) * 0.1)
  lowestC -= margin
  highestC += margin
  return {
    lowestC,
    highestC,
    x: (atMs) => PLOT.left + (PLOT_WIDTH * (atMs - fromMs)) / (toMs - fromMs),
    y: (temperatureC) =>
      PLOT.top + (PLOT_HEIGHT * (highestC - temperatureC)) / (highestC - lowestC),
  }
}

function storageRange({ profile }: ChartScope, scale: Scale): string {
  const top = scale.y(Math.min(profile.maxC, scale.highestC))
  const bottom = scale.y(Math.max(profile.minC, scale.lowestC))
  return `<rect x="${PLOT.left}" y="${at(top)}" width="${PLOT_WIDTH}" height="${at(Math.max(0, bottom - top))}" fill="${RANGE}"/>`
}

function column(span: Span, scale: Scale, fill: string): string {
  return `<rect ${across(span, scale)} height="${PLOT_HEIGHT}" fill="${fill}" fill-opacity="0.7"/>`
}

/** Along the upper edge, where a gap can't hide it. */
function strip(span: Span, scale: Scale): string {
  return `<rect ${across(span, scale)} height="${STRIP_HEIGHT}" fill="${LIMIT}"/>`
}

function across({ startMs, endMs }: Span, scale: Scale): string {
  const x = scale.x(startMs)
  const width = Math.max(NARROWEST_SPAN, scale.x(endMs) - x)
  const left = Math.min(x, PLOT.left + PLOT_WIDTH - width)
  return `x="${at(left)}" y="${PLOT.top}" width="${at(width)}"`
}

interface Threshold {
  readonly atC: number
  readonly edge: boolean
}

/** Both ends of the storage range, and every limit that is not one of them. */
function thresholdsOf(profile: GoodsProfile): readonly Threshold[] {
  const edges = new Set([profile.minC, profile.maxC])
  const limits = new Set(profile.limits.map(({ thresholdC }) => thresholdC))
  return [
    ...[...edges].map((atC) => ({ atC, edge: true })),
    ...[...limits].filter((atC) => !edges.has(atC)).map((atC) => ({ atC, edge: false })),
  ]
}

function thresholds({ profile }: ChartScope, scale: Scale): readonly string[] {
  const shown = thresholdsOf(profile).filter(
    ({ atC }) => atC >= scale.lowestC && atC <= scale.highestC,
  )
  const labelled: number[] = []
  return shown.map(({ atC, edge }) => {
    const y = scale.y(atC)
    const colour = edge ? RANGE_EDGE : LIMIT
    const dash = edge ? '' : ' stroke-dasharray="4 2.5"'
    const line = `<path d="M${PLOT.left} ${at(y)}H${PLOT.left + PLOT_WIDTH}" stroke="${colour}" stroke-width="0.8" fill="none"${dash}/>`
    if (labelled.some((other) => Math.abs(other - y) < LABEL_DISTANCE)) return line
    labelled.push(y)
    return (
      line + label({ x: PLOT.left + PLOT_WIDTH + 4, y: y + 2.6, text: degrees(atC), fill: colour })
    )
  })
}

function linePath({ points, heldUntilMs }: CurveLine, scale: Scale): string {
  const path = points.map(
    ({ atMs, temperatureC }, index) =>
      `${index === 0 ? 'M' : 'L'}${at(scale.x(atMs))} ${at(scale.y(temperatureC))}`,
  )
  const line = `<path d="${path.join('')}" stroke="${CURVE}" stroke-width="0.9" fill="none" stroke-linejoin="round"/>`
  const last = points.at(-1)
  if (last === undefined || heldUntilMs <= last.atMs) return line
  const from = `M${at(scale.x(last.atMs))} ${at(scale.y(last.temperatureC))}`
  return `${line}<path d="${from}H${at(scale.x(heldUntilMs))}" stroke="${CURVE}" stroke-width="0.6" stroke-dasharray="1 1.5" fill="none"/>`
}

/** A reading alone has no line to be seen by. */
function dots({ readings, lines }: Curve, scale: Scale): readonly string[] {
  const marked = readings <= MAX_DOTS ? lines : lines.filter(({ points }) => points.length === 1)
  return marked.flatMap(({ points }) => points.map((point) => dot(point, scale, 1.3)))
}

function dot({ atMs, temperatureC }: CurvePoint, scale: Scale, radius: number): string {
  return `<circle cx="${at(scale.x(atMs))}" cy="${at(scale.y(temperatureC))}" r="${radius}" fill="${CURVE}"/>`
}

/** Highest and lowest reading, by number. */
function extremes({ lowest, highest }: Curve, scale: Scale): readonly string[] {
  if (lowest === undefined || highest === undefined) return []
  const mark = (point: CurvePoint, below: number): string => {
    const x = Math.min(PLOT.left + PLOT_WIDTH - 14, Math.max(PLOT.left + 14, scale.x(point.atMs)))
    const y = scale.y(point.temperatureC) + below
    const text = degrees(point.temperatureC)
    return dot(point, scale, 2) + label({ x, y, text, anchor: 'middle', fill: INK })
  }
  const top = mark(highest, -4.5)
  return lowest.temperatureC === highest.temperatureC ? [top] : [top, mark(lowest, 10)]
}

function temperatureTicks({ lowestC, highestC, y }: Scale): readonly string[] {
  const stepC = niceStep((highestC - lowestC) / TEMPERATURE_TICKS)
  const ticks: string[] = []
  for (let index = Math.ceil(lowestC / stepC); index * stepC <= highestC; index++) {
    const atC = Number((index * stepC).toFixed(6))
    ticks.push(
      `<path d="M${PLOT.left} ${at(y(atC))}h${PLOT_WIDTH}" stroke="${GRID}" stroke-width="0.4" fill="none"/>`,
      label({
        x: PLOT.left - 4,
        y: y(atC) + 2.6,
        text: decimal(atC),
        anchor: 'end',
      }),
    )
  }
  return [...ticks, label({ x: PLOT.left - 4, y: PLOT.top - 4, text: '°C', anchor: 'end' })]
}

function niceStep(roughC: number): number {
  const power = 10 ** Math.floor(Math.log10(roughC))
  const factor = [1, 2, 5, 10].find((each) => each * power >= roughC) ?? 10
  return factor * power
}

const TIME_STEPS_MS = [
  SECOND_MS,
  5 * SECOND_MS,
  15 * SECOND_MS,
  MINUTE_MS,
  5 * MINUTE_MS,
  15 * MINUTE_MS,
  30 * MINUTE_MS,
  HOUR_MS,
  2 * HOUR_MS,
  3 * HOUR_MS,
  6 * HOUR_MS,
  12 * HOUR_MS,
  DAY_MS,
  2 * DAY_MS,
  7 * DAY_MS,
  14 * DAY_MS,
]
/** Beyond the steps: whole multiples of thirty days. */
const LONG_STEP_MS = 30 * DAY_MS

/** The time of day where ticks are closer than a day, with the date below where it is new. */
function timeTicks({ fromMs, toMs }: ChartScope, { x }: Scale): readonly string[] {
  const roughMs = (toMs - fromMs) / MAX_TIME_TICKS
  const stepMs =
    TIME_STEPS_MS.find((each) => each >= roughMs) ??
    Math.ceil(roughMs / LONG_STEP_MS) * LONG_STEP_MS
  const ticks: string[] = []
  const bottom = PLOT.top + PLOT_HEIGHT
  let date = ''
  for (let index = Math.ceil(fromMs / stepMs); index * stepMs < toMs; index++) {
    const tickMs = index * stepMs
    const iso = toIso(tickMs)
    const place = x(tickMs)
    const middle = { x: place, anchor: 'middle' } as const
    ticks.push(
      `<path d="M${at(place)} ${PLOT.top}v${PLOT_HEIGHT + 3}" stroke="${GRID}" stroke-width="0.4" fill="none"/>`,
    )
    if (stepMs >= DAY_MS) {
      ticks.push(label({ ...middle, y: bottom + 11, text: iso.slice(0, 10) }))
      continue
    }
    const time = iso.slice(11, stepMs < MINUTE_MS ? 19 : 16)
    ticks.push(label({ ...middle, y: bottom + 11, text: time }))
    if (iso.slice(0, 10) !== date) {
      date = iso.slice(0, 10)
      ticks.push(label({ ...middle, y: bottom + 20, text: date }))
    }
  }
  return [
    ...ticks,
    label({ x: PLOT.left + PLOT_WIDTH / 2, y: bottom + 31, text: 'time (UTC)', anchor: 'middle' }),
  ]
}

function legend(): string {
  const y = CHART_HEIGHT - 9
  const swatch = (x: number, fill: string): string =>
    `<rect x="${x}" y="${y - 6}" width="10" height="7" fill="${fill}"/>`
  const stroke = (x: number, colour: string, dash: string): string =>
    `<path d="M${x} ${y - 2.5}h10" stroke="${colour}" stroke-width="1" fill="none" stroke-dasharray="${dash}"/>`
  const items: readonly (readonly [string, (x: number) => string])[] = [
    ['temperature', (x) => stroke(x, CURVE, 'none')],
    ['last reading, still standing', (x) => stroke(x, CURVE, '1 1.5')],
    ['storage range', (x) => swatch(x, RANGE)],
    ['limit', (x) => stroke(x, LIMIT, '4 2.5')],
    ['excursion', (x) => swatch(x, EXCURSION)],
    ['gap: nothing measured', (x) => swatch(x, GAP)],
  ]
  const places = [34, 94, 204, 270, 310, 366]
  return items
    .map(([text, draw], index) => {
      const x = places[index] ?? 0
      return draw(x) + label({ x: x + 13, y, text })
    })
    .join('')
}

function label(options: {
  readonly x: number
  readonly y: number
  readonly text: string
  readonly anchor?: 'start' | 'middle' | 'end'
  readonly fill?: string
}): string {
  const { x, y, text, anchor = 'start', fill = FAINT } = options
  return `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}" fill="${fill}">${text}</text>`
}

/** A hundredth of a point is finer than any printer. */
function at(value: number): number {
  return Math.round(value * 100) / 100
}
