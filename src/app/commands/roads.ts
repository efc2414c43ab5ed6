// `outrider roads build`: from an extract of a map to the reference table that routes are searched in.

import { createHash } from 'node:crypto'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Command } from 'commander'
import { type RoadFormat, readRoadFile, roadFormatOf } from '../../adapters/roads/road-file.ts'
import { buildRoads } from '../../domains/arrivals/roads/road-builder.ts'
import { ROAD_TABLE } from '../../domains/arrivals/roads/road-document.ts'
import { carryOut, commandSettings, DONE, UsageError } from '../command-line.ts'
import { registerRoadSensors } from './road-sensors.ts'

const FORMATS: readonly RoadFormat[] = ['osm-xml', 'osm-pbf', 'geojson']

interface RoadsFlags {
  readonly to?: string
  readonly name?: string
  readonly format?: string
  readonly attribution: string
  readonly dataDir?: string
  readonly json?: true
}

export function registerRoads(program: Command): void {
  const roads = program.command('roads').description('the network that routes are searched in')
  roads
    .command('build')
    .description('read an OpenStreetMap extract (.osm, .osm.gz, .osm.pbf) or GeoJSON of lines')
    .argument('<file>', 'the extract')
    .option(
      '--to <file>',
      'where the table goes (default: reference/roads.json in the data folder)',
    )
    .option('--name <name>', 'of the network (default: the name of the file)')
    .option('--format <format>', `one of ${FORMATS.join(', ')} (default: by the name of the file)`)
    .option('--attribution <text>', 'who made the map', '© OpenStreetMap contributors')
    .option('--data-dir <folder>', 'where log and database are kept (default: .outrider)')
    .option('--json', 'one JSON document on standard output')
    .action((file: string, flags: RoadsFlags, command: Command) =>
      carryOut(command, () => build(file, flags)),
    )
  registerRoadSensors(roads)
}

async function build(file: string, flags: RoadsFlags): Promise<number> {
  const format = formatOf(file, flags.format)
  const { lines, cutLines } = await readRoadFile(file, format)
  const facts = {
    name: flags.name ?? basename(file).replace(/\..*$/, ''),
    attribution: flags.attribution,
  }
  const content = buildRoads(lines, { ...facts, version: '-' })
  if (content.segments.length === 0) {
    throw new UsageError(
      `${file} has no roads: ${lines.length} lines, none that anybody travels on.`,
    )
  }
  const version = createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 16)
  const to = flags.to ?? join(await referenceFolder(flags.dataDir), `${ROAD_TABLE}.json`)
  await mkdir(dirname(to), { recursive: true })
  // Whoever reads the table meanwhile sees the one before or this one.
  await writeFile(`${to}.part`, JSON.stringify({ ...content, version }))
  await rename(`${to}.part`, to)
  const nodes = content.nodes.length / 2
  const km = content.segments.reduce((sum, { lengthM }) => sum + lengthM, 0) / 1_000
  const told = { file: to, version, nodes, segments: content.segments.length, km, cutLines }
  process.stdout.write(
    flags.json === true
      ? `${JSON.stringify(told)}\n`
      : `${to}: ${told.segments.toLocaleString('en')} stretches between ${nodes.toLocaleString('en')} ` +
          `places, ${Math.round(km).toLocaleString('en')} km; ${cutLines} lines are cut where the extract ends.\n`,
  )
  return DONE
}

function formatOf(file: string, asked: string | undefined): RoadFormat {
  const format = asked === undefined ? roadFormatOf(file) : FORMATS.find((each) => each === asked)
  if (format !== undefined) return format
  throw new UsageError(
    asked === undefined
      ? `cannot tell what ${file} is by its name; say --format, one of ${FORMATS.join(', ')}`
      : `--format must be one of ${FORMATS.join(', ')}; found "${asked}"`,
  )
}

async function referenceFolder(dataDir: string | undefined): Promise<string> {
  const settings = await commandSettings({ DATA_DIR: dataDir })
  const { reference } = settings
  if (reference === null) return join(settings.dataDir, 'reference')
  if (!reference.startsWith('s3://')) return reference
  throw new UsageError(`reference tables come from ${reference}: say --to, and put the file there`)
}
