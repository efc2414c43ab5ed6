// Lines of a GeoJSON document as roads. Points with the same coordinates are one point; the properties of a
// feature are its tags, by the names of OpenStreetMap; a line without `highway` counts as a road.
// Source: RFC 7946.

import type { RoadExtract, RoadLine, RoadPoint } from '../../ports/road-source.ts'

export function linesOfGeoJson(document: unknown): RoadExtract {
  const { type, features } = Object(document)
  const all: readonly unknown[] =
    type === 'FeatureCollection' && Array.isArray(features) ? features : [document]
  const lines = all.flatMap((feature, at) => linesOfFeature(feature, at))
  return { lines, cutLines: 0 }
}

function linesOfFeature(feature: unknown, at: number): readonly RoadLine[] {
  const { id, properties, geometry } = Object(feature)
  const { type, coordinates } = Object(geometry)
  const parts: readonly unknown[] =
    type === 'LineString' ? [coordinates] : type === 'MultiLineString' ? coordinates : []
  const name = String(id ?? Object(properties).id ?? `line-${at}`)
  const tags = { highway: 'road', ...Object(properties) }
  return parts.flatMap((part, index) => {
    const points = pointsOf(part)
    if (points.length < 2) return []
    return [{ id: index === 0 ? name : `${name}/${index}`, tags, points }]
  })
}

function pointsOf(part: unknown): readonly RoadPoint[] {
  if (!Array.isArray(part)) return []
  return part.flatMap((position: unknown): RoadPoint[] => {
    const [lon, lat]: readonly unknown[] = Array.isArray(position) ? position : []
    if (typeof lon !== 'number' || typeof lat !== 'number') return []
    return [{ id: `${lon.toFixed(7)},${lat.toFixed(7)}`, lat, lon }]
  })
}
