// `outrider roads sensors`: a mapping by which what sensors measure is said of the roads that they stand at.

import { readFile, writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { parse as parseCsv } from 'csv-parse/sync'
import { parseDocument } from 'yaml'
import { ROAD_TABLE } from '../../domains/arrivals/roads/road-document.ts'
import { roadGraphOf } from '../../domains/arrivals/roads/road-graph.ts'
import { placeSensor } from '../../domains/arrivals/roads/sensor-places.ts'
import { findMapping } from '../../doors/mapping-library.ts'
import { carryOut, DONE, UsageError } from '../command-line.ts'
import { checkReference } from '../topics.ts'

const DEFAULT_WITHIN_M = 50
const MAX_WITHIN_M = 1_000
const FIELD = 'segmentId'

interface SensorFlags {
  readonly roads: string
  readonly mapping: string
  readonly to: string
  readonly within: string
  readonly json?: true
}

export function registerRoadSensors(roads: Command): void {
  roads
    .command('sensors')
    .description('put sensors onto the roads: writes a mapping whose traffic is that of the roads')
    .argument('<positions>', 'CSV with sensor_id, latitude, longitude')
    .requiredOption('--roads <file>', 'made by `outrider roads build`')
    .option('--mapping <name|file>', 'the one to start from', 'metr-la')
    .option('--to <file>', 'the mapping that is written', 'sensors-on-roads.yaml')
    .option(
      '--within <m>',
      'a sensor further from any road stays a stretch of its own',
      `${DEFAULT_WITHIN_M}`,
    )
    .option('--json', 'one JSON document on standard output')
    .action((positions: string, flags: SensorFlags, command: Command) =>
      carryOut(command, () => place(positions, flags)),
    )
}

async function place(positions: string, flags: SensorFlags): Promise<number> {
  const withinM = Number(flags.within)
  if (!(withinM > 0 && withinM <= MAX_WITHIN_M)) {
    throw new UsageError(
      `--within must be a number of metres up to ${MAX_WITHIN_M}; found "${flags.within}"`,
    )
  }
  const graph = await graphOf(flags.roads)
  const sensors = sensorsOf(positions, await textOf(positions))
  const placed = sensors.flatMap((sensor) => placeSensor(graph, { ...sensor, withinM }) ?? [])
  if (placed.length === 0) {
    throw new UsageError(
      `None of the ${sensors.length} sensors of ${positions} stands within ${withinM} m of a road of ${flags.roads}.`,
    )
  }
  const map = new Map(placed.map(({ sensorId, segmentId }) => [sensorId, segmentId]))
  await writeFile(flags.to, await mappingWith(flags.mapping, map))
  const told = {
    file: flags.to,
    sensors: sensors.length,
    placed: placed.length,
    stretches: new Set(map.values()).size,
    eitherWay: placed.filter(({ isEitherWay }) => isEitherWay).length,
    farthestM: Math.round(Math.max(...placed.map(({ awayM }) => awayM))),
  }
  process.stdout.write(
    flags.json === true
      ? `${JSON.stringify(told)}\n`
      : `${told.file}: ${told.placed} of ${told.sensors} sensors stand at ${told.stretches} stretches of road, the farthest ` +
          `${told.farthestM} m away; ${told.eitherWay} at roads that go both ways, whose first direction is taken.\n` +
          `outrider import FILE --mapping ${told.file}\n`,
  )
  return DONE
}

async function graphOf(file: string) {
  const content = documentOf(await textOf(file))
  const problem = checkReference(ROAD_TABLE, content)
  const graph = problem === undefined ? roadGraphOf(content) : null
  if (graph != null) return graph
  throw new UsageError(
    `${file} is no table of roads (${problem ?? 'it is empty'}); make one with outrider roads build`,
  )
}

function documentOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

async function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new UsageError(
      `${file} cannot be read: ${cause instanceof Error ? cause.message : cause}`,
    )
  })
}

function sensorsOf(file: string, text: string) {
  const rows: readonly Readonly<Record<string, unknown>>[] = parseCsv(text, {
    columns: true,
    bom: true,
    skip_empty_lines: true,
    trim: true,
  })
  return rows.map(({ sensor_id: sensorId, latitude, longitude }, at) => {
    const [lat, lon] = [numberOf(latitude), numberOf(longitude)]
    if (
      typeof sensorId === 'string' &&
      sensorId !== '' &&
      Math.abs(lat) <= 90 &&
      Math.abs(lon) <= 180
    ) {
      return { sensorId, lat, lon }
    }
    throw new UsageError(`${file}: row ${at + 2} has no sensor_id, latitude and longitude.`)
  })
}

function numberOf(text: unknown): number {
  return typeof text === 'string' && text !== '' ? Number(text) : Number.NaN
}

/** The same mapping, but for where its stretches get their names. A sensor that stands nowhere keeps its own. */
async function mappingWith(name: string, map: ReadonlyMap<string, string>): Promise<string> {
  const found = await findMapping(name)
  if (!found.ok) throw new UsageError(found.error)
  const document = parseDocument(found.value.text)
  const before: unknown = document.getIn(['fields', FIELD])
  const from = typeof before === 'string' ? before : document.getIn(['fields', FIELD, 'from'])
  if (typeof from !== 'string') {
    throw new UsageError(
      `The mapping ${name} says of no column that it names the sensor (${FIELD}).`,
    )
  }
  document.setIn(
    ['fields', FIELD],
    document.createNode({ from, map: Object.fromEntries(map), unlisted: 'keep' }),
  )
  return document.toString()
}
