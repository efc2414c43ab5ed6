// A sketch of a city's roads of our own, for simulated travellers: streets in a grid that is not quite one,
// avenues every few blocks, a ring road and a motorway through it. Placed where Nairobi is; no map was read.

import { distanceM } from '../../../kernel/geo.ts'
import type { RoadLine, RoadPoint } from '../../../ports/road-source.ts'
import { buildRoads } from '../roads/road-builder.ts'
import type { RoadDocument } from '../roads/road-document.ts'

const CENTRE = { lat: -1.2864, lon: 36.8172 }
const COLUMNS = 25
const ROWS = 19
const BLOCK_DEG = 0.0042
/** Streets bend: each crossing lies off its place by up to so much of a block. */
const BEND = 0.28

export const CITY_NAME = 'Sketch of a city'

export function sketchOfCity(): RoadDocument {
  const facts = {
    name: CITY_NAME,
    version: 'sketch-1',
    attribution: 'Drawn for simulations; no real roads',
  }
  return buildRoads([...rows(), ...columns(), ...motorway()], facts)
}

function crossing(column: number, row: number): RoadPoint {
  const [x, y] = bend(column, row)
  const lon = CENTRE.lon + (column - (COLUMNS - 1) / 2 + x) * BLOCK_DEG
  const lat = CENTRE.lat + (row - (ROWS - 1) / 2 + y) * BLOCK_DEG
  return { id: `${column}/${row}`, lat: rounded(lat), lon: rounded(lon) }
}

/** The same for the same crossing, and without a pattern that one sees. */
function bend(column: number, row: number): readonly [number, number] {
  const wave = (a: number, b: number): number => Math.sin(column * a + row * b) * BEND
  return [wave(2.3, 4.1), wave(5.7, 1.9)]
}

function rounded(degrees: number): number {
  return Math.round(degrees * 1e6) / 1e6
}

function rows(): readonly RoadLine[] {
  return Array.from({ length: ROWS }, (_, row) => ({
    id: `row-${row}`,
    tags: tagsOf(row, ROWS),
    points: Array.from({ length: COLUMNS }, (__, column) => crossing(column, row)),
  }))
}

function columns(): readonly RoadLine[] {
  return Array.from({ length: COLUMNS }, (_, column) => ({
    id: `column-${column}`,
    tags: tagsOf(column, COLUMNS),
    points: Array.from({ length: ROWS }, (__, row) => crossing(column, row)),
  }))
}

/** The outermost are the ring; every fourth is an avenue. */
function tagsOf(at: number, count: number): Readonly<Record<string, string>> {
  if (at === 0 || at === count - 1) return { highway: 'trunk', maxspeed: '80' }
  if (at % 4 === 2) return { highway: 'primary', maxspeed: '60' }
  return at % 2 === 0 ? { highway: 'tertiary' } : { highway: 'residential' }
}

/** Diagonal, with a way on and off at every third crossing that it passes. */
function motorway(): readonly RoadLine[] {
  const points = Array.from({ length: ROWS }, (_, row) => {
    const place = crossing(Math.round((row * (COLUMNS - 1)) / (ROWS - 1)), row)
    return { ...place, id: `motorway-${row}`, lat: rounded(place.lat + BLOCK_DEG / 4) }
  })
  const ramps = points.flatMap((point, row): RoadLine[] => {
    if (row % 3 !== 0) return []
    const to = crossing(Math.round((row * (COLUMNS - 1)) / (ROWS - 1)), row)
    return [
      { id: `ramp-${row}`, tags: { highway: 'motorway_link', oneway: 'no' }, points: [point, to] },
    ]
  })
  const tags = { highway: 'motorway', maxspeed: '100', oneway: 'no' }
  return [{ id: 'motorway', tags, points }, ...ramps]
}

/** How far across it is, m. */
export const CITY_WIDTH_M = distanceM(crossing(0, 0), crossing(COLUMNS - 1, 0))
