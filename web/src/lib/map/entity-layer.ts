// Thousands of moving things on one canvas. Each kind of mark is drawn once and then stamped wherever it
// is needed. Redraws on new data leave the other layers alone.

import Layer from 'ol/layer/Layer'
import type { FrameState } from 'ol/Map'
import type { Severity } from '$lib/api/types.ts'
import { severities, severityMarks } from '$lib/severity.ts'
import { zoomAt } from './base-layers.ts'
import { PixelField, type Stamp, stampFrom } from './pixel-field.ts'
import type { Colours } from './theme-colours.ts'

export interface MapEntity {
  readonly id: string
  /** Projected, in metres of the web's projection. */
  readonly x: number
  readonly y: number
  readonly headingDeg: number | null
  readonly state: 'moving' | 'standing' | 'silent' | 'unjudged'
  /** Of its worst open alert; what has one is drawn as that alert's shape. */
  readonly severity: Severity | null
}

/** Directions that an arrow is drawn in: steps of 7.5°. */
const HEADINGS = 48
/** CSS pixels of one cell of the sprite sheet, halo included. */
const CELL = 24
/** Sizes of marks kept drawn; each is some hundred kilobytes. */
const SHEETS = 16
/** Names drawn in one frame at most. */
const LABELS = 160
/** From this zoom on everything is named, not only what needs somebody. */
const ALL_NAMED_FROM = 9.5
/** How far from a mark a click still means it, in CSS pixels. */
const REACH_PX = 16
const FONT = '550 11px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif'

/** Columns of the sprite sheet after the arrows. */
const STANDING = HEADINGS
const SILENT = HEADINGS + 1
const UNJUDGED = HEADINGS + 2
const FIRST_SEVERITY = HEADINGS + 3

export class EntityLayer extends Layer {
  selected: string | null = null
  hovered: string | null = null
  #entities: readonly MapEntity[] = []
  #canvas = document.createElement('canvas')
  #field: PixelField | undefined
  #sheets = new Map<number, readonly Stamp[]>()
  #frame: FrameState | undefined
  #colours: Colours

  constructor(colours: Colours) {
    super({})
    this.#colours = colours
    this.#canvas.style.cssText = 'position:absolute;inset:0;width:100%;height:100%'
  }

  set colours(colours: Colours) {
    this.#colours = colours
    this.#sheets.clear()
    this.redraw()
  }

  /** In any order; what is more severe is drawn above. */
  set entities(entities: readonly MapEntity[]) {
    this.#entities = entities.toSorted((a, b) => rankOf(a) - rankOf(b))
    this.redraw()
  }

  /** Called by the map when the view has changed. */
  override render(frame: FrameState | null): HTMLElement {
    if (frame !== null) {
      this.#frame = frame
      this.#draw(frame)
    }
    return this.#canvas
  }

