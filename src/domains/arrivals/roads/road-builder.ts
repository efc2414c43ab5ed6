// From the ways and nodes of an extract to a network of roads: ways are cut where they meet, and stretches
// that lead nowhere are left out. Turn restrictions are not read.

import { distanceM } from '../../../kernel/geo.ts'
import type { RoadLine } from '../../../ports/road-source.ts'
import { type RoadUse, roadUse } from './road-classes.ts'
import { COORDINATE_SCALE, type RoadDocument, type RoadSegment } from './road-document.ts'

/** Stretches that hang together with fewer others are no network: car parks, the far side of a border. */
const SMALLEST_ISLAND = 20

export interface RoadFacts {
  readonly name: string
  readonly version: string
  readonly attribution: string
}

interface UsedLine {
  readonly line: RoadLine
  readonly use: RoadUse
}

export function buildRoads(lines: Iterable<RoadLine>, facts: RoadFacts): RoadDocument {
  const used: UsedLine[] = []
  const meetings = new Map<string, number>()
  for (const line of lines) {
    const use = roadUse(line.tags)
    if (use === undefined || line.points.length < 2) continue
    used.push({ line, use })
    line.points.forEach(({ id }, at) => {
      const isEnd = at === 0 || at === line.points.length - 1
      meetings.set(id, (meetings.get(id) ?? 0) + (isEnd ? 2 : 1))
    })
  }
  const nodes: number[] = []
  const places = new Map<string, number>()
  const placeOf = (point: RoadLine['points'][number]): number => {
    const known = places.get(point.id)
    if (known !== undefined) return known
    const place = nodes.length / 2
    nodes.push(scaled(point.lon), scaled(point.lat))
    places.set(point.id, place)
    return place
  }
  const segments = used.flatMap((each) => segmentsOf(each, meetings, placeOf))
  return { ...facts, ...withoutIslands({ nodes, segments }) }
}

function segmentsOf(
  { line, use }: UsedLine,
  meetings: ReadonlyMap<string, number>,
  placeOf: (point: RoadLine['points'][number]) => number,
): RoadSegment[] {
  const segments: RoadSegment[] = []
  const [first, ...rest] = line.points
  if (first === undefined) return segments
  let start = first
  let before = first
  let lengthM = 0
  let shape: number[] = []
  for (const point of rest) {
    lengthM += distanceM(before, point)
    before = point
    if ((meetings.get(point.id) ?? 0) < 2) {
      shape.push(scaled(point.lon), scaled(point.lat))
      continue
    }
    segments.push({
      id: `${line.id}.${segments.length}`,
      from: placeOf(start),
      to: placeOf(point),
      lengthM: Math.round(lengthM * 10) / 10,
      ...use,
      shape,
    })
    start = point
    lengthM = 0
    shape = []
  }
  return segments
}

function scaled(degrees: number): number {
  return Math.round(degrees * COORDINATE_SCALE)
}

type Network = Pick<RoadDocument, 'nodes' | 'segments'>

function withoutIslands({ nodes, segments }: Network): Network {
  const root = Array.from({ length: nodes.length / 2 }, (_, node) => node)
  const rootOf = (node: number): number => {
    let at = node
    while (root[at] !== at) {
      const above = root[at] ?? at
      root[at] = root[above] ?? above
      at = above
    }
    return at
  }
  for (const { from, to } of segments) root[rootOf(from)] = rootOf(to)
  const sizes = new Map<number, number>()
  for (const { from } of segments) sizes.set(rootOf(from), (sizes.get(rootOf(from)) ?? 0) + 1)
  const largest = Math.max(0, ...sizes.values())
  const enough = Math.min(SMALLEST_ISLAND, largest)
  const kept = segments.filter(({ from }) => (sizes.get(rootOf(from)) ?? 0) >= enough)
  return renumbered(nodes, kept)
}

function renumbered(nodes: readonly number[], segments: readonly RoadSegment[]): Network {
  const places = new Map<number, number>()
  const keptNodes: number[] = []
  const placeOf = (node: number): number => {
    const known = places.get(node)
    if (known !== undefined) return known
    const place = keptNodes.length / 2
    keptNodes.push(nodes[2 * node] ?? 0, nodes[2 * node + 1] ?? 0)
    places.set(node, place)
    return place
  }
  const kept = segments.map((each) => ({ ...each, from: placeOf(each.from), to: placeOf(each.to) }))
  return { nodes: keptNodes, segments: kept }
}
