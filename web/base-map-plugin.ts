// Makes the base map at build time: outlines that are detailed where the corridors are and coarse
// elsewhere, lakes, and the roads and places of the simulated world.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { feature } from 'topojson-client'
import type { GeometryCollection, Topology } from 'topojson-specification'
import type { Plugin } from 'vite'
import { corridors } from '../src/domains/cold-chain/world/corridors.ts'
import { places } from '../src/domains/cold-chain/world/places.ts'
import { lakes } from './lakes.ts'
import type { BaseMap, LonLat, MapCountry, MapRoad } from './src/lib/map/base-map.ts'

const MODULE = 'virtual:base-map'
/** Africa, Arabia and the western Indian Ocean: west, south, east, north in degrees. */
const DETAILED = [-26, -40, 78, 40] as const
/** About 100 m at the equator: finer than the outlines themselves. */
const DECIMALS = 3
/** A road is laid out in pieces of 250 m; the map draws every fourth point. */
const ROAD_STEP = 4

/** Answers `import baseMap from 'virtual:base-map'`. */
export function baseMapPlugin(): Plugin {
  return {
    name: 'outrider-base-map',
    resolveId: (id) => (id === MODULE ? `\0${MODULE}` : undefined),
    load: (id) => (id === `\0${MODULE}` ? moduleOf(baseMap()) : undefined),
  }
}

/** A string that is parsed is read faster by the browser than the same thing as code. */
function moduleOf(map: BaseMap): string {
  return `export default JSON.parse(${JSON.stringify(JSON.stringify(map))})`
}

function baseMap(): BaseMap {
  return {
    countries: countries(),
    lakes,
    roads: roads(),
    places: places.map(({ name, lat, lon, kind }) => ({ name, at: rounded([lon, lat]), kind })),
  }
}

function countries(): MapCountry[] {
  const near = read('world-atlas/countries-50m.json').filter(isNear)
  const detailed = new Set(near.map((country) => country.name))
  const far = read('world-atlas/countries-110m.json').filter((each) => !detailed.has(each.name))
  return [...near, ...far]
}

function read(file: string): MapCountry[] {
  const path = createRequire(import.meta.url).resolve(file)
  const topology: Topology<{ countries: GeometryCollection<{ name: string }> }> = JSON.parse(
    readFileSync(path, 'utf8'),
  )
  return feature(topology, topology.objects.countries).features.map(({ geometry, properties }) => ({
    name: properties.name,
    rings: ringsOf(geometry).map((ring) => ring.map(([lon, lat]) => rounded([lon ?? 0, lat ?? 0]))),
  }))
}

/** Every ring by itself: the holes of countries are countries of their own. */
function ringsOf(geometry: GeoJSON.Geometry): GeoJSON.Position[][] {
  if (geometry.type === 'Polygon') return geometry.coordinates
  if (geometry.type === 'MultiPolygon') return geometry.coordinates.flat()
  return []
}

function rounded([lon, lat]: LonLat): LonLat {
  return [Number(lon.toFixed(DECIMALS)), Number(lat.toFixed(DECIMALS))]
}

function isNear(country: MapCountry): boolean {
  const [west, south, east, north] = DETAILED
  return country.rings.some((ring) =>
    ring.some(([lon, lat]) => lon > west && lon < east && lat > south && lat < north),
  )
}

function roads(): MapRoad[] {
  return corridors().map((corridor) => {
    const last = corridor.lat.length - 1
    const line: LonLat[] = []
    for (let index = 0; index <= last; index += ROAD_STEP) line.push(point(corridor, index))
    line.push(point(corridor, last))
    return { name: corridor.name, line }
  })
}

function point(corridor: { lat: Float64Array; lon: Float64Array }, index: number): LonLat {
  return rounded([corridor.lon[index] ?? 0, corridor.lat[index] ?? 0])
}
