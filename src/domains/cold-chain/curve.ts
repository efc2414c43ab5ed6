// The curve of one zone for paper: never more points than the plot has columns for, however long the range,
// and no peak lost. Of each column the first, lowest, highest and last reading stay; silence breaks the line.

import type { DurationMs, EpochMs } from '../../kernel/time.ts'
import { sideOutside } from './profiles.ts'
import type { ReportScope } from './report.ts'

export interface CurvePoint {
  readonly atMs: EpochMs
  readonly temperatureC: number
}

/** `[startMs, endMs)`. */
export interface Span {
  readonly startMs: EpochMs
  readonly endMs: EpochMs
}

/** An unbroken stretch of readings; its last one stands until `heldUntilMs`. */
export interface CurveLine {
  readonly points: readonly CurvePoint[]
  readonly heldUntilMs: EpochMs
}

export interface Curve {
  readonly readings: number
  readonly lines: readonly CurveLine[]
  /** Nothing was measured. Two that lie closer than a column are one. */
  readonly gaps: readonly Span[]
  /** Outside the storage range, from the first reading outside to the first one back; joined alike. */
  readonly excursions: readonly Span[]
  readonly lowest: CurvePoint | undefined
  readonly highest: CurvePoint | undefined
}

export interface CurveBuilder {
  /** Readings of one zone inside the range, in order of their time. */
  add(atMs: EpochMs, temperatureC: number): void
  finish(): Curve
}

export interface CurveScope extends ReportScope {
  /** What the plot can show apart, from left to right. */
  readonly columns: number
}

export function curveBuilder(scope: CurveScope): CurveBuilder {
  const { profile, fromMs, toMs, gapLimitMs, columns } = scope
  const columnMs = (toMs - fromMs) / columns
  const columnOf = (atMs: EpochMs): number => Math.floor((atMs - fromMs) / columnMs)
  const lines: CurveLine[] = []
  const gaps: Span[] = []
  const excursions: Span[] = []
  let line: CurvePoint[] = []
  let column: Column | undefined
  let last: CurvePoint | undefined
  let lowest: CurvePoint | undefined
  let highest: CurvePoint | undefined
  let outsideSinceMs: EpochMs | undefined
  let readings = 0

  const flushColumn = (): void => {
    if (column !== undefined) line.push(...pointsOf(column))
    column = undefined
  }

  const endLine = (heldUntilMs: EpochMs): void => {
    flushColumn()
    if (line.length > 0) lines.push({ points: line, heldUntilMs })
    line = []
  }

  /** A break that begins and ends in one column is too narrow for the line, and only shaded. */
  const silentUntil = (atMs: EpochMs): void => {
    const knownUntilMs = last === undefined ? fromMs : last.atMs + gapLimitMs
    if (atMs - (last?.atMs ?? fromMs) <= gapLimitMs) return
    addSpan(gaps, { startMs: knownUntilMs, endMs: atMs }, columnMs)
    if (last !== undefined && columnOf(last.atMs) !== columnOf(atMs)) endLine(knownUntilMs)
  }

  const judge = (point: CurvePoint): void => {
    if (sideOutside(profile, point.temperatureC) !== undefined) outsideSinceMs ??= point.atMs
    else closeExcursion(point.atMs)
  }

  const closeExcursion = (atMs: EpochMs): void => {
    if (outsideSinceMs === undefined) return
    addSpan(excursions, { startMs: outsideSinceMs, endMs: atMs }, columnMs)
    outsideSinceMs = undefined
  }

  return {
    add(atMs, temperatureC) {
      const point = { atMs, temperatureC }
      silentUntil(atMs)
      if (last !== undefined && columnOf(last.atMs) !== columnOf(atMs)) flushColumn()
      column = withPoint(column, point)
      judge(point)
      if (lowest === undefined || temperatureC < lowest.temperatureC) lowest = point
      if (highest === undefined || temperatureC > highest.temperatureC) highest = point
      last = point
      readings += 1
    },
    finish() {
      const knownUntilMs = Math.min(toMs, (last?.atMs ?? fromMs) + gapLimitMs)
      silentUntil(toMs)
      endLine(knownUntilMs)
      closeExcursion(knownUntilMs)
      return { readings, lines, gaps, excursions, lowest, highest }
    },
  }
}

interface Column {
  readonly first: CurvePoint
  lowest: CurvePoint
  highest: CurvePoint
  last: CurvePoint
}

function withPoint(column: Column | undefined, point: CurvePoint): Column {
  if (column === undefined) return { first: point, lowest: point, highest: point, last: point }
  if (point.temperatureC < column.lowest.temperatureC) column.lowest = point
  if (point.temperatureC > column.highest.temperatureC) column.highest = point
  column.last = point
  return column
}

/** In order of time, each once. */
function pointsOf({ first, lowest, highest, last }: Column): readonly CurvePoint[] {
  return [...new Set([first, lowest, highest, last])].sort((a, b) => a.atMs - b.atMs)
}

function addSpan(spans: Span[], span: Span, columnMs: DurationMs): void {
  const before = spans.at(-1)
  if (before === undefined || span.startMs - before.endMs >= columnMs) spans.push(span)
  else spans[spans.length - 1] = { startMs: before.startMs, endMs: span.endMs }
}
