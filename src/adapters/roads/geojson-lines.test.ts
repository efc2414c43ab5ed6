// Roads from GeoJSON: what joins, what is named how, and what is no road.

import { deepEqual, equal, rejects } from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { PlatformError } from '../../kernel/errors.ts'
import { linesOfGeoJson } from './geojson-lines.ts'
import { readRoadFile } from './road-file.ts'

const line = (coordinates: unknown, more: object = {}) => ({
  type: 'Feature',
  geometry: { type: 'LineString', coordinates },
  ...more,
})
const collection = (...features: readonly unknown[]) => ({ type: 'FeatureCollection', features })
const A = [36.8, -1.3]
const B = [36.81, -1.31]
const C = [36.82, -1.3]

test('lines meet where they share a position; the order is longitude, latitude', () => {
  const { lines, cutLines } = linesOfGeoJson(collection(line([A, B]), line([B, C])))
  equal(cutLines, 0)
  deepEqual(lines[0]?.points[0], { id: '36.8000000,-1.3000000', lat: -1.3, lon: 36.8 })
  equal(lines[0]?.points.at(-1)?.id, lines[1]?.points[0]?.id)
})

test('a line is named by its id, that of its properties, or its place, and each part of several by its own', () => {
  const parts = {
    type: 'MultiLineString',
    coordinates: [
      [A, B],
      [B, C],
    ],
  } as const
  const { lines } = linesOfGeoJson(
    collection(
      line([A, B], { id: 7 }),
      line([A, B], { properties: { id: 'ring' } }),
      line([A, B]),
      { type: 'Feature', id: 'parts', geometry: parts },
    ),
  )
  deepEqual(
    lines.map(({ id }) => id),
    ['7', 'ring', 'line-2', 'parts', 'parts/1'],
  )
})

test('properties are tags by the names of OpenStreetMap; a line that says nothing is a road', () => {
  const { lines } = linesOfGeoJson(
    collection(line([A, B]), line([A, B], { properties: { highway: 'motorway', oneway: 'yes' } })),
  )
  deepEqual(
    lines.map(({ tags }) => tags),
    [{ highway: 'road' }, { highway: 'motorway', oneway: 'yes' }],
  )
})

test('points, areas and lines of fewer than two sound positions are no roads', () => {
  const { lines } = linesOfGeoJson(
    collection(
      { type: 'Feature', geometry: { type: 'Point', coordinates: A } },
      { type: 'Feature', geometry: { type: 'Polygon', coordinates: [[A, B, C, A]] } },
      { type: 'Feature', geometry: null },
      line([A]),
      line([A, ['36.81', -1.31], null]),
      line('no list'),
      null,
    ),
  )
  deepEqual(lines, [])
})

test('one feature alone is read too, and what is no GeoJSON has no roads', () => {
  equal(linesOfGeoJson(line([A, B])).lines.length, 1)
  for (const other of [null, 7, 'text', [], {}, { type: 'FeatureCollection' }]) {
    deepEqual(linesOfGeoJson(other).lines, [])
  }
})

test('a file may be gzipped; one that is no JSON is refused with its name', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'outrider-roads-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const [good, bad] = [join(folder, 'city.geojson.gz'), join(folder, 'bad.geojson')]
  writeFileSync(good, gzipSync(JSON.stringify(collection(line([A, B])))))
  writeFileSync(bad, '{"type": ')
  equal((await readRoadFile(good, 'geojson')).lines.length, 1)
  await rejects(
    readRoadFile(bad, 'geojson'),
    (error) => error instanceof PlatformError && error.message.includes(bad),
  )
})
