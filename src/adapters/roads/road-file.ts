// Roads from a file: an OpenStreetMap extract as XML or PBF, or GeoJSON; gzipped or not.

import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { createGunzip, gunzipSync } from 'node:zlib'
import { createOSMStream } from 'osm-pbf-parser-node'
import { SaxesParser } from 'saxes'
import { PlatformError } from '../../kernel/errors.ts'
import type { RoadExtract } from '../../ports/road-source.ts'
import { linesOfGeoJson } from './geojson-lines.ts'
import { OsmLines } from './osm-lines.ts'

/** A larger GeoJSON file is refused: it is read as a whole. */
const MAX_GEOJSON_BYTES = 512 * 1024 * 1024

export type RoadFormat = 'osm-xml' | 'osm-pbf' | 'geojson'

/** By the file's name; undefined where it says nothing. */
export function roadFormatOf(path: string): RoadFormat | undefined {
  const name = path.toLowerCase().replace(/\.gz$/, '')
  if (name.endsWith('.pbf')) return 'osm-pbf'
  if (name.endsWith('.osm') || name.endsWith('.xml')) return 'osm-xml'
  return name.endsWith('.geojson') || name.endsWith('.json') ? 'geojson' : undefined
}

/** Rejects with `reference-unavailable` where the file cannot be read as what it is said to be. */
export async function readRoadFile(path: string, format: RoadFormat): Promise<RoadExtract> {
  try {
    if (format === 'osm-pbf') return await readPbf(path)
    return format === 'osm-xml' ? await readXml(path) : await readGeoJson(path)
  } catch (cause) {
    throw new PlatformError(
      'reference-unavailable',
      `Cannot read roads from ${path} as ${format}.`,
      {
        retry: 'never',
        cause,
      },
    )
  }
}

async function readPbf(path: string): Promise<RoadExtract> {
  const lines = new OsmLines()
  for await (const item of createOSMStream(path, { withTags: true, withInfo: false })) {
    const { type, id, lat, lon, refs, tags } = Object(item)
    if (type === 'node') lines.node(String(id), Number(lat), Number(lon))
    else if (type === 'way' && Array.isArray(refs)) {
      lines.way(String(id), refs.map(String), Object(tags))
    }
  }
  return lines.finish()
}

async function readXml(path: string): Promise<RoadExtract> {
  const lines = new OsmLines()
  let way: {
    readonly id: string
    readonly refs: string[]
    readonly tags: Record<string, string>
  } | null = null
  const parser = new SaxesParser()
  parser.on('opentag', ({ name, attributes }) => {
    const { id = '', lat, lon, ref = '', k = '', v = '' } = attributes
    if (name === 'node') lines.node(id, Number(lat), Number(lon))
    else if (name === 'way') way = { id, refs: [], tags: {} }
    else if (name === 'nd') way?.refs.push(ref)
    else if (name === 'tag' && way !== null) way.tags[k] = v
  })
  parser.on('closetag', ({ name }) => {
    if (name !== 'way' || way === null) return
    lines.way(way.id, way.refs, way.tags)
    way = null
  })
  parser.on('error', (error) => {
    throw error
  })
  for await (const chunk of textOf(path)) parser.write(String(chunk))
  parser.close()
  return lines.finish()
}

function textOf(path: string): Readable {
  const file = createReadStream(path)
  if (!path.endsWith('.gz')) return file.setEncoding('utf8')
  const text = createGunzip()
  file.on('error', (error) => text.destroy(error))
  return file.pipe(text).setEncoding('utf8')
}

async function readGeoJson(path: string): Promise<RoadExtract> {
  const bytes = await readFile(path)
  const text = path.endsWith('.gz')
    ? gunzipSync(bytes, { maxOutputLength: MAX_GEOJSON_BYTES })
    : bytes
  return linesOfGeoJson(JSON.parse(text.toString('utf8')))
}
