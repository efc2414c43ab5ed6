// The base map as layers: land and lakes drawn once into an image, roads and names above it.

import Feature from 'ol/Feature'
import LineString from 'ol/geom/LineString'
import MultiPolygon from 'ol/geom/MultiPolygon'
import Point from 'ol/geom/Point'
import Polygon from 'ol/geom/Polygon'
import type BaseLayer from 'ol/layer/Base'
import VectorLayer from 'ol/layer/Vector'
import VectorImageLayer from 'ol/layer/VectorImage'
import { fromLonLat } from 'ol/proj'
import VectorSource from 'ol/source/Vector'
import { Circle, Fill, Stroke, Style, Text } from 'ol/style'
import type { BaseMap, LonLat } from './base-map.ts'
import type { Colours } from './theme-colours.ts'

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif'
/** Metres per pixel at zoom 0 of the web's projection. */
const RESOLUTION_0 = 156_543.033_928
/** The projection ends here; beyond it an outline would reach infinity. */
const LAST_LATITUDE = 84

/** From which zoom on a place is named. */
const NAMED_FROM: Readonly<Record<string, number>> = {
  city: 5.4,
  town: 7,
  port: 8,
  border: 7.4,
  depot: 8.6,
  airport: 8.6,
  weighbridge: 9.4,
}
const COUNTRY_NAMES_TO = 7.2
/** A country narrower on screen than this many pixels is not named. */
const COUNTRY_NAME_PX = 70

export function baseLayers(map: BaseMap, colours: Colours): BaseLayer[] {
  return [landLayer(map, colours), roadLayer(map, colours), nameLayer(map, colours)]
}

function projected([lon, lat]: LonLat): number[] {
  return fromLonLat([lon, Math.max(-LAST_LATITUDE, Math.min(LAST_LATITUDE, lat))])
}

function landLayer(map: BaseMap, colours: Colours): BaseLayer {
  const land = new Style({
    fill: new Fill({ color: colours('map-land') }),
    stroke: new Stroke({ color: colours('map-border'), width: 1 }),
  })
  const water = new Style({ fill: new Fill({ color: colours('map-water') }), zIndex: 1 })
  const features = map.countries.map((country) => {
    const rings = country.rings.map((ring) => [ring.map(projected)])
    return styled(new Feature(new MultiPolygon(rings)), land)
  })
  const lakes = map.lakes.map((lake) =>
    styled(new Feature(new Polygon([lake.ring.map(projected)])), water),
  )
  const source = new VectorSource({ features: [...features, ...lakes] })
  return new VectorImageLayer({ source, imageRatio: 2 })
}

function roadLayer(map: BaseMap, colours: Colours): BaseLayer {
  const source = new VectorSource({
    features: map.roads.map((road) => new Feature(new LineString(road.line.map(projected)))),
  })
  const stroke = new Stroke({ color: colours('map-road'), width: 2, lineCap: 'round' })
  const style = new Style({ stroke })
  return new VectorImageLayer({
    source,
    imageRatio: 2,
    style: (_feature, resolution) => {
      const zoom = zoomAt(resolution)
      stroke.setWidth(zoom < 7 ? 1.4 : zoom < 10 ? 2.4 : 4)
      return style
    },
  })
}

function nameLayer(map: BaseMap, colours: Colours): BaseLayer {
  const source = new VectorSource({
    features: [
      ...map.countries.map((country) => {
        const area = largest(country.rings)
        const feature = new Feature(new Point(area.centre))
        feature.setProperties({ name: country.name, width: area.width, kind: 'country' })
        return feature
      }),
      ...map.places.map((place) => {
        const feature = new Feature(new Point(projected(place.at)))
        feature.setProperties({ name: place.name, kind: place.kind })
        return feature
      }),
    ],
  })
  const halo = new Stroke({ color: colours('map-land'), width: 3 })
  const ink = new Fill({ color: colours('map-label') })
  const dot = new Circle({
    radius: 2.5,
    fill: new Fill({ color: colours('map-land') }),
    stroke: new Stroke({ color: colours('map-label'), width: 1.4 }),
  })
  const countryStyle = new Style({
    text: new Text({ font: `600 11px ${FONT}`, fill: ink, stroke: halo }),
  })
  const placeStyle = (font: string) =>
    new Style({
      image: dot,
      text: new Text({ font, fill: ink, stroke: halo, textAlign: 'left', offsetX: 7 }),
    })
  const cityStyle = placeStyle(`600 12.5px ${FONT}`)
  const townStyle = placeStyle(`11.5px ${FONT}`)

  return new VectorLayer({
    source,
    declutter: true,
    style: (feature, resolution) => {
      const zoom = zoomAt(resolution)
      const kind = String(feature.get('kind'))
      const name = String(feature.get('name'))
      if (kind === 'country') {
        const isWide = Number(feature.get('width')) / resolution > COUNTRY_NAME_PX
        if (!isWide || zoom > COUNTRY_NAMES_TO) return []
        countryStyle.getText()?.setText(name.toUpperCase())
        return countryStyle
      }
      if (zoom < (NAMED_FROM[kind] ?? 9)) return []
      const style = kind === 'city' ? cityStyle : townStyle
      style.getText()?.setText(name)
      style.setZIndex(kind === 'city' ? 2 : 1)
      return style
    },
  })
}

function styled(feature: Feature, style: Style): Feature {
  feature.setStyle(style)
  return feature
}

export function zoomAt(resolution: number): number {
  return Math.log2(RESOLUTION_0 / resolution)
}

/** Where to write a country's name: inside its largest part. */
function largest(rings: readonly (readonly LonLat[])[]): { centre: number[]; width: number } {
  let best: Polygon | undefined
  let area = -1
  for (const ring of rings) {
    const polygon = new Polygon([ring.map(projected)])
    if (polygon.getArea() > area) {
      area = polygon.getArea()
      best = polygon
    }
  }
  if (best === undefined) return { centre: [0, 0], width: 0 }
  const [x, y, width] = best.getInteriorPoint().getCoordinates()
  return { centre: [x ?? 0, y ?? 0], width: width ?? 0 }
}
