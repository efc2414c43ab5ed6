// What is drawn behind a curve: the band it should stay in, gaps, and stretches such as an open door.

import type uPlot from 'uplot'
import type { Colours } from '$lib/map/theme-colours.ts'

export interface Span {
  readonly fromMs: number
  readonly toMs: number
}

export interface Backdrop {
  /** Limits in the unit of the chart; null where there is none on that side. */
  readonly low: number | null
  readonly high: number | null
  /** Without data: hatched, so that nobody reads a straight line into it. */
  readonly gaps: readonly Span[]
  /** Marked along the bottom edge. */
  readonly marked: readonly Span[]
  /** The episode that the chart is about. */
  readonly episode: Span | null
}

const HATCH_STEP_PX = 6
const MARK_HEIGHT_PX = 5

/** Draws below the curve; all pixels are canvas pixels. */
export function paintBackdrop(chart: uPlot, backdrop: Backdrop, colours: Colours): void {
  const { ctx } = chart
  const { left, top, width, height } = chart.bbox
  ctx.save()
  ctx.beginPath()
  ctx.rect(left, top, width, height)
  ctx.clip()
  if (backdrop.episode !== null) {
    const [from, to] = across(chart, backdrop.episode)
    ctx.fillStyle = colours('surface-3')
    ctx.globalAlpha = 0.75
    ctx.fillRect(from, top, Math.max(2, to - from), height)
    ctx.globalAlpha = 1
  }
  paintBand(chart, backdrop, colours)
  for (const gap of backdrop.gaps) hatch(chart, gap, colours('line-strong'))
  ctx.fillStyle = colours('text-2')
  for (const span of backdrop.marked) {
    const [from, to] = across(chart, span)
    const markHeight = MARK_HEIGHT_PX * devicePixelRatio
    ctx.fillRect(from, top + height - markHeight, Math.max(2, to - from), markHeight)
  }
  ctx.restore()
}

function paintBand(chart: uPlot, { low, high }: Backdrop, colours: Colours): void {
  const { ctx } = chart
  const { left, top, width, height } = chart.bbox
  const y = (value: number) => chart.valToPos(value, 'y', true)
  if (low === null && high === null) return
  const upper = high === null ? top : Math.max(top, y(high))
  const lower = low === null ? top + height : Math.min(top + height, y(low))
  ctx.fillStyle = colours('accent-weak')
  ctx.globalAlpha = 0.6
  if (lower > upper) ctx.fillRect(left, upper, width, lower - upper)
  ctx.globalAlpha = 1
  ctx.strokeStyle = colours('accent')
  ctx.lineWidth = devicePixelRatio
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio])
  for (const limit of [low, high]) {
    if (limit === null) continue
    ctx.beginPath()
    ctx.moveTo(left, Math.round(y(limit)))
    ctx.lineTo(left + width, Math.round(y(limit)))
    ctx.stroke()
  }
  ctx.setLineDash([])
}

function hatch(chart: uPlot, span: Span, colour: string): void {
  const { ctx } = chart
  const { top, height } = chart.bbox
  const [from, to] = across(chart, span)
  ctx.save()
  ctx.beginPath()
  ctx.rect(from, top, to - from, height)
  ctx.clip()
  ctx.strokeStyle = colour
  ctx.globalAlpha = 0.55
  ctx.lineWidth = devicePixelRatio
  const step = HATCH_STEP_PX * devicePixelRatio
  for (let x = from - height; x < to; x += step) {
    ctx.beginPath()
    ctx.moveTo(x, top + height)
    ctx.lineTo(x + height, top)
    ctx.stroke()
  }
  ctx.restore()
}

function across(chart: uPlot, { fromMs, toMs }: Span): [number, number] {
  return [chart.valToPos(fromMs / 1000, 'x', true), chart.valToPos(toMs / 1000, 'x', true)]
}

/** The curve's colour by height: plain inside the limits, the severity's hue outside. */
export function limitStroke(
  chart: uPlot,
  backdrop: Backdrop,
  colours: Colours,
): string | CanvasGradient {
  const plain = colours('text')
  const { low, high } = backdrop
  const { top, height } = chart.bbox
  if ((low === null && high === null) || height <= 0) return plain
  const outside = colours('critical')
  const gradient = chart.ctx.createLinearGradient(0, top, 0, top + height)
  const at = (value: number) =>
    Math.min(1, Math.max(0, (chart.valToPos(value, 'y', true) - top) / height))
  const upper = high === null ? 0 : at(high)
  const lower = low === null ? 1 : at(low)
  gradient.addColorStop(0, high === null ? plain : outside)
  gradient.addColorStop(upper, high === null ? plain : outside)
  gradient.addColorStop(upper, plain)
  gradient.addColorStop(Math.max(upper, lower), plain)
  gradient.addColorStop(Math.max(upper, lower), low === null ? plain : outside)
  gradient.addColorStop(1, low === null ? plain : outside)
  return gradient
}