  /** Draws again over the same view. */
  redraw(): void {
    if (this.#frame !== undefined) this.#draw(this.#frame)
  }

  /** The entity at a pixel of the map: the topmost of those in reach. */
  at(pixel: readonly number[]): MapEntity | undefined {
    const frame = this.#frame
    if (frame === undefined) return undefined
    const toScreen = screenOf(frame)
    let found: MapEntity | undefined
    let best = REACH_PX
    for (const entity of this.#entities) {
      const [x, y] = toScreen(entity)
      const away = Math.hypot(x - (pixel[0] ?? 0), y - (pixel[1] ?? 0))
      if (away <= best) {
        best = away
        found = entity
      }
    }
    return found
  }

  #draw(frame: FrameState): void {
    const [width, height] = frame.size as [number, number]
    const ratio = frame.pixelRatio
    const widthPx = Math.round(width * ratio)
    const heightPx = Math.round(height * ratio)
    if (this.#canvas.width !== widthPx || this.#canvas.height !== heightPx) {
      this.#canvas.width = widthPx
      this.#canvas.height = heightPx
    }
    const context = this.#canvas.getContext('2d', { willReadFrequently: true })
    if (context === null || this.#canvas.width === 0 || this.#canvas.height === 0) return
    const zoom = zoomAt(frame.viewState.resolution)
    this.#drawMarks(context, frame, zoom)
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    this.#drawRing(context, frame)
    this.#drawNames(context, frame, zoom)
  }

  #drawMarks(context: CanvasRenderingContext2D, frame: FrameState, zoom: number): void {
    const [width, height] = frame.size as [number, number]
    const ratio = frame.pixelRatio
    const field = this.#fieldOf(this.#canvas.width, this.#canvas.height)
    const quiet = this.#sheet(Math.round(CELL * ratio * quietScale(zoom)))
    const loud = this.#sheet(Math.round(CELL * ratio))
    const toScreen = screenOf(frame)
    field.clear()
    for (const entity of this.#entities) {
      const [x, y] = toScreen(entity)
      if (x < -CELL || y < -CELL || x > width + CELL || y > height + CELL) continue
      const sheet = entity.severity === null ? quiet : loud
      const stamp = sheet[columnOf(entity)]
      if (stamp === undefined) continue
      const half = stamp.sizePx / 2
      field.stamp(stamp, Math.round(x * ratio - half), Math.round(y * ratio - half))
    }
    context.putImageData(new ImageData(field.bytes, field.width, field.height), 0, 0)
  }

  #fieldOf(width: number, height: number): PixelField {
    if (this.#field?.width !== width || this.#field.height !== height) {
      this.#field = new PixelField(width, height)
    }
    return this.#field
  }

  /** The marks of one size, drawn once. */
  #sheet(cellPx: number): readonly Stamp[] {
    const known = this.#sheets.get(cellPx)
    if (known !== undefined) return known
    if (this.#sheets.size >= SHEETS) this.#sheets.clear()
    const sheet = drawSheet(this.#colours, cellPx)
    this.#sheets.set(cellPx, sheet)
    return sheet
  }

  #drawRing(context: CanvasRenderingContext2D, frame: FrameState): void {
    const toScreen = screenOf(frame)
    for (const entity of this.#entities) {
      if (entity.id !== this.selected && entity.id !== this.hovered) continue
      const [x, y] = toScreen(entity)
      context.beginPath()
      context.arc(x, y, 14, 0, 2 * Math.PI)
      context.lineWidth = 4
      context.strokeStyle = this.#colours('map-halo')
      context.stroke()
      context.lineWidth = 2
      context.strokeStyle = this.#colours('accent')
      context.stroke()
    }
  }

  /** Most important first; a name that would lie on another is left out. */
  #drawNames(context: CanvasRenderingContext2D, frame: FrameState, zoom: number): void {
    const [width, height] = frame.size as [number, number]
    const toScreen = screenOf(frame)
    const taken: [number, number, number, number][] = []
    context.font = FONT
    context.textBaseline = 'middle'
    const candidates = this.#entities
      .filter((each) => zoom >= ALL_NAMED_FROM || each.severity !== null || this.#isMarked(each))
      .toSorted((a, b) => Number(this.#isMarked(a)) - Number(this.#isMarked(b)))
    for (const entity of candidates.reverse()) {
      if (taken.length >= LABELS) return
      const [x, y] = toScreen(entity)
      if (x < 0 || y < 0 || x > width || y > height) continue
      const isQuiet = entity.severity === null && !this.#isMarked(entity)
      const box = [x + 11, y - 8, context.measureText(entity.id).width + 8, 16] as const
      if (taken.some((other) => overlaps(other, box))) continue
      taken.push([...box])
      context.globalAlpha = isQuiet ? 0.78 : 0.94
      context.fillStyle = this.#colours('surface')
      context.beginPath()
      context.roundRect(box[0], box[1], box[2], box[3], 4)
      context.fill()
      context.globalAlpha = 1
      context.fillStyle = this.#colours(isQuiet ? 'text-2' : 'text')
      context.fillText(entity.id, box[0] + 4, y + 0.5)
    }
  }

  #isMarked(entity: MapEntity): boolean {
    return entity.id === this.selected || entity.id === this.hovered
  }
}

