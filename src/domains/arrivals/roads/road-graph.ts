// A network of roads as routes are searched in it: typed arrays, an index of places, made once of each document.

import Flatbush from 'flatbush'
import type { Coordinates } from '../../../kernel/geo.ts'
import { COORDINATE_SCALE, isRoadDocument, type RoadDocument } from './road-document.ts'

/** Metres of a degree of latitude on the sphere that distances are computed on. */
export const DEGREE_M = 111_195

/**
 * A place on the network: how far along which stretch. Edges are stretches in one direction: edge `2 s` runs
 * along segment `s`, `2 s + 1` against it.
 */
export interface RoadPlace {
  readonly segment: number
  /** From the segment's own start. */
  readonly alongM: number
  readonly awayM: number
}

/** Candidates looked at around a place. */
const MAX_CANDIDATES = 60

export class RoadGraph {
  readonly version: string
  readonly name: string
  readonly segmentCount: number
  readonly nodeCount: number
  /** By segment. */
  readonly lengthM: Float64Array
  readonly freeFlowKmh: Float64Array
  /** By edge. */
  readonly users: Uint8Array
  readonly fastestKmh: number
  readonly #from: Int32Array
  readonly #to: Int32Array
  readonly #lon: Float64Array
  readonly #lat: Float64Array
  /** Edges that leave node `n` are `#out[#outStart[n] … #outStart[n + 1])`. */
  readonly #outStart: Int32Array
  readonly #out: Int32Array
  readonly #ids: readonly string[]
  readonly #document: RoadDocument
  readonly #boxes: Flatbush | null

  constructor(document: RoadDocument) {
    const { nodes, segments } = document
    this.#document = document
    this.version = document.version
    this.name = document.name
    this.segmentCount = segments.length
    this.nodeCount = nodes.length / 2
    this.#lon = new Float64Array(this.nodeCount)
    this.#lat = new Float64Array(this.nodeCount)
    for (let node = 0; node < this.nodeCount; node++) {
      this.#lon[node] = (nodes[2 * node] ?? 0) / COORDINATE_SCALE
      this.#lat[node] = (nodes[2 * node + 1] ?? 0) / COORDINATE_SCALE
    }
    this.lengthM = Float64Array.from(segments, (each) => each.lengthM)
    this.freeFlowKmh = Float64Array.from(segments, (each) => each.freeFlowKmh)
    this.fastestKmh = this.freeFlowKmh.reduce((most, each) => Math.max(most, each), 1)
    this.#from = Int32Array.from(segments, (each) => each.from)
    this.#to = Int32Array.from(segments, (each) => each.to)
    this.users = new Uint8Array(2 * segments.length)
    segments.forEach(({ along, against }, at) => {
      this.users[2 * at] = along
      this.users[2 * at + 1] = against
    })
    this.#ids = segments.flatMap(({ id }) => [id, `${id}r`])
    const { start, out } = this.#outgoing()
    this.#outStart = start
    this.#out = out
    this.#boxes = segments.length === 0 ? null : this.#index()
  }

  /** The name under which traffic speaks of the edge. */
  idOf(edge: number): string {
    return this.#ids[edge] ?? ''
  }

