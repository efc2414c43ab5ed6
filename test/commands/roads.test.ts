// Roads of one's own: sensors are put onto them, and simulated travellers drive on them.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parse } from 'yaml'
import { runCommand } from '../program.ts'
import { sharedDataOrSkip } from '../requirements.ts'

const POSITIONS = 'metr-la-speeds-2012-03/sensor_locations.csv'

interface Sensor {
  readonly id: string
  readonly lat: number
  readonly lon: number
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'outrider-roads-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A grid of streets around a place; the first of them is a carriageway that goes east alone. */
async function buildRoads(
  folder: string,
  { lat, lon }: Omit<Sensor, 'id'>,
  stepDeg = 0.002,
): Promise<string> {
  const at = (column: number, row: number) => [lon + column * stepDeg, lat + row * stepDeg]
  const lines = Array.from({ length: 6 }, (_, number) => number - 3).flatMap((number) => {
    const across = Array.from({ length: 6 }, (_, step) => at(step - 3, number))
    const up = Array.from({ length: 6 }, (_, step) => at(number, step - 3))
    const oneway = number === 0 ? { highway: 'motorway', oneway: 'yes' } : {}
    return [
      { coordinates: across, properties: { id: `across${number}`, ...oneway } },
      { coordinates: up, properties: { id: `up${number}` } },
    ]
  })
  const features = lines.map(({ coordinates, properties }) => ({
    ...{ type: 'Feature', properties, geometry: { type: 'LineString', coordinates } },
  }))
  const [map, roads] = [join(folder, 'city.geojson'), join(folder, 'roads.json')]
  writeFileSync(map, JSON.stringify({ type: 'FeatureCollection', features }))
  const built = await runCommand(['roads', 'build', map, '--to', roads])
  assert.equal(built.code, 0, built.stderr)
  return roads
}

/** What the command says of it as JSON. */
async function placeSensors(
  positions: string,
  { roads, mapping }: { readonly roads: string; readonly mapping: string },
) {
  const placing = ['roads', 'sensors', positions, '--roads', roads, '--to', mapping, '--json']
  const placed = await runCommand(placing)
  assert.equal(placed.code, 0, placed.stderr)
  return JSON.parse(placed.stdout)
}

test('sensors are put onto the road that they stand at; one that stands nowhere keeps its name', async (t) => {
  const folder = folderOf(t)
  const here = { lat: 34.15, lon: -118.32 }
  const roads = await buildRoads(folder, here)
  const [positions, mapping] = [join(folder, 'sensors.csv'), join(folder, 'mapping.yaml')]
  writeFileSync(
    positions,
    `sensor_id,latitude,longitude
1,${here.lat + 0.0001},${here.lon + 0.001}
2,${here.lat + 0.0021},${here.lon + 0.003}
3,0,0
`,
  )
  const told = await placeSensors(positions, { roads, mapping })
  assert.deepEqual(told, {
    ...{ file: mapping, sensors: 3, placed: 2, stretches: 2, eitherWay: 1, farthestM: 11 },
  })
  const { topic, fields } = parse(readFileSync(mapping, 'utf8'))
  assert.equal(topic, 'traffic')
  assert.equal(fields.segmentId.unlisted, 'keep')
  assert.deepEqual(Object.keys(fields.segmentId.map), ['1', '2'])
  assert.match(fields.segmentId.map['1'], /^across0/)
  assert.match(fields.segmentId.map['2'], /^across1/)
  const events = join(folder, 'speeds.csv')
  writeFileSync(events, 'time_local,1,3\n2012-03-01T00:00:00,60,65\n')
  const imported = await runCommand([
    'import',
    events,
    '--mapping',
    mapping,
    '--to',
    'http://127.0.0.1:9',
  ])
  assert.doesNotMatch(imported.stderr, /mapping cannot be used/)
})

test('what is no table of roads, no sensor, or no distance is named', async (t) => {
  const folder = folderOf(t)
  const roads = await buildRoads(folder, { lat: 34.15, lon: -118.32 })
  const bad = join(folder, 'bad.csv')
  writeFileSync(bad, 'sensor_id,latitude,longitude\n1,34.15,north\n')
  const far = join(folder, 'far.csv')
  writeFileSync(far, 'sensor_id,latitude,longitude\n1,0,0\n')
  const fails = async (args: readonly string[], says: RegExp): Promise<void> => {
    const { code, stderr } = await runCommand(['roads', 'sensors', ...args])
    assert.notEqual(code, 0)
    assert.match(stderr, says)
  }
  await fails([bad, '--roads', roads], /row 2 has no sensor_id, latitude and longitude/)
  await fails([far, '--roads', roads], /None of the 1 sensors .* within 50 m/)
  await fails([far, '--roads', roads, '--within', '-1'], /--within must be/)
  await fails([far, '--roads', bad], /cannot be read|no table of roads/)
})

test('the sensors of METR-LA stand on roads that lead past them', async (t) => {
  const file = sharedDataOrSkip(t, POSITIONS)
  if (file === undefined) return
  const [, ...rows] = readFileSync(file, 'utf8').trim().split('\n')
  const sensors = rows.map((row): Sensor => {
    const [, id = '', lat, lon] = row.split(',')
    return { id, lat: Number(lat), lon: Number(lon) }
  })
  const folder = folderOf(t)
  const first = sensors[0] ?? assert.fail()
  const roads = await buildRoads(folder, first)
  const mapping = join(folder, 'mapping.yaml')
  const told = await placeSensors(file, { roads, mapping })
  assert.equal(told.sensors, 207)
  const { map } = parse(readFileSync(mapping, 'utf8')).fields.segmentId
  assert.equal(Object.keys(map).length, told.placed)
  assert.ok(first.id in map)
})

test('simulated travellers drive on the roads of a file, and one that holds none is refused', async (t) => {
  const folder = folderOf(t)
  const here = { lat: 43.73, lon: 7.42 }
  const roads = await buildRoads(folder, here, 0.01)
  const simulate = (file: string) =>
    runCommand(['simulate', 'arrivals', '--to', '-', '--count', '3000', '--roads', file])
  const { code, stdout, stderr } = await simulate(roads)
  assert.equal(code, 0, stderr)
  const seen = stdout
    .trim()
    .split('\n')
    .map((line): { readonly lat?: number; readonly lon?: number } => JSON.parse(line))
    .flatMap(({ lat, lon }) => (lat === undefined || lon === undefined ? [] : [{ lat, lon }]))
  assert.ok(seen.length > 50)
  for (const { lat, lon } of seen) {
    assert.ok(Math.abs(lat - here.lat) < 0.04 && Math.abs(lon - here.lon) < 0.04, `${lat}, ${lon}`)
  }
  const none = join(folder, 'none.json')
  writeFileSync(none, '{"name": "x"}')
  const refused = await simulate(none)
  assert.equal(refused.code, 2)
  assert.match(refused.stderr, /is no table of roads .*; make one with outrider roads build/)
})