function overlaps(a: readonly number[], b: readonly number[]): boolean {
  const [ax = 0, ay = 0, aw = 0, ah = 0] = a
  const [bx = 0, by = 0, bw = 0, bh = 0] = b
  return ax < bx + bw && bx < ax + aw && ay < by + bh && by < ay + ah
}

function screenOf(frame: FrameState): (entity: MapEntity) => [number, number] {
  const [width, height] = frame.size as [number, number]
  const [centreX, centreY] = frame.viewState.center as [number, number]
  const perPixel = frame.viewState.resolution
  return ({ x, y }) => [(x - centreX) / perPixel + width / 2, (centreY - y) / perPixel + height / 2]
}

function rankOf(entity: MapEntity): number {
  if (entity.severity !== null) return 10 - severities.indexOf(entity.severity)
  return entity.state === 'silent' ? 2 : entity.state === 'unjudged' ? 1 : 0
}

function columnOf(entity: MapEntity): number {
  if (entity.severity !== null) return FIRST_SEVERITY + severities.indexOf(entity.severity)
  if (entity.state === 'silent') return SILENT
  if (entity.state === 'unjudged') return UNJUDGED
  if (entity.state === 'standing' || entity.headingDeg === null) return STANDING
  return Math.round((entity.headingDeg / 360) * HEADINGS) % HEADINGS
}

/** What needs nobody is smaller where the map shows much. */
function quietScale(zoom: number): number {
  return Math.min(1, Math.max(0.5, 0.5 + (zoom - 5) / 8))
}

function drawSheet(colours: Colours, cellPx: number): Stamp[] {
  const columns = FIRST_SEVERITY + severities.length
  const sheet = new OffscreenCanvas(columns * cellPx, cellPx)
  const context = sheet.getContext('2d', { willReadFrequently: true })
  if (context === null) return []
  const scale = cellPx / CELL
  const halo = colours('map-halo')
  const ink = colours('map-entity')
  const inCell = (column: number, draw: () => void) => {
    context.setTransform(scale, 0, 0, scale, (column + 0.5) * cellPx, cellPx / 2)
    draw()
  }
  const outlined = (path: Path2D, fill: string) => {
    context.lineJoin = 'round'
    context.lineWidth = 3
    context.strokeStyle = halo
    context.stroke(path)
    context.fillStyle = fill
    context.fill(path)
  }
  const circle = (radius: number) => {
    const path = new Path2D()
    path.arc(0, 0, radius, 0, 2 * Math.PI)
    return path
  }
  const ring = (dash: number[]) => {
    context.lineWidth = 5
    context.strokeStyle = halo
    context.stroke(circle(5.5))
    context.setLineDash(dash)
    context.lineWidth = 2
    context.strokeStyle = ink
    context.stroke(circle(5.5))
    context.setLineDash([])
  }
  for (let step = 0; step < HEADINGS; step += 1) {
    inCell(step, () => {
      context.rotate((step / HEADINGS) * 2 * Math.PI)
      outlined(new Path2D('M0 -8 5.6 6.6 0 3.4 -5.6 6.6z'), ink)
    })
  }
  inCell(STANDING, () => outlined(circle(4.2), ink))
  inCell(SILENT, () => ring([3, 2.4]))
  inCell(UNJUDGED, () => ring([]))
  severities.forEach((severity, index) => {
    inCell(FIRST_SEVERITY + index, () => {
      const mark = severityMarks[severity]
      const path = new Path2D()
      path.addPath(new Path2D(mark.path), new DOMMatrix([1.06, 0, 0, 1.06, -8.5, -8.5]))
      outlined(path, colours(mark.hue))
      context.lineWidth = 1
      context.strokeStyle = colours(`${mark.hue}-text`)
      context.stroke(path)
    })
  })
  const picture = context.getImageData(0, 0, sheet.width, sheet.height)
  return Array.from({ length: columns }, (_, column) => stampFrom(picture, column * cellPx, cellPx))
}