  startOf(edge: number): number {
    return (edge & 1 ? this.#to : this.#from)[edge >> 1] ?? 0
  }

  endOf(edge: number): number {
    return (edge & 1 ? this.#from : this.#to)[edge >> 1] ?? 0
  }

  lonOf(node: number): number {
    return this.#lon[node] ?? 0
  }

  latOf(node: number): number {
    return this.#lat[node] ?? 0
  }

  /** Range of `edgeAt` with the edges that leave the node. */
  firstOut(node: number): number {
    return this.#outStart[node] ?? 0
  }

  edgeAt(place: number): number {
    return this.#out[place] ?? 0
  }

  /** The line of an edge, in its direction, as longitude and latitude in turn. */
  lineOf(edge: number): readonly number[] {
    const segment = edge >> 1
    const { shape = [] } = this.#document.segments[segment] ?? {}
    const line = [
      this.lonOf(this.#from[segment] ?? 0),
      this.latOf(this.#from[segment] ?? 0),
      ...shape.map((value) => value / COORDINATE_SCALE),
      this.lonOf(this.#to[segment] ?? 0),
      this.latOf(this.#to[segment] ?? 0),
    ]
    return edge & 1 ? reversed(line) : line
  }

  /** Nearest stretches that the users may use, one place on each, the nearest first. */
  placesNear(
    at: Coordinates,
    options: { readonly users: number; readonly withinM: number; readonly limit: number },
  ): readonly RoadPlace[] {
    const { users, withinM, limit } = options
    if (this.#boxes === null) return []
    const byLat = withinM / DEGREE_M
    const byLon = byLat / Math.max(0.01, Math.cos((at.lat * Math.PI) / 180))
    const usable = (segment: number): boolean =>
      (((this.users[2 * segment] ?? 0) | (this.users[2 * segment + 1] ?? 0)) & users) !== 0
    return this.#boxes
      .neighbors(at.lon, at.lat, MAX_CANDIDATES, Math.max(byLat, byLon), usable)
      .map((segment): RoadPlace => {
        const { alongM, awayM } = projectOn(this.lineOf(2 * segment), at)
        return { segment, alongM: Math.min(alongM, this.lengthM[segment] ?? 0), awayM }
      })
      .filter(({ awayM }) => awayM <= withinM)
      .sort((one, other) => one.awayM - other.awayM || one.segment - other.segment)
      .slice(0, limit)
  }

  #outgoing(): { readonly start: Int32Array; readonly out: Int32Array } {
    const start = new Int32Array(this.nodeCount + 1)
    const edges = 2 * this.segmentCount
    for (let edge = 0; edge < edges; edge++) {
      if (this.users[edge] !== 0) bump(start, this.startOf(edge) + 1)
    }
    for (let node = 0; node < this.nodeCount; node++) {
      start[node + 1] = (start[node + 1] ?? 0) + (start[node] ?? 0)
    }
    const out = new Int32Array(start[this.nodeCount] ?? 0)
    const filled = start.slice(0, this.nodeCount)
    for (let edge = 0; edge < edges; edge++) {
      if (this.users[edge] === 0) continue
      const node = this.startOf(edge)
      out[filled[node] ?? 0] = edge
      bump(filled, node)
    }
    return { start, out }
  }

  #index(): Flatbush {
    const boxes = new Flatbush(this.segmentCount)
    for (let segment = 0; segment < this.segmentCount; segment++) {
      const line = this.lineOf(2 * segment)
      let [west, south, east, north] = [180, 90, -180, -90]
      for (let at = 0; at < line.length; at += 2) {
        const [lon = 0, lat = 0] = [line[at], line[at + 1]]
        west = Math.min(west, lon)
        east = Math.max(east, lon)
        south = Math.min(south, lat)
        north = Math.max(north, lat)
      }
      boxes.add(west, south, east, north)
    }
    boxes.finish()
    return boxes
  }
}

const graphs = new WeakMap<object, RoadGraph>()

/** The graph of a document; null where there is none. Made once of each. */
export function roadGraphOf(content: unknown): RoadGraph | null {
  if (typeof content !== 'object' || content === null) return null
  const known = graphs.get(content)
  if (known !== undefined) return known
  if (!isRoadDocument(content)) return null
  const graph = new RoadGraph(content)
  graphs.set(content, graph)
  return graph
}

/** Nearest point of a line, by how far along it is and how far away; flat around the place. */
export function projectOn(
  line: readonly number[],
  at: Coordinates,
): { readonly alongM: number; readonly awayM: number } {
  const lonM = DEGREE_M * Math.cos((at.lat * Math.PI) / 180)
  let best = { alongM: 0, awayM: Number.POSITIVE_INFINITY }
  let walkedM = 0
  let x0 = ((line[0] ?? 0) - at.lon) * lonM
  let y0 = ((line[1] ?? 0) - at.lat) * DEGREE_M
  for (let next = 2; next < line.length; next += 2) {
    const x1 = ((line[next] ?? 0) - at.lon) * lonM
    const y1 = ((line[next + 1] ?? 0) - at.lat) * DEGREE_M
    const [dx, dy] = [x1 - x0, y1 - y0]
    const squareM = dx * dx + dy * dy
    const share = squareM === 0 ? 0 : Math.max(0, Math.min(1, -(x0 * dx + y0 * dy) / squareM))
    const awayM = Math.hypot(x0 + share * dx, y0 + share * dy)
    const stepM = Math.sqrt(squareM)
    if (awayM < best.awayM) best = { alongM: walkedM + share * stepM, awayM }
    walkedM += stepM
    x0 = x1
    y0 = y1
  }
  return best
}

function reversed(line: readonly number[]): readonly number[] {
  const turned: number[] = []
  for (let at = line.length - 2; at >= 0; at -= 2) turned.push(line[at] ?? 0, line[at + 1] ?? 0)
  return turned
}

function bump(counts: Int32Array, at: number): void {
  counts[at] = (counts[at] ?? 0) + 1
}
